"""When crontabs run, in zones that never change their clocks and in those that do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from jobs.tests.cron_reference import Expression, expressions, moments, slots_by_minute_scan
from jobs.timing import Crontab, InvalidTiming
from jobs.timing.zones import transitions

NEW_YORK = "America/New_York"
ZONES_THAT_MOVE = [
    NEW_YORK,
    "Europe/London",
    "Africa/Cairo",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/Santiago",
    "Atlantic/Azores",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
]


def local_runs(expression: str, zone: str, first_day: str, days: int = 1) -> list[str]:
    """The slots of some local days as "day hour:minute offset"."""
    tz = ZoneInfo(zone)
    start = datetime.fromisoformat(first_day).replace(tzinfo=tz)
    end = (datetime.fromisoformat(first_day) + timedelta(days=days)).replace(tzinfo=tz)
    slots = Crontab.of(expression, zone).slots(start - timedelta(microseconds=1), until=end)
    return [f"{at:%d %H:%M %z}" for at in (slot.astimezone(tz) for slot in slots) if at < end]


@given(expression=expressions, after=moments)
def test_without_clock_changes_it_finds_every_minute_that_matches_and_no_other(
    expression: Expression, after: datetime
) -> None:
    until = after + timedelta(days=3)
    found = list(Crontab.of(expression.text).slots(after, until=until))
    assert found == slots_by_minute_scan(expression, ZoneInfo("UTC"), after, until)


@given(
    expression=expressions,
    zone=st.sampled_from(ZONES_THAT_MOVE).map(ZoneInfo),
    number=st.integers(0, 11),
    hours_before=st.floats(-3, 30),
)
def test_around_clock_changes_it_finds_every_minute_that_matches_and_no_other(
    expression: Expression, zone: ZoneInfo, number: int, hours_before: float
) -> None:
    changes = list(transitions(zone, datetime(2023, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)))
    after = changes[number].at - timedelta(hours=hours_before)
    until = after + timedelta(hours=40)
    found = list(Crontab.of(expression.text, zone).slots(after, until=until))
    assert found == slots_by_minute_scan(expression, zone, after, until)


@given(expression=expressions, zone=st.sampled_from([*ZONES_THAT_MOVE, "UTC"]), after=moments)
def test_the_next_slot_is_the_same_from_any_moment_before_it(
    expression: Expression, zone: str, after: datetime
) -> None:
    crontab = Crontab.of(expression.text, zone)
    first, second = crontab.slots(after, limit=2)
    assert after < first < second
    assert crontab.next_after(first) == second
    assert crontab.next_after(first - timedelta(microseconds=1)) == first
    assert crontab.next_after(second - timedelta(microseconds=1)) == second


@given(expression=expressions, zone=st.sampled_from([NEW_YORK, "Europe/London"]), after=moments)
def test_it_agrees_with_cronsim_where_clocks_move_by_whole_hours(
    expression: Expression, zone: str, after: datetime
) -> None:
    crontab = Crontab.of(expression.text, zone)
    # cronsim starts again with the first of two repeated hours when asked in the second.
    start = after.astimezone(ZoneInfo(zone)).replace(fold=0)
    oracle = CronSim(crontab.pattern.expression, start)
    assert list(crontab.slots(start, limit=20)) == [next(oracle).astimezone(UTC) for _ in range(20)]


class TestClocksGoForwardInNewYork:
    """8 March 2026: 02:00 becomes 03:00."""

    def test_a_time_in_the_gap_runs_right_after_it(self) -> None:
        assert local_runs("30 2 * * *", NEW_YORK, "2026-03-07", 3) == [
            "07 02:30 -0500",
            "08 03:00 -0400",
            "09 02:30 -0400",
        ]

    def test_several_times_in_the_gap_and_one_at_its_end_run_once(self) -> None:
        assert local_runs("0,20,40 2,3 * * *", NEW_YORK, "2026-03-08") == [
            "08 03:00 -0400",
            "08 03:20 -0400",
            "08 03:40 -0400",
        ]

    def test_a_starred_minute_leaves_the_missing_hour_out(self) -> None:
        assert local_runs("*/30 2 * * *", NEW_YORK, "2026-03-08") == []

    def test_a_starred_hour_just_goes_on(self) -> None:
        assert local_runs("15 * * * *", NEW_YORK, "2026-03-08")[:3] == [
            "08 00:15 -0500",
            "08 01:15 -0500",
            "08 03:15 -0400",
        ]

    def test_every_other_hour_keeps_to_the_even_hours_of_the_clock(self) -> None:
        assert local_runs("0 */2 * * *", NEW_YORK, "2026-03-08")[:3] == [
            "08 00:00 -0500",
            "08 04:00 -0400",
            "08 06:00 -0400",
        ]

    def test_a_day_of_every_minute_has_23_hours(self) -> None:
        assert len(local_runs("* * * * *", NEW_YORK, "2026-03-08")) == 23 * 60


class TestClocksGoBackInNewYork:
    """1 November 2026: 02:00 becomes 01:00."""

    def test_every_five_minutes_runs_twelve_times_in_each_of_the_repeated_hours(self) -> None:
        runs = local_runs("*/5 * * * *", NEW_YORK, "2026-11-01")
        assert len([run for run in runs if run.startswith("01 01:") and run.endswith("-0400")]) == 12
        assert len([run for run in runs if run.startswith("01 01:") and run.endswith("-0500")]) == 12
        assert len(runs) == 25 * 12

    def test_a_fixed_time_in_the_repeated_hour_runs_once_at_the_first(self) -> None:
        assert local_runs("30 1 * * *", NEW_YORK, "2026-11-01", 2) == ["01 01:30 -0400", "02 01:30 -0500"]

    def test_a_fixed_time_is_not_found_again_when_asked_between_the_two(self) -> None:
        between = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)  # 01:10, the second time
        assert Crontab.of("30 1 * * *", NEW_YORK).next_after(between) == datetime(
            2026, 11, 2, 6, 30, tzinfo=UTC
        )

    def test_a_starred_minute_within_the_hour_runs_in_both(self) -> None:
        assert local_runs("*/30 1 * * *", NEW_YORK, "2026-11-01") == [
            "01 01:00 -0400",
            "01 01:30 -0400",
            "01 01:00 -0500",
            "01 01:30 -0500",
        ]

    def test_a_starred_hour_runs_in_both(self) -> None:
        assert local_runs("30 * * * *", NEW_YORK, "2026-11-01")[1:4] == [
            "01 01:30 -0400",
            "01 01:30 -0500",
            "01 02:30 -0500",
        ]

    def test_hours_spelled_out_are_fixed_times_and_run_once(self) -> None:
        assert local_runs("30 0-3 * * *", NEW_YORK, "2026-11-01") == [
            "01 00:30 -0400",
            "01 01:30 -0400",
            "01 02:30 -0500",
            "01 03:30 -0500",
        ]


def test_london_moves_at_one_in_the_morning() -> None:
    assert local_runs("30 1 * * *", "Europe/London", "2026-03-29") == ["29 02:00 +0100"]
    assert local_runs("30 1 * * *", "Europe/London", "2026-10-25") == ["25 01:30 +0100"]
    assert local_runs("59 0,2 * * *", "Europe/London", "2026-10-25") == ["25 00:59 +0100", "25 02:59 +0000"]


def test_cairo_has_a_day_without_midnight() -> None:
    """24 April 2026: 00:00 becomes 01:00."""
    assert local_runs("0 0 * * *", "Africa/Cairo", "2026-04-23", 3) == [
        "23 00:00 +0200",
        "24 01:00 +0300",
        "25 00:00 +0300",
    ]
    assert local_runs("*/30 0 * * *", "Africa/Cairo", "2026-04-24") == []
    assert local_runs("0 * * * fri", "Africa/Cairo", "2026-04-24")[0] == "24 01:00 +0300"


def test_cairo_has_a_day_with_two_last_hours() -> None:
    """29 October 2026: 24:00 becomes 23:00."""
    assert local_runs("30 23 * * *", "Africa/Cairo", "2026-10-29") == ["29 23:30 +0300"]
    assert local_runs("*/30 23 * * thu", "Africa/Cairo", "2026-10-29") == [
        "29 23:00 +0300",
        "29 23:30 +0300",
        "29 23:00 +0200",
        "29 23:30 +0200",
    ]
    assert local_runs("0 0 * * *", "Africa/Cairo", "2026-10-30") == ["30 00:00 +0200"]


def test_lord_howe_moves_by_half_an_hour() -> None:
    """4 October 2026: 02:00 becomes 02:30; 5 April 2026: 02:00 becomes 01:30."""
    zone = "Australia/Lord_Howe"
    assert local_runs("15 2 * * *", zone, "2026-10-04") == ["04 02:30 +1100"]
    assert local_runs("45 2 * * *", zone, "2026-10-04") == ["04 02:45 +1100"]
    assert local_runs("*/15 2,3 * * *", zone, "2026-10-04") == [
        "04 02:30 +1100",
        "04 02:45 +1100",
        "04 03:00 +1100",
        "04 03:15 +1100",
        "04 03:30 +1100",
        "04 03:45 +1100",
    ]
    assert local_runs("45 1 * * *", zone, "2026-04-05") == ["05 01:45 +1100"]
    assert local_runs("*/15 1-2 * * *", zone, "2026-04-05")[2:8] == [
        "05 01:30 +1100",
        "05 01:45 +1100",
        "05 01:30 +1030",
        "05 01:45 +1030",
        "05 02:00 +1030",
        "05 02:15 +1030",
    ]


def test_samoa_skipped_a_whole_day() -> None:
    """30 December 2011 did not exist; its runs come right after, at the start of the 31st."""
    assert local_runs("0 9 30 12 *", "Pacific/Apia", "2011-12-29", 3) == ["31 00:00 +1400"]
    assert local_runs("0 9 * * *", "Pacific/Apia", "2011-12-29", 3) == [
        "29 09:00 -1000",
        "31 00:00 +1400",
        "31 09:00 +1400",
    ]


class TestDays:
    def test_day_of_month_or_day_of_week_is_enough(self) -> None:
        runs = local_runs("0 9 1 * 1", "UTC", "2026-03-01", 31)
        assert [run[:2] for run in runs] == ["01", "02", "09", "16", "23", "30"]

    @pytest.mark.parametrize(
        ("expression", "days"),
        [
            ("0 9 */10 * mon", []),
            ("0 9 1-7 * */6", ["01", "07"]),
            ("0 9 * * mon", ["02", "09", "16", "23", "30"]),
            ("0 9 31 * *", ["31"]),
            ("0 9 l * *", ["31"]),
            ("0 9 LW * *", ["31"]),
            ("0 9 * * 5L", ["27"]),
            ("0 9 * * sunl", ["29"]),
            ("0 9 * * mon#2", ["09"]),
            ("0 9 * * 7", ["01", "08", "15", "22", "29"]),
            ("0 9 * * sat-sun", ["01", "07", "08", "14", "15", "21", "22", "28", "29"]),
        ],
    )
    def test_days_of_march_2026(self, expression: str, days: list[str]) -> None:
        assert [run[:2] for run in local_runs(expression, "UTC", "2026-03-01", 31)] == days

    def test_a_leap_day_on_a_monday_is_found_decades_ahead(self) -> None:
        after = datetime(2026, 1, 1, tzinfo=UTC)
        for expression in ("0 0 * 2 mon#5", "* * * 2 mon#5"):
            for zone in ("UTC", NEW_YORK):
                expected = datetime(2044, 2, 29, tzinfo=ZoneInfo(zone)).astimezone(UTC)
                assert Crontab.of(expression, zone).next_after(after) == expected

    @pytest.mark.parametrize("zone", ["UTC", NEW_YORK])
    @pytest.mark.parametrize("minute", ["0", "*"])
    def test_a_day_that_never_comes_has_no_slot(self, minute: str, zone: str) -> None:
        crontab = Crontab.of(f"{minute} 0 * 4 mon#5,7#5", zone)
        assert crontab.next_after(datetime(2026, 1, 1, tzinfo=UTC)) is not None
        never = Crontab.of(f"{minute} 0 * 2 1#5", zone)
        assert (
            list(never.slots(datetime(2044, 3, 1, tzinfo=UTC), until=datetime(2071, 1, 1, tzinfo=UTC))) == []
        )

    def test_the_end_of_time_has_no_slot(self) -> None:
        for expression in ("* * * * *", "0 0 * * *"):
            assert Crontab.of(expression, NEW_YORK).next_after(datetime(9995, 1, 1, tzinfo=UTC)) is None


def test_a_moment_in_any_zone_is_understood_and_a_naive_one_refused() -> None:
    crontab = Crontab.of("0 9 * * *")
    in_tokyo = datetime(2026, 3, 1, 17, 59, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert crontab.next_after(in_tokyo) == datetime(2026, 3, 1, 9, tzinfo=UTC)
    with pytest.raises(ValueError, match="naive"):
        crontab.next_after(datetime(2026, 3, 1))


def test_an_unknown_zone_is_refused() -> None:
    for name in ("Mars/Olympus", "", "../etc/passwd", "Europe", "localtime", "posixrules"):
        with pytest.raises(InvalidTiming) as caught:
            Crontab.of("0 9 * * *", name)
        assert caught.value.field == "timezone"
