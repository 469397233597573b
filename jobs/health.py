"""Whether everything that jobs need is there: database, broker, workers, scheduler. Never slow."""

import enum
import threading
import time
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import Error, connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from jobs import heartbeats, outbox
from jobs.models import ProcessHeartbeat
from jobs.probing import NoAnswer, Probe

#: A probe that takes longer counts as no answer. Seconds.
PROBE_SECONDS = 1.0
#: An answer is given again for so many seconds.
FRESH_SECONDS = 3.0
#: A scheduler that sends slots later than this (seconds) is in trouble.
LAG_SECONDS = 10.0

_SILENT = f"It gave no answer within {PROBE_SECONDS:g} s."


class Status(enum.StrEnum):
    """From good to bad."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


_ORDER = list(Status)


@dataclass(frozen=True)
class Check:
    """One part: how it is, in a word and in a sentence."""

    name: str
    status: Status
    message: str


@dataclass(frozen=True)
class Health:
    """The whole and its parts; the whole is as bad as the worst part."""

    checks: list[Check]
    checked_at: datetime

    @property
    def status(self) -> Status:
        return max((check.status for check in self.checks), key=_ORDER.index)


class Monitor:
    """Asks all parts at once and remembers the answer for a moment, for all who ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: Health | None = None
        self._asked_at = 0.0
        self._probes = {
            ("database", "workers", "scheduler"): Probe(_ask_database, name="health"),
            ("broker",): Probe(_ask_broker, name="health"),
        }

    def look(self, *, fresh: bool = False) -> Health:
        """How things are, or were a moment ago; takes little more than `PROBE_SECONDS` at worst."""
        with self._lock:
            is_old = time.monotonic() - self._asked_at >= FRESH_SECONDS
            if self._latest is None or fresh or is_old:
                self._latest = self._ask()
                self._asked_at = time.monotonic()
            return self._latest

    def _ask(self) -> Health:
        for probe in self._probes.values():
            probe.start()
        deadline = time.monotonic() + PROBE_SECONDS
        checks: list[Check] = []
        for names, probe in self._probes.items():
            try:
                checks += probe.answer(max(deadline - time.monotonic(), 0.01))
            except NoAnswer:
                checks += [Check(name, Status.UNHEALTHY, _SILENT) for name in names]
        return Health(checks, timezone.now())


def _ask_database() -> list[Check]:
    """The database, and what it knows of workers and schedulers. Over a connection of this thread's own."""
    started = time.monotonic()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        took = time.monotonic() - started
        return [
            Check("database", Status.HEALTHY, f"It answers in {took * 1000:.0f} ms."),
            _workers(timezone.now()),
            _scheduler(timezone.now()),
        ]
    except Error as error:
        message = " ".join(str(error).split()) or type(error).__name__
        unknown = "Unknown while the database does not answer."
        return [
            Check("database", Status.UNHEALTHY, message),
            Check("workers", Status.UNHEALTHY, unknown),
            Check("scheduler", Status.UNHEALTHY, unknown),
        ]
    finally:
        connection.close()


def _workers(now: datetime) -> Check:
    workers = heartbeats.alive(ProcessHeartbeat.Kind.WORKER, now)
    if not workers:
        return Check("workers", Status.UNHEALTHY, "No worker is running: no job can run.")
    served = {queue for worker in workers for queue in worker.info.get("queues", [])}
    unserved = [queue for queue in settings.JOBS_QUEUES if queue not in served]
    if unserved:
        return Check("workers", Status.DEGRADED, f"No worker takes from {', '.join(unserved)}.")
    return Check("workers", Status.HEALTHY, f"{len(workers)} running, every queue has one.")


def _scheduler(now: datetime) -> Check:
    beats = heartbeats.alive(ProcessHeartbeat.Kind.BEAT, now)
    if not beats:
        return Check("scheduler", Status.UNHEALTHY, "No scheduler is running: no schedule fires.")
    refused = sorted({part for beat in beats for part in beat.info.get("refused", [])})
    if refused:
        text = f"The database refuses a part of its work, its log says why: {', '.join(refused)}."
        return Check("scheduler", Status.DEGRADED, text)
    lag = min(float(beat.info.get("lag_seconds", 0)) for beat in beats)
    if lag > LAG_SECONDS:
        return Check("scheduler", Status.DEGRADED, f"Schedules fire {lag:.0f} s late.")
    return Check("scheduler", Status.HEALTHY, f"{len(beats)} running.")


def _ask_broker() -> list[Check]:
    started = time.monotonic()
    try:
        outbox.ping(timeout=PROBE_SECONDS)
    except BrokerError as error:
        return [Check("broker", Status.UNHEALTHY, " ".join(str(error).split()) or type(error).__name__)]
    took = time.monotonic() - started
    return [Check("broker", Status.HEALTHY, f"It answers in {took * 1000:.0f} ms.")]


monitor = Monitor()
