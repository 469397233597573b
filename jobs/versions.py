"""Versions of schedules: who changed what and when, and the way back. Rows are written by the database."""

import json
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django_celery_beat.models import PeriodicTask

from jobs.errors import InvalidSchedule, NotFound
from jobs.models import ScheduleVersion


class VersionNotFound(NotFound):
    """The schedule has no such version."""


@dataclass(frozen=True)
class Difference:
    """One value that is not the same in two versions, as text; empty where there is none."""

    name: str
    before: str
    after: str


def record(schedule: PeriodicTask, *, by: AbstractBaseUser | None, note: str = "") -> int:
    """Say who has just changed a schedule, and why; returns the number of the version that holds now.

    To be called in the transaction of the change, after it. Without a change, the latest version stays. A change for
    which nobody calls this makes its version too, when it is committed, without a name.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT jobs_record_version(%s, %s, %s)", [schedule.pk, by.pk if by else None, note[:300]]
        )
        return int(cursor.fetchone()[0])


def get(schedule: PeriodicTask, number: int) -> ScheduleVersion:
    """A version of a schedule; raises VersionNotFound."""
    found = (
        ScheduleVersion.objects.filter(schedule_id=schedule.pk, number=number).select_related("by").first()
    )
    if found is None:
        raise VersionNotFound(f"Schedule {schedule.pk} has no version {number}.")
    return found


def differences(before: ScheduleVersion, after: ScheduleVersion) -> list[Difference]:
    """What is not the same in two versions, by the names people know."""
    old, new = readable(before.snapshot), readable(after.snapshot)
    return [
        Difference(name, old.get(name, ""), new.get(name, ""))
        for name in {**old, **new}
        if old.get(name, "") != new.get(name, "")
    ]


def parameters_in(kwargs: str) -> dict[str, Any]:
    """The parameters that a schedule or a version of it stores; raises InvalidSchedule when they are no JSON object."""
    try:
        parameters = json.loads(kwargs or "{}")
    except (ValueError, RecursionError):
        parameters = None
    if not isinstance(parameters, dict):
        raise InvalidSchedule({"parameters": ["What is stored is not a JSON object."]})
    return parameters


def before(version: ScheduleVersion) -> ScheduleVersion | None:
    """The version that it replaced; None for the first."""
    earlier = ScheduleVersion.objects.filter(schedule_id=version.schedule_id, number__lt=version.number)
    return earlier.order_by("-number").first()


_NAMES = {"task": "job", "kwargs": "parameters", "expires": "not after", "start_time": "not before"}


def readable(snapshot: dict[str, Any]) -> dict[str, str]:
    """The values of a snapshot as text: the timing in one line, the policy's values beside the others."""
    flat = {name: value for name, value in snapshot.items() if name not in ("policy", *_TIMINGS)}
    values = {_NAMES.get(name, name): value for name, value in flat.items()}
    values["when"] = timing_in_words(snapshot)
    values |= snapshot["policy"]
    return {name.replace("_", " "): "" if value is None else _text(value) for name, value in values.items()}


_TIMINGS = ("crontab", "interval", "solar", "clocked")


def timing_in_words(snapshot: dict[str, Any]) -> str:
    """When a schedule fired, in one line."""
    if row := snapshot["crontab"]:
        fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        return f"{' '.join(row[field] for field in fields)} ({row['timezone']})"
    if row := snapshot["interval"]:
        return f"every {row['every']} {row['period']}"
    if row := snapshot["solar"]:
        return f"{row['event']} at {row['latitude']}, {row['longitude']}"
    if row := snapshot["clocked"]:
        return f"once at {row['clocked_time']}"
    return ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
