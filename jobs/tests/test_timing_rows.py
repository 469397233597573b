"""From rows of django-celery-beat to timings. The rows need not be stored."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from pytest_django import DjangoAssertNumQueries

from jobs.timing import RELATED, Clocked, Crontab, Interval, InvalidTiming, Solar, Timing, timing_of

ANCHOR = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
every_hour = IntervalSchedule(every=1, period="hours")
every_morning = CrontabSchedule(minute="0", hour="9", timezone=ZoneInfo("Europe/London"))


@pytest.mark.parametrize(
    ("row", "timing"),
    [
        (PeriodicTask(crontab=every_morning), Crontab("0", "9", tz=ZoneInfo("Europe/London"))),
        (PeriodicTask(interval=every_hour), Interval(1, "hours", ANCHOR)),
        (
            PeriodicTask(
                solar=SolarSchedule(event="sunset", latitude=Decimal("51.5"), longitude=Decimal("-0.12"))
            ),
            Solar("sunset", 51.5, -0.12),
        ),
        (PeriodicTask(clocked=ClockedSchedule(clocked_time=ANCHOR)), Clocked(ANCHOR)),
    ],
)
def test_each_kind_of_row_becomes_its_timing(row: PeriodicTask, timing: Timing) -> None:
    assert timing_of(row, anchor=ANCHOR) == timing


def test_a_clocked_row_has_one_slot() -> None:
    timing = timing_of(PeriodicTask(clocked=ClockedSchedule(clocked_time=ANCHOR)), anchor=ANCHOR)
    assert timing.next_after(ANCHOR - DAY) == ANCHOR
    assert timing.next_after(ANCHOR) is None


def test_the_first_slot_of_a_crontab_is_not_before_its_start_time() -> None:
    at_nine = datetime(2026, 3, 10, 9, tzinfo=UTC)
    for start, first in [(at_nine, at_nine), (at_nine + timedelta(seconds=1), at_nine + DAY)]:
        timing = timing_of(PeriodicTask(crontab=every_morning, start_time=start), anchor=ANCHOR)
        assert timing.next_after(ANCHOR) == first
        assert timing.next_after(first) == first + DAY


def test_an_interval_counts_from_its_start_time() -> None:
    start = datetime(2026, 3, 10, 8, 17, 3, tzinfo=UTC)
    timing = timing_of(PeriodicTask(interval=every_hour, start_time=start), anchor=ANCHOR)
    assert list(timing.slots(ANCHOR, limit=2)) == [start, start + timedelta(hours=1)]
    assert timing.next_after(start + 30 * DAY) == start + 30 * DAY + timedelta(hours=1)


def test_there_is_no_slot_from_the_moment_of_expiry_on() -> None:
    expires = datetime(2026, 3, 3, 9, tzinfo=UTC)
    timing = timing_of(PeriodicTask(crontab=every_morning, expires=expires), anchor=ANCHOR)
    assert list(timing.slots(ANCHOR)) == [datetime(2026, 3, 2, 9, tzinfo=UTC)]
    assert timing.next_after(expires) is None


def test_a_row_that_expires_before_it_starts_is_refused() -> None:
    row = PeriodicTask(crontab=every_morning, start_time=ANCHOR, expires=ANCHOR)
    with pytest.raises(InvalidTiming, match="expires: it must be later than the start time"):
        timing_of(row, anchor=ANCHOR)


def test_a_row_with_no_or_two_schedules_is_refused() -> None:
    with pytest.raises(
        InvalidTiming, match="choose one of crontab, interval, solar, clocked; the row has none"
    ):
        timing_of(PeriodicTask(), anchor=ANCHOR)
    with pytest.raises(InvalidTiming, match="the row has crontab and interval"):
        timing_of(PeriodicTask(crontab=every_morning, interval=every_hour), anchor=ANCHOR)


@pytest.mark.parametrize("hour", ["25", "", "noon"])
def test_a_row_that_holds_nonsense_is_refused_with_the_field(hour: str) -> None:
    with pytest.raises(InvalidTiming) as caught:
        timing_of(PeriodicTask(crontab=CrontabSchedule(minute="0", hour=hour)), anchor=ANCHOR)
    assert caught.value.field == "hour"


@pytest.mark.django_db
def test_many_rows_are_read_in_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    every_morning_row = CrontabSchedule.objects.create(minute="0", hour="9")
    every_hour_row = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="by the clock", task="anything", crontab=every_morning_row)
    PeriodicTask.objects.create(name="by the hour", task="anything", interval=every_hour_row)
    with django_assert_num_queries(1):
        rows = PeriodicTask.objects.select_related(*RELATED).order_by("name")
        assert [type(timing_of(row, anchor=ANCHOR)) for row in rows] == [Crontab, Interval]
