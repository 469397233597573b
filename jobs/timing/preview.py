"""What a timing will do: its next slots, and what the next changes of the clocks do to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from jobs.timing.base import Timing, Windowed, in_utc
from jobs.timing.crontab import Crontab
from jobs.timing.words import date_in_words
from jobs.timing.zones import Transition, transitions

_YEAR = timedelta(days=366)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Slot:
    """One slot to come."""

    utc: datetime
    local: datetime
    """The same instant in the zone of the timing, or in the zone asked for."""
    note: str
    """What a change of the clocks does to this slot; empty for nearly all."""


@dataclass(frozen=True)
class DstWarning:
    """A change of the clocks that touches a schedule."""

    at: datetime
    """The instant of the change, in UTC."""
    text: str


def preview(timing: Timing, after: datetime, count: int = 10, *, zone: ZoneInfo | None = None) -> list[Slot]:
    """The next `count` slots after a moment; fewer when the timing ends. `zone` is the one to show local times in."""
    zone = zone or timing.zone
    return [
        Slot(utc=at, local=at.astimezone(zone), note=_note(timing, at))
        for at in timing.slots(after, limit=count)
    ]


def dst_warnings(timing: Timing, after: datetime) -> list[DstWarning]:
    """The changes of the clocks in the year after a moment that move, drop or repeat a slot.

    Empty for all but crontabs, and for those that just follow the real clock hour after hour.
    """
    start, end = in_utc(after), in_utc(after) + _YEAR
    if isinstance(timing, Windowed):
        start, end = max(start, timing.start or start), min(end, timing.end or end)
        timing = timing.timing
    if not isinstance(timing, Crontab) or timing.pattern.is_round_the_clock:
        return []
    return list(_warnings(timing, start, end))


def _warnings(crontab: Crontab, start: datetime, end: datetime) -> Iterator[DstWarning]:
    for change in transitions(crontab.tz, start, end):
        touched = list(crontab.pattern.local_times(*change.span))
        if touched:
            yield DstWarning(change.at, _warning(crontab, change, touched))


def _warning(crontab: Crontab, change: Transition, touched: list[datetime]) -> str:
    return f"{date_in_words(touched[0])}, {_clocks(change)}: {_times(touched)} {_effect(crontab, change)}."


def _effect(crontab: Crontab, change: Transition) -> str:
    if crontab.pattern.follows_clock:
        return "left out" if change.is_gap else "in both of the repeated hours"
    return f"once, at {_clock(change.local_after)}" if change.is_gap else "only at the first of the two times"


def _note(timing: Timing, at: datetime) -> str:
    if isinstance(timing, Windowed):
        timing = timing.timing
    if not isinstance(timing, Crontab):
        return ""
    for change in transitions(timing.tz, at - _DAY, at + _DAY):
        explain = _note_on_gap if change.is_gap else _note_on_overlap
        if note := explain(timing, at, change):
            return note
    return ""


def _note_on_gap(crontab: Crontab, at: datetime, change: Transition) -> str:
    if at != change.at or crontab.pattern.follows_clock:
        return ""
    missing = list(crontab.pattern.local_times(*change.span))
    if not missing:
        return ""
    verb = "does" if len(missing) == 1 else "do"
    return f"{_times(missing)} {verb} not exist on this day ({_clocks(change)}): runs right after."


def _note_on_overlap(crontab: Crontab, at: datetime, change: Transition) -> str:
    local = at.astimezone(crontab.tz).replace(tzinfo=None)
    first, last = change.span
    if not first <= local < last:
        return ""
    clock = _clock(local)
    if not crontab.pattern.follows_clock:
        return f"{clock} comes twice on this day ({_clocks(change)}): runs once, at the first."
    which = "first" if at < change.at else "second"
    return f"{clock} comes twice on this day ({_clocks(change)}): this is the {which}."


def _clocks(change: Transition) -> str:
    direction = "forward" if change.is_gap else "back"
    return f"clocks go {direction} from {_clock(change.local_before)} to {_clock(change.local_after)}"


def _clock(local: datetime) -> str:
    return f"{local:%H:%M}" if local.second == 0 else f"{local:%H:%M:%S}"


def _times(times: list[datetime]) -> str:
    """One to three times, or how many there are."""
    clocks = [_clock(local) for local in times]
    if len(clocks) > 3:
        return f"{len(clocks)} runs from {clocks[0]} to {clocks[-1]}"
    return " and ".join(filter(None, [", ".join(clocks[:-1]), clocks[-1]]))
