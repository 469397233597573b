"""What people do with schedules: make, change, pause, resume, run now. API, admin and commands call these."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from jobs import audit, passed, policies, versions
from jobs.definitions import enqueue, find_job, get_job, is_known
from jobs.errors import IllegalState, InvalidSchedule
from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.passed import MakeUp
from jobs.policies import Policies
from jobs.timing import InvalidTiming, timing_of
from jobs.when import When, timing_of_when, timing_row, when_of

_TAKEN = "There is a schedule of this name already."
#: What a change writes; the scheduler counts in the same row meanwhile.
_EDITED = [
    *("name", "task", "kwargs", "description", "enabled", "start_time", "expires", "one_off", "date_changed"),
    *("crontab", "interval", "solar", "clocked"),
]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Everything a person decides about a schedule."""

    name: str
    job: str
    when: When
    parameters: Mapping[str, Any]
    description: str = ""
    enabled: bool = True
    start_time: datetime | None = None
    expires: datetime | None = None
    one_off: bool = False
    catch_up: str = SchedulePolicy.CatchUp.LAST
    catch_up_window_seconds: int = 86_400
    #: A run must have ended so long after its slot; None: no deadline.
    deadline_seconds: int | None = None
    #: How long and how many of its ended runs are kept; None: as the installation says, and any number.
    keep_days: int | None = None
    keep_runs: int | None = None
    policies: Policies = field(default_factory=Policies)


def wish_of(schedule: PeriodicTask) -> Wish:
    """What a person would have said to get the schedule as it is: the start of a change.

    Raises InvalidSchedule when its parameters are not a JSON object, as other tools may leave them.
    """
    policy = SchedulePolicy.objects.get(pk=schedule.pk)
    return Wish(
        name=schedule.name,
        job=schedule.task,
        when=when_of(schedule),
        parameters=versions.parameters_in(schedule.kwargs),
        description=schedule.description,
        enabled=schedule.enabled,
        start_time=schedule.start_time,
        expires=schedule.expires,
        one_off=schedule.one_off,
        catch_up=policy.catch_up,
        catch_up_window_seconds=policy.catch_up_window_seconds,
        deadline_seconds=policy.deadline_seconds,
        keep_days=policy.keep_days,
        keep_runs=policy.keep_runs,
        policies=policies.of_schedule(policy),
    )


def create(wish: Wish, *, by: AbstractBaseUser | None) -> Schedule:
    """Make a schedule of a job, or of another Celery task. Raises InvalidSchedule, InvalidParameters, UnknownJob."""
    with transaction.atomic():
        schedule = Schedule(name=wish.name)
        _apply(schedule, wish)
        versions.record(schedule, by=by, note="Made.")
        audit.record(by, schedule, f"Made schedule {wish.name} of {wish.job}.", action=audit.ADDITION)
    return schedule


def change(schedule: Schedule, wish: Wish, *, by: AbstractBaseUser | None) -> Schedule:
    """Change a schedule; its next slot is found anew from now. Raises like `create`."""
    with transaction.atomic():
        before = describe_values(schedule)
        _apply(schedule, wish)
        versions.record(schedule, by=by)
        after = describe_values(schedule)
        changed = [f"{name}: {before[name]} → {after[name]}" for name in after if before[name] != after[name]]
        audit.record(by, schedule, "; ".join(changed) or "Saved without changes.")
    return schedule


def delete(schedule: Schedule, *, by: AbstractBaseUser | None) -> None:
    """Delete a schedule; its runs stay. Raises IllegalState for one that a job declares: disable that instead."""
    check_deletable(schedule)
    with transaction.atomic():
        audit.record(by, schedule, f"Deleted schedule {schedule.name}.", action=audit.DELETION)
        schedule.delete()


def check_deletable(schedule: Schedule) -> None:
    """Raises IllegalState with the reason when the schedule cannot be deleted."""
    if schedule.policy.origin == SchedulePolicy.Origin.CODE and not is_orphan(schedule):
        raise IllegalState("A job declares this schedule, and would bring it back. Disable it instead.")


