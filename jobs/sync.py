"""Schedules that jobs declare, brought into the database without touching what operators changed."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from jobs import audit, limits, versions
from jobs.definitions import AnyJob, Cron, Every, all_jobs, find_job
from jobs.errors import IllegalState
from jobs.models import SchedulePolicy
from jobs.timing import parse_cron

_LOCK = 0x616C6D61  # any constant of our own


@dataclass(frozen=True)
class Drift:
    """One schedule on which code and database do not agree."""

    name: str
    kind: str
    in_code: str
    in_database: str
    #: None for what is no schedule, such as a limit.
    schedule_id: int | None = None
    #: An operator has seen this difference and keeps it; a new declaration makes it drift again.
    is_kept: bool = False


def sync_schedules() -> list[str]:
    """Create the schedules that jobs declare and follow changed declarations; returns the names it wrote.

    A schedule follows its declaration only while nobody has edited its timing: the operator's word wins,
    and `drift` tells of the difference.
    """
    written = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        existing = {policy.task.name: policy for policy in _policies()}
        for job in all_jobs():
            if job.schedule is None:
                continue
            policy = existing.get(job.name)
            if policy is None:
                _create(job, job.schedule)
            elif _is_untouched(policy) and policy.declared != _declared(job):
                _apply(policy, job, job.schedule)
            else:
                continue
            written.append(job.name)
        written += [f"{name} (limits)" for name in limits.sync()]
    return written


def drift() -> list[Drift]:
    """Where code and database differ: edited timings, and schedules whose job is gone; not what is kept on purpose."""
    return [one for one in differences() if not one.is_kept]


def differences() -> list[Drift]:
    """Every difference between code and database, kept on purpose or not."""
    found = []
    for policy in _policies().filter(origin=SchedulePolicy.Origin.CODE):
        task = policy.task
        job = find_job(task.name)
        actual = _in_database(policy)
        if job is None or job.schedule is None:
            found.append(Drift(task.name, "not declared any more", "", _text(actual), task.pk))
            continue
        declared = _declared(job)
        if declared != actual:
            is_kept = policy.declined == declared
            found.append(Drift(task.name, "edited", _text(declared), _text(actual), task.pk, is_kept))
    return found + [Drift(*difference) for difference in limits.drift()]


def take_declared(schedule: PeriodicTask, *, by: AbstractBaseUser | None) -> None:
    """Give a schedule back to its job: its timing is as declared, and follows the declaration again.

    Raises IllegalState when no job declares it.
    """
    with transaction.atomic():
        policy, job = _declared_schedule(schedule)
        assert job.schedule is not None  # noqa: S101 - by _declared_schedule
        _apply(policy, job, job.schedule, by=by, note="Took what its job declares.")
        SchedulePolicy.objects.filter(pk=policy.pk).update(declined=None)
        audit.record(by, policy.task, f"Took the timing that its job declares: {_text(_declared(job))}.")


def keep_edited(schedule: PeriodicTask, *, by: AbstractBaseUser | None) -> None:
    """Keep a schedule's own timing on purpose: no drift, until its job declares something new.

    Raises IllegalState when no job declares it.
    """
    with transaction.atomic():
        policy, job = _declared_schedule(schedule)
        SchedulePolicy.objects.filter(pk=policy.pk).update(declined=_declared(job))
        audit.record(by, policy.task, f"Kept its own timing: {_text(_in_database(policy))}.")


def _declared_schedule(schedule: PeriodicTask) -> tuple[SchedulePolicy, AnyJob]:
    policy: SchedulePolicy = _policies().select_for_update(of=("self",)).get(pk=schedule.pk)
    job = find_job(policy.task.name)
    if policy.origin != SchedulePolicy.Origin.CODE or job is None or job.schedule is None:
        raise IllegalState("No job declares this schedule.")
    return policy, job


def _is_untouched(policy: SchedulePolicy) -> bool:
    """Whether the schedule is as it was declared at the last synchronisation."""
    declared: dict[str, Any] = policy.declared or {}
    actual = _in_database(policy)
    return bool(declared) and {name: actual.get(name) for name in declared} == declared


def _policies() -> Any:
    return SchedulePolicy.objects.select_related(
        "task__crontab", "task__interval", "task__solar", "task__clocked"
    )


def _create(job: AnyJob, schedule: Cron | Every) -> None:
    task, _ = PeriodicTask.objects.get_or_create(
        name=job.name, defaults={"task": job.name, "description": job.help_text, **_timing(schedule)}
    )
    SchedulePolicy.objects.filter(task=task).update(
        origin=SchedulePolicy.Origin.CODE, declared=_declared(job), overlap=job.overlap
    )
    versions.record(task, by=None, note="Declared by its job.")


def _apply(
    policy: SchedulePolicy,
    job: AnyJob,
    schedule: Cron | Every,
    *,
    by: AbstractBaseUser | None = None,
    note: str = "Follows what its job declares now.",
) -> None:
    task = policy.task
    nothing = {"crontab": None, "interval": None, "solar": None, "clocked": None}
    for name, value in {**nothing, **_timing(schedule)}.items():
        setattr(task, name, value)
    task.save(update_fields=[*nothing, "date_changed"])
    SchedulePolicy.objects.filter(task=task).update(declared=_declared(job), overlap=job.overlap)
    versions.record(task, by=by, note=note)


def _timing(schedule: Cron | Every) -> dict[str, Any]:
    if isinstance(schedule, Cron):
        fields = vars(parse_cron(schedule.expression))
        crontab = CrontabSchedule.objects.filter(**fields, timezone=schedule.timezone).first()
        return {"crontab": crontab or CrontabSchedule.objects.create(**fields, timezone=schedule.timezone)}
    seconds = int(schedule.interval / timedelta(seconds=1))
    interval = IntervalSchedule.objects.filter(every=seconds, period=IntervalSchedule.SECONDS).first()
    return {
        "interval": interval
        or IntervalSchedule.objects.create(every=seconds, period=IntervalSchedule.SECONDS)
    }


def _declared(job: AnyJob) -> dict[str, Any]:
    return {**_declared_timing(job.schedule), "overlap": job.overlap.value}


def _declared_timing(schedule: Cron | Every | None) -> dict[str, Any]:
    if isinstance(schedule, Cron):
        return {"cron": str(parse_cron(schedule.expression)), "timezone": schedule.timezone}
    return {"seconds": int(schedule.interval / timedelta(seconds=1))} if schedule else {}


def _in_database(policy: SchedulePolicy) -> dict[str, Any]:
    return {**_timing_in_database(policy.task), "overlap": policy.overlap}


def _timing_in_database(task: PeriodicTask) -> dict[str, Any]:
    if task.crontab is not None:
        row = task.crontab
        fields = (row.minute, row.hour, row.day_of_month, row.month_of_year, row.day_of_week)
        return {"cron": " ".join(fields), "timezone": str(row.timezone)}
    if task.interval is not None:
        return {"seconds": int(task.interval.schedule.run_every / timedelta(seconds=1))}
    return {"other": str(task.scheduler)}


def _text(timing: dict[str, Any]) -> str:
    if "cron" in timing:
        when = f"{timing['cron']} ({timing['timezone']})"
    else:
        when = f"every {timing['seconds']} s" if "seconds" in timing else str(timing.get("other", ""))
    overlap = timing.get("overlap", SchedulePolicy.Overlap.SKIP)
    return when if overlap == SchedulePolicy.Overlap.SKIP else f"{when}, overlap {overlap}"
