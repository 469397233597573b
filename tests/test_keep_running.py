"""Processes that are started again when they end unasked: with real processes."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from config.keep_running import GIVE_UP_AFTER

PROJECT = Path(__file__).resolve().parent.parent
#: Writes its pid, then waits; ends with 7 when asked to.
STEADY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("pid", os.getpid(), flush=True)
time.sleep(60)
"""


@contextmanager
def kept(log: Path, code: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.keep_running", sys.executable, "-c", code],
            cwd=PROJECT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children():
                child.kill()
            process.kill()
        process.wait(10)


def pids(log: Path, count: int) -> list[int]:
    """The pids that the kept process has printed, once there are so many."""
    return [int(number) for number in said(log, r"^pid (\d+)$", count)]


def said(log: Path, pattern: str, count: int = 1) -> list[str]:
    """What fits the pattern in the log, once it stands there so many times."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found: list[str] = re.findall(pattern, log.read_text(), re.MULTILINE)
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{pattern} comes fewer than {count} times in:\n{log.read_text()}")


def test_killed_process_starts_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with kept(log, STEADY) as keeper:
        [first] = pids(log, 1)
        psutil.Process(first).kill()
        second = pids(log, 2)[1]
        assert second != first
        assert "Ended with exit code 137. It starts again in 1 s." in log.read_text()
        assert keeper.poll() is None


def test_process_that_is_asked_to_end_ends_with_its_own_code(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with kept(log, STEADY) as keeper:
        [pid] = pids(log, 1)
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(60) == 7
        assert not psutil.pid_exists(pid)


def test_signal_in_the_pause_between_two_starts_ends_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with kept(log, "print('pid 1', flush=True); raise SystemExit(3)") as keeper:
        said(log, "It starts again in 2 s")
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(60) == 3
        assert len(pids(log, 2)) == 2


def test_process_that_cannot_start_is_given_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with kept(log, "print('pid 1', flush=True); raise SystemExit(3)") as keeper:
        assert keeper.wait(120) == 3
        assert len(pids(log, 1)) == GIVE_UP_AFTER
        assert "given up" in log.read_text()
