"""Slots that are lost or doubled while everything is killed, over and over.

Twenty schedules fire once a second. Meanwhile, at random moments, the worker, its main process alone, one of its other
processes, either of two schedulers, the database or the broker is killed with -9 and started again, or the broker loses
all its messages. A worker that ends by itself is started again too, by what `make run` uses for it.
Afterwards each slot must have one run that succeeded, with one `TaskResult`, and no body may have begun after its
run had succeeded. A body whose process died, or whose outcome could not be written before, may well have run twice.
"""

import os
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from django.db import Error, connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from benchmarks import SERVERS
from benchmarks.harness import Process, Row, execute, main, wait_until
from benchmarks.tasks import TRACE_FILE, leave_trace
from jobs.models import JobRun, ProcessHeartbeat, SchedulePolicy

SCHEDULES = 20
CELERY = (sys.executable, "-m", "celery", "-A", "config")
#: So that a lost worker is noticed within seconds. Production takes ten times as long, with the same code.
QUICK_REACTIONS = {
    "JOBS_LEASE_SECONDS": "4",
    "JOBS_HEARTBEAT_SECONDS": "1",
    "JOBS_TICK_SECONDS": "0.5",
    "JOBS_REPUBLISH_SECONDS": "3",
}
SETTLE_SECONDS = 180


@dataclass(frozen=True)
class Installation:
    """The processes that share the work."""

    worker: Process
    beats: list[Process]


@dataclass(frozen=True)
class Findings:
    """What became of the slots."""

    slots: int
    #: Slots without a run that succeeded, by what they have instead.
    lost: Counter[str]
    #: Runs whose body began again after success, and slots or results there are two of.
    repeated: int
    #: Bodies that began again because their process had died or their outcome came too late.
    made_again: int


def measure(quick: bool) -> list[Row]:
    """The count of lost and doubled slots."""
    seconds = 12 if quick else 50
    seed = random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    with running() as (installation, trace):
        begins = make_schedules(seconds)
        disasters = wreak_havoc(installation, until=begins + seconds, chance=random.Random(seed))
        settle(installation, seconds * SCHEDULES)
        found = examine(trace, expected_slots(begins, seconds))
    bad = found.lost.total() + found.repeated
    told = ", ".join(f"{count} x {what}" for what, count in sorted(disasters.items()))
    print(f"{told}; {found.made_again} bodies began again after a kill; lost: {dict(found.lost) or 'none'}")
    return [
        Row(
            name=f"lost or doubled of {found.slots:,} slots",
            value=bad,
            unit="slots",
            target="0",
            ok=bad == 0,
            note=f"{disasters.total()} disasters, seed {seed}",
        )
    ]


@contextmanager
def running() -> Iterator[tuple[Installation, Path]]:
    """A worker and two schedulers, and the file their bodies write to."""
    with ExitStack() as stack:
        trace = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "trace"
        environment = QUICK_REACTIONS | {TRACE_FILE: str(trace)}
        worker = _kept("worker", "-c", "4", "-Q", leave_trace.queue, **environment)
        beats = [_kept("beat", **environment) for _ in range(2)]
        for process in (worker, *beats):
            stack.enter_context(process)
        wait_until(lambda: ProcessHeartbeat.objects.count() == 3, seconds=60, what="worker and schedulers")
        yield Installation(worker, beats), trace


def _kept(*arguments: str, **environment: str) -> Process:
    return Process("config.keep_running", *CELERY, *arguments, **environment)


def make_schedules(seconds: int) -> float:
    """Schedules that fire every second for so long; returns the Unix time of their first slot."""
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    interval = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    for number in range(SCHEDULES):
        task = PeriodicTask.objects.create(
            name=f"schedule {number}",
            task=leave_trace.name,
            interval=interval,
            start_time=begins,
            expires=begins + timedelta(seconds=seconds),
        )
        SchedulePolicy.objects.filter(task=task).update(catch_up=SchedulePolicy.CatchUp.ALL)
    connection.close()
    return begins.timestamp()


def expected_slots(begins: float, seconds: int) -> set[tuple[int, float]]:
    ids = PeriodicTask.objects.filter(task=leave_trace.name).values_list("pk", flat=True)
    return {(pk, begins + number) for pk in ids for number in range(seconds)}


