"""The preview beside the form of a schedule: what the timing does, what saving changes, and whom it meets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from zoneinfo import ZoneInfo

from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone

from jobs import display, obstacles
from jobs.admin.schedule_form import TimingForm, catch_up_in_words
from jobs.changes import Change, Mark, MarkedSlot, change_of, others_at_its_minutes
from jobs.load import Collisions
from jobs.models import Schedule
from jobs.obstacles import Obstacle
from jobs.timing import (
    DstWarning,
    InvalidTiming,
    Slot,
    Timing,
    describe,
    dst_warnings,
    parse_interval,
    preview,
)

SLOTS = 10
#: So many heavy minutes are named.
MINUTES_NAMED = 3


@dataclass(frozen=True)
class PreviewRow:
    """One slot of the preview, as text."""

    local: str
    utc: str
    relative: str
    note: str
    mark: str = Mark.STAYS


@dataclass(frozen=True)
class Preview:
    """What a timing will do: in words, its next slots, and the changes of the clocks that touch it."""

    words: str
    zone: str
    rows: list[PreviewRow]
    warnings: list[DstWarning]
    collisions: Collisions
    pairs: list[tuple[PreviewRow | None, PreviewRow | None]]
    """The next slots before and after saving, side by side; empty when no slot is added or dropped."""
    notes: list[str]
    """What happens to slots that have passed and to runs under way."""

    @property
    def heavy_minutes(self) -> str:
        """The heaviest of its minutes: "09:00 with 31 other runs, 10:00 with 12"."""
        zone = ZoneInfo(self.zone)
        first, *others = self.collisions.heavy[:MINUTES_NAMED]
        named = [f"{first.at.astimezone(zone):%H:%M} with {first.others:,} other runs"]
        named += [f"{shared.at.astimezone(zone):%H:%M} with {shared.others:,}" for shared in others]
        return ", ".join(named)

    @property
    def advice(self) -> str:
        """Where it would meet fewer; empty when there is no such place close by."""
        lighter = self.collisions.lighter
        if lighter is None:
            return ""
        count = abs(lighter.minutes)
        place = f"{count} minute{'' if count == 1 else 's'} {'later' if lighter.minutes > 0 else 'earlier'}"
        return f"{place[0].upper()}{place[1:]} it would meet at most {lighter.others:,}."


def preview_view(request: HttpRequest, schedule: Schedule | None) -> JsonResponse:
    """The preview of what is typed so far: `html` of the panel, and `errors` by field."""
    form = TimingForm(request.GET, schedule=schedule)
    enabled = request.GET.get("enabled", "on") == "on"
    shown = preview_of_form(form, timezone.now(), schedule=schedule, enabled=enabled)
    html = render_to_string("admin/jobs/schedule/_preview.html", {"preview": shown, "errors": form.errors})
    rule = request.GET.get("catch_up", "")
    words = window_in_words(rule, request.GET.get("catch_up_window", ""))
    return JsonResponse({"html": html, "errors": form.errors, "catch_up": words})


def preview_of_form(
    form: TimingForm, now: datetime, *, schedule: Schedule | None, enabled: bool
) -> Preview | None:
    """None while something of the timing is wrong: its errors stand at the fields."""
    if any(name in form.errors for name in TimingForm.base_fields) or "__all__" in form.errors:
        return None
    return preview_of(form.timing(), now, form.zone(), schedule=schedule, enabled=enabled)


def preview_of(
    timing: Timing,
    now: datetime,
    zone: ZoneInfo | None = None,
    *,
    schedule: Schedule | None = None,
    enabled: bool | None = None,
) -> Preview:
    """The preview of a timing, local times in its own zone or another; for a schedule, what saving it changes."""
    zone = zone or timing.zone
    change = Change([], [])
    obstacle: Obstacle = obstacles.none
    if schedule is not None:
        obstacle = obstacles.of_schedule(schedule, now)
        change = change_of(schedule, timing, now, count=SLOTS, enabled=enabled, zone=zone)
    return Preview(
        words=describe(timing),
        zone=zone.key,
        rows=[_row(slot, zone, now, obstacle) for slot in preview(timing, now, SLOTS, zone=zone)],
        warnings=dst_warnings(timing, now),
        collisions=others_at_its_minutes(timing, now, schedule),
        pairs=_pairs(change, zone, now, obstacle) if change.is_move else [],
        notes=change.notes,
    )


def _pairs(
    change: Change, zone: ZoneInfo, now: datetime, obstacle: Obstacle
) -> list[tuple[PreviewRow | None, PreviewRow | None]]:
    def rows(marked: list[MarkedSlot]) -> list[PreviewRow]:
        return [_row(one.slot, zone, now, obstacle, one.mark) for one in marked]

    return list(zip_longest(rows(change.before), rows(change.after)))


def _row(
    slot: Slot, zone: ZoneInfo, now: datetime, obstacle: Obstacle, mark: Mark = Mark.STAYS
) -> PreviewRow:
    return PreviewRow(
        local=display.clock(slot.utc, zone),
        utc=_utc_beside(slot.utc, zone),
        relative=display.relative(slot.utc, now),
        note=" ".join(filter(None, (slot.note, obstacle(slot.utc)))),
        mark=mark,
    )


def _utc_beside(at: datetime, zone: ZoneInfo) -> str:
    """The time in UTC, with its date where that is another one than in the zone."""
    if at.astimezone(zone).date() == at.date():
        return display.clock(at, ZoneInfo("UTC")).rpartition(" ")[2]
    return display.clock(at, ZoneInfo("UTC"))


def window_in_words(rule: str, window: str) -> str:
    """What a catch-up rule with its window means; empty while the window cannot be read."""
    try:
        every = parse_interval(window)
    except InvalidTiming:
        return ""
    return catch_up_in_words(rule, timedelta(**{every.period: every.every}))
