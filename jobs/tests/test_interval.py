"""Interval timings and the ways to type them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.tests.cron_reference import moments
from jobs.timing import Every, Interval, InvalidTiming, parse_interval

ANCHOR = datetime(2026, 3, 1, 9, 0, 17, tzinfo=UTC)
intervals = st.one_of(
    st.builds(
        Interval,
        every=st.integers(1, 500),
        period=st.sampled_from(["days", "hours", "minutes", "seconds"]),
        anchor=moments,
    ),
    st.builds(
        Interval, every=st.integers(100_000, 5_000_000), period=st.just("microseconds"), anchor=moments
    ),
)


@given(interval=intervals, moment=moments)
def test_the_next_slot_is_the_first_whole_step_after_the_moment(interval: Interval, moment: datetime) -> None:
    slot = interval.next_after(moment)
    assert slot is not None
    assert (slot - interval.anchor) % interval.step == timedelta(0)
    assert moment < slot <= moment + interval.step


@given(interval=intervals, moment=moments)
def test_asking_slot_by_slot_gives_the_same_as_asking_once(interval: Interval, moment: datetime) -> None:
    one_by_one, at = [], moment
    for _ in range(5):
        at = interval.next_after(at) or at
        one_by_one.append(at)
    assert one_by_one == list(interval.slots(moment, limit=5))


def test_slots_do_not_drift_over_a_thousand_years() -> None:
    """A search that walked there would take 45 thousand million steps."""
    far = datetime(3000, 1, 1, tzinfo=UTC)
    slot = Interval(700, "seconds", ANCHOR).next_after(far)
    assert slot is not None
    assert (slot - ANCHOR).total_seconds() % 700 == 0


def test_every_day_is_every_24_hours_also_when_clocks_change() -> None:
    london = ZoneInfo("Europe/London")
    daily = Interval(1, "days", datetime(2026, 3, 28, 9, tzinfo=london))
    slots = [slot.astimezone(london) for slot in daily.slots(datetime(2026, 3, 28, 10, tzinfo=UTC), limit=2)]
    assert [f"{slot:%d %H:%M}" for slot in slots] == ["29 10:00", "30 10:00"]


def test_bounds_of_slots_are_exclusive_at_the_start_and_inclusive_at_the_end() -> None:
    interval = Interval(1, "hours", ANCHOR)
    hours = [ANCHOR + timedelta(hours=number) for number in range(4)]
    assert list(interval.slots(hours[0], until=hours[2])) == hours[1:3]
    assert list(interval.slots(hours[0], until=hours[3], limit=1)) == hours[1:2]
    assert list(interval.slots(hours[0], limit=0)) == []


def test_the_end_of_time_has_no_slot() -> None:
    assert Interval(1, "days", ANCHOR).next_after(datetime.max.replace(tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("every", "period", "field", "reason"),
    [
        (0, "seconds", "every", "it must be at least 1"),
        (-5, "days", "every", "it must be at least 1"),
        (99_999, "microseconds", "every", "an interval is at least 100 milliseconds long"),
        (10**9, "days", "every", "an interval is at most 100 years long"),
        (1, "weeks", "period", "'weeks' is none of days, hours, minutes, seconds, microseconds"),
    ],
)
def test_an_interval_that_cannot_be_is_refused(every: int, period: str, field: str, reason: str) -> None:
    with pytest.raises(InvalidTiming) as caught:
        Interval(every, period, ANCHOR)
    assert (caught.value.field, caught.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("text", "every", "period"),
    [
        ("every 90 seconds", 90, "seconds"),
        ("2h", 2, "hours"),
        ("15 min", 15, "minutes"),
        ("15m", 15, "minutes"),
        ("120 s", 2, "minutes"),
        ("1h30m", 90, "minutes"),
        ("1 hour and 30 minutes", 90, "minutes"),
        ("1 day, 12 hrs", 36, "hours"),
        ("1.5 days", 36, "hours"),
        ("every hour", 1, "hours"),
        ("Every Minute", 1, "minutes"),
        ("day", 1, "days"),
        ("2 weeks", 14, "days"),
        ("500ms", 500_000, "microseconds"),
        ("0.1 s", 100_000, "microseconds"),
    ],
)
def test_a_typed_interval_is_understood(text: str, every: int, period: str) -> None:
    assert parse_interval(text) == Every(every, period)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "write a number and a unit, such as 15 minutes"),
        ("every", "write a number and a unit, such as 15 minutes"),
        ("5", "'5' is not an interval; write for instance 90 seconds, 2h or 1 day"),
        ("-5 min", "'-5 min' is not an interval"),
        ("1 fortnight", "'1 fortnight' is not an interval"),
        ("2h m", "'2h m' is not an interval"),
        ("5 min 3", "'5 min 3' is not an interval"),
        ("1e3 s", "'1e3 s' is not an interval"),
        ("0 s", "an interval is at least 100 milliseconds long"),
        ("10 ms", "an interval is at least 100 milliseconds long"),
        ("101 years", "'101 years' is not an interval"),
        ("999999999999 weeks", "an interval is at most 100 years long"),
        ("1.0000000001 s", "'1.0000000001 s' is not an interval"),
        ("0.500000001 s", "it is finer than can be kept; use whole seconds, or whole minutes if it is long"),
        ("1h 0.5s", "it is finer than can be kept; use whole seconds, or whole minutes if it is long"),
        ("3000000001 s", "it is finer than can be kept; use whole seconds, or whole minutes if it is long"),
    ],
)
def test_a_typed_interval_that_is_unclear_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidTiming) as caught:
        parse_interval(text)
    assert caught.value.field == "interval"
    assert caught.value.reason.startswith(reason)


@given(text=st.text(alphabet="0123456789. smhdayinute,", max_size=30))
def test_whatever_is_understood_makes_a_valid_interval(text: str) -> None:
    try:
        every = parse_interval(text)
    except InvalidTiming:
        return
    assert Interval(*every, ANCHOR).next_after(ANCHOR) is not None
