"""Why a schedule will not start at a moment to come: days of its calendars, and maintenance windows."""

from collections.abc import Callable
from datetime import datetime

from django_celery_beat.models import PeriodicTask

from jobs import calendars, windows
from jobs.rules import queue_of, zone_of_schedule

Obstacle = Callable[[datetime], str]


def none(moment: datetime) -> str:
    """Nothing is known that speaks against it."""
    return ""


def of_schedule(schedule: PeriodicTask, now: datetime) -> Obstacle:
    """Tells of each moment from now on what speaks against a start, in a sentence; two statements, however many moments."""
    excluded = calendars.load([schedule.pk]).get(schedule.pk, calendars.NOTHING)
    covering = windows.load(since=now).covering(schedule, queue=queue_of(schedule))
    zone = zone_of_schedule(schedule.policy)

    def obstacle(moment: datetime) -> str:
        if reason := excluded.reason(moment, zone):
            return f"Skipped: {reason}"
        if window := covering.skipping(moment):
            return f"Skipped: {window.text}."
        if held := covering.holding(moment):
            until, window = held
            return f"Held until {until.astimezone(zone):%a %H:%M}: {window.text}."
        return ""

    return obstacle