def set_enabled(
    schedule: Schedule, enabled: bool, *, by: AbstractBaseUser | None, catch_up: str = MakeUp.SKIP
) -> list[uuid.UUID]:
    """Switch a schedule on or off; returns the runs that were made for slots that passed while it was off.

    Switched on, it fires from its next slot; the past runs only as far as `catch_up` says. Raises InvalidSchedule
    when that is more than can be made at once.
    """
    with transaction.atomic():
        task = PeriodicTask.objects.select_for_update(of=("self",), no_key=True).get(pk=schedule.pk)
        if task.enabled == enabled:
            return []
        off_since = _anchor(task)
        PeriodicTask.objects.filter(pk=task.pk).update(enabled=enabled)
        schedule.enabled = enabled
        said = "Enabled." if enabled else "Disabled."
        versions.record(schedule, by=by, note=said)
        made: list[uuid.UUID] = []
        if enabled:
            # The trigger's moment: not a slot is lost between the two.
            on_since = _anchor(task) or timezone.now()
            found = passed.while_off(task, on_since, since=off_since)
            made = _make_up(schedule, found, catch_up, on_since, by=by, why="the schedule was off")
        audit.record(by, schedule, said + _runs_made(made))
    return made


def pause(
    schedule: Schedule, *, until: datetime | None = None, note: str = "", by: AbstractBaseUser | None
) -> SchedulePolicy:
    """Skip the slots from now on, until a moment or until resumed; each skipped slot is recorded.

    Raises InvalidSchedule when `until` has passed.
    """
    now = timezone.now()
    if until is not None and until <= now:
        raise InvalidSchedule({"until": ["This moment has passed."]})
    with transaction.atomic():
        policy = SchedulePolicy.objects.select_for_update().get(pk=schedule.pk)
        since = policy.paused_at if policy.is_paused(now) else now
        SchedulePolicy.objects.filter(pk=schedule.pk).update(
            paused_at=since, paused_until=until, pause_note=note[:200], failures_count_from=now
        )
        end = f"until {until:%Y-%m-%d %H:%M %Z}" if until else "until resumed"
        audit.record(by, schedule, f"Paused {end}. {note}".strip())
    return SchedulePolicy.objects.get(pk=schedule.pk)


def resume(
    schedule: Schedule, *, by: AbstractBaseUser | None, catch_up: str = MakeUp.SKIP
) -> list[uuid.UUID]:
    """End a pause: the next slot fires again. Returns the runs that were made for slots of the pause.

    Raises IllegalState when the schedule is not paused, and InvalidSchedule when `catch_up` asks for more runs than
    can be made at once. The pause keeps its bounds, so that a slot within it is skipped even when the scheduler comes
    to it later.
    """
    now = timezone.now()
    with transaction.atomic():
        paused = SchedulePolicy.objects.filter(
            Q(paused_until__isnull=True) | Q(paused_until__gt=now), pk=schedule.pk, paused_at__isnull=False
        )
        # From here on no scheduler comes to the schedule's slots until this is committed.
        if not paused.update(paused_until=now, failures_count_from=now):
            raise IllegalState("The schedule is not paused.")
        found = passed.while_paused(schedule, now)
        made = _make_up(schedule, found, catch_up, now, by=by, why="the schedule was paused")
        audit.record(by, schedule, "Resumed." + _runs_made(made))
    return made


def _make_up(
    schedule: Schedule,
    found: passed.Passed,
    catch_up: str,
    now: datetime,
    *,
    by: AbstractBaseUser | None,
    why: str,
) -> list[uuid.UUID]:
    if catch_up not in MakeUp.values:
        raise InvalidSchedule({"catch_up": [f"Use one of {', '.join(MakeUp.values)}."]})
    return passed.make_up(schedule, found.chosen(catch_up), now, by=by, why=why)


def _runs_made(made: list[uuid.UUID]) -> str:
    return f" Made up for {len(made)} slot{'' if len(made) == 1 else 's'}." if made else ""


def next_slot_at(row: PeriodicTask | None, now: datetime) -> datetime | None:
    """When a schedule will fire next; None for no schedule, and for one that is off or will not fire again."""
    if row is None or not row.enabled:
        return None
    policy, since = row.policy, now
    if policy.is_paused(now):
        if policy.paused_until is None:
            return None
        since = policy.paused_until - timedelta(microseconds=1)  # its end is not paused any more
    try:
        slots = timing_of(row, anchor=policy.anchor_at or now.replace(microsecond=0)).slots(since, limit=1)
        return next(slots, None)
    except InvalidTiming:
        return None


def _anchor(task: PeriodicTask) -> datetime | None:
    return SchedulePolicy.objects.values_list("anchor_at", flat=True).get(pk=task.pk)


