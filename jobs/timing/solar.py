"""Solar timings: dawn, sunrise, noon, sunset and dusk at a place, computed by ephem."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import ephem

from jobs.timing.base import Timing
from jobs.timing.errors import InvalidTiming, quoted

#: How far to look for an event that does not happen every day (sunrise in the polar night).
SEARCH_DAYS = 366
#: The type stubs of ephem leave out most of it.
_SKY: Any = ephem
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_A_MOMENT = timedelta(seconds=1)


class _Event(NamedTuple):
    search: str
    horizon: str
    whole_disc: bool
    """True when the upper edge of the sun counts, False for its centre."""


EVENTS = MappingProxyType(
    {
        "dawn_astronomical": _Event("next_rising", "-18", False),
        "dawn_nautical": _Event("next_rising", "-12", False),
        "dawn_civil": _Event("next_rising", "-6", False),
        "sunrise": _Event("next_rising", "-0:34", True),
        "solar_noon": _Event("next_transit", "0", True),
        "sunset": _Event("next_setting", "-0:34", True),
        "dusk_civil": _Event("next_setting", "-6", False),
        "dusk_nautical": _Event("next_setting", "-12", False),
        "dusk_astronomical": _Event("next_setting", "-18", False),
    }
)


@dataclass(frozen=True)
class Solar(Timing):
    """An event of the sun at a latitude and longitude in degrees (north and east positive), to the second.

    Near the poles an event may fail for months; after a year without one there is no slot.
    """

    event: str
    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if self.event not in EVENTS:
            raise InvalidTiming("event", f"{quoted(self.event)} is none of {', '.join(EVENTS)}")
        if not -90 <= self.latitude <= 90:
            raise InvalidTiming("latitude", "it must be from -90 (south pole) to 90 (north pole)")
        if not -180 <= self.longitude <= 180:
            raise InvalidTiming("longitude", "it must be from -180 (west) to 180 (east)")

    def occurrences(self, moment: datetime) -> Iterator[datetime]:
        day = self._day_of(moment) - 1
        last_day = day + SEARCH_DAYS
        while day <= last_day:
            for at in _events_of_day(self.event, self.latitude, self.longitude, day):
                if at > moment:
                    yield at
                    last_day = day + SEARCH_DAYS
            day += 1

    def _day_of(self, moment: datetime) -> int:
        return (moment - _midnight(self.longitude, 0)) // _DAY


def _midnight(longitude: float, day: int) -> datetime:
    """When day number `day` begins by the mean sun at this longitude."""
    return _EPOCH + (day - longitude / 360) * _DAY


@lru_cache(maxsize=8192)
def _events_of_day(event: str, latitude: float, longitude: float, day: int) -> tuple[datetime, ...]:
    """The events of one solar day: none, one, or two where they slip past midnight.

    The search always starts at that day's midnight, so that each event has one time, whoever asks and when.
    """
    wanted = EVENTS[event]
    start, end = (_midnight(longitude, number) for number in (day, day + 1))
    place = _SKY.Observer()
    place.lat, place.lon, place.horizon = str(latitude), str(longitude), wanted.horizon
    place.elevation = place.pressure = 0
    options = {} if wanted.whole_disc else {"use_center": True}
    search, sun = getattr(place, wanted.search), _SKY.Sun()
    found: list[datetime] = []
    while start < end:
        date = _SKY.Date(start.replace(tzinfo=None))
        try:
            at = search(sun, start=date, **options).datetime().replace(tzinfo=UTC)
        except _SKY.CircumpolarError:
            # Not before the sun's next lowest point, which may still be on this day.
            start = place.next_antitransit(sun, start=date).datetime().replace(tzinfo=UTC) + _A_MOMENT
            continue
        if at >= end:
            break
        found.append((at + timedelta(milliseconds=500)).replace(microsecond=0))
        start = at + timedelta(hours=1)
    return tuple(found)
