"""When topics and research jobs run by themselves: in words, with the next slots, before anything is saved."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_beat.models import PeriodicTask

from jobs import display
from jobs.admin.schedule_form import TimingForm
from jobs.admin.schedule_preview import Preview, preview_of_form
from jobs.models import Schedule
from jobs.timing import InvalidTiming, describe, timing_of
from jobs.when import when_of

Problems = dict[str, list[str]]


def preview(
    row: PeriodicTask | None, now: datetime, *, cron: str = "", hours: str = "", is_enabled: bool = True
) -> tuple[Preview | None, Problems]:
    """When it would run by this expression or interval, or what is wrong with it; neither when nothing is typed."""
    if bool(cron.strip()) == bool(hours.strip()):
        return None, {}
    schedule = None if row is None else Schedule.objects.select_related("policy").get(pk=row.pk)
    zone = "UTC" if schedule is None else when_of(schedule).timezone
    typed: dict[str, Any] = {"kind": "cron", "cron": cron} if cron.strip() else _interval(hours)
    form = TimingForm({**typed, "timezone": zone}, schedule=schedule)
    shown = preview_of_form(form, now, schedule=schedule, enabled=is_enabled)
    return shown, {name: [str(reason) for reason in reasons] for name, reasons in form.errors.items()}


def is_by_cron(row: PeriodicTask | None) -> bool:
    """Whether the schedule has a cron expression; one that is not there has no other rule either."""
    return row is None or when_of(row).cron is not None


def _interval(hours: str) -> dict[str, str]:
    return {"kind": "interval", "interval": f"{hours.strip()} hours"}


def other_rule(row: PeriodicTask | None, now: datetime) -> str:
    """How the schedule fires, if somebody gave it a rule that the form cannot show."""
    if row is None:
        return ""
    try:
        return describe(timing_of(row, anchor=row.policy.anchor_at or now.replace(microsecond=0)))
    except InvalidTiming as error:
        return str(error)


def in_words(at: datetime | None, otherwise: str) -> SafeString | str:
    """When it runs next, or why it does not."""
    if at is None:
        return otherwise
    zone = timezone.get_current_timezone()
    return format_html(
        '<span class="jobs-two-lines"><span>{}</span><small>{}</small></span>',
        display.moment(at),
        display.clock(at, zone),
    )
