"""Back to an earlier version of a schedule, as a change like any other: it makes a new version."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.dateparse import parse_datetime
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from jobs import audit, versions
from jobs.definitions import find_job, is_known
from jobs.errors import IllegalState, InvalidSchedule
from jobs.models import Schedule, SchedulePolicy, ScheduleVersion

_TIMINGS: dict[str, Any] = {
    "crontab": CrontabSchedule,
    "interval": IntervalSchedule,
    "solar": SolarSchedule,
    "clocked": ClockedSchedule,
}
#: A way back never switches a schedule on or off.
_KEPT = {"enabled", "policy", *_TIMINGS}
#: What a way back leaves alone, by the names of `versions.readable`.
KEPT_NAMES = {"enabled"} | {
    field.attname.replace("_", " ") for field in SchedulePolicy._meta.concrete_fields if field.is_relation
}


def roll_back(schedule: Schedule, number: int, *, by: AbstractBaseUser | None) -> ScheduleVersion:
    """Make a schedule what it was; returns the new version. Its next slot is found from now, and the past never runs.

    Whether it is switched on, paused, and whose it is stays as it is. Raises VersionNotFound, IllegalState when that
    would change nothing or its job is gone, InvalidSchedule when the version does not fit any more.
    """
    wanted = versions.get(schedule, number)
    snapshot = wanted.snapshot
    _check(schedule, snapshot)
    with transaction.atomic():
        # In the order in which every edit locks them: its trigger comes to the policy second.
        task = PeriodicTask.objects.select_for_update(of=("self",)).get(pk=schedule.pk)
        latest = SchedulePolicy.objects.select_for_update(of=("self",)).get(pk=schedule.pk).version
        _restore_task(task, snapshot)
        _restore_policy(schedule.pk, snapshot["policy"])
        made = versions.record(schedule, by=by, note=f"Rolled back to version {number}.")
        if made == latest:
            raise IllegalState(f"The schedule is as it was in version {number}.")
        audit.record(by, schedule, f"Rolled back to version {number}.")
    return versions.get(schedule, made)


def _check(schedule: Schedule, snapshot: dict[str, Any]) -> None:
    """Raises what a form would say about the version's values today."""
    name = snapshot["task"]
    if not is_known(name):
        raise IllegalState(f"No task named {name} exists any more.")
    if PeriodicTask.objects.filter(name=snapshot["name"]).exclude(pk=schedule.pk).exists():
        raise InvalidSchedule({"name": [f"There is another schedule named {snapshot['name']} by now."]})
    job = find_job(name)
    if job is not None:
        job.clean(versions.parameters_in(snapshot["kwargs"]))


def _restore_task(task: PeriodicTask, snapshot: dict[str, Any]) -> None:
    for name, value in snapshot.items():
        if name not in _KEPT:
            setattr(task, name, _value(PeriodicTask._meta.get_field(name), value))
    for kind, model in _TIMINGS.items():
        setattr(task, kind, _timing_row(model, snapshot[kind]) if snapshot[kind] else None)
    try:
        with transaction.atomic():
            task.save()
    except (IntegrityError, ValidationError) as error:  # what stock tools had stored, or two people at once
        raise InvalidSchedule({"version": [f"It does not fit any more: {error}"]}) from error


def _restore_policy(pk: int, settings: dict[str, Any]) -> None:
    """The settings that still exist; relations (whose it is) stay as they are."""
    values = {
        field.name: _value(field, settings[field.name])
        for field in SchedulePolicy._meta.concrete_fields
        if not field.is_relation and field.name in settings
    }
    SchedulePolicy.objects.filter(pk=pk).update(**values)


def _timing_row(model: Any, row: dict[str, Any]) -> models.Model:
    """The row of that timing; one that was edited since is made again."""
    values = {name: _value(model._meta.get_field(name), value) for name, value in row.items()}
    found: models.Model | None = model.objects.filter(**values).first()
    return found or model.objects.create(**values)


def _value(field: Any, value: Any) -> Any:
    if isinstance(field, models.DateTimeField) and isinstance(value, str):
        return parse_datetime(value)
    return field.to_python(value)
