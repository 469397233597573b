"""A whole installation for one chaos test after the other: servers, workers and schedulers that may be killed."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil
from celery import current_app
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import Error, connection
from django_celery_beat.models import PeriodicTask
from django_celery_results.models import TaskResult
from kombu import pools

from config import env
from jobs.models import AlertWatch, JobRun, ProcessHeartbeat
from tests.jobs_for_tests.models import Mark
from tests.servers import PrivateStack
from tests.spawner import Spawned, Spawner
from tests.template import make_tables

T = TypeVar("T")

#: Quick reactions, so that tests need not wait long for a lease to run out.
TIMING = {
    "JOBS_LEASE_SECONDS": "2",
    "JOBS_HEARTBEAT_SECONDS": "0.4",
    "JOBS_TICK_SECONDS": "0.25",
    "JOBS_REPUBLISH_SECONDS": "1",
    "JOBS_CANCEL_GRACE_SECONDS": "1",
    "JOBS_WATCH_SECONDS": "1",
}
PATIENCE_SECONDS = 40.0


class World:
    """Servers of its own; workers and schedulers live on from test to test until one kills them."""

    def __init__(self, stack: PrivateStack, spawner: Spawner, folder: Path) -> None:
        self.stack = stack
        self.spawner = spawner
        self._folder = folder
        self._started = 0
        self._workers: list[Worker] = []
        self._beats: list[Spawned] = []

    # Processes

    def worker(self) -> "Worker":
        """The one living worker, with two child processes."""
        self._workers = [worker for worker in self._workers if worker.process.poll() is None]
        while len(self._workers) > 1:
            self._workers.pop().kill()
        return self._workers[0] if self._workers else self.new_worker()

    def new_worker(self, *options: str, settings: Mapping[str, Any] | None = None) -> "Worker":
        """One more worker, with other options of Celery and settings of Django."""
        name = f"w{self._started}@chaos"
        always = ["-c", "2", "-n", name, "--without-gossip", "--without-mingle", "-l", "INFO"]
        worker = Worker(name, self._celery("worker", *always, *options, log=name, settings=settings))
        self._workers.append(worker)
        eventually(
            lambda: ProcessHeartbeat.objects.filter(kind=ProcessHeartbeat.Kind.WORKER, name=name).exists(),
            f"{name} is ready",
        )
        return worker

    def beat(self) -> Spawned:
        """The one living scheduler."""
        self._beats = [beat for beat in self._beats if beat.poll() is None]
        while len(self._beats) > 1:
            self._beats.pop().kill_group()
        return self._beats[0] if self._beats else self.new_beat()

    def new_beat(self, *, crash_at: str = "") -> Spawned:
        """One more scheduler; with `crash_at` one that kills itself there (`tests.chaos.crashing`)."""
        options = ["-S", "tests.chaos.crashing:CrashingScheduler"] if crash_at else []
        log = f"beat{self._started}"
        beat = self._celery("beat", "-l", "INFO", *options, log=log, CHAOS_CRASH_AT=crash_at)
        self._beats.append(beat)
        if not crash_at:
            eventually(
                lambda: ProcessHeartbeat.objects.filter(
                    kind=ProcessHeartbeat.Kind.BEAT, name__endswith=f":{beat.pid}"
                ).exists(),
                "the scheduler ticks",
            )
        return beat

    def stop_beats(self) -> None:
        """Kill every scheduler."""
        for beat in self._beats:
            beat.kill_group()
        self._beats.clear()

    def stop_workers(self) -> None:
        """Kill every worker with its children."""
        for worker in self._workers:
            worker.process.kill_group()
        self._workers.clear()

    def _celery(
        self, *arguments: str, log: str, settings: Mapping[str, Any] | None = None, **environment: str
    ) -> Spawned:
        self._started += 1
        path = self._folder / f"{log}.log"
        return self.spawner.celery(*arguments, log=path, settings=settings, **environment)

    # Servers

    def restart_database(self, *, kill: bool = False) -> None:
        """Every connection breaks, also ours."""
        self.stack.kill_database() if kill else self.stack.stop_database()
        connection.close()
        self.stack.start_database()

    # What tests look at

    def settled(self, *, timeout: float = PATIENCE_SECONDS) -> list[JobRun]:
        """Every run, once all have ended."""
        eventually(
            lambda: not JobRun.objects.active().exists(),
            "every run has ended",
            timeout=timeout,
            tell=self.tell,
        )
        return list(JobRun.objects.order_by("id"))

    def until_marked(self, run: JobRun, what: str = "begin", *, attempt: int = 1) -> None:
        """Wait until the body of a run has left a mark."""
        marks = Mark.objects.filter(run_id=str(run.id), what=what, attempt=attempt)
        eventually(marks.exists, f"attempt {attempt} has left the mark {what}", tell=self.tell)

    def tell(self) -> str:
        """What the ledger and the logs say, for the message of a failed test."""
        runs = [
            f"{run.id} {run.job} {run.status} attempt {run.attempt} {run.worker} {run.reason}"
            for run in JobRun.objects.order_by("id")
        ]
        return "\n".join([*runs, *self._processes(), self.logs()])

    def _processes(self) -> list[str]:
        """Which schedulers and workers live, and how the others ended."""
        named = [("scheduler", beat) for beat in self._beats]
        named += [(worker.name, worker.process) for worker in self._workers]
        codes = [(name, process.pid, process.poll()) for name, process in named]
        return [f"{name} {pid} {'lives' if code is None else f'ended: {code}'}" for name, pid, code in codes]

    def logs(self) -> str:
        """The latest words of every process."""
        paths = sorted(self._folder.glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text()[-3000:]}" for path in paths)

    def forget(self) -> None:
        """Delete what the test before has left; its processes are idle or dead by now."""
        self.stack.start_database()
        self.stack.start_broker()
        PeriodicTask.objects.all().delete()
        JobRun.objects.all().delete()
        Mark.objects.all().delete()
        TaskResult.objects.all().delete()
        AlertWatch.objects.all().delete()
        # A scheduler may be telling of an alert at this moment: its messages go too.
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE jobs_alert CASCADE")


class Worker:
    """A Celery worker: its main process and its children."""

    def __init__(self, name: str, process: Spawned) -> None:
        self.name = name
        self.process = process

    def kill_main(self) -> None:
        """kill -9 of the main process alone; Linux ends its children with it."""
        self.process.kill()

    def kill_child_of(self, run: JobRun) -> None:
        """kill -9 of the child process that executes a run."""
        self.kill_child(JobRun.objects.values_list("worker_pid", flat=True).get(pk=run.pk))

    def kill_child(self, pid: int | None) -> None:
        """kill -9 of a child process."""
        assert pid in {child.pid for child in psutil.Process(self.process.pid).children(recursive=True)}
        os.kill(pid or 0, signal.SIGKILL)

    def kill(self) -> None:
        """kill -9 of all its processes."""
        self.process.kill_group()


def eventually(
    condition: Callable[[], T | None],
    what: str,
    *,
    timeout: float = PATIENCE_SECONDS,
    tell: Callable[[], str] = lambda: "",
) -> T:
    """The condition's first true value; fails the test when there is none in time. Database outages are waited out."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = condition()
        except Error:
            connection.close()
            value = None
        if value:
            return value
        assert time.monotonic() < deadline, f"Not within {timeout:g} s: {what}\n{tell()}"
        time.sleep(0.05)


