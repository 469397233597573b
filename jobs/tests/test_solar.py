"""Solar timings, held against Celery's own solar schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import ephem
import pytest
from celery.schedules import solar
from hypothesis import given
from hypothesis import strategies as st

from jobs.tests.cron_reference import moments
from jobs.timing import InvalidTiming, Solar
from jobs.timing.solar import EVENTS

LONDON = (51.5074, -0.1278)
TROMSO = (69.6492, 18.9553)
places = st.tuples(
    st.floats(-75, 75).map(lambda degrees: round(degrees, 4)),
    st.floats(-180, 180).map(lambda degrees: round(degrees, 4)),
)


def celery_slots(event: str, place: tuple[float, float], after: datetime, count: int) -> list[datetime]:
    schedule: Any = solar(cast(Any, event), *place)
    sky: Any = ephem
    slots: list[datetime] = []
    while len(slots) < count:
        start = slots[-1] + timedelta(minutes=30) if slots else after
        found = schedule._next_event(sky.Date(start.replace(tzinfo=None)))
        slots.append(found.datetime().replace(tzinfo=UTC))
    return slots


@given(event=st.sampled_from(sorted(EVENTS)), place=places, after=moments)
def test_it_agrees_with_celery_to_the_second(event: str, place: tuple[float, float], after: datetime) -> None:
    for ours, celery in zip(
        Solar(event, *place).slots(after, limit=4), celery_slots(event, place, after, 4), strict=True
    ):
        assert abs(ours - celery) < timedelta(seconds=2)


@given(event=st.sampled_from(sorted(EVENTS)), place=places, after=moments)
def test_a_slot_has_one_time_whatever_moment_the_search_starts_from(
    event: str, place: tuple[float, float], after: datetime
) -> None:
    timing = Solar(event, *place)
    first, second = timing.slots(after, limit=2)
    assert after < first < second
    assert timing.next_after(first) == second
    assert timing.next_after(first - timedelta(microseconds=1)) == first
    assert first in list(timing.slots(first - timedelta(hours=7), limit=2))
    assert first.microsecond == 0


def test_sunrise_in_london_on_the_longest_day() -> None:
    midnight = datetime(2026, 6, 21, tzinfo=UTC)
    sunrise = Solar("sunrise", *LONDON).next_after(midnight)
    assert sunrise is not None
    assert abs(sunrise - datetime(2026, 6, 21, 3, 43, tzinfo=UTC)) < timedelta(minutes=1)


def test_the_polar_night_is_waited_out() -> None:
    sunrise = Solar("sunrise", *TROMSO).next_after(datetime(2026, 12, 1, tzinfo=UTC))
    assert sunrise is not None
    assert datetime(2027, 1, 14, tzinfo=UTC) < sunrise < datetime(2027, 1, 17, tzinfo=UTC)


def test_an_event_that_never_happens_has_no_slot() -> None:
    """At the very pole the sun only circles."""
    assert Solar("sunrise", 90, 0).next_after(datetime(2026, 6, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("event", "latitude", "longitude", "field"),
    [("moonrise", 0, 0, "event"), ("sunset", 90.1, 0, "latitude"), ("sunset", 0, -181, "longitude")],
)
def test_a_place_or_event_that_cannot_be_is_refused(
    event: str, latitude: float, longitude: float, field: str
) -> None:
    with pytest.raises(InvalidTiming) as caught:
        Solar(event, latitude, longitude)
    assert caught.value.field == field
