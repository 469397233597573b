"""Cron by the slowest possible means, to hold the real one against: look at every minute, one after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Part:
    """One cron field as text, with the numbers it stands for."""

    text: str
    numbers: frozenset[int]

    @property
    def is_starred(self) -> bool:
        return self.text.startswith("*")


@dataclass(frozen=True)
class Expression:
    minute: Part
    hour: Part
    day: Part
    month: Part
    weekday: Part

    @property
    def text(self) -> str:
        return " ".join(part.text for part in (self.minute, self.hour, self.day, self.month, self.weekday))

    @property
    def follows_clock(self) -> bool:
        return self.minute.is_starred or self.hour.is_starred

    def matches(self, local: datetime) -> bool:
        by_day = local.day in self.day.numbers
        by_weekday = local.isoweekday() % 7 in self.weekday.numbers
        both = self.day.is_starred or self.weekday.is_starred
        return (
            local.minute in self.minute.numbers
            and local.hour in self.hour.numbers
            and local.month in self.month.numbers
            and ((by_day and by_weekday) if both else (by_day or by_weekday))
        )


def every_minute(after: datetime, until: datetime) -> Iterator[datetime]:
    """The whole minutes strictly after a moment, up to and including another."""
    minute = after.replace(second=0, microsecond=0) + MINUTE
    while minute <= until:
        yield minute
        minute += MINUTE


def slots_by_minute_scan(
    expression: Expression, zone: ZoneInfo, after: datetime, until: datetime
) -> list[datetime]:
    """Debian's rules: a starred minute or hour follows the clock, fixed times run once and right after a gap."""
    found = []
    for minute in every_minute(after, until):
        local = minute.astimezone(zone)
        naive = local.replace(tzinfo=None)
        if expression.follows_clock:
            runs = expression.matches(naive)
        else:
            before = (minute - MINUTE).astimezone(zone).replace(tzinfo=None)
            missing = every_minute(before, naive - MINUTE)
            runs = local.fold == 0 and (expression.matches(naive) or any(map(expression.matches, missing)))
        if runs:
            found.append(minute)
    return found


def _parts(low: int, high: int) -> st.SearchStrategy[Part]:
    """Fields of every simple shape between two numbers."""
    number = st.integers(low, high)
    everything = range(low, high + 1)
    return st.one_of(
        st.just(Part("*", frozenset(everything))),
        st.integers(1, high).map(lambda step: Part(f"*/{step}", frozenset(everything[::step]))),
        number.map(lambda value: Part(str(value), frozenset({value}))),
        st.lists(number, min_size=2, max_size=4).map(
            lambda values: Part(",".join(map(str, values)), frozenset(values))
        ),
        st.tuples(number, number).map(lambda ends: Part(f"{ends[0]}-{ends[1]}", _cyclic(*ends, low, high))),
    )


def _cyclic(start: int, end: int, low: int, high: int) -> frozenset[int]:
    """The numbers of a range that may wrap round."""
    if start <= end:
        return frozenset(range(start, end + 1))
    return frozenset([*range(start, high + 1), *range(low, end + 1)])


# Months are always any, so that something happens within the few days a scan can afford.
expressions = st.builds(
    Expression,
    minute=_parts(0, 59),
    hour=_parts(0, 23),
    day=_parts(1, 31),
    month=st.just(Part("*", frozenset(range(1, 13)))),
    weekday=_parts(0, 6),
)

moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
