"""Schedules as stock tools make them, and a scheduler whose clock the test turns."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.db.models import F
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from jobs import slots
from jobs.models import JobRun, SchedulePolicy
from jobs.outbox import Message
from jobs.timing import parse_cron

JOB = "testing.add_numbers"


def at(text: str, zone: str = "UTC") -> datetime:
    """A moment such as "2026-03-08 02:30" of a zone's clock."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def crontab_row(expression: str, zone: str = "UTC") -> CrontabSchedule:
    return CrontabSchedule.objects.create(**vars(parse_cron(expression)), timezone=ZoneInfo(zone))


def every_ten_minutes(now: datetime) -> CrontabSchedule:
    """Slots every ten minutes, none closer than four minutes to `now`: none passes while a test runs."""
    return crontab_row(f"{(now.minute + 5) % 10}-59/10 * * * *")


def schedule(
    when: CrontabSchedule | IntervalSchedule,
    *,
    made_at: datetime,
    name: str = "the schedule",
    **values: object,
) -> PeriodicTask:
    """A stock row, made at a moment of the test's choice."""
    kind = "crontab" if isinstance(when, CrontabSchedule) else "interval"
    with edited_at(made_at):
        return PeriodicTask.objects.create(
            name=name, task=JOB, kwargs='{"left": 1}', **{kind: when}, **values
        )


@contextmanager
def edited_at(moment: datetime) -> Iterator[None]:
    """Edits within this block count as made at that moment: the database's clock cannot be turned."""
    before = dict(SchedulePolicy.objects.values_list("pk", "anchor_at"))
    yield
    for policy in SchedulePolicy.objects.filter(is_stale=True):
        if policy.anchor_at != before.get(policy.pk):
            SchedulePolicy.objects.filter(pk=policy.pk).update(anchor_at=moment)


def tick(now: datetime) -> list[Message]:
    """What `SlotScheduler.work` does with the schedules, at that moment; the messages are not sent."""
    while slots.plan_stale(now):
        pass
    sent: list[Message] = []
    while True:
        count, messages = slots.fire_due(now)
        sent += messages
        if not count:
            return sent


def outcomes(task: PeriodicTask) -> list[tuple[datetime, str]]:
    """Each slot that has a row, with its status."""
    rows = JobRun.objects.filter(schedule=task, scheduled_for__isnull=False).order_by("scheduled_for")
    return list(rows.values_list("scheduled_for", F("status")))


def runs(task: PeriodicTask) -> list[datetime]:
    """The slots that became runs."""
    return [slot for slot, status in outcomes(task) if status == JobRun.Status.QUEUED]
