"""The five fields of a cron expression: read, checked, and put into the one spelling that cronsim knows.

Accepted beside plain cron, because rows made for Celery may hold it: full and shortened names ("monday", "thurs",
"sept"), ranges that wrap round ("fri-mon", "22-4"), spaces after commas, upper and lower case.
From cron and not known to Celery: 7 for Sunday, "5/10" (from 5 on, every 10), "L" and "LW" as day of the month (last
day, last weekday), "5L" (last Friday) and "1#2" (second Monday) as day of the week.
Different from Celery: when both the day of the month and the day of the week are restricted either one is enough (cron's
rule), where Celery asks for both; a field that begins with a star is not a restriction in this sense.
Refused, although cron would take it: an empty field and a step that never fits ("*/90" minutes is not "every 90 minutes").
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from jobs.timing.errors import InvalidTiming, quoted

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_ITEM = re.compile(
    r"(?P<first>\*|[a-z]+|[0-9]{1,9})(?:-(?P<last>[a-z]+|[0-9]{1,9}))?(?:/(?P<step>[0-9]{1,9}))?", re.ASCII
)
_LAST_OF_MONTH = re.compile(r"(?P<day>[a-z]+?|[0-9]{1,9})l", re.ASCII)
_NTH_OF_MONTH = re.compile(r"(?P<day>[a-z]+|[0-9]{1,9})#(?P<nth>[0-9]{1,9})", re.ASCII)


@dataclass(frozen=True)
class Field:
    """One field: its allowed numbers, and the names that stand for `first_named` and the numbers after it."""

    name: str
    words: str
    low: int
    high: int
    longest: int
    """How many characters its column holds."""
    names: tuple[str, ...] = ()
    first_named: int = 0

    @property
    def cycle(self) -> range:
        """The different values in order; the 7 of the week is Sunday again and not among them."""
        return range(self.low, 7) if self.name == "day_of_week" else range(self.low, self.high + 1)

    def error(self, reason: str) -> InvalidTiming:
        return InvalidTiming(self.name, reason)


MINUTE = Field("minute", "minutes", 0, 59, 240)
HOUR = Field("hour", "hours", 0, 23, 96)
DAY_OF_MONTH = Field("day_of_month", "days of the month", 1, 31, 124)
MONTH_OF_YEAR = Field("month_of_year", "months", 1, 12, 64, _MONTHS, 1)
DAY_OF_WEEK = Field("day_of_week", "days of the week", 0, 7, 64, _DAYS, 0)
FIELDS = (MINUTE, HOUR, DAY_OF_MONTH, MONTH_OF_YEAR, DAY_OF_WEEK)


@dataclass(frozen=True)
class CronFields:
    """The five fields as they were typed, each of them valid."""

    minute: str
    hour: str
    day_of_month: str
    month_of_year: str
    day_of_week: str

    def __str__(self) -> str:
        return f"{self.minute} {self.hour} {self.day_of_month} {self.month_of_year} {self.day_of_week}"


ALIASES = {
    "@hourly": CronFields("0", "*", "*", "*", "*"),
    "@daily": CronFields("0", "0", "*", "*", "*"),
    "@midnight": CronFields("0", "0", "*", "*", "*"),
    "@weekly": CronFields("0", "0", "*", "*", "0"),
    "@monthly": CronFields("0", "0", "1", "*", "*"),
    "@yearly": CronFields("0", "0", "1", "1", "*"),
    "@annually": CronFields("0", "0", "1", "1", "*"),
}


def parse_cron(text: str) -> CronFields:
    """The five fields of a typed expression such as "*/15 9-17 * * mon-fri" or "@daily".

    Raises InvalidTiming naming the field at fault, or "cron" when the text as a whole is not an expression.
    """
    parts = text.split()
    if len(parts) == 1 and parts[0].startswith("@"):
        try:
            return ALIASES[parts[0].lower()]
        except KeyError:
            raise InvalidTiming(
                "cron", f"{quoted(parts[0])} is not known; use one of {', '.join(ALIASES)}"
            ) from None
    if len(parts) != len(FIELDS):
        raise InvalidTiming(
            "cron",
            f"expected 5 fields (minute, hour, day of month, month, day of week) and found {len(parts)}",
        )
    for field, part in zip(FIELDS, parts, strict=True):
        canonical(field, part)
    return CronFields(*parts)


@lru_cache(maxsize=4096)
def canonical(field: Field, text: str) -> str:
    """The field in cronsim's spelling: numbers only, no range that wraps, no spaces. Raises InvalidTiming."""
    squeezed = "".join(text.lower().split())
    if not squeezed:
        raise field.error("it is empty; write * for all")
    if len(text) > field.longest:
        raise field.error(f"it is longer than {field.longest} characters; use ranges such as 1-5")
    return ",".join(_canonical_item(field, item) for item in squeezed.split(","))


