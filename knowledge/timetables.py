"""The schedules that topics and research jobs have of their own."""

from dataclasses import replace

from django.contrib.auth.models import AbstractBaseUser
from django_celery_beat.models import PeriodicTask

from jobs import schedules
from jobs.models import Schedule
from jobs.schedules import Wish
from jobs.when import When, when_of


def cron_of(row: PeriodicTask | None) -> str:
    """When the schedule fires, as a cron expression; "" when there is none, or not by cron."""
    return "" if row is None else when_of(row).cron or ""


def put(row: PeriodicTask | None, wish: Wish, *, by: AbstractBaseUser | None) -> Schedule:
    """The schedule, made or changed to be so; what people changed about it otherwise stays. Raises InvalidSchedule.

    Its time zone stays too: that of a new one is the wish's.
    """
    if row is None:
        return schedules.create(wish, by=by)
    kept = Schedule.objects.get(pk=row.pk)
    there = schedules.wish_of(kept)
    when = replace(wish.when, timezone=there.when.timezone)
    wished = replace(there, name=wish.name, when=when, enabled=wish.enabled)
    return kept if wished == there else schedules.change(kept, wished, by=by)


def set_enabled(row: PeriodicTask | None, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
    """Switch the schedule on or off; what would have run meanwhile stays undone."""
    if row is not None:
        schedules.set_enabled(Schedule.objects.get(pk=row.pk), is_enabled, by=by)


def delete(row: PeriodicTask | None, *, by: AbstractBaseUser | None) -> None:
    """Delete the schedule; its runs stay."""
    if row is not None:
        schedules.delete(Schedule.objects.get(pk=row.pk), by=by)


def hours_of(row: PeriodicTask | None) -> int | None:
    """Every how many hours the schedule fires; None when there is none, or not by whole hours."""
    if row is None or row.interval is None:
        return None
    seconds = row.interval.schedule.run_every.total_seconds()
    return int(seconds // 3600) if seconds and seconds % 3600 == 0 else None


def every(hours: int) -> When:
    """So many hours."""
    return When(interval=f"{hours} hours")
