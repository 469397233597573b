"""When a schedule fires, as people say it; and the rows of django-celery-beat that say the same."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from jobs.errors import InvalidSchedule
from jobs.timing import (
    Clocked,
    Crontab,
    Interval,
    InvalidTiming,
    Solar,
    Timing,
    Windowed,
    parse_cron,
    parse_interval,
    zone_of,
)


@dataclass(frozen=True, kw_only=True)
class When:
    """When a schedule fires, as people say it: exactly one of the four is given."""

    #: Five fields or an alias such as `@daily`, in `timezone`; which says whose days calendars mean, too.
    cron: str | None = None
    timezone: str = "UTC"
    #: "every 15 minutes", "2h", "90 s".
    interval: str | None = None
    #: One moment.
    clock: datetime | None = None
    #: (event, latitude, longitude), such as ("sunrise", 52.5, 13.4).
    solar: tuple[str, float, float] | None = None


def when_of(schedule: PeriodicTask) -> When:
    """When the schedule fires, as people say it."""
    zone = schedule.policy.timezone or "UTC"
    if schedule.crontab is not None:
        row = schedule.crontab
        fields = (row.minute, row.hour, row.day_of_month, row.month_of_year, row.day_of_week)
        return When(cron=" ".join(fields), timezone=str(row.timezone))
    if schedule.interval is not None:
        every, period = schedule.interval.every, schedule.interval.period
        if period == IntervalSchedule.MICROSECONDS:
            return When(interval=f"{every / 1000:g} milliseconds", timezone=zone)
        return When(interval=f"{every} {period}", timezone=zone)
    if schedule.solar is not None:
        place = schedule.solar
        return When(solar=(place.event, float(place.latitude), float(place.longitude)), timezone=zone)
    if schedule.clocked is not None:
        return When(clock=schedule.clocked.clocked_time, timezone=zone)
    return When()


def timing_of_when(
    when: When, *, anchor: datetime, start: datetime | None = None, end: datetime | None = None
) -> Timing:
    """The timing that a schedule would have, to look at before saving it; `anchor` is the phase of an interval.

    Raises InvalidSchedule naming the field at fault.
    """
    _check_one_given(when)
    try:
        timing = _timing(when, start or anchor)
        return timing if start is None and end is None else Windowed(timing, start=start, end=end)
    except InvalidTiming as error:
        raise InvalidSchedule({error.field: [error.reason]}) from error


def _check_one_given(when: When) -> None:
    given = [name for name in ("cron", "interval", "clock", "solar") if getattr(when, name) is not None]
    if len(given) != 1:
        raise InvalidSchedule({"when": ["Give exactly one of cron, interval, clock and solar."]})


def _timing(when: When, anchor: datetime) -> Timing:
    """Raises InvalidTiming."""
    if when.cron is not None:
        return Crontab.of(when.cron, when.timezone)
    if when.interval is not None:
        return Interval(*parse_interval(when.interval), anchor)
    if when.clock is not None:
        return Clocked(when.clock)
    assert when.solar is not None  # noqa: S101 - one of the four is given
    return Solar(*when.solar)


def timing_row(when: When) -> dict[str, Any]:
    """The django-celery-beat row for a timing; equal timings share one. Raises InvalidSchedule."""
    _check_one_given(when)
    try:
        if when.cron is not None:
            zone: ZoneInfo = zone_of(when.timezone)
            return {"crontab": _shared(CrontabSchedule, **vars(parse_cron(when.cron)), timezone=zone)}
        if when.interval is not None:
            every = parse_interval(when.interval)
            return {"interval": _shared(IntervalSchedule, every=every.every, period=every.period)}
    except InvalidTiming as error:
        raise InvalidSchedule({error.field: [error.reason]}) from error
    if when.clock is not None:
        return {"clocked": _shared(ClockedSchedule, clocked_time=when.clock)}
    assert when.solar is not None  # noqa: S101 - one of the four is given
    event, latitude, longitude = when.solar
    return {"solar": _shared(SolarSchedule, event=event, latitude=latitude, longitude=longitude)}


def _shared(model: Any, **values: Any) -> Any:
    return model.objects.filter(**values).first() or model.objects.create(**values)
