"""Politeness towards hosts, kept in the database so that it holds over all workers.

A host is asked by one worker at a time (an advisory lock, which PostgreSQL releases when its holder dies), its
requests keep a distance (`PUBLISHING_HOST_SPACING_SECONDS`, by a row that hands out turns), and a host that asked for quiet gets it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
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

_TAKE_TURNS = """
    INSERT INTO publishing_hostpace AS pace (host, next_request_at, hold_reason)
    SELECT host, %(now)s + make_interval(secs => %(spacing)s), '' FROM unnest(%(hosts)s::text[]) AS host
    ON CONFLICT (host) DO UPDATE
        SET next_request_at = greatest(pace.next_request_at, %(now)s) + make_interval(secs => %(spacing)s)
    RETURNING host, next_request_at - make_interval(secs => %(spacing)s)
"""
#: Tried one by one: `try` functions never wait.
_TRY_LOCKS = "SELECT key FROM unnest(%s::bigint[]) AS key WHERE pg_try_advisory_lock(key)"
_UNLOCK = "SELECT pg_advisory_unlock(key) FROM unnest(%s::bigint[]) AS key"


@dataclass(frozen=True)
class Hold:
    """A host that asked for quiet."""

    until: datetime
    reason: str


@lru_cache(maxsize=20_000)
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


def holds_on(hosts: Iterable[str], now: datetime) -> dict[str, Hold]:
    """The holds that some of the hosts are under at that time."""
    held = HostPace.objects.filter(host__in=list(hosts), held_until__gt=now)
    return {
        host: Hold(until, reason)
        for host, until, reason in held.values_list("host", "held_until", "hold_reason")
        if until is not None
    }


def hold_on(host: str, now: datetime) -> Hold | None:
    """The hold a host is under at that time, if any."""
    return holds_on([host], now).get(host)


def take_turns(hosts: Iterable[str], now: datetime) -> dict[str, datetime]:
    """When the next request to each host may start; calling this uses those moments up."""
    given: dict[str, Any] = {
        "hosts": sorted(set(hosts)),  # rows are locked in one order by all workers
        "now": now,
        "spacing": settings.PUBLISHING_HOST_SPACING_SECONDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE_TURNS, given)
        return dict(cursor.fetchall())


def take_turn(host: str, now: datetime) -> datetime:
    """When the next request to the host may start; calling this uses that moment up."""
    return take_turns([host], now)[host]


def hold(host: str, *, now: datetime, seconds: float | None, reason: str) -> None:
    """Leave the host alone for so long; a longer hold that is there already stays."""
    wait = min(timedelta(seconds=seconds) if seconds is not None else DEFAULT_HOLD, _LONGEST_HOLD)
    HostPace.objects.get_or_create(host=host, defaults={"next_request_at": now})
    HostPace.objects.filter(Q(held_until=None) | Q(held_until__lt=now + wait), host=host).update(
        held_until=now + wait, hold_reason=reason[:200]
    )


def enter(hosts: Iterable[str]) -> set[str]:
    """Become the only worker that asks these hosts; gives those that no other worker is asking.

    Not counted: one `leave` ends it.
    """
    keys = {_lock_key(host): host for host in hosts}
    with connection.cursor() as cursor:
        cursor.execute(_TRY_LOCKS, [list(keys)])
        return {keys[key] for (key,) in cursor.fetchall()}


def leave(*hosts: str) -> None:
    """Let others ask these hosts again."""
    with connection.cursor() as cursor:
        cursor.execute(_UNLOCK, [[_lock_key(host) for host in hosts]])


def try_enter(host: str) -> bool:
    """`enter` for one host."""
    return bool(enter([host]))


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