@contextlib.contextmanager
def new_world(folder: Path) -> Iterator[World]:
    """Start the servers and create the tables; stop whatever runs at the end."""
    with PrivateStack() as stack:
        with inside(stack):
            spawner = Spawner()
            make_tables(stack.database_url)
            User.objects.create_superuser("administrator")  # somebody to tell
        try:
            yield World(stack, spawner, folder)
        finally:
            spawner.close()


@contextlib.contextmanager
def inside(stack: PrivateStack) -> Iterator[None]:
    """Django and Celery of this process use these servers while the block runs."""
    environment = {
        "DATABASE_URL": stack.database_url,
        "BROKER_URL": stack.broker_url,
        "CELERY_BROKER_URL": stack.broker_url,
        **TIMING,
    }
    with _environment(environment), _database(stack.database_url), _broker():
        ContentType.objects.clear_cache()  # it has the ids of another database
        try:
            yield
        finally:
            ContentType.objects.clear_cache()


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in [*values, "PYTEST_XDIST_WORKER"]}
    os.environ.pop("PYTEST_XDIST_WORKER", None)
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _database(url: str) -> Iterator[None]:
    connection.close()
    before = dict(connection.settings_dict)
    connection.settings_dict.update(env.database(url))
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(before)


@contextlib.contextmanager
def _broker() -> Iterator[None]:
    def forget_connections() -> None:
        pools.reset()
        current_app._pool = None  # type: ignore[attr-defined]  # missing in the stubs
        current_app.amqp._producer_pool = None  # type: ignore[attr-defined]

    forget_connections()
    try:
        yield
    finally:
        forget_connections()
