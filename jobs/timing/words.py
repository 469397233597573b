"""Timings in plain English."""

import re
from datetime import datetime, timedelta

from cronsim.explain import Expression

from jobs.timing.base import UTC_ZONE, Clocked, Timing, Windowed
from jobs.timing.crontab import Crontab
from jobs.timing.interval import Interval
from jobs.timing.solar import Solar

_EVERY_SO_MANY_MINUTES = re.compile(r"\*/([0-9]+) ")
_NTH_MINUTE = re.compile(r"^Every \w+ minute(?: of every hour)?")
_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
    (timedelta(seconds=1), "second"),
    (timedelta(milliseconds=1), "millisecond"),
    (timedelta(microseconds=1), "microsecond"),
)


def describe(timing: Timing) -> str:
    """What a timing means, as one phrase: "At 09:00 on Monday (Europe/London)"."""
    match timing:
        case Crontab():
            return f"{_crontab(timing)} ({timing.tz.key})"
        case Interval():
            return _interval(timing)
        case Solar():
            return _solar(timing)
        case Clocked():
            return f"Once, on {_instant(timing.at)}"
        case Windowed():
            return describe(timing.timing) + _window(timing)
    raise TypeError(f"no words for {type(timing).__name__}")


def date_in_words(local: datetime) -> str:
    """The day of a local time: "Sunday 8 March 2026"."""
    return f"{local:%A} {local.day} {local:%B %Y}"


def _crontab(timing: Crontab) -> str:
    expression = Expression(timing.pattern.expression.split())
    if not timing.pattern.either_day:
        text = expression.explain()
    else:
        time, _ = expression.translate_time()
        month = "" if expression.month.star else f", {expression.month}"
        text = f"{time[0].upper()}{time[1:]} {expression.day} or {expression.dow}, either of the two is enough{month}"
    text = text.replace("day of month", "day of the month")
    step = _EVERY_SO_MANY_MINUTES.match(timing.pattern.expression)
    if step and 60 % int(step[1]) == 0:
        text = _NTH_MINUTE.sub(f"Every {step[1]} minutes", text)
    return text


def _interval(timing: Interval) -> str:
    words = f"Every {in_words(timing.step)}"
    if timing.step % timedelta(days=1):
        return words
    return f"{words}, at {timing.anchor:%H:%M:%S} UTC".replace(":00 UTC", " UTC")


def in_words(step: timedelta) -> str:
    """A length of time in its largest exact unit: "day", "90 minutes"."""
    for unit, name in _UNITS:
        count, rest = divmod(step, unit)
        if not rest:
            return name if count == 1 else f"{count} {name}s"
    raise AssertionError("a timedelta is a whole number of microseconds")


def _solar(timing: Solar) -> str:
    kind, _, which = timing.event.partition("_")
    event = {"solar_noon": "solar noon"}.get(timing.event, f"{which} {kind}".strip())
    north = f"{abs(timing.latitude):g}° {'N' if timing.latitude >= 0 else 'S'}"
    east = f"{abs(timing.longitude):g}° {'E' if timing.longitude >= 0 else 'W'}"
    return f"At {event} at {north}, {east}"


def _window(timing: Windowed) -> str:
    start = "" if timing.start is None else f", from {_instant(timing.start)}"
    end = "" if timing.end is None else f", until {_instant(timing.end)}"
    return start + end


def _instant(at: datetime) -> str:
    at = at.astimezone(UTC_ZONE)
    clock = f"{at:%H:%M}" if at.second == 0 else f"{at:%H:%M:%S}"
    return f"{at.day} {at:%B %Y} at {clock} UTC"
