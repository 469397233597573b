"""What workers hold and do right now, as they say it themselves."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from jobs import heartbeats
from jobs.errors import BrokerUnavailable
from jobs.models import ProcessHeartbeat
from jobs.remote.asking import ask

#: The command of `jobs.remote.commands`, which only workers import.
COMMAND = "almanac_report"


@dataclass(frozen=True, kw_only=True)
class Held:
    """A message in a worker's hands."""

    worker: str
    #: Of the run, and of its Celery task.
    id: str
    name: str
    #: None: not yet.
    started_at: datetime | None
    pid: int | None
    #: Not before this moment; None for nearly all: our jobs wait in the ledger instead.
    eta: datetime | None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a worker allows a task; None: no limit."""

    rate: str | None
    soft_seconds: float | None
    hard_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Report:
    """One worker about itself."""

    worker: str
    pid: int
    uptime_seconds: int
    #: Messages handled since its start, by task.
    processed: dict[str, int]
    pool: str
    #: Process ids of the pool's children; empty for pools of threads.
    processes: list[int]
    #: Runs at once.
    size: int
    #: Messages that it takes from the broker at most without being done.
    prefetch: int
    #: Bytes in RAM, of the main process and of its children.
    main_memory: int
    children_memory: int
    #: Fewest and most processes, when it scales by itself.
    autoscale: tuple[int, int] | None
    can_restart_pool: bool
    queues: list[str]
    active: list[Held]
    reserved: list[Held]
    scheduled: list[Held]
    revoked: list[str]
    tasks: dict[str, Limits]

    @property
    def processed_count(self) -> int:
        return sum(self.processed.values())

    @property
    def memory(self) -> int:
        return self.main_memory + self.children_memory


@dataclass(frozen=True)
class Inspection:
    """What was found out: reports, workers that should live and gave no answer, and whether they could be asked."""

    reports: dict[str, Report] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    is_broker_down: bool = False


def living_workers() -> list[str]:
    """The names of all workers whose heart beats."""
    return [row.name for row in heartbeats.alive(ProcessHeartbeat.Kind.WORKER, timezone.now())]


def inspect(workers: Sequence[str] | None = None) -> Inspection:
    """Ask these workers, or all that live. Takes two or three seconds at worst, and never raises for a server."""
    names = living_workers() if workers is None else list(workers)
    try:
        answers = ask(COMMAND, names)
    except BrokerUnavailable:
        return Inspection(silent=names, is_broker_down=True)
    reports = {name: _report(name, answers[name]) for name in names if "pid" in answers.get(name, {})}
    return Inspection(reports, [name for name in names if name not in reports])


def _report(name: str, told: dict[str, Any]) -> Report:
    pool = told["pool"]
    return Report(
        worker=name,
        pid=told["pid"],
        uptime_seconds=told["uptime"],
        processed=told["processed"],
        pool=pool["kind"],
        processes=pool["processes"],
        size=pool["size"],
        prefetch=told["prefetch"],
        main_memory=told["memory"][0],
        children_memory=told["memory"][1],
        autoscale=tuple(told["autoscale"]) if told["autoscale"] else None,
        can_restart_pool=told["can_restart"],
        queues=told["queues"],
        active=[_held(name, task) for task in told["active"]],
        reserved=[_held(name, task) for task in told["reserved"]],
        scheduled=[_held(name, task) for task in told["scheduled"]],
        revoked=told["revoked"],
        tasks={
            task: Limits(rate=_text(rate), soft_seconds=soft, hard_seconds=hard)
            for task, (rate, soft, hard) in sorted(told["tasks"].items())
        },
    )


def _held(worker: str, told: dict[str, Any]) -> Held:
    started = told["started_at"]
    return Held(
        worker=worker,
        id=told["id"],
        name=told["name"],
        started_at=datetime.fromtimestamp(started, UTC) if started else None,
        pid=told["pid"],
        eta=datetime.fromisoformat(told["eta"]) if told["eta"] else None,
    )


def _text(rate: Any) -> str | None:
    return str(rate) if rate else None
