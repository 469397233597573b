"""Politeness towards hosts, kept in the database so that it holds over all workers.

A host is asked by one worker at a time (an advisory lock, which PostgreSQL releases when its holder dies), its
requests keep a distance (`PUBLISHING_HOST_SPACING_SECONDS`, by a row that hands out turns), and a host that asked for quiet gets it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.db.models import Q

from publishing.models import HostPace

#: A 429 or 503 that names no time.
DEFAULT_HOLD = timedelta(minutes=5)
_LONGEST_HOLD = timedelta(days=1)

#: Sites that count requests over all their subdomains.
_COUNTED_TOGETHER = (
    "blogspot.com",
    "medium.com",
    "reddit.com",
    "substack.com",
    "tumblr.com",
    "wordpress.com",
)

_TAKE_TURN = """
    INSERT INTO publishing_hostpace AS pace (host, next_request_at, hold_reason)
    VALUES (%(host)s, %(now)s + make_interval(secs => %(spacing)s), '')
    ON CONFLICT (host) DO UPDATE
        SET next_request_at = greatest(pace.next_request_at, %(now)s) + make_interval(secs => %(spacing)s)
    RETURNING next_request_at - make_interval(secs => %(spacing)s)
"""


@dataclass(frozen=True)
class Hold:
    """A host that asked for quiet."""

    until: datetime
    reason: str


def host_of(url: str) -> str:
    """The name under which a host's requests are counted: with its port if that is unusual."""
    try:
        parts = urlsplit(url)
        name, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    for domain in _COUNTED_TOGETHER:
        if name.endswith(f".{domain}"):
            name = domain
    return name if port in {None, 80, 443} else f"{name}:{port}"


def hold_on(host: str, now: datetime) -> Hold | None:
    """The hold a host is under at that time, if any."""
    pace = HostPace.objects.filter(host=host, held_until__gt=now).first()
    if pace is None or pace.held_until is None:
        return None
    return Hold(pace.held_until, pace.hold_reason)


def take_turn(host: str, now: datetime) -> datetime:
    """When the next request to the host may start; calling this uses that moment up."""
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE_TURN, {"host": host, "now": now, "spacing": settings.PUBLISHING_HOST_SPACING_SECONDS}
        )
        (turn,) = cursor.fetchone()
    return turn  # type: ignore[no-any-return]


def hold(host: str, *, now: datetime, seconds: float | None, reason: str) -> None:
    """Leave the host alone for so long; a longer hold that is there already stays."""
    wait = min(timedelta(seconds=seconds) if seconds is not None else DEFAULT_HOLD, _LONGEST_HOLD)
    HostPace.objects.get_or_create(host=host, defaults={"next_request_at": now})
    HostPace.objects.filter(Q(held_until=None) | Q(held_until__lt=now + wait), host=host).update(
        held_until=now + wait, hold_reason=reason[:200]
    )


def try_enter(host: str) -> bool:
    """Become the only worker that asks this host; False if another one is. Not counted: one `leave` ends it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_lock_key(host)])
        (entered,) = cursor.fetchone()
    return bool(entered)


def leave(host: str) -> None:
    """Let others ask the host again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [_lock_key(host)])


@contextmanager
def asking(host: str) -> Iterator[bool]:
    """`try_enter` for the length of a block."""
    entered = try_enter(host)
    try:
        yield entered
    finally:
        if entered:
            leave(host)


def _lock_key(host: str) -> int:
    digest = hashlib.blake2b(f"publishing.host/{host}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
