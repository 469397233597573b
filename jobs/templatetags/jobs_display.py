"""The functions of `jobs.display` as template filters."""

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

from jobs import display
from jobs.definitions import find_job

register = template.Library()
register.filter("moment", display.moment)
register.filter("status_badge", display.status_badge)


@register.filter
def clock(at: datetime, zone: str | None = None) -> str:
    """A moment in full, in the site's zone or a named one."""
    return display.clock(at, ZoneInfo(zone or timezone.get_current_timezone_name()))


@register.filter
def both_clocks(at: datetime) -> str:
    """A moment in full, in the site's zone and UTC."""
    return display.both_clocks(at, ZoneInfo(timezone.get_current_timezone_name()))


@register.filter
def duration(length: timedelta | float | None) -> str:
    """A length of time in words."""
    return display.duration(length)


@register.filter
def pretty_json(value: Any) -> str:
    """A JSON value with one item a line."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


@register.filter
def job_title(name: str) -> str:
    """The title of a job, or its name when no such job is registered."""
    job = find_job(name)
    return job.title if job else name


@register.simple_tag
def badge(text: str, icon: str, tone: str) -> SafeString:
    """A label with a symbol: tone is one of good, bad, warn, busy, calm."""
    return display.badge(text, icon, tone)
