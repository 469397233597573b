"""Programs beside an installation: started with its environment, their output kept, ended with the block."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 40.0


class Program:
    """A running program."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self._log.read_text(errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """What it has said, one JSON object a line; raises ValueError for anything else.

        Except for what Celery writes past logging when a signal ends a worker.
        """
        said = [line for line in self.text.splitlines() if line]
        return [json.loads(line) for line in said if not line.startswith("worker: Warm shutdown")]

    def stop(self) -> None:
        """Ask it to end; make it end when it does not."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def program(*command: str, log: Path, **environment: str) -> Iterator[Program]:
    """Run it while the block runs, in a process group of its own."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Program(process, log)
    try:
        yield running
    finally:
        running.stop()


@contextlib.contextmanager
def web(port: int, *, log: Path, **environment: str) -> Iterator[Program]:
    """The web process with two workers, once it answers."""
    options = ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--workers", "2", "--threads", "4"]
    command = [sys.executable, "-m", "gunicorn", "config.wsgi", *options]
    with program(*command, log=log, **environment) as running:
        until(lambda: fetch(f"http://127.0.0.1:{port}/healthz") == b"ok", "the web process answers", running)
        yield running


def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(address: str, headers: Mapping[str, str] | None = None, *, post: bytes | None = None) -> bytes:
    """The body of an answer. Raises OSError (also urllib's HTTPError)."""
    request = urllib.request.Request(address, headers=dict(headers or {}), data=post)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def fetch_json(address: str, headers: Mapping[str, str] | None = None) -> Any:
    return json.loads(fetch(address, headers))


def until(
    condition: Callable[[], Any],
    what: str,
    running: Program | None = None,
    *,
    seconds: float = PATIENCE_SECONDS,
) -> Any:
    """The condition's first true value; a program that does not answer yet is asked again."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError, KeyError, IndexError):
            if value := condition():
                return value
        ended = running is not None and running.process.poll() is not None
        if ended or time.monotonic() > deadline:
            said = running.text[-3000:] if running else ""
            raise AssertionError(f"Not within {seconds:g} s: {what}\n{said}")
        time.sleep(0.1)
