"""When to poll next: by what the source asks for, how often it has news, and how often it failed."""

import random
from datetime import timedelta

#: For sources of which nothing is known yet.
FIRST_INTERVAL = timedelta(hours=1)
#: The first wait after a failure; it doubles with each further one.
FAILURE_INTERVAL = timedelta(minutes=15)
#: How many times a source is polled, on average, for each item it brings.
_POLLS_PER_ITEM = 2
_JITTER = 0.1


def after_success(
    *, weekly_items: int | None, quiet_for: timedelta | None, shortest: timedelta, longest: timedelta
) -> timedelta:
    """The wait after a poll that worked, within the source's bounds.

    `weekly_items` is the number of items of the last seven days, None if the source is too young to tell. What the
    source asks for (`quiet_for`) only ever makes the wait longer.
    """
    if weekly_items is None:
        usual = FIRST_INTERVAL
    elif weekly_items == 0:
        usual = longest
    else:
        usual = timedelta(days=7) / (weekly_items * _POLLS_PER_ITEM)
    return _clamped(_spread(max(usual, quiet_for or timedelta(0))), shortest, longest)


def after_failure(
    *, failures: int, retry_after: float | None, shortest: timedelta, longest: timedelta
) -> timedelta:
    """The wait after `failures` polls in a row that did not work; never shorter than `retry_after` seconds."""
    doubled = FAILURE_INTERVAL * 2 ** min(failures - 1, 20)
    wait = _clamped(_spread(doubled), shortest, longest)
    return max(wait, timedelta(seconds=retry_after or 0))


def _spread(interval: timedelta) -> timedelta:
    """A little more or less, so that sources added together do not stay together."""
    return interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads load, guards nothing


def _clamped(interval: timedelta, shortest: timedelta, longest: timedelta) -> timedelta:
    return max(shortest, min(interval, longest))
