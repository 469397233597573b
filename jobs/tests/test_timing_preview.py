"""Timings in words, their next slots, and what the next changes of the clocks do to them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from jobs.timing import (
    Clocked,
    Crontab,
    DstWarning,
    Interval,
    Slot,
    Solar,
    Timing,
    Windowed,
    describe,
    dst_warnings,
    preview,
)

NEW_YORK = "America/New_York"
MARCH = datetime(2026, 3, 1, 9, tzinfo=UTC)
BEFORE_SPRING = datetime(2026, 3, 8, 5, tzinfo=UTC)
BEFORE_AUTUMN = datetime(2026, 11, 1, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 9 * * *", "At 09:00 every day (UTC)"),
        ("*/15 9-17 * * mon-fri", "Every 15 minutes from 09:00 through 17:59 on Monday through Friday (UTC)"),
        ("*/5 * * * *", "Every 5 minutes (UTC)"),
        ("*/7 * * * *", "Every seventh minute of every hour (UTC)"),
        (
            "0 9 1 * mon",
            "At 09:00 on the first day of the month or on Monday, either of the two is enough (UTC)",
        ),
        (
            "0 9 1,l feb mon",
            "At 09:00 on the first and the last day of the month or on Monday,"
            " either of the two is enough, in February (UTC)",
        ),
        ("0 9 */2 * mon", "At 09:00 on every second day of the month if it's on Monday (UTC)"),
        ("0 0 * * 5L", "At 00:00 on the last Friday of the month (UTC)"),
        ("@hourly", "At the start of every hour (UTC)"),
    ],
)
def test_a_crontab_in_words(expression: str, words: str) -> None:
    assert describe(Crontab.of(expression)) == words


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        (Crontab.of("0 9 * * *", "Europe/London"), "At 09:00 every day (Europe/London)"),
        (Interval(90, "seconds", MARCH), "Every 90 seconds"),
        (Interval(120, "minutes", MARCH), "Every 2 hours"),
        (Interval(1, "hours", MARCH), "Every hour"),
        (Interval(250_000, "microseconds", MARCH), "Every 250 milliseconds"),
        (Interval(24, "hours", MARCH), "Every day, at 09:00 UTC"),
        (Interval(14, "days", MARCH + timedelta(seconds=7)), "Every 14 days, at 09:00:07 UTC"),
        (Solar("sunrise", 51.5074, -0.1278), "At sunrise at 51.5074° N, 0.1278° W"),
        (Solar("dusk_civil", -33.87, 151.21), "At civil dusk at 33.87° S, 151.21° E"),
        (Solar("solar_noon", 0, 0), "At solar noon at 0° N, 0° E"),
        (Clocked(MARCH), "Once, on 1 March 2026 at 09:00 UTC"),
        (
            Windowed(Interval(1, "hours", MARCH), MARCH, MARCH + timedelta(days=1, seconds=5)),
            "Every hour, from 1 March 2026 at 09:00 UTC, until 2 March 2026 at 09:00:05 UTC",
        ),
        (Windowed(Interval(1, "hours", MARCH), end=MARCH), "Every hour, until 1 March 2026 at 09:00 UTC"),
    ],
)
def test_a_timing_in_words(timing: Timing, words: str) -> None:
    assert describe(timing) == words


def test_the_next_slots_come_in_utc_and_local_time() -> None:
    london = ZoneInfo("Europe/London")
    slots = preview(Crontab.of("0 9 * * *", london), datetime(2026, 3, 28, tzinfo=UTC), 2)
    assert slots == [
        Slot(datetime(2026, 3, 28, 9, tzinfo=UTC), datetime(2026, 3, 28, 9, tzinfo=london), ""),
        Slot(datetime(2026, 3, 29, 8, tzinfo=UTC), datetime(2026, 3, 29, 9, tzinfo=london), ""),
    ]
    assert [str(slot.local) for slot in slots] == ["2026-03-28 09:00:00+00:00", "2026-03-29 09:00:00+01:00"]


def test_a_preview_shows_ten_slots_or_what_there_is() -> None:
    assert len(preview(Crontab.of("* * * * *"), MARCH)) == 10
    assert [slot.utc for slot in preview(Clocked(MARCH), MARCH - timedelta(days=1))] == [MARCH]
    assert preview(Clocked(MARCH), MARCH) == []


def test_local_times_can_be_shown_in_another_zone() -> None:
    [slot] = preview(Interval(1, "hours", MARCH), MARCH, 1, zone=ZoneInfo("Asia/Tokyo"))
    assert f"{slot.local:%H:%M %Z}" == "19:00 JST"


@pytest.mark.parametrize(
    ("expression", "after", "notes"),
    [
        (
            "30 2 * * *",
            BEFORE_SPRING,
            [
                "02:30 does not exist on this day (clocks go forward from 02:00 to 03:00): runs right after.",
                "",
            ],
        ),
        (
            "0,30 2,3 * * *",
            BEFORE_SPRING,
            [
                "02:00 and 02:30 do not exist on this day (clocks go forward from 02:00 to 03:00): runs right after.",
                "",
            ],
        ),
        ("0 3 * * *", BEFORE_SPRING, ["", ""]),
        ("*/30 * * * *", BEFORE_SPRING, ["", "", "", ""]),
        (
            "30 1 * * *",
            BEFORE_AUTUMN,
            [
                "01:30 comes twice on this day (clocks go back from 02:00 to 01:00): runs once, at the first.",
                "",
            ],
        ),
        (
            "30 * * * *",
            BEFORE_AUTUMN,
            [
                "",
                "01:30 comes twice on this day (clocks go back from 02:00 to 01:00): this is the first.",
                "01:30 comes twice on this day (clocks go back from 02:00 to 01:00): this is the second.",
                "",
            ],
        ),
    ],
)
def test_a_slot_that_a_clock_change_touches_says_so(
    expression: str, after: datetime, notes: list[str]
) -> None:
    assert [slot.note for slot in preview(Crontab.of(expression, NEW_YORK), after, len(notes))] == notes


@pytest.mark.parametrize(
    ("expression", "zone", "warnings"),
    [
        ("0 9 * * *", NEW_YORK, []),
        ("* * * * *", NEW_YORK, []),
        ("30 2 * * *", "Asia/Tokyo", []),
        ("30 2 * * tue", NEW_YORK, []),
        (
            "30 2 * * *",
            NEW_YORK,
            ["Sunday 8 March 2026, clocks go forward from 02:00 to 03:00: 02:30 once, at 03:00."],
        ),
        (
            "30 1 * * *",
            NEW_YORK,
            [
                "Sunday 1 November 2026, clocks go back from 02:00 to 01:00: 01:30 only at the first of the two times."
            ],
        ),
        (
            "*/20 1-2 * * *",
            NEW_YORK,
            [
                "Sunday 8 March 2026, clocks go forward from 02:00 to 03:00: 02:00, 02:20 and 02:40 left out.",
                "Sunday 1 November 2026, clocks go back from 02:00 to 01:00:"
                " 01:00, 01:20 and 01:40 in both of the repeated hours.",
            ],
        ),
        (
            "*/5 2 * * *",
            NEW_YORK,
            [
                "Sunday 8 March 2026, clocks go forward from 02:00 to 03:00: 12 runs from 02:00 to 02:55 left out."
            ],
        ),
        (
            "30 0-23 * * *",
            NEW_YORK,
            [
                "Sunday 8 March 2026, clocks go forward from 02:00 to 03:00: 02:30 once, at 03:00.",
                "Sunday 1 November 2026, clocks go back from 02:00 to 01:00: 01:30 only at the first of the two times.",
            ],
        ),
        (
            "0 0 * * *",
            "Africa/Cairo",
            ["Friday 24 April 2026, clocks go forward from 00:00 to 01:00: 00:00 once, at 01:00."],
        ),
    ],
)
def test_the_clock_changes_of_a_year_that_touch_a_schedule(
    expression: str, zone: str, warnings: list[str]
) -> None:
    assert [warning.text for warning in dst_warnings(Crontab.of(expression, zone), MARCH)] == warnings


def test_a_warning_knows_the_instant_of_the_change() -> None:
    [warning] = dst_warnings(Crontab.of("30 2 * * *", NEW_YORK), MARCH)
    assert isinstance(warning, DstWarning)
    assert warning.at == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_a_change_of_the_clocks_outside_of_the_schedules_window_does_not_matter() -> None:
    crontab = Crontab.of("30 2 * * *", NEW_YORK)
    assert len(dst_warnings(Windowed(crontab, end=MARCH + timedelta(days=30)), MARCH)) == 1
    assert dst_warnings(Windowed(crontab, end=MARCH + timedelta(days=3)), MARCH) == []
    assert dst_warnings(Windowed(crontab, start=MARCH + timedelta(days=30)), MARCH) == []


def test_only_crontabs_have_warnings() -> None:
    for timing in (Interval(1, "days", MARCH), Solar("sunset", 40, -74), Clocked(MARCH)):
        assert dst_warnings(timing, MARCH) == []