def wreak_havoc(installation: Installation, *, until: float, chance: random.Random) -> Counter[str]:
    """One disaster after the other until that Unix time; what is killed starts again at once."""
    beats, worker = installation.beats, installation.worker
    disasters: dict[str, Callable[[], None]] = {
        "worker killed": lambda: restart(worker),
        "worker's main process killed": lambda: kill_main_process(worker),
        "child killed": lambda: kill_a_child(worker, chance),
        "scheduler killed": lambda: restart(chance.choice(beats)),
        "database killed": restart_database,
        "broker killed": restart_broker,
        "broker flushed": SERVERS.flush_broker,
    }
    done: Counter[str] = Counter()
    # All of them in turn, in a new order each time.
    waiting: list[str] = []
    while time.time() < until:
        time.sleep(chance.uniform(0.3, 2.0))
        if not waiting:
            waiting = chance.sample(sorted(disasters), len(disasters))
        what = waiting.pop()
        disasters[what]()
        done[what] += 1
    return done


def restart_database() -> None:
    SERVERS.kill_database()
    SERVERS.start_database()


def restart_broker() -> None:
    SERVERS.kill_broker()
    SERVERS.start_broker()


def restart(process: Process) -> None:
    process.kill()
    process.start()


def kill_a_child(worker: Process, chance: random.Random) -> None:
    """kill -9 of one process that executes runs; none may have started yet."""
    children = [child for process in _main_processes(worker) for child in process.children()]
    if children:
        os.kill(chance.choice(children).pid, signal.SIGKILL)


def kill_main_process(worker: Process) -> None:
    """kill -9 of the process that hands the runs out; those that execute them are orphans then."""
    for process in _main_processes(worker):
        process.kill()


def _main_processes(worker: Process) -> list[psutil.Process]:
    """One, or none between an end and the next start."""
    return psutil.Process(worker.pid).children()


def settle(installation: Installation, slots: int) -> None:
    """Wait until every slot has its run, and every run has ended. If they never do, show what the processes said."""

    def has_settled() -> bool:
        try:
            return JobRun.objects.count() >= slots and not JobRun.objects.active().exists()
        except Error:
            connection.close()
            return False

    try:
        wait_until(has_settled, seconds=SETTLE_SECONDS, what="every run to end", every=0.25)
    except TimeoutError as error:
        print(f"Not settled: {error}")  # what is missing is counted as lost
        for process in (installation.worker, *installation.beats):
            print(f"--- {process.pid}\n{process.output[-4000:]}")


def examine(trace: Path, expected: set[tuple[int, float]]) -> Findings:
    """Compare slots, ledger, results and the bodies' own traces."""
    ended: dict[uuid.UUID, float] = {}
    slots: Counter[tuple[int, float]] = Counter()
    lost: Counter[str] = Counter()
    for run in JobRun.objects.all():
        if run.schedule_id is None or run.scheduled_for is None:
            continue
        slots[run.schedule_id, run.scheduled_for.timestamp()] += 1
        if run.status == JobRun.Status.SUCCEEDED and run.finished_at is not None:
            ended[run.id] = run.finished_at.timestamp()
        else:
            lost[f"{run.status}: {run.reason}"] += 1
    lost["no run"] = len(expected - slots.keys())
    results = dict(
        execute(
            "SELECT task_id, count(*) FROM django_celery_results_taskresult WHERE status = 'SUCCESS' GROUP BY 1"
        )
    )
    lost["no result"] = sum(str(run_id) not in results for run_id in ended)
    begins, finished = read(trace)
    lost["never executed"] = len(ended.keys() - finished.keys())
    again = sum(at > ended[run_id] for run_id, times in begins.items() for at in times if run_id in ended)
    return Findings(
        slots=len(expected),
        lost=+lost,
        repeated=again
        + len(slots.keys() - expected)
        + sum(count - 1 for count in [*slots.values(), *results.values()]),
        made_again=sum(len(times) - 1 for times in begins.values()),
    )


def read(trace: Path) -> tuple[dict[uuid.UUID, list[float]], dict[uuid.UUID, list[float]]]:
    """When bodies began and when they ended, by run."""
    begins: dict[uuid.UUID, list[float]] = {}
    ends: dict[uuid.UUID, list[float]] = {}
    for line in trace.read_text().splitlines():
        run_id, _, what, at = line.split()
        (begins if what == "begin" else ends).setdefault(uuid.UUID(run_id), []).append(float(at))
    return begins, ends


if __name__ == "__main__":
    main("recovery", __doc__, measure)
