"""Crontab timings: Debian's rules in any time zone.

- The day of the month OR the day of the week, when both are restricted.
- A job at fixed times (neither minute nor hour begins with a star) runs once for each of its local times: at the first of
  two when clocks go back, and right after the gap when its time does not exist.
- A job with a starred minute or hour follows the real clock: it runs in both of two repeated hours and not in a missing
  one.

cronsim reads the fields and knows which days match. The walk through the local times is ours: it goes by stretches of
constant offset, so that it is also right where clocks move by half an hour (cronsim 2.8 leaves out the rest of the hour on
Lord Howe Island).
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from jobs.timing import cronfields
from jobs.timing.base import TICK, UTC_ZONE, Timing
from jobs.timing.errors import InvalidTiming, quoted
from jobs.timing.zones import offset_at, transitions

#: An expression without a match for so long (a Monday the 29th of February comes within 40) never runs.
SEARCH_YEARS = 50
_DAY = timedelta(days=1)
_HOURS = [timedelta(hours=hour) for hour in range(24)]
_MINUTES = [timedelta(minutes=minute) for minute in range(60)]
_END_OF_TIME = datetime(9990, 1, 1)


@dataclass(frozen=True)
class Crontab(Timing):
    """Five cron fields and the zone whose clocks they are about. Raises InvalidTiming when they cannot be read."""

    minute: str = "*"
    hour: str = "*"
    day_of_month: str = "*"
    month_of_year: str = "*"
    day_of_week: str = "*"
    tz: ZoneInfo = UTC_ZONE

    def __post_init__(self) -> None:
        _ = self.pattern

    @classmethod
    def of(cls, text: str, zone: str | ZoneInfo = UTC_ZONE) -> "Crontab":
        """From a typed expression and the name of a zone."""
        fields = cronfields.parse_cron(text)
        tz = zone if isinstance(zone, ZoneInfo) else zone_of(zone)
        return cls(
            fields.minute, fields.hour, fields.day_of_month, fields.month_of_year, fields.day_of_week, tz
        )

    @property
    def zone(self) -> ZoneInfo:
        return self.tz

    @property
    def pattern(self) -> "Pattern":
        return _pattern(self.minute, self.hour, self.day_of_month, self.month_of_year, self.day_of_week)

    def occurrences(self, moment: datetime) -> Iterator[datetime]:
        if self.tz.key == "UTC" or not self.pattern.follows_clock:
            return self._at_fixed_times(moment)
        return self._following_the_clock(moment)

    def _at_fixed_times(self, moment: datetime) -> Iterator[datetime]:
        """Each matching local time once. The instants never go back, so equal neighbours are one slot."""
        latest = moment
        start = moment.astimezone(self.tz).replace(tzinfo=None) + TICK
        for local in self.pattern.local_times(start, _years_later(start)):
            at = self._instant_of(local)
            if at > latest:
                yield at
                latest = at

    def _instant_of(self, local: datetime) -> datetime:
        """The first instant with this local time, or the end of the gap that it falls into."""
        at = local.replace(tzinfo=self.tz).astimezone(UTC)
        if at.astimezone(self.tz).replace(tzinfo=None) == local:
            return at
        return next(change.at for change in transitions(self.tz, at - _DAY * 2, at) if change.span[1] > local)

    def _following_the_clock(self, moment: datetime) -> Iterator[datetime]:
        """The matching local times of each stretch between two changes of the clocks."""
        start, last_year = moment + TICK, moment.year + SEARCH_YEARS
        while start.year <= last_year and start.year < _END_OF_TIME.year:
            offset = offset_at(self.tz, start)
            end = self._end_of_stretch(start)
            local_start, local_end = ((at + offset).replace(tzinfo=None) for at in (start, end))
            for local in self.pattern.local_times(local_start, local_end):
                yield (local - offset).replace(tzinfo=UTC)
                last_year = local.year + SEARCH_YEARS
            start = end

    def _end_of_stretch(self, start: datetime) -> datetime:
        """The next change of the clocks, or the end of the year if that comes first."""
        new_year = datetime(start.year + 1, 1, 1, tzinfo=UTC)
        return next((change.at for change in transitions(self.tz, start, new_year)), new_year)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises InvalidTiming when there is none."""
    if name not in _zone_names():
        raise InvalidTiming(
            "timezone", f"{quoted(name)} is not the name of a time zone, such as Europe/London"
        )
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    """Without the two that mean something else on each machine."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


@dataclass(frozen=True)
class Pattern:
    """What the fields mean: on these days, at these hours and minutes of the local clock."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    days: CronSim
    follows_clock: bool
    """True when the minute or the hour begins with a star."""
    either_day: bool
    """True when both days are restricted, so that either one is enough."""
    expression: str
    """The five fields in one spelling, numbers only."""

    @property
    def is_round_the_clock(self) -> bool:
        """True when it follows the real clock through every hour, so that no change of the clocks can matter."""
        return self.follows_clock and len(self.hours) == 24

    def local_times(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """The matching local times (naive) from `start`, included, to `end`, not included."""
        day = datetime(start.year, start.month, start.day)
        end = min(end, _END_OF_TIME)
        while day < end:
            if day.month not in self.months:
                day = (day.replace(day=1) + _DAY * 32).replace(day=1)
                continue
            if self.days.match_day(day):
                yield from self._times_of(day, start, end)
            day += _DAY

    def _times_of(self, day: datetime, start: datetime, end: datetime) -> Iterator[datetime]:
        first_hour = start.hour if start > day else 0
        for hour in self.hours[bisect_left(self.hours, first_hour) :]:
            full_hour = day + _HOURS[hour]
            for minute in self.minutes:
                local = full_hour + _MINUTES[minute]
                if local >= end:
                    return
                if local >= start:
                    yield local


@lru_cache(maxsize=2048)
def _pattern(*texts: str) -> Pattern:
    """About 25 µs for an expression not seen yet."""
    parts = [cronfields.canonical(field, text) for field, text in zip(cronfields.FIELDS, texts, strict=True)]
    expression = " ".join(parts)
    try:
        sim = CronSim(expression, datetime(2000, 1, 1))
    except CronSimError as error:
        raise InvalidTiming(
            "day_of_month", f"none of the months has such a day: {quoted(texts[2])}"
        ) from error
    return Pattern(
        minutes=tuple(sorted(sim.minutes)),
        hours=tuple(sorted(sim.hours)),
        months=frozenset(sim.months),
        days=sim,
        follows_clock=parts[0].startswith("*") or parts[1].startswith("*"),
        either_day=not sim.day_and,
        expression=expression.upper(),
    )


def _years_later(local: datetime) -> datetime:
    year = local.year + SEARCH_YEARS
    return local.replace(year=year, day=1) if year < _END_OF_TIME.year else _END_OF_TIME