def run_now(
    schedule: Schedule,
    *,
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger,
    parameters: Mapping[str, Any] | None = None,
) -> JobRun:
    """Run the schedule's job once, now, beside its slots.

    Raises UnknownJob, InvalidParameters, and InvalidSchedule when what it stores as parameters cannot be read.
    """
    with transaction.atomic():
        run = enqueue(
            get_job(schedule.task),
            versions.parameters_in(schedule.kwargs) if parameters is None else parameters,
            trigger=trigger,
            requested_by=by,
            schedule_id=schedule.pk,
        )
        version = SchedulePolicy.objects.values_list("version", flat=True).get(pk=schedule.pk)
        JobRun.objects.filter(pk=run.pk).update(schedule_version=version)
        audit.record(by, schedule, f"Ran now: run {run.id}.")
    return run


def is_orphan(schedule: PeriodicTask) -> bool:
    """Whether no code is left for what the schedule names; such schedules are never dispatched."""
    return not is_known(schedule.task)


def describe_values(schedule: PeriodicTask) -> dict[str, str]:
    """The values a person can change, as text, for the audit log."""
    if schedule.pk is None:
        return {}
    policy = SchedulePolicy.objects.get(pk=schedule.pk)
    return {
        "name": schedule.name,
        "job": schedule.task,
        "when": str(schedule.scheduler),
        "parameters": schedule.kwargs,
        "description": schedule.description,
        "enabled": str(schedule.enabled),
        "start": str(schedule.start_time),
        "end": str(schedule.expires),
        "catch-up": f"{policy.catch_up} within {policy.catch_up_window_seconds} s",
        "deadline": "none"
        if policy.deadline_seconds is None
        else f"{policy.deadline_seconds} s after the slot",
        "kept": f"{policy.keep_days or 'usual'} days, {policy.keep_runs or 'any number of'} runs",
        **policies.describe(policy),
    }


def _apply(schedule: Schedule, wish: Wish) -> None:
    parameters = _clean(wish)
    _check(schedule, wish)
    timing_of_when(wish.when, anchor=timezone.now(), start=wish.start_time, end=wish.expires)
    schedule.name = wish.name
    schedule.task = wish.job
    schedule.kwargs = json.dumps(parameters, sort_keys=True)
    schedule.description = wish.description
    schedule.enabled = wish.enabled
    schedule.start_time = wish.start_time
    schedule.expires = wish.expires
    schedule.crontab = schedule.interval = schedule.solar = schedule.clocked = None
    for kind, row in timing_row(wish.when).items():
        setattr(schedule, kind, row)
    schedule.one_off = wish.one_off or wish.when.clock is not None
    try:
        with transaction.atomic():
            schedule.save(update_fields=None if schedule.pk is None else _EDITED)
    except (IntegrityError, ValidationError) as error:  # two people at the same time
        raise InvalidSchedule({"name": [_TAKEN]}) from error
    SchedulePolicy.objects.filter(pk=schedule.pk).update(
        catch_up=wish.catch_up,
        catch_up_window_seconds=wish.catch_up_window_seconds,
        deadline_seconds=wish.deadline_seconds,
        keep_days=wish.keep_days,
        keep_runs=wish.keep_runs,
    )
    zone = "" if wish.when.cron is not None else wish.when.timezone
    policies.apply(schedule.pk, replace(wish.policies, timezone=zone), job=wish.job, now=timezone.now())


def _clean(wish: Wish) -> dict[str, Any]:
    """The parameters as they are stored. Those of other Celery tasks are taken as they are: nobody can check them."""
    job = find_job(wish.job)
    if job is None and is_known(wish.job):
        return dict(wish.parameters)
    return get_job(wish.job).clean(wish.parameters)


def _check(schedule: Schedule, wish: Wish) -> None:
    fields: dict[str, list[str]] = policies.problems(wish.policies)
    if not wish.name.strip():
        fields["name"] = ["A schedule needs a name."]
    elif PeriodicTask.objects.filter(name=wish.name).exclude(pk=schedule.pk).exists():
        fields["name"] = [_TAKEN]
    if wish.start_time and wish.expires and wish.expires <= wish.start_time:
        fields["expires"] = ["The end must come after the start."]
    if wish.catch_up not in SchedulePolicy.CatchUp.values:
        fields["catch_up"] = [f"Use one of {', '.join(SchedulePolicy.CatchUp.values)}."]
    if not 10 <= wish.catch_up_window_seconds <= 366 * 86_400:
        fields["catch_up_window_seconds"] = ["Use 10 seconds to 366 days."]
    for name, most in (("deadline_seconds", 366 * 86_400), ("keep_days", 36_525), ("keep_runs", 1_000_000)):
        number = getattr(wish, name)
        if number is not None and not 1 <= number <= most:
            fields[name] = [f"Use 1 to {most:,}, or nothing."]
    if fields:
        raise InvalidSchedule(fields)
