"""How many runs the schedules make in each minute of the coming day, and how a timing fits in.

Counted, not tried out: schedules of equal timing are one row of a GROUP BY, and each different timing is walked once.
When even that is too much (more than `MOST_STEPS` steps), every k-th timing is walked and counts k times; `is_estimate`
tells. Counted are enabled schedules whose job exists, from the end of their pause on if it has one; jitter, calendars,
windows and overlap rules are left aside: they only make a minute lighter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django_celery_beat.models import PeriodicTask

from jobs.definitions import is_known
from jobs.timing import Clocked, Crontab, Interval, InvalidTiming, Solar, Timing, Windowed
from jobs.timing.base import TICK

MINUTE = timedelta(minutes=1)
MINUTES = 24 * 60
_TICKS_PER_MINUTE = MINUTE // TICK
#: One to three seconds of work.
MOST_STEPS = 2_000_000
#: How long a count may be shown when nothing was edited.
FRESH_FOR = timedelta(minutes=5)

#: A minute is heavy from so many runs on, if it also has `HEAVY_RATIO` times as many as the average minute.
HEAVY_FROM = 10
HEAVY_RATIO = 2
#: So far away, in minutes, a lighter place is looked for.
SHIFTS = 15


@dataclass(frozen=True)
class Load:
    """The runs of a day, minute by minute."""

    start: datetime
    """The first minute, in UTC."""
    minutes: list[int]
    is_estimate: bool
    """True when not every timing was walked."""

    @property
    def total(self) -> int:
        return sum(self.minutes)

    @property
    def heavy_from(self) -> int:
        """How many runs make a minute heavy on this day."""
        return max(HEAVY_FROM, HEAVY_RATIO * self.total // len(self.minutes))

    def index(self, at: datetime) -> int | None:
        """The number of the minute that a moment is in; None outside of the day."""
        number = (at - self.start) // MINUTE
        return number if 0 <= number < len(self.minutes) else None

    def without(self, timing: Timing) -> "Load":
        """The same day without the slots of one schedule."""
        rest = list(self.minutes)
        for number in _minutes_of(timing, self.start):
            rest[number] = max(0, rest[number] - 1)
        return Load(self.start, rest, self.is_estimate)


@dataclass(frozen=True)
class Shared:
    """A minute, and how many other runs fall on it."""

    at: datetime
    others: int


@dataclass(frozen=True)
class Lighter:
    """A place close by where fewer runs fall together."""

    minutes: int
    """How much later, or earlier when negative."""
    others: int
    """How many other runs fall on its heaviest minute there."""


@dataclass(frozen=True)
class Collisions:
    """How a timing fits into the coming day."""

    slots: int
    """The minutes of the coming day in which it runs."""
    heavy: list[Shared]
    """Those of them that are heavy, heaviest first."""
    most: int
    """How many other runs fall on its heaviest minute."""
    lighter: Lighter | None
    """Where it would meet half as many or fewer; None when its minutes are not heavy, or no place is better."""
    is_estimate: bool


def collisions(timing: Timing, load: Load) -> Collisions:
    """With whom a timing shares its minutes; `load` is that of the other schedules."""
    numbers = sorted(set(_minutes_of(timing, load.start)))
    heavy = [
        Shared(load.start + number * MINUTE, load.minutes[number])
        for number in numbers
        if load.minutes[number] >= load.heavy_from
    ]
    most = _most(load, numbers, 0)
    return Collisions(
        slots=len(numbers),
        heavy=sorted(heavy, key=lambda shared: (-shared.others, shared.at)),
        most=most,
        lighter=_lighter(load, numbers, most) if heavy else None,
        is_estimate=load.is_estimate,
    )


def _lighter(load: Load, numbers: list[int], most: int) -> Lighter | None:
    if len(numbers) > MINUTES // SHIFTS:  # it is everywhere: a shift meets the same
        return None
    shifts = sorted(
        (shift for shift in range(-SHIFTS, SHIFTS + 1) if shift), key=lambda shift: (abs(shift), -shift)
    )
    best = min(shifts, key=lambda shift: _most(load, numbers, shift))
    others = _most(load, numbers, best)
    return Lighter(best, others) if others * 2 <= most else None


def _most(load: Load, numbers: list[int], shift: int) -> int:
    return max((load.minutes[(number + shift) % MINUTES] for number in numbers), default=0)


def _minutes_of(timing: Timing, start: datetime) -> Iterable[int]:
    """The numbers of the minutes of a day in which a timing has slots, once for each slot."""
    if isinstance(timing, Interval):
        first, step = ((span // TICK) for span in ((timing.anchor - start) % timing.step, timing.step))
        return (moment // _TICKS_PER_MINUTE for moment in range(first, MINUTES * _TICKS_PER_MINUTE, step))
    return (
        (at - start) // MINUTE for at in timing.slots(start - TICK, until=start + MINUTES * MINUTE - TICK)
    )


# Counting


@dataclass(frozen=True)
class Group:
    """Schedules of equal timing."""

    timing: Timing
    count: int
    steps: int
    """How many slots of the day there are to walk over, at most."""


#: The latest count of each first minute that was asked for; a few of them.
_counted: dict[datetime, tuple[tuple[object, ...], Load]] = {}


def load_of_coming_day(now: datetime) -> Load:
    """The runs of the 24 hours from now on; up to `FRESH_FOR` old, unless a schedule was edited meanwhile."""
    rounded = now - (now - datetime.min.replace(tzinfo=UTC)) % FRESH_FOR
    return load_of_day(rounded, now)


def load_of_day(start: datetime, now: datetime) -> Load:
    """The runs of the 24 hours from a moment on, as schedules are now. Remembered until a schedule is edited."""
    start = start.astimezone(UTC).replace(second=0, microsecond=0)
    fingerprint = _fingerprint()
    known = _counted.get(start)
    if known is not None and known[0] == fingerprint:
        return known[1]
    load = count(list(_groups(now)), start)
    while len(_counted) >= 8:
        _counted.pop(next(iter(_counted)), None)
    _counted[start] = (fingerprint, load)
    return load


def count(groups: list[Group], start: datetime) -> Load:
    """Add up what each group runs in the day from `start` on."""
    every = max(1, -(-sum(group.steps for group in groups) // MOST_STEPS))
    minutes = [0] * MINUTES
    for group in groups[every // 2 :: every]:
        _add(group, group.count * every, start, minutes)
    return Load(start, minutes, is_estimate=every > 1)


def _add(group: Group, count: int, start: datetime, minutes: list[int]) -> None:
    timing = group.timing
    if isinstance(timing, Interval) and timing.step < MINUTE:
        for number in range(MINUTES):  # its phase within a minute is not worth walking through
            minutes[number] += count * ((number + 1) * MINUTE // timing.step - number * MINUTE // timing.step)
        return
    try:
        for number in _minutes_of(timing, start):
            minutes[number] += count
    except InvalidTiming:
        return  # it never fires


_FINGERPRINT = """
SELECT count(*), max(anchor_at), max(paused_at), max(paused_until), count(paused_at) FROM jobs_schedulepolicy
"""


def _fingerprint() -> tuple[object, ...]:
    """Changes whenever a schedule is made, deleted, paused, or moved: each of these leaves its moment in a policy."""
    with connection.cursor() as cursor:
        cursor.execute(_FINGERPRINT)
        return tuple(cursor.fetchone())


_GROUPS = """
SELECT c.minute, c.hour, c.day_of_month, c.month_of_year, c.day_of_week, c.timezone::text,
    i.every, i.period,
    CASE WHEN i.id IS NOT NULL THEN coalesce(t.start_time, p.anchor_at) END,
    s.event, s.latitude::float8, s.longitude::float8,
    CASE WHEN t.one_off OR t.clocked_id IS NOT NULL THEN p.next_slot_at END,
    greatest(t.start_time, CASE WHEN p.paused_at <= %(now)s THEN p.paused_until END), t.expires, count(*)
