"""Scenes for tests of alerts: runs that ended somehow, living processes, and looks of the watch."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs.alerts import watch
from jobs.models import AlertEvent, JobRun, ProcessHeartbeat, SchedulePolicy, first_run_id, new_run_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
JOB = "testing.add_numbers"
Status = JobRun.Status


def after(**length: float) -> datetime:
    return NOON + timedelta(**length)


def run(status: str, at: datetime, **values: Any) -> JobRun:
    """A run of that status; it was queued, started and finished at one moment unless told otherwise."""
    ended = status in Status.terminal()
    made_at = first_run_id(values.get("queued_at", at))
    given = {
        "id": uuid.UUID(int=made_at.int | new_run_id().int & (2**80 - 1)),
        "job": JOB,
        "queue": "default",
        "trigger": "schedule" if values.get("schedule") else "code",
        "queued_at": at,
        "started_at": at if status in (*Status.executed(), Status.RUNNING) else None,
        "finished_at": at if ended else None,
        **values,
    }
    return JobRun.objects.create(status=status, **given)


def failed(at: datetime, *, cause: str = "c1", **values: Any) -> JobRun:
    error = {"error_type": "builtins.ValueError", "error_fingerprint": cause, "reason": "no such thing"}
    return run(Status.FAILED, at, **{**error, **values})


def lost(at: datetime, **values: Any) -> JobRun:
    error = {"error_type": "jobs.errors.RunLost", "error_fingerprint": "RunLost", "reason": "Lost."}
    return run(Status.FAILED, at, **{**error, **values})


def schedule(name: str = "hourly", **values: Any) -> PeriodicTask:
    """A schedule whose next slot lies far ahead."""
    interval, _ = IntervalSchedule.objects.get_or_create(every=1, period="hours")
    task = PeriodicTask.objects.create(name=name, task=JOB, interval=interval)
    policy = {"is_stale": False, "next_slot_at": NOON + timedelta(days=30), **values}
    SchedulePolicy.objects.filter(pk=task.pk).update(**policy)
    return task


def alive(kind: str, at: datetime, **info: Any) -> None:
    """A process of the kind gives a sign of life at that moment."""
    ProcessHeartbeat.objects.update_or_create(
        kind=kind, name=f"{kind}@here", defaults={"pid": 1, "started_at": NOON, "seen_at": at, "info": info}
    )


def all_well(at: datetime, *, queues: tuple[str, ...] = ("default",), concurrency: int = 2) -> None:
    alive("beat", at)
    alive("worker", at, queues=list(queues), concurrency=concurrency)


def look(at: datetime, *, broker_error: str = "", well: bool = True) -> None:
    """One look, with a living scheduler and worker unless told otherwise."""
    if well:
        all_well(at)
    watch.look_at(at, broker_error=broker_error)


def looks(start: datetime, end: datetime, *, every: float = 15, **given: Any) -> None:
    """Looks from one moment up to another, and one at its very end."""
    at = start
    while at < end:
        look(at, **given)
        at += timedelta(seconds=every)
    look(end, **given)


def told() -> list[str]:
    """What people are told, in order: the kind's last word and what happened."""
    events = AlertEvent.objects.to_notify().select_related("alert")
    return [f"{event.alert.kind.removeprefix('jobs.')} {event.what}" for event in events]
