"""What a schedule does at the moment, in a glance."""

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_beat.models import PeriodicTask

from jobs import display, schedules
from jobs.admin.schedule_form import stored_timing
from jobs.models import SchedulePolicy
from jobs.timing import InvalidTiming


def next_slot_of(schedule: PeriodicTask, now: datetime) -> datetime | None:
    """The next slot, also of a schedule that was just saved and that no scheduler has planned yet."""
    policy: SchedulePolicy = schedule.policy
    if not schedule.enabled or schedules.is_orphan(schedule):
        return None
    if not policy.is_stale:
        return policy.next_slot_at
    try:
        return stored_timing(schedule, now).next_after(now)
    except InvalidTiming:
        return None


def state_badge(schedule: PeriodicTask, now: datetime) -> SafeString:
    """Whether a schedule fires, and if not, why not."""
    policy = schedule.policy
    if schedules.is_orphan(schedule):
        return display.badge("Orphaned: its job is gone", "link_off", "bad")
    if policy.planning_error:
        return _with_note(display.badge("Cannot be planned", "error", "bad"), policy.planning_error)
    if not schedule.enabled:
        return display.badge("Disabled", "toggle_off", "calm")
    if not policy.is_paused(now):
        return display.badge("Enabled", "check_circle", "good")
    until = f"until {policy.paused_until:%d %b %H:%M} UTC" if policy.paused_until else "until resumed"
    return _with_note(display.badge(f"Paused {until}", "pause_circle", "warn"), policy.pause_note)


def _with_note(badge: SafeString, note: str) -> SafeString:
    small = format_html('<small class="jobs-wrap">{}</small>', note) if note else ""
    return format_html('<span class="jobs-two-lines">{}{}</span>', badge, small)
