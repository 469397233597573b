"""The workers: who they are, whether they live, what they hold."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count

from jobs import heartbeats
from jobs.models import JobRun, ProcessHeartbeat


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One worker, living or dead since less than a day."""

    name: str
    pid: int
    is_alive: bool
    started_at: datetime
    seen_at: datetime
    queues: list[str]
    #: Processes; None when it has not said.
    concurrency: int | None
    #: Runs that it holds.
    running: int


def overview(at: datetime) -> list[Worker]:
    """Every worker that is known at that moment."""
    running = dict(
        JobRun.objects.filter(status=JobRun.Status.RUNNING)
        .order_by()
        .values_list("worker")
        .annotate(count=Count("pk"))
    )
    alive_since = at - timedelta(seconds=heartbeats.DEAD_AFTER)
    return [
        Worker(
            name=row.name,
            pid=row.pid,
            is_alive=row.seen_at >= alive_since,
            started_at=row.started_at,
            seen_at=row.seen_at,
            queues=row.info.get("queues", []),
            concurrency=row.info.get("concurrency"),
            running=running.get(row.name, 0),
        )
        for row in ProcessHeartbeat.objects.filter(kind=ProcessHeartbeat.Kind.WORKER).order_by("name")
    ]
