"""The limit of attempts to sign in. Counted in the database: all web processes share it, and it needs no broker."""

import hashlib
from dataclasses import dataclass

from django.db import connection
from django.db.models import F

from accounts.errors import TooManyAttempts
from accounts.models import SignInCount


@dataclass(frozen=True)
class Limit:
    """So many attempts in a window of so many seconds."""

    attempts: int
    seconds: int


#: One person at one place who has forgotten a password.
NAME_AT_ADDRESS = Limit(5, 60)
#: One place that tries many names.
ADDRESS = Limit(30, 60)
#: Many places that try one name. Generous: it can lock the owner out, for at most an hour.
NAME = Limit(50, 3600)

_TAKE = """
INSERT INTO accounts_signincount AS counted (key, attempts, window_ends_at)
SELECT key, 1, clock_timestamp() + make_interval(secs => seconds)
FROM unnest(%s::text[], %s::int[]) AS wanted(key, seconds)
ORDER BY key
ON CONFLICT (key) DO UPDATE
SET attempts = CASE WHEN counted.window_ends_at <= clock_timestamp() THEN 1 ELSE counted.attempts + 1 END,
    window_ends_at = CASE WHEN counted.window_ends_at <= clock_timestamp() THEN EXCLUDED.window_ends_at
                          ELSE counted.window_ends_at END
RETURNING key, attempts, extract(epoch FROM window_ends_at - clock_timestamp())::float8
"""
#: Rows that somebody counts on at this moment are left for the next time: two that lock several rows could wait for each other.
_FORGET = """
DELETE FROM accounts_signincount WHERE key IN (
    SELECT key FROM accounts_signincount WHERE window_ends_at < clock_timestamp() FOR UPDATE SKIP LOCKED
)
"""


def take(name: str, address: str) -> None:
    """Count an attempt; raises TooManyAttempts beyond a limit. One statement: attempts side by side all count."""
    limits = _limits(name, address)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [list(limits), [limit.seconds for limit in limits.values()]])
        rows = cursor.fetchall()
    over = {key: attempts - limits[key].attempts for key, attempts, _ in rows}
    waits = [left for key, _, left in rows if over[key] > 0]
    if waits:
        raise TooManyAttempts(max(waits), is_first=1 in over.values())


def forgive(name: str, address: str) -> None:
    """Forget the attempts of somebody who got in, and windows that are over.

    Of what many share, an address or a name tried from many places, only this attempt is taken back.
    """
    SignInCount.objects.filter(key=_key("name-at-address", name, address)).delete()
    for key in (
        _key("address", address),
        _key("name", name),
    ):  # one row at a time: no order to disagree about
        SignInCount.objects.filter(key=key, attempts__gt=0).update(attempts=F("attempts") - 1)
    with connection.cursor() as cursor:
        cursor.execute(_FORGET)


def _limits(name: str, address: str) -> dict[str, Limit]:
    return {
        _key("name-at-address", name, address): NAME_AT_ADDRESS,
        _key("address", address): ADDRESS,
        _key("name", name): NAME,
    }


def _key(kind: str, *parts: str) -> str:
    # Hashed: names that people type here are now and then their passwords.
    digest = hashlib.sha256("\n".join(part.lower() for part in parts).encode()).hexdigest()
    return f"{kind}:{digest[:32]}"
