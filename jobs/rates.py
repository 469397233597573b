"""Rates: how many starts in how long, as people write it: "10/m"."""

import re
from dataclasses import dataclass

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_RATE = re.compile(r"(?P<count>[0-9]{1,7})\s*/\s*(?P<number>[0-9]{1,5})?\s*(?P<unit>[a-z]+)", re.ASCII)
_NAMES = {
    "s": ("s", "sec", "second", "seconds"),
    "m": ("m", "min", "minute", "minutes"),
    "h": ("h", "hour", "hours"),
    "d": ("d", "day", "days"),
}
_UNIT_OF_NAME = {name: unit for unit, names in _NAMES.items() for name in names}
MOST = 1_000_000
LONGEST_SECONDS = 31 * 86_400


@dataclass(frozen=True)
class Rate:
    """At most `count` starts in any `seconds` in a row."""

    count: int
    seconds: int

    def __str__(self) -> str:
        for unit, size in reversed(_UNITS.items()):
            if self.seconds % size == 0:
                number = self.seconds // size
                return f"{self.count}/{number if number > 1 else ''}{unit}"
        raise AssertionError("every number of seconds is a multiple of one")


def parse_rate(text: str) -> Rate:
    """A rate such as "10/m", "5 / 30s" or "1000/day". Raises ValueError saying what is wrong."""
    match = _RATE.fullmatch(text.strip().lower())
    unit = match and _UNIT_OF_NAME.get(match["unit"])
    if match is None or unit is None:
        raise ValueError(f"{text[:50]!r} is not a rate; write for instance 10/m, 5/30s or 1000/day.")
    rate = Rate(int(match["count"]), int(match["number"] or 1) * _UNITS[unit])
    if not 1 <= rate.count <= MOST:
        raise ValueError(f"A rate allows 1 to {MOST:,} starts.")
    if not 1 <= rate.seconds <= LONGEST_SECONDS:
        raise ValueError("A rate is about 1 second to 31 days.")
    return rate
