"""`make run` with real processes, from a copy of the project in a folder whose name has a space."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from config import embedded, leftovers
from config.embedded.server import is_alive
from config.run import take_port

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 90.0

pytestmark = pytest.mark.chaos


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "my checkout"
    kept_out = shutil.ignore_patterns(".*", "conformance-data", "staticfiles")
    shutil.copytree(PROJECT, root, ignore=kept_out)
    yield root
    leftovers.end(root)
    embedded.remove(root)


class Terminal:
    """One `python -m config.run`, as a person sees it."""

    def __init__(self, root: Path, log: Path, **environment: str) -> None:
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.run"],
                cwd=root,
                env={"PATH": os.environ["PATH"], "WEB_WORKERS": "1"} | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.log.read_text()

    def wait_for(self, pattern: str) -> re.Match[str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if found := re.search(pattern, self.text):
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise AssertionError(f"{pattern!r} did not appear in:\n{self.text}")


@contextmanager
def running(root: Path, log: Path, **environment: str) -> Iterator[Terminal]:
    terminal = Terminal(root, log, **environment)
    try:
        yield terminal
    finally:
        if terminal.process.poll() is None:
            terminal.process.send_signal(signal.SIGTERM)
        terminal.process.wait(30)


def processes_of(root: Path) -> list[psutil.Process]:
    stack = embedded.Stack(embedded.Places.of_checkout(root))
    return [*leftovers.find(root), *stack.database.processes(), *stack.broker.processes()]


def workers_of(root: Path) -> list[psutil.Process]:
    """The main process of the Celery worker, when it runs."""
    return [
        process
        for process in leftovers.find(root)
        if is_worker(process) and not any(is_worker(parent) for parent in process.parents()[:1])
    ]


def is_worker(process: psutil.Process) -> bool:
    command = process.cmdline()
    return command[1:3] == ["-m", "celery"] and "worker" in command


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.acceptance
def test_everything_comes_up_survives_a_kill_and_ends_without_a_trace(checkout: Path, tmp_path: Path) -> None:
    with running(checkout, tmp_path / "first") as first:
        origin = first.wait_for(r"Admin +(http://127\.0\.0\.1:\d+)/admin/")[1]
        first.wait_for(r"Login +admin / \S{16,} ")
        with urllib.request.urlopen(f"{origin}/admin/login/", timeout=10) as page:
            assert page.status == 200
        killed = workers_of(checkout)[0]
        killed.kill()
        first.wait_for(r"worker.*Ended with exit code 137\. It starts again")
        wait_until(lambda: [worker for worker in workers_of(checkout) if worker != killed])
        with running(checkout, tmp_path / "refused") as refused:
            assert refused.process.wait(30) == 1
            assert f"runs already from this checkout (pid {first.process.pid})" in refused.text
        everything = processes_of(checkout)
        first.process.kill()
        first.process.wait(10)
    assert processes_of(checkout)

    with running(checkout, tmp_path / "second") as second:
        second.wait_for("Ctrl-C stops everything")
        assert "that an earlier run had left" in second.text
        assert "Login" not in second.text  # the administrator is still there, and passwords are shown once
        everything += processes_of(checkout)
        second.process.send_signal(signal.SIGINT)
        assert second.process.wait(40) == 0, second.text
    assert processes_of(checkout) == []
    assert not any(is_alive(process) for process in everything)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_during_the_start_ends_everything_too(
    checkout: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with running(checkout, tmp_path / "log") as terminal:
        terminal.wait_for("PostgreSQL and Valkey run")
        terminal.process.send_signal(number)
        assert terminal.process.wait(40) == 0, terminal.text
    assert processes_of(checkout) == []


def test_taken_port_that_was_asked_for_is_refused_in_one_sentence(checkout: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running(checkout, tmp_path / "log", PORT=port) as terminal:
            assert terminal.process.wait(30) == 1
    assert terminal.text == f"Port {port} is taken: set PORT to a free one, or leave it unset.\n"
    assert processes_of(checkout) == []


def test_two_checkouts_that_start_at_once_get_two_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)
    first, token = take_port("PORT", 8000)
    with token:
        second, other_token = take_port("PORT", 8000)
        other_token.close()
    assert first != second


@pytest.mark.parametrize("wanted", ["0", "65536", "http", "-1"])
def test_port_that_is_no_port_is_refused_in_one_sentence(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVE_PORT", wanted)
    with pytest.raises(embedded.EmbeddedError, match="LIVE_PORT must be a number from 1 to 65535"):
        take_port("LIVE_PORT", 8050)


def test_stop_ends_a_run_from_another_terminal(checkout: Path, tmp_path: Path) -> None:
    with running(checkout, tmp_path / "log") as terminal:
        terminal.wait_for("PostgreSQL and Valkey run")
        subprocess.run([sys.executable, "-m", "config.run", "stop"], cwd=checkout, check=True, timeout=60)
        assert terminal.process.wait(5) == 0
    assert processes_of(checkout) == []
