"""From the schedule tables of django-celery-beat to timings."""

from datetime import datetime
from typing import TYPE_CHECKING

from jobs.timing.base import Clocked, Timing, Windowed
from jobs.timing.crontab import Crontab
from jobs.timing.errors import InvalidTiming
from jobs.timing.interval import Interval
from jobs.timing.solar import Solar

if TYPE_CHECKING:
    from django_celery_beat.models import PeriodicTask

#: What `timing_of` reads of a row; give it to select_related() to read many.
RELATED = ("crontab", "interval", "solar", "clocked")


def timing_of(task: "PeriodicTask", *, anchor: datetime) -> Timing:
    """The timing of a stored schedule, from its start time (included) until it expires (not included).

    `anchor` fixes the phase of an interval: its slots are whole steps away from it. A row with a start time counts from
    that instead. Raises InvalidTiming when the row cannot be read. Follows the foreign keys: see RELATED.
    """
    timing = _unbounded(task, anchor=task.start_time or anchor)
    if task.start_time is None and task.expires is None:
        return timing
    return Windowed(timing, start=task.start_time, end=task.expires)


def _unbounded(task: "PeriodicTask", *, anchor: datetime) -> Timing:
    chosen = [name for name in RELATED if getattr(task, name) is not None]
    if len(chosen) != 1:
        found = " and ".join(chosen) or "none"
        raise InvalidTiming("schedule", f"choose one of {', '.join(RELATED)}; the row has {found}")
    if task.crontab is not None:
        row = task.crontab
        return Crontab(
            row.minute, row.hour, row.day_of_month, row.month_of_year, row.day_of_week, tz=row.timezone
        )
    if task.interval is not None:
        return Interval(task.interval.every, task.interval.period, anchor)
    if task.solar is not None:
        return Solar(task.solar.event, float(task.solar.latitude), float(task.solar.longitude))
    return Clocked(task.clocked.clocked_time)
