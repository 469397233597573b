"""Jitter: how much later than its nominal time a slot starts, so that many schedules of one minute spread out."""

import hashlib
from datetime import datetime, timedelta


def delay(schedule_id: int, at: datetime, *, most: timedelta, following: datetime | None) -> timedelta:
    """The delay of one slot: the same whenever it is asked for, less than `most`, and over before the next slot."""
    span = most if following is None else min(most, following - at)
    if span <= timedelta(0):
        return timedelta(0)
    digest = hashlib.sha256(f"{schedule_id} {at.timestamp():.6f}".encode()).digest()
    fraction = int.from_bytes(digest[:6]) / 2**48
    milliseconds = int(span / timedelta(milliseconds=1) * fraction)
    return timedelta(milliseconds=milliseconds)