FROM django_celery_beat_periodictask t
JOIN jobs_schedulepolicy p ON p.task_id = t.id
LEFT JOIN django_celery_beat_crontabschedule c ON c.id = t.crontab_id
LEFT JOIN django_celery_beat_intervalschedule i ON i.id = t.interval_id
LEFT JOIN django_celery_beat_solarschedule s ON s.id = t.solar_id
WHERE t.enabled AND num_nonnulls(c.id, i.id, s.id, CASE WHEN t.clocked_id IS NOT NULL THEN p.next_slot_at END) = 1
    AND t.task <> ALL(%(unknown)s) AND (t.expires IS NULL OR t.expires > %(now)s)
    AND NOT coalesce(p.paused_at <= %(now)s AND p.paused_until IS NULL, false)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
ORDER BY count(*) DESC, 1, 2, 3, 4, 5, 7, 9
"""


def _groups(now: datetime) -> Iterator[Group]:
    names = PeriodicTask.objects.filter(enabled=True).order_by().values_list("task", flat=True).distinct()
    unknown = [name for name in names if not is_known(name)]
    with connection.cursor() as cursor:
        cursor.execute(_GROUPS, {"now": now, "unknown": unknown})
        rows = cursor.fetchall()
    for row in rows:
        *values, start, end, count = row
        try:
            timing, steps = _timing(values, now)
            if start is not None or end is not None:
                timing = Windowed(timing, start=start, end=end)
        except InvalidTiming:
            continue  # the scheduler says so at the schedule
        yield Group(timing, count, steps)


def _timing(values: list[Any], now: datetime) -> tuple[Timing, int]:
    """The timing of a row of `_GROUPS`, and about how many steps its day takes. Raises InvalidTiming."""
    minute, hour, day, month, weekday, zone, every, period, anchor, event, latitude, longitude, single = (
        values
    )
    if single is not None:
        return Clocked(single), 1
    if zone is not None:
        crontab = Crontab(minute, hour, day, month, weekday, ZoneInfo(zone))
        return crontab, len(crontab.pattern.minutes) * len(crontab.pattern.hours)
    if every is not None:
        interval = Interval(every, period, anchor or now)
        return interval, min(timedelta(days=1) // interval.step, MINUTES) + 1
    return Solar(event, latitude, longitude), 20
