"""How times, durations and states look, for lists (as functions) and templates (as filters of `jobs_display`)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.models import JobRun

Status = JobRun.Status

#: The symbol and the tone of each status: never colour alone.
LOOKS: dict[str, tuple[str, str]] = {
    Status.WAITING: ("hourglass_pause", "calm"),
    Status.QUEUED: ("hourglass_top", "calm"),
    Status.RUNNING: ("play_circle", "busy"),
    Status.RETRYING: ("restart_alt", "warn"),
    Status.SUCCEEDED: ("check_circle", "good"),
    Status.PARTIAL: ("rule", "warn"),
    Status.FAILED: ("error", "bad"),
    Status.CANCELLED: ("block", "calm"),
    Status.SKIPPED: ("skip_next", "calm"),
    Status.MISSED: ("event_busy", "warn"),
}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_MINUTE = 60


def badge(text: str, icon: str, tone: str) -> SafeString:
    """A small label with a symbol."""
    return format_html(
        '<span class="jobs-badge jobs-badge--{}">'
        '<span class="material-symbols-outlined" aria-hidden="true">{}</span>{}</span>',
        tone,
        icon,
        text,
    )


def status_badge(status: str) -> SafeString:
    """The label of a run's status."""
    icon, tone = LOOKS[status]
    return badge(str(Status(status).label), icon, tone)


def duration(length: timedelta | float | None) -> str:
    """A length of time in its two largest units: "1 h 5 min"; below ten seconds with a decimal: "4.2 s"."""
    if length is None:
        return ""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    left = round(seconds)
    parts: list[tuple[int, str]] = []
    for size, name in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def count(number: int, noun: str) -> str:
    """A number of things: "1 run", "12 runs", "1,200 runs"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def relative(moment: datetime, now: datetime) -> str:
    """How far away a moment is: "in 5 min", "3 h 20 min ago", "now"."""
    seconds = (moment - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    words = duration(abs(round(seconds)) if abs(seconds) >= 10 else abs(seconds))
    return f"in {words}" if seconds > 0 else f"{words} ago"


def clock(moment: datetime, zone: ZoneInfo) -> str:
    """A moment in a zone: "Sat 21 Nov 2026, 09:00", with seconds when it has some."""
    local = moment.astimezone(zone)
    time = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{local:%a} {local.day} {local:%b %Y}, {time}"


def both_clocks(moment: datetime, zone: ZoneInfo) -> str:
    """A moment in a zone and, unless that is the same, in UTC."""
    here, there = clock(moment, zone), clock(moment, ZoneInfo("UTC"))
    return f"{here} UTC" if here == there else f"{here} {zone.key} · {moment.astimezone(UTC):%H:%M} UTC"


def moment(at: datetime | None, zone: ZoneInfo | None = None) -> SafeString | str:
    """A moment relative to now, with the absolute times to hover over."""
    if at is None:
        return ""
    zone = zone or ZoneInfo(timezone.get_current_timezone_name())
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        both_clocks(at, zone),
        relative(at, timezone.now()),
    )