def _canonical_item(field: Field, item: str) -> str:
    if not item:
        raise field.error("there is nothing between two commas, or after the last one")
    special = _canonical_special(field, item)
    if special is not None:
        return special
    match = _ITEM.fullmatch(item)
    if match is None:
        raise field.error(f"{quoted(item)} is neither a number, a range, a name nor *")
    first, last, step = match["first"], match["last"], match["step"]
    if step is not None:
        _check_step(field, item, int(step))
    suffix = "" if step is None else f"/{int(step)}"
    if first == "*":
        if last is not None:
            raise field.error(f"{quoted(item)}: a range cannot start with *")
        return "*" + suffix
    start = _number(field, first)
    if last is None:
        return f"{start}{suffix}"
    return _canonical_range(field, start, _number(field, last), step)


def _canonical_range(field: Field, start: int, end: int, step: str | None) -> str:
    if field is DAY_OF_WEEK and start == 7 and end != 7:
        start = 0
    if start <= end:
        return f"{start}-{end}" + ("" if step is None else f"/{int(step)}")
    cycle = field.cycle
    wrapped = [*range(start, cycle.stop), *range(cycle.start, end + 1)]
    return ",".join(map(str, wrapped[:: int(step or 1)]))


def _canonical_special(field: Field, item: str) -> str | None:
    """The forms that only count from the end or within a month, or None when the item is none of them."""
    if field is DAY_OF_MONTH and item in ("l", "lw"):
        return item
    if field is not DAY_OF_WEEK:
        return None
    if nth := _NTH_OF_MONTH.fullmatch(item):
        if not 1 <= int(nth["nth"]) <= 5:
            raise field.error(f"{quoted(item)}: a weekday comes up to 5 times in a month, so # takes 1 to 5")
        return f"{_number(field, nth['day'])}#{int(nth['nth'])}"
    if last := _LAST_OF_MONTH.fullmatch(item):
        return f"{_number(field, last['day'])}l"
    return None


def _number(field: Field, text: str) -> int:
    if text.isdigit():
        number = int(text)
        if not field.low <= number <= field.high:
            raise field.error(f"{number} is not among {field.low} to {field.high}")
        return number
    if not field.names:
        raise field.error(f"{quoted(text)} is not a number from {field.low} to {field.high}")
    if not _is_name(field, text):
        shortest = ", ".join(name[:3] for name in field.names)
        raise field.error(f"{quoted(text)} is no name; known are {shortest} and the full names")
    return field.first_named + next(index for index, name in enumerate(field.names) if name.startswith(text))


def _is_name(field: Field, text: str) -> bool:
    return len(text) >= 3 and any(name.startswith(text) for name in field.names)


def _check_step(field: Field, item: str, step: int) -> None:
    if step == 0:
        raise field.error(f"{quoted(item)}: a step is at least 1")
    if step > field.high:
        raise field.error(
            f"{quoted(item)}: a step of {step} does not fit into {field.low} to {field.high} {field.words};"
            " use an interval for longer periods"
        )
