"""What a cron field may hold, and what it says when it may not."""

import string
from dataclasses import replace
from typing import Any, cast

import pytest
from celery.schedules import crontab_parser
from django_celery_beat.models import CrontabSchedule
from hypothesis import given
from hypothesis import strategies as st

from jobs.timing import CronFields, Crontab, InvalidTiming, parse_cron
from jobs.timing.cronfields import (
    DAY_OF_MONTH,
    DAY_OF_WEEK,
    FIELDS,
    HOUR,
    MINUTE,
    MONTH_OF_YEAR,
    Field,
    canonical,
)


def test_a_typed_expression_becomes_its_five_fields() -> None:
    assert parse_cron("  */15 9-17 *  * mon-fri ") == CronFields("*/15", "9-17", "*", "*", "mon-fri")
    assert str(parse_cron("0 9 1 * 1")) == "0 9 1 * 1"


@pytest.mark.parametrize(
    ("alias", "expression"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@YEARLY", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_an_alias_stands_for_an_expression(alias: str, expression: str) -> None:
    assert str(parse_cron(alias)) == expression


@pytest.mark.parametrize(
    ("field", "text", "plain"),
    [
        (MINUTE, "*/15", "*/15"),
        (MINUTE, " 0, 30 ", "0,30"),
        (MINUTE, "5/10", "5/10"),
        (MINUTE, "007", "7"),
        (HOUR, "22-4", "22,23,0,1,2,3,4"),
        (HOUR, "22-4/2", "22,0,2,4"),
        (DAY_OF_MONTH, "L", "l"),
        (DAY_OF_MONTH, "15,LW", "15,lw"),
        (DAY_OF_MONTH, "30-2", "30,31,1,2"),
        (MONTH_OF_YEAR, "January,feb,SEPT", "1,2,9"),
        (MONTH_OF_YEAR, "nov-feb", "11,12,1,2"),
        (DAY_OF_WEEK, "mon-fri", "1-5"),
        (DAY_OF_WEEK, "fri-mon", "5,6,0,1"),
        (DAY_OF_WEEK, "fri-sun", "5,6,0"),
        (DAY_OF_WEEK, "5-7", "5-7"),
        (DAY_OF_WEEK, "7-2", "0-2"),
        (DAY_OF_WEEK, "7", "7"),
        (DAY_OF_WEEK, "Thursday", "4"),
        (DAY_OF_WEEK, "tues", "2"),
        (DAY_OF_WEEK, "fri#3,1L", "5#3,1l"),
    ],
)
def test_every_spelling_is_put_into_plain_cron(field: Field, text: str, plain: str) -> None:
    assert canonical(field, text) == plain


@pytest.mark.parametrize(
    ("expression", "field", "reason"),
    [
        ("60 * * * *", "minute", "60 is not among 0 to 59"),
        ("-1 * * * *", "minute", "'-1' is neither a number, a range, a name nor *"),
        ("1,,2 * * * *", "minute", "there is nothing between two commas, or after the last one"),
        ("1, * * * *", "minute", "there is nothing between two commas, or after the last one"),
        ("*/0 * * * *", "minute", "'*/0': a step is at least 1"),
        ("*/90 * * * *", "minute", "'*/90': a step of 90 does not fit into 0 to 59 minutes"),
        ("*-5 * * * *", "minute", "'*-5': a range cannot start with *"),
        ("mon * * * *", "minute", "'mon' is not a number from 0 to 59"),
        ("٣ * * * *", "minute", "'٣' is neither"),
        ("* 24 * * *", "hour", "24 is not among 0 to 23"),
        ("* * 0 * *", "day_of_month", "0 is not among 1 to 31"),
        ("* * 31 2,4 *", "day_of_month", "none of the months has such a day: '31'"),
        ("* * * mon *", "month_of_year", "'mon' is no name"),
        ("* * * 13 *", "month_of_year", "13 is not among 1 to 12"),
        ("* * * * 8", "day_of_week", "8 is not among 0 to 7"),
        ("* * * * mondy", "day_of_week", "'mondy' is no name"),
        ("* * * * mo", "day_of_week", "'mo' is no name"),
        ("* * * * mon#6", "day_of_week", "'mon#6': a weekday comes up to 5 times"),
        ("* * * * L", "day_of_week", "'l' is no name"),
        (
            "* * * * mon" + ",tue" * 20,
            "day_of_week",
            "it is longer than 64 characters; use ranges such as 1-5",
        ),
        ("* * * *", "cron", "expected 5 fields (minute, hour, day of month, month, day of week) and found 4"),
        ("0 0 * * * 2026", "cron", "expected 5 fields"),
        ("", "cron", "expected 5 fields"),
        ("@reboot", "cron", "'@reboot' is not known; use one of @hourly"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_field_and_reason(
    expression: str, field: str, reason: str
) -> None:
    with pytest.raises(InvalidTiming) as caught:
        Crontab.of(expression)
    assert caught.value.field == field
    assert caught.value.reason.startswith(reason)
    assert str(caught.value) == f"{field}: {caught.value.reason}"


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_field_of_a_stored_row_is_refused(text: str) -> None:
    with pytest.raises(InvalidTiming, match=r"hour: it is empty; write \* for all"):
        Crontab(minute="0", hour=text)


@given(text=st.text(alphabet=string.ascii_letters + string.digits + "*/-,#@ \t٣é", max_size=400))
def test_any_text_either_is_an_expression_or_gets_a_short_reason(text: str) -> None:
    try:
        Crontab.of(text)
    except InvalidTiming as error:
        assert len(str(error)) < 300


@given(
    field=st.sampled_from(FIELDS),
    text=st.text(alphabet="0123456789*/-,", min_size=1, max_size=8)
    | st.sampled_from(["mon-fri", "fri-mon", "sat", "jan-mar", "nov-feb/2", "sunday,tuesday"]),
)
def test_what_celery_reads_is_read_alike(field: Field, text: str) -> None:
    """Names belong to their own field here, and a step must fit: Celery is laxer in these two."""
    size = len(field.cycle)
    try:
        celery = crontab_parser(size, field.low).parse(text)
    except (ValueError, crontab_parser.ParseException):
        return
    try:
        ours = replace(Crontab("0", "0"), **{field.name: cast(Any, text)})
    except InvalidTiming as error:
        assert any(
            word in error.reason
            for word in ("is no name", "not a number", "does not fit", "neither", "such a day")
        )
        return
    pattern = ours.pattern
    numbers = {
        "minute": pattern.minutes,
        "hour": pattern.hours,
        "day_of_month": pattern.days.days,
        "month_of_year": pattern.months,
        "day_of_week": {day % 7 for day in pattern.days.weekdays if isinstance(day, int)},
    }[field.name]
    assert set(numbers) == celery


def test_what_is_accepted_fits_into_its_column() -> None:
    for field in FIELDS:
        assert field.longest == CrontabSchedule._meta.get_field(field.name).max_length
