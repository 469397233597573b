"""What a person decides about the slots of a schedule beyond their times: overlap, jitter, failures, calendars."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from jobs.definitions import find_job
from jobs.models import Calendar, SchedulePolicy
from jobs.timing import InvalidTiming, zone_of

Overlap = SchedulePolicy.Overlap


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policies of a schedule."""

    #: None: what its job says.
    overlap: str | None = None
    #: How many slots may wait for an earlier run, at most.
    buffer_limit: int = 100
    #: Each slot starts up to so many seconds late, always before the next.
    jitter_seconds: int = 0
    pause_on_failure: bool = False
    #: Whose days the calendars mean, for schedules without a crontab.
    timezone: str = ""
    #: The ids of the calendars on whose days there are no slots.
    calendars: tuple[int, ...] = ()


def of_schedule(policy: SchedulePolicy) -> Policies:
    """The policies as they are stored."""
    return Policies(
        overlap=policy.overlap,
        buffer_limit=policy.buffer_limit,
        jitter_seconds=policy.jitter_seconds,
        pause_on_failure=policy.pause_on_failure,
        timezone=policy.timezone,
        calendars=tuple(sorted(calendar.pk for calendar in _calendars(policy))),
    )


def problems(policies: Policies) -> dict[str, list[str]]:
    """What is wrong with the policies, by field; empty when nothing is."""
    fields: dict[str, list[str]] = {}
    if policies.overlap is not None and policies.overlap not in Overlap.values:
        fields["overlap"] = [f"Use one of {', '.join(Overlap.values)}."]
    if not 1 <= policies.buffer_limit <= 1000:
        fields["buffer_limit"] = ["Use 1 to 1000."]
    if not 0 <= policies.jitter_seconds <= 86_400:
        fields["jitter_seconds"] = ["Use 0 seconds to a day."]
    if policies.timezone:
        try:
            zone_of(policies.timezone)
        except InvalidTiming as error:
            fields["timezone"] = [error.reason]
    known = set(Calendar.objects.filter(pk__in=policies.calendars).values_list("pk", flat=True))
    unknown = [str(pk) for pk in policies.calendars if pk not in known]
    if unknown:
        fields["calendars"] = [f"There is no calendar {', '.join(unknown)}."]
    return fields


def apply(schedule_id: int, policies: Policies, *, job: str, now: datetime) -> None:
    """Write the policies of a schedule, in the caller's transaction."""
    with transaction.atomic():
        stored = SchedulePolicy.objects.filter(pk=schedule_id)
        if policies.pause_on_failure:
            # Failures of the time before are nobody's surprise.
            stored.filter(pause_on_failure=False).update(failures_count_from=now)
        stored.update(
            overlap=policies.overlap or default_overlap(job),
            buffer_limit=policies.buffer_limit,
            jitter_seconds=policies.jitter_seconds,
            pause_on_failure=policies.pause_on_failure,
            timezone=policies.timezone,
        )
        _set_calendars(schedule_id, set(policies.calendars))


def default_overlap(job: str) -> str:
    """The rule of new schedules: their job's; of other Celery tasks skip, which never piles up."""
    definition = find_job(job)
    return (definition.overlap if definition else Overlap.SKIP).value


def describe(policy: SchedulePolicy) -> dict[str, str]:
    """The policies as text, for the audit log."""
    names = sorted(calendar.name for calendar in _calendars(policy))
    return {
        "overlap": policy.overlap,
        "buffer": str(policy.buffer_limit),
        "jitter": f"{policy.jitter_seconds} s",
        "pause on failure": str(policy.pause_on_failure),
        "calendars": ", ".join(names) or "none",
    }


def _calendars(policy: SchedulePolicy) -> list[Calendar]:
    return list(Calendar.objects.filter(schedules=policy.pk))


def _set_calendars(schedule_id: int, wanted: set[int]) -> None:
    links = Calendar.schedules.through._default_manager
    links.filter(schedule_id=schedule_id).exclude(calendar_id__in=wanted).delete()
    present = set(links.filter(schedule_id=schedule_id).values_list("calendar_id", flat=True))
    links.bulk_create(
        [
            Calendar.schedules.through(schedule_id=schedule_id, calendar_id=calendar_id)
            for calendar_id in sorted(wanted - present)
        ]
    )
