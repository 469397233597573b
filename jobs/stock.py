"""Schedules that were made for django-celery-beat's own scheduler: what behaves otherwise here, row by row.

Stock rows work as they are; nothing has to be converted. What cannot be the same is told, and what can be said in a
way that keeps the old meaning is rewritten by `adopt`, as a change like any other, with a version to go back to.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import schedules as celery_schedules
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import QuerySet
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from jobs import audit, inspection, versions
from jobs.definitions import is_known
from jobs.models import Schedule, SchedulePolicy
from jobs.timing import RELATED, Crontab, InvalidTiming, dst_warnings, timing_of

#: The n-th weekday of a month, as people had to write it for Celery: its days, and what it is here.
_WEEKS = {"1-7": 1, "8-14": 2, "15-21": 3, "22-28": 4}


@dataclass(frozen=True)
class Finding:
    """One way in which a schedule behaves otherwise here."""

    #: For programs: days, clocks, interval, start, expires, once, priority, routing, enabling, orphan, parameters,
    #: timing.
    kind: str
    #: "attention" when something may run at other times, elsewhere or not at all; "note" when it is only good to know.
    weight: str
    text: str


@dataclass(frozen=True)
class Report:
    """What changes for one schedule."""

    schedule_id: int
    name: str
    findings: list[Finding]
    #: The cron expression that keeps the old meaning; empty when none does or none is needed.
    rewrite: str = ""

    @property
    def needs_attention(self) -> bool:
        return any(finding.weight == "attention" for finding in self.findings)


def stock_schedules() -> QuerySet[Schedule]:
    """Schedules that no job declares: those that may have been made elsewhere."""
    rows: QuerySet[Schedule] = Schedule.objects.filter(policy__origin=SchedulePolicy.Origin.ADMIN)
    return rows.select_related("policy", *RELATED).order_by("name")


def report(schedules: QuerySet[Schedule], now: datetime) -> list[Report]:
    """What changes, for each of the schedules."""
    misfits = {broken.schedule_id: broken.reason for broken in inspection.misfits(schedules)}
    return [
        Report(
            schedule.pk,
            schedule.name,
            list(_findings(schedule, misfits.get(schedule.pk, ""), now)),
            _rewrite(schedule.crontab),
        )
        for schedule in schedules
    ]


def adopt(report: Report, *, by: AbstractBaseUser | None) -> bool:
    """Rewrite a schedule whose old meaning can be kept; False when there is nothing to rewrite."""
    if not report.rewrite:
        return False
    with transaction.atomic():
        task = (
            PeriodicTask.objects.select_for_update(of=("self",))
            .select_related("crontab")
            .get(pk=report.schedule_id)
        )
        if _rewrite(task.crontab) != report.rewrite:  # somebody was faster
            return False
        day_of_week = report.rewrite.split()[-1]
        values = {
            name: getattr(task.crontab, name) for name in ("minute", "hour", "month_of_year", "timezone")
        }
        values |= {"day_of_month": "*", "day_of_week": day_of_week}
        row = CrontabSchedule.objects.filter(**values).first() or CrontabSchedule.objects.create(**values)
        PeriodicTask.objects.filter(pk=task.pk).update(crontab=row)
        note = f"Imported: {report.rewrite} means here what its days meant to Celery."
        versions.record(task, by=by, note=note)
        audit.record(by, task, note)
    return True


def _rewrite(row: CrontabSchedule | None) -> str:
    if row is None or not _restricts_both_days(row):
        return ""
    week = _WEEKS.get(row.day_of_month.replace(" ", ""))
    days = row.day_of_week.replace(" ", "").split(",")
    if week is None or not all(day.isalnum() for day in days):
        return ""
    return f"{row.minute} {row.hour} * {row.month_of_year} {','.join(f'{day}#{week}' for day in days)}"


def _restricts_both_days(row: CrontabSchedule) -> bool:
    """Whether both kinds of days are restricted, in words that Celery knows: "L" and "1#2" are cron's alone."""
    if any(field.strip().startswith("*") for field in (row.day_of_month, row.day_of_week)):
        return False
    try:
        _days_of_celery(row)
    except (ValueError, celery_schedules.ParseException):
        return False
    return True


