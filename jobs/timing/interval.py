"""Interval timings: a grid of equal steps through absolute time."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from jobs.timing.base import Timing, in_utc
from jobs.timing.errors import InvalidTiming, quoted

#: A shorter interval would only fill the ledger.
SHORTEST = timedelta(milliseconds=100)
#: The longest period that still leaves room for a few slots.
LONGEST = timedelta(days=36525)

PERIODS = {
    "days": timedelta(days=1),
    "hours": timedelta(hours=1),
    "minutes": timedelta(minutes=1),
    "seconds": timedelta(seconds=1),
    "microseconds": timedelta(microseconds=1),
}
#: The largest count that its column holds.
_LARGEST_COUNT = 2**31 - 1
_UNITS = {
    timedelta(weeks=1): ("w", "week", "weeks"),
    timedelta(days=1): ("d", "day", "days"),
    timedelta(hours=1): ("h", "hr", "hrs", "hour", "hours"),
    timedelta(minutes=1): ("m", "min", "mins", "minute", "minutes"),
    timedelta(seconds=1): ("s", "sec", "secs", "second", "seconds"),
    timedelta(milliseconds=1): ("ms", "millisecond", "milliseconds"),
}
_UNIT_BY_NAME = {name: unit for unit, names in _UNITS.items() for name in names}
_AMOUNT = re.compile(
    r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,9})?)?\s*(?P<unit>[a-z]+)\s*(?:,|and\b)?\s*", re.ASCII
)


class Every(NamedTuple):
    """A count and one of Celery's periods, the two columns of an interval row."""

    every: int
    period: str


@dataclass(frozen=True)
class Interval(Timing):
    """The instants `anchor` + k x (`every` x `period`) for every whole k.

    Each is computed from the anchor, so that nothing drifts however late a run starts. Days and hours are absolute time:
    "every day" is every 24 hours, and its local time moves by an hour when the clocks change; use a crontab for "daily at
    nine". Raises InvalidTiming for an unknown period or a step under SHORTEST or over LONGEST.
    """

    every: int
    period: str
    anchor: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "anchor", in_utc(self.anchor))
        _ = self.step

    @property
    def step(self) -> timedelta:
        """The time from one slot to the next."""
        unit = PERIODS.get(self.period)
        if unit is None:
            raise InvalidTiming("period", f"{quoted(self.period)} is none of {', '.join(PERIODS)}")
        if self.every < 1:
            raise InvalidTiming("every", "it must be at least 1")
        if self.every > LONGEST // unit:
            raise InvalidTiming("every", "an interval is at most 100 years long")
        step = self.every * unit
        if step < SHORTEST:
            raise InvalidTiming("every", "an interval is at least 100 milliseconds long")
        return step

    def occurrences(self, moment: datetime) -> Iterator[datetime]:
        step = self.step
        number = (moment - self.anchor) // step + 1
        while True:
            try:
                at = self.anchor + number * step
            except OverflowError:
                return
            yield at
            number += 1


def parse_interval(text: str) -> Every:
    """A typed interval such as "every 90 seconds", "2h", "1h30m", "15 min", "1.5 days" or "every hour".

    Gives the largest of Celery's periods that fits exactly. Raises InvalidTiming("interval", ...) when it is unclear.
    """
    rest = text.strip().lower().removeprefix("every").strip()
    if not rest:
        raise InvalidTiming("interval", "write a number and a unit, such as 15 minutes")
    total = Fraction(0)
    alone = _AMOUNT.fullmatch(rest) is not None
    while rest:
        match = _AMOUNT.match(rest)
        unit = match and _UNIT_BY_NAME.get(match["unit"])
        if match is None or not unit or (match["number"] is None and not alone):
            raise InvalidTiming(
                "interval",
                f"{quoted(text.strip())} is not an interval; write for instance 90 seconds, 2h or 1 day",
            )
        total += Fraction(match["number"] or 1) * (unit // PERIODS["microseconds"])
        rest = rest[match.end() :]
    return _in_largest_period(total)


def _in_largest_period(microseconds: Fraction) -> Every:
    shortest, longest = (limit // PERIODS["microseconds"] for limit in (SHORTEST, LONGEST))
    if microseconds < shortest:
        raise InvalidTiming("interval", "an interval is at least 100 milliseconds long")
    if microseconds > longest:
        raise InvalidTiming("interval", "an interval is at most 100 years long")
    for period, unit in PERIODS.items():
        count = microseconds / (unit // PERIODS["microseconds"])
        if count.denominator == 1 and count <= _LARGEST_COUNT:
            return Every(int(count), period)
    raise InvalidTiming(
        "interval", "it is finer than can be kept; use whole seconds, or whole minutes if it is long"
    )
