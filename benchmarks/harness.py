"""What every benchmark needs: servers, processes, a table, and the last line that `make bench` reads."""

import argparse
import contextlib
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, connections

import benchmarks

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured figure, beside the peer's in the same run and the target it must meet."""

    name: str
    value: float
    unit: str
    target: str
    ok: bool
    #: The same figure of the stock parts; None when there is no peer.
    peer: float | None = None
    #: How many times better than the peer; for `trigger` how many times dearer than its floor.
    ratio: float | None = None
    #: What the figure cannot say by itself: sample sizes, limits of the peer's measurement.
    note: str = ""

    @property
    def as_json(self) -> str:
        keys = ("name", "value", "unit", "peer", "ratio", "target", "ok")
        return json.dumps({key: value for key, value in asdict(self).items() if key in keys})


def main(
    name: str,
    purpose: str | None,
    measure: Callable[[bool], Sequence[Row]],
    *,
    arguments: Sequence[str] | None = None,
) -> None:
    """Measure on fresh servers, print the table and the JSON lines, and exit: 1 when a target is missed.

    `measure` takes whether to be quick and gives the rows, the one that stands for the benchmark first. Without
    `arguments` those of the command line hold.
    """
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=purpose)
    parser.add_argument("--quick", action="store_true", help="smaller samples, below 45 seconds")
    quick = parser.parse_args(arguments).quick
    with benchmarks.SERVERS:
        call_command("migrate", verbosity=0)
        try:
            rows = measure(quick)
        finally:
            connections.close_all()
    print(f"\n{table(rows)}\n")
    head, *others = rows
    for row in others:
        print(row.as_json)
    ok = all(row.ok for row in rows)
    print(Row(**asdict(head) | {"name": name, "ok": ok}).as_json, flush=True)
    sys.exit(0 if ok else 1)


def table(rows: Sequence[Row]) -> str:
    """The rows for a person to read."""
    cells = [("", "measured", "peer", "ratio", "target", "", "")]
    for row in rows:
        peer = "" if row.peer is None else f"{_short(row.peer)} {row.unit}"
        ratio = "" if row.ratio is None else f"{_short(row.ratio)} x"
        verdict = "ok" if row.ok else "MISSED"
        cells.append(
            (row.name, f"{_short(row.value)} {row.unit}", peer, ratio, row.target, verdict, row.note)
        )
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[6]]).rstrip()
        for line in cells
    ]
    lines.insert(1, "-" * max(len(line) for line in lines))
    return "\n".join(lines)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Surroundings:
    """Where and when something was measured."""

    machine: str
    date: str
    commit: str
    #: Processes that wanted a core on average over five minutes: more than there are cores says the machine was
    #: busy with other things too, and absolute figures are worse than they could be.
    load: float


def surroundings() -> Surroundings:
    """This machine, this moment, and the commit of the checkout (with `+` when files differ from it)."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return Surroundings(
        machine=f"{os.cpu_count()} x {model}, {memory:.0f} GB, Python {platform.python_version()}",
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        load=round(os.getloadavg()[1], 1),
        commit=_git("rev-parse", "--short", "HEAD") + ("+" if _git("status", "--porcelain", "-uno") else ""),
    )


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


class Process:
    """A process of ours that runs beside the benchmark, with its output in a file."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._command = [sys.executable, "-m", *arguments]
        self._environment = os.environ | environment
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again after an end."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=self._environment,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """kill -9 of the process and all of its children at once."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait()

    def stop(self, patience: float = 20.0) -> None:
        """Ask it to end, then make it end."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        self.kill()

    @property
    def output(self) -> str:
        """Everything it has printed."""
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), size, 0).decode(errors="replace")

    def __enter__(self) -> "Process":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._log.truncate(0)


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str, every: float = 0.05) -> None:
    """Poll until the condition holds; TimeoutError when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:g} s for {what}")
        time.sleep(every)


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


@contextlib.contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Seconds since the block began; frozen at its end."""
    began = time.perf_counter()
    ended: list[float] = []
    yield lambda: (ended[0] if ended else time.perf_counter()) - began
    ended.append(time.perf_counter())


def execute(statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
    """Run SQL that sets a scene or counts what came of it."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
