"""The one contract that every kind of timing keeps, and the two simplest kinds."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from jobs.timing.errors import InvalidTiming

UTC_ZONE = ZoneInfo("UTC")
TICK = timedelta(microseconds=1)


def in_utc(moment: datetime) -> datetime:
    """The same instant in UTC. A naive datetime is a programming error and raises ValueError."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime has no place in a schedule: give it a time zone")
    return moment.astimezone(UTC)


class Timing(ABC):
    """A series of instants ("slots") in UTC: pure values, no database, no clock of their own.

    Equal timings give equal slots, whatever moment the search starts from.
    """

    @abstractmethod
    def occurrences(self, moment: datetime) -> Iterator[datetime]:
        """The slots strictly after `moment` (aware UTC), ascending, without repeats."""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone a person thinks of this timing in; it decides nothing unless the timing is a crontab."""
        return UTC_ZONE

    def next_after(self, moment: datetime) -> datetime | None:
        """The first slot strictly after `moment`, or None when there is none left."""
        return next(self.occurrences(in_utc(moment)), None)

    def slots(
        self, after: datetime, *, until: datetime | None = None, limit: int | None = None
    ) -> Iterator[datetime]:
        """The slots strictly after `after`, up to and including `until`, at most `limit` of them.

        With neither bound the series may be endless.
        """
        if limit is not None and limit <= 0:
            return
        last = None if until is None else in_utc(until)
        for count, slot in enumerate(self.occurrences(in_utc(after)), start=1):
            if last is not None and slot > last:
                return
            yield slot
            if count == limit:
                return


@dataclass(frozen=True)
class Clocked(Timing):
    """One instant, once."""

    at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", in_utc(self.at))

    def occurrences(self, moment: datetime) -> Iterator[datetime]:
        if self.at > moment:
            yield self.at


@dataclass(frozen=True)
class Windowed(Timing):
    """Another timing between two instants: no slot before `start`, none at or after `end`."""

    timing: Timing
    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise InvalidTiming("expires", "it must be later than the start time")

    @property
    def zone(self) -> ZoneInfo:
        return self.timing.zone

    def occurrences(self, moment: datetime) -> Iterator[datetime]:
        if self.start is not None:
            moment = max(moment, in_utc(self.start) - TICK)
        for slot in self.timing.occurrences(moment):
            if self.end is not None and slot >= self.end:
                return
            yield slot
