"""The queues: what waits in each, who works on it, and how to empty one."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count, Min
from django.utils import timezone
from kombu.exceptions import OperationalError

from jobs import audit, heartbeats, ledger, outbox
from jobs.errors import UnknownQueue
from jobs.models import JobRun, ProcessHeartbeat

#: How long the broker may take to answer, in seconds.
TIMEOUT = 1.0


@dataclass(frozen=True, kw_only=True)
class Queue:
    """One queue as it is now."""

    name: str
    #: Messages on the broker; None when it does not answer.
    depth: int | None
    #: Runs in the ledger: those that may start now, those that wait to be retried, those that run.
    waiting: int
    retrying: int
    running: int
    #: Living workers that take from it.
    consumers: int
    #: When the run that waits longest was asked for.
    oldest_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Purged:
    """What a purge threw away: runs cancelled in the ledger, messages (None: the broker does not answer)."""

    queue: str
    cancelled: int
    messages: int | None


def overview() -> list[Queue]:
    """Every queue of the installation, in its order."""
    names = list(settings.JOBS_QUEUES)
    try:
        depths = outbox.depths(names, timeout=TIMEOUT)
    except OperationalError:
        depths = {}
    active = JobRun.objects.active().order_by().values("queue", "status")
    rows = list(active.annotate(count=Count("pk"), oldest=Min("queued_at")))
    counts = {(row["queue"], row["status"]): row["count"] for row in rows}
    oldest = {row["queue"]: row["oldest"] for row in rows if row["status"] == JobRun.Status.QUEUED}
    consumers = _consumers()
    return [
        Queue(
            name=name,
            depth=depths.get(name),
            waiting=counts.get((name, JobRun.Status.QUEUED), 0),
            retrying=counts.get((name, JobRun.Status.RETRYING), 0),
            running=counts.get((name, JobRun.Status.RUNNING), 0),
            consumers=consumers[name],
            oldest_at=oldest.get(name),
        )
        for name in names
    ]


def purge(name: str, *, by: AbstractBaseUser | None) -> Purged:
    """Cancel every run that waits in the queue, or to be retried on it, and empty it on the broker.

    The ledger comes first: a message of a cancelled run does nothing, so the purge holds even when the broker
    is down. Raises UnknownQueue.
    """
    check_name(name)
    who = by.get_username() if by else "the command line"
    cancelled = 0
    while batch := ledger.cancel_waiting(name, reason=f"Cancelled by {who}, who purged the queue."):
        cancelled += batch
    try:
        messages: int | None = outbox.purge(name, timeout=TIMEOUT)
    except OperationalError:
        messages = None
    removed = "the broker did not answer" if messages is None else f"{messages} messages removed"
    audit.record_about(by, f"queue {name}", f"Purged: {cancelled} runs cancelled, {removed}.")
    return Purged(queue=name, cancelled=cancelled, messages=messages)


def check_name(name: str) -> None:
    """Raise UnknownQueue for a name that is no queue of the installation."""
    if name not in settings.JOBS_QUEUES:
        raise UnknownQueue(f"There is no queue named {name!r}.")


def _consumers() -> Counter[str]:
    workers = heartbeats.alive(ProcessHeartbeat.Kind.WORKER, timezone.now())
    return Counter(queue for worker in workers for queue in worker.info.get("queues", []))
