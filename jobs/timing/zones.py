"""When a time zone changes its offset from UTC.

The standard library knows the offset at an instant but not where it changes, so each year of a zone is
searched once and remembered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

#: No zone changes its offset twice within this time.
_STRIDE = timedelta(hours=12)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Transition:
    """One change of a zone's offset: from the instant `at` on, `after` holds instead of `before`."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def is_gap(self) -> bool:
        """True when local times are missing (clocks go forward), False when some come twice (clocks go back)."""
        return self.after > self.before

    @property
    def local_before(self) -> datetime:
        """What the clocks show (naive) when they are changed."""
        return (self.at + self.before).replace(tzinfo=None)

    @property
    def local_after(self) -> datetime:
        """What the clocks are set to (naive)."""
        return (self.at + self.after).replace(tzinfo=None)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The naive local times, first included and last not, that are missing or come twice."""
        return min(self.local_before, self.local_after), max(self.local_before, self.local_after)


def offset_at(zone: ZoneInfo, moment: datetime) -> timedelta:
    """The zone's offset from UTC at an instant (aware UTC)."""
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo always has one
    return offset


def transitions(zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[Transition]:
    """The changes strictly after one instant, up to and including another (aware UTC), ascending."""
    for year in range(after.year, until.year + 1):
        for transition in _transitions_of_year(zone, year):
            if after < transition.at <= until:
                yield transition


@lru_cache(maxsize=4096)
def _transitions_of_year(zone: ZoneInfo, year: int) -> tuple[Transition, ...]:
    """About 0.3 ms for a year not seen yet."""
    found = []
    left, end = datetime(year, 1, 1, tzinfo=UTC) - _SECOND, datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    before = offset_at(zone, left)
    while left < end:
        right = min(left + _STRIDE, end)
        after = offset_at(zone, right)
        if after != before:
            found.append(Transition(_first_second_with(zone, after, left, right), before, after))
        left, before = right, after
    return tuple(found)


def _first_second_with(zone: ZoneInfo, offset: timedelta, left: datetime, right: datetime) -> datetime:
    """Bisect for the first second of (left, right] where the offset holds."""
    while right - left > _SECOND:
        middle = left + (right - left) // 2
        middle = middle.replace(microsecond=0)
        if offset_at(zone, middle) == offset:
            right = middle
        else:
            left = middle
    return right
