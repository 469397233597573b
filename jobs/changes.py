"""What saving a schedule will change: its slots before and after, and what becomes of those that have passed."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from jobs.load import Collisions, collisions, load_of_coming_day
from jobs.models import JobRun, Schedule
from jobs.timing import Interval, InvalidTiming, Slot, Timing, preview, timing_of
from jobs.timing.base import TICK

_DAY = timedelta(days=1)


class Mark(StrEnum):
    """What an edit does to one slot."""

    STAYS = "stays"
    NEW = "new"
    DROPPED = "dropped"


@dataclass(frozen=True)
class MarkedSlot:
    """A slot to come, and whether the edit leaves it alone."""

    slot: Slot
    mark: Mark


@dataclass(frozen=True)
class Change:
    """An edit of a schedule's timing, looked at before it is saved."""

    before: list[MarkedSlot]
    after: list[MarkedSlot]
    notes: list[str] = field(default_factory=list)
    """What happens to slots that have passed, to the next run, and to runs under way; a sentence each."""

    @property
    def is_move(self) -> bool:
        """Whether any slot is added or dropped."""
        return any(marked.mark != Mark.STAYS for marked in (*self.before, *self.after))


def stored_timing(schedule: Schedule, now: datetime) -> Timing:
    """The timing of a row as it is stored. Raises InvalidTiming."""
    return timing_of(schedule, anchor=schedule.policy.anchor_at or now.replace(microsecond=0))


def change_of(
    schedule: Schedule,
    after: Timing,
    now: datetime,
    *,
    count: int = 10,
    enabled: bool | None = None,
    zone: ZoneInfo | None = None,
) -> Change:
    """What becomes of a schedule's slots when it gets another timing, or is switched on or off."""
    try:
        before = stored_timing(schedule, now)
    except InvalidTiming:
        before = None
    will_fire = schedule.enabled if enabled is None else enabled
    old = before if schedule.enabled else None
    new = after if will_fire else None
    return Change(
        before=_marked(old, new, now, count, zone, Mark.DROPPED),
        after=_marked(new, old, now, count, zone, Mark.NEW),
        notes=[*_notes_on_slots(schedule, old, new, now), *_notes_on_runs(schedule)],
    )


def _marked(
    timing: Timing | None, other: Timing | None, now: datetime, count: int, zone: ZoneInfo | None, mark: Mark
) -> list[MarkedSlot]:
    if timing is None:
        return []
    return [
        MarkedSlot(slot, Mark.STAYS if other is not None and _has(other, slot.utc) else mark)
        for slot in preview(timing, now, count, zone=zone)
    ]


def _has(timing: Timing, at: datetime) -> bool:
    return timing.next_after(at - TICK) == at


def _notes_on_slots(schedule: Schedule, old: Timing | None, new: Timing | None, now: datetime) -> list[str]:
    if old == new:
        return []
    notes = []
    overdue = schedule.policy.next_slot_at
    if overdue is not None and overdue <= now and not schedule.policy.is_stale:
        notes.append(
            f"The slot of {_clock(overdue)} has passed and no scheduler has come to it yet: "
            "it is recorded as skipped, and does not run."
        )
    if new is None:
        return [*notes, "It fires no more until it is switched on."] if old else notes
    first, last = (timing.next_after(now) if timing else None for timing in (new, old))
    notes += _note_on_passed(new, old, now)
    if old is not None and first != last:
        notes.append(f"The next run moves from {_or_never(last)} to {_or_never(first)}.")
    elif old is None and first is not None:
        notes.append(f"Its first run is {_clock(first)}; what passed while it was off does not run.")
    if isinstance(new, Interval) and new.anchor > now - timedelta(minutes=1):
        notes.append("The interval is counted from the moment of saving.")
    return notes


def _note_on_passed(new: Timing, old: Timing | None, now: datetime) -> list[str]:
    """Slots that the new timing would have had within the last day and that nobody ran."""
    if old is None or isinstance(new, Interval):
        return []
    missed = [at for at in new.slots(now - _DAY, until=now, limit=1500) if not _has(old, at)]
    if not missed:
        return []
    if len(missed) == 1:
        return [f"Its slot of {_clock(missed[0])} would have passed already: it does not run."]
    return [
        f"{len(missed)} of its slots, the latest of {_clock(missed[-1])}, would have passed within the last day: "
        "they do not run."
    ]


def _notes_on_runs(schedule: Schedule) -> list[str]:
    under_way = JobRun.objects.filter(schedule_id=schedule.pk).active().count()
    if not under_way:
        return []
    if under_way == 1:
        return ["One run is under way or waiting, and stays as it was made."]
    return [f"{under_way} runs are under way or waiting, and stay as they were made."]


def others_at_its_minutes(timing: Timing, now: datetime, schedule: Schedule | None = None) -> Collisions:
    """With how many runs of other schedules a timing shares its minutes in the coming day."""
    load = load_of_coming_day(now)
    if schedule is not None and schedule.enabled and not schedule.policy.is_paused(now):
        with suppress(InvalidTiming):
            load = load.without(stored_timing(schedule, now))
    return collisions(timing, load)


def _clock(at: datetime) -> str:
    time = f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"
    return f"{at:%a} {at.day} {at:%b}, {time} UTC"


def _or_never(at: datetime | None) -> str:
    return "never" if at is None else _clock(at)
