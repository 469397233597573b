"""Processes that belong to one checkout, found by a mark in their environment, whoever their parent is by now."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from config.embedded.server import is_alive

MARK = "ALMANAC_CHECKOUT"


def marked(root: Path) -> Mapping[str, str]:
    """What to add to the environment of a process, so that it and its children are found again."""
    return {MARK: str(root.resolve())}


def find(root: Path) -> list[psutil.Process]:
    """Every living process with the mark of the checkout at `root`, except this one."""
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK)
            if mark == str(root.resolve()) and process.pid != os.getpid() and is_alive(process):
                found.append(process)
        except psutil.Error:  # it has just ended, or it is not ours to look at
            continue
    return found


def end(root: Path, patience_seconds: float = 10.0) -> int:
    """End them all, politely and then at once; give how many there were."""
    found = find(root)
    everyone = found
    deadline = time.monotonic() + patience_seconds
    _signal(everyone, signal.SIGTERM)
    while (
        everyone := [process for process in everyone if is_alive(process)]
    ) and time.monotonic() < deadline:
        time.sleep(0.05)
    while everyone := find(root):
        _signal(everyone, signal.SIGKILL)
        time.sleep(0.05)
    return len(found)


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