def _findings(schedule: Schedule, misfit: str, now: datetime) -> Iterator[Finding]:
    if not is_known(schedule.task):
        yield Finding(
            "orphan", "attention", f"No code is left for {schedule.task}: its slots are recorded as missed."
        )
    if misfit:
        yield Finding("parameters", "attention", f"Its job refuses its parameters: {misfit}")
    try:
        timing = timing_of(schedule, anchor=schedule.policy.anchor_at or now)
    except InvalidTiming as error:
        yield Finding("timing", "attention", f"Its timing cannot be read, so it never fires: {error}.")
        return
    if schedule.crontab is not None:
        yield from _findings_on_days(schedule.crontab)
    if warnings := dst_warnings(timing, now):
        yield Finding("clocks", "note", f"Debian's rules hold when the clocks change. {warnings[0].text}")
    if schedule.interval is not None:
        counted = "its start time" if schedule.start_time else "the latest edit"
        yield Finding(
            "interval",
            "note",
            f"Its slots are whole intervals from {counted} on, however late a run starts; "
            "stock beat counts from the latest run, and drifts.",
        )
    yield from _findings_on_options(schedule)
    if not schedule.enabled:
        yield Finding(
            "enabling",
            "note",
            "Switching it on fires nothing that passed; stock beat runs what it finds overdue.",
        )


def _findings_on_days(row: CrontabSchedule) -> Iterator[Finding]:
    if not _restricts_both_days(row):
        return
    both, either = _days_of_celery(row), _days_here(row)
    text = (
        f"It names days of the month ({row.day_of_month}) and of the week ({row.day_of_week}): Celery runs when both "
        f"fit, about {both} days a year, cron and Almanac when either fits, about {either}."
    )
    if rewrite := _rewrite(row):
        text += f" The import rewrites it as {rewrite}, which means the same as before."
    yield Finding("days", "attention", text)


def _days_of_celery(row: CrontabSchedule) -> int:
    """How many days a year both fields fit, on average."""
    stock: Any = celery_schedules.crontab(day_of_month=row.day_of_month, day_of_week=row.day_of_week)
    return round(12 * len(stock.day_of_month) * len(stock.day_of_week) / 7)


def _days_here(row: CrontabSchedule) -> int:
    """How many days of an ordinary year either field fits."""
    start = datetime.fromisoformat("2027-01-01T00:00:00+00:00")
    once_a_day = Crontab("0", "0", row.day_of_month, "*", row.day_of_week)
    return sum(1 for at in once_a_day.slots(start, limit=370) if at.year == start.year)


def _findings_on_options(schedule: Schedule) -> Iterator[Finding]:
    if schedule.start_time is not None:
        yield Finding(
            "start",
            "note",
            "It has a slot at its start time when its timing names that moment; intervals always do.",
        )
    if schedule.expires is not None:
        yield Finding(
            "expires",
            "note",
            "From its end on it has no slots, and stays enabled; stock beat disables it, and ends queued messages too.",
        )
    if schedule.expire_seconds is not None:
        yield Finding(
            "expires",
            "note",
            f"A run that has not started {schedule.expire_seconds} s after its slot expires; "
            "stock beat counts from the sending.",
        )
    if schedule.one_off:
        yield Finding(
            "once", "note", "It is switched off together with its one run, also with several schedulers."
        )
    if schedule.priority is not None:
        clipped = ", and 9 is the highest number" if schedule.priority > 9 else ""
        yield Finding(
            "priority",
            "attention" if schedule.priority > 9 else "note",
            f"Priority {schedule.priority}: 0 is the most urgent here, as with Redis{clipped}.",
        )
    ignored = [name for name in ("exchange", "routing_key") if getattr(schedule, name)]
    if schedule.headers not in (None, "", "{}"):
        ignored.append("headers")
    if ignored:
        yield Finding(
            "routing",
            "attention",
            f"Its {' and '.join(name.replace('_', ' ') for name in ignored)} are not used: a run goes to its queue.",
        )
