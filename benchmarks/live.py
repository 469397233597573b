"""How quickly 200 clients of one live process learn of 50 runs that progress, and what that costs.

50 runs progress twice a second each, over connections of their own process, as attendants write them; a tenth of the writes comes with a
log line. Clients read their streams in one other process: half of them everything (dashboards), half one run with its log
(run pages). Delivery is measured from the database's clock at the write (`at` of the event) to the client's receipt, on
one machine. Then CPU of the live process while that goes on, and its memory at the beginning and at the end.
"""

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken

from benchmarks.harness import Process, Row, main, percentile, wait_until
from benchmarks.tasks import do_nothing
from benchmarks.trigger import answers, free_port
from jobs import intake, ledger, log_lines
from jobs.intake import NewRun
from jobs.ledger import Progress
from jobs.log_lines import LogLine
from jobs.models import JobRun

CLIENTS, RUNS = 200, 50
TARGET_MS = 300
#: Writes a second of each run: what an attendant does at most.
PACE = 2.0
#: What the live process may grow by while it serves the same clients.
MOST_GROWTH_MB = 8


@dataclass
class Seconds:
    """What was measured while everything was under way."""

    milliseconds: list[float] = field(default_factory=list)
    cpu_percent: float = 0.0
    memory_mb: tuple[float, float] = (0.0, 0.0)
    written: int = 0


def measure(quick: bool) -> list[Row]:
    """Delivery, completeness, CPU and memory."""
    user = get_user_model().objects.create_superuser("benchmark", "benchmark@example.com", "uninteresting")
    runs = [begin() for _ in range(RUNS)]
    port, seconds = free_port(), 15 if quick else 60
    with live_server(port) as server:
        wait_until(lambda: answers(port), seconds=30, what="the live process")
        found = under_way(runs, port, str(AccessToken.for_user(user)), server, seconds=seconds)
    delivered = len(found.milliseconds)
    # Half of the clients get every event, and each of the others that of one run in 50.
    expected = found.written * CLIENTS / 2 + found.written * CLIENTS / 2 / RUNS
    before, after = found.memory_mb
    return [
        Row(
            name=f"delivery to {CLIENTS} clients, {RUNS} runs progressing, p50",
            value=round(statistics.median(found.milliseconds)),
            unit="ms",
            target=f"< {TARGET_MS} ms",
            ok=statistics.median(found.milliseconds) < TARGET_MS,
            note=f"p95 {percentile(found.milliseconds, 95):.0f} ms of {delivered:,} deliveries",
        ),
        Row(
            name="events delivered, of those written",
            value=round(100 * delivered / expected, 2),
            unit="%",
            target="= 100 %",
            ok=round(delivered) == round(expected),
            note=f"{found.written:,} written, {expected:,.0f} expected",
        ),
        Row(
            name="CPU of the live process",
            value=round(found.cpu_percent, 1),
            unit="% of one core",
            target="for reference",
            ok=True,
            note=f"{found.written * CLIENTS / 2 / seconds:,.0f} events a second to dashboards",
        ),
        Row(
            name="memory of the live process grows by",
            value=round(after - before, 1),
            unit="MB",
            target=f"< {MOST_GROWTH_MB} MB",
            ok=after - before < MOST_GROWTH_MB,
            note=f"{before:.0f} MB, then {after:.0f} MB",
        ),
    ]


def begin() -> tuple[JobRun, int]:
    run, _ = intake.insert(
        NewRun(job=do_nothing.name, queue="benchmarks", trigger=JobRun.Trigger.CODE, parameters={})
    )
    claim = ledger.claim(run.pk, worker="w@benchmark", pid=os.getpid())
    assert claim is not None
    return run, claim.attempt


@contextmanager
def live_server(port: int) -> Iterator[psutil.Process]:
    options = [
        "--worker-class",
        "asgi",
        "--workers",
        "1",
        "--graceful-timeout",
        "1",
        "--log-level",
        "warning",
    ]
    process = Process("gunicorn", "config.asgi", "--bind", f"127.0.0.1:{port}", *options)
    with process:
        wait_until(lambda: bool(psutil.Process(process.pid).children()), seconds=30, what="the worker")
        yield psutil.Process(process.pid).children()[0]


def under_way(
    runs: Sequence[tuple[JobRun, int]], port: int, token: str, server: psutil.Process, *, seconds: float
) -> Seconds:
    """Write progress and listen for so many seconds."""
    found = Seconds()
    listen = [sys.executable, "-m", "benchmarks.live_clients", str(port), token, str(CLIENTS)]
    listen += [str(run.pk) for run, _ in runs]
    with subprocess.Popen(listen, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
        assert clients.stdin is not None and clients.stdout is not None
        assert clients.stdout.readline() == "ready\n"
        write(runs, seconds=3)  # everybody has been served once: memory has its size
        time.sleep(1)  # what is still under way is not counted
        memory, cpu = server.memory_info().rss, sum(server.cpu_times()[:2])
        clients.stdin.write("count\n")
        clients.stdin.flush()
        time.sleep(0.5)
        began = time.monotonic()
        found.written = write(runs, seconds=seconds)
        found.cpu_percent = 100 * (sum(server.cpu_times()[:2]) - cpu) / (time.monotonic() - began)
        found.memory_mb = (memory / 2**20, server.memory_info().rss / 2**20)
        time.sleep(2)
        clients.stdin.write("stop\n")
        clients.stdin.flush()
        found.milliseconds = json.loads(clients.stdout.readline())
    return found


def write(runs: Sequence[tuple[JobRun, int]], *, seconds: float) -> int:
    """Renew every run at its pace, evenly spread; returns how many progress writes there were."""
    threads, counts = [], [0] * 4
    until = time.monotonic() + seconds

    def work(number: int) -> None:
        mine = runs[number :: len(counts)]
        while time.monotonic() < until:
            began = time.monotonic()
            for place, (run, attempt) in enumerate(mine):
                renew(run, attempt, counts[number])
                counts[number] += 1
                due = began + (place + 1) / len(mine) / PACE
                time.sleep(max(due - time.monotonic(), 0))
        connection.close()

    for number in range(len(counts)):
        threads.append(threading.Thread(target=work, args=(number,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return sum(counts)


def renew(run: JobRun, attempt: int, count: int) -> None:
    # Current is what changes: it is always another, so that every write is an event.
    ledger.renew(run.pk, attempt, Progress(percent=50, current=count, total=10_000_000, text="Benchmarking"))
    if count % 10 == 0:
        log_lines.write(run.pk, attempt, [LogLine(at=timezone.now(), level=20, message="x" * 80)])


if __name__ == "__main__":
    main("live", __doc__, measure)
