"""How often services are asked, over all threads, processes and machines together.

Public services of science allow so many requests a second to one user, not to one process: PubMed three (ten with a
key), arXiv one every three seconds and never two at once. So turns are handed out by one row a service in PostgreSQL,
and a service that says "too many requests" to one of us is left alone by all of us. The database's clock counts, so
that machines need not agree on the time.
"""

import logging
import math
import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction

from knowledge.errors import ConnectorUnavailable

logger = logging.getLogger(__name__)

#: A request that nobody has ended after so long belongs to a process that died.
LEASE_SECONDS = 90.0
#: Whoever would have to wait longer gives up at once, so that its worker can do something else.
LONGEST_WAIT_SECONDS = 300.0
LONGEST_HOLD_SECONDS = 24 * 3600.0

_LOOK_SECONDS = 0.1
#: Waits that are longer than this are told of.
_WORTH_TELLING_SECONDS = 2.0

_ADD = "INSERT INTO knowledge_servicepace (service, holder, hold_reason) VALUES (%s, '', '') ON CONFLICT DO NOTHING"
_TAKE = """
    UPDATE knowledge_servicepace
    SET next_at = clock_timestamp() + make_interval(secs => %(spacing)s),
        busy_until = CASE WHEN %(alone)s THEN clock_timestamp() + make_interval(secs => %(lease)s) END,
        holder = CASE WHEN %(alone)s THEN %(holder)s ELSE '' END
    WHERE service = %(service)s
        AND next_at <= clock_timestamp()
        AND coalesce(held_until, '-infinity') <= clock_timestamp()
        AND coalesce(busy_until, '-infinity') <= clock_timestamp()
    RETURNING true
"""
_LOOK = """
    SELECT extract(epoch FROM next_at - clock_timestamp())::float,
        extract(epoch FROM held_until - clock_timestamp())::float,
        extract(epoch FROM busy_until - clock_timestamp())::float,
        hold_reason
    FROM knowledge_servicepace WHERE service = %s
"""
#: The distance to the next request counts from the end of this one: what matters is when they arrive there.
_GIVE_BACK = """
    UPDATE knowledge_servicepace
    SET next_at = clock_timestamp() + make_interval(secs => %(spacing)s), busy_until = NULL, holder = ''
    WHERE service = %(service)s AND holder = %(holder)s
"""
_HOLD = """
    UPDATE knowledge_servicepace
    SET held_until = clock_timestamp() + make_interval(secs => %(seconds)s), hold_reason = %(reason)s
    WHERE service = %(service)s
        AND coalesce(held_until, '-infinity') < clock_timestamp() + make_interval(secs => %(seconds)s)
"""
_RELEASE = "UPDATE knowledge_servicepace SET held_until = NULL, hold_reason = '' WHERE service = %s"


@dataclass(frozen=True)
class Pace:
    """How often one service may be asked."""

    #: The service's name, the same in all processes.
    service: str
    #: Seconds between the starts of two requests.
    spacing: float
    #: Never two requests at the same time; `spacing` then counts from the end of one to the start of the next.
    one_at_a_time: bool = False


def _nothing() -> None:
    """Go on."""


def _unheard(sentence: str) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Attendance:
    """Whoever waits: told of waits, and free to end them. A run of a job gives `Attendance(run.check, run.log)`."""

    #: Called ten times a second; what it raises ends the waiting.
    check: Callable[[], None] = _nothing
    #: Called with a sentence when a wait is worth knowing about.
    tell: Callable[[str], object] = _unheard

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than a cancel takes to be noticed."""
        until = time.monotonic() + seconds
        self.check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
            self.check()


#: Nobody attends: waits are silent and cannot be ended.
NOBODY = Attendance()


@contextmanager
def turn(pace: Pace, attendance: Attendance = NOBODY) -> Iterator[None]:
    """Wait for the next turn, and ask in this block.

    Raises ConnectorUnavailable when the service must be left alone for longer than anybody should sit and wait,
    RuntimeError inside a transaction: others would wait for its end.
    """
    holder = secrets.token_hex(16)
    waits = _Waits(pace.service, attendance)
    attendance.check()
    while not _taken(pace, holder):
        waits.once_more(_look(pace.service))
    try:
        yield
    finally:
        if pace.one_at_a_time:
            _execute(_GIVE_BACK, {"service": pace.service, "spacing": pace.spacing, "holder": holder})


def hold(service: str, seconds: float, reason: str) -> None:
    """Let nobody ask the service for so long; a longer hold that is there already stays."""
    seconds = min(max(seconds, 0.0), LONGEST_HOLD_SECONDS)
    logger.warning("%s is left alone for %.0f s: %s", service, seconds, reason)
    _execute(_ADD, [service])
    _execute(_HOLD, {"service": service, "seconds": seconds, "reason": reason[:200]})


def release(service: str) -> None:
    """End a hold, as operators do who know better."""
    _execute(_RELEASE, [service])


@dataclass(frozen=True)
class _Look:
    """How long until a turn can be had, in seconds; never less than a moment."""

    seconds: float
    held_seconds: float
    reason: str


class _Waits:
    """The waits of one request for its turn."""

    def __init__(self, service: str, attendance: Attendance) -> None:
        self._service = service
        self._attendance = attendance
        self._began = time.monotonic()
        self._told = False

    def once_more(self, look: _Look) -> None:
        if look.held_seconds > LONGEST_WAIT_SECONDS:
            raise ConnectorUnavailable(
                f"{self._service} is left alone for another {look.held_seconds:.0f} s: {look.reason}",
                retry_after=look.held_seconds,
            )
        waited = time.monotonic() - self._began
        if waited > LONGEST_WAIT_SECONDS:
            raise ConnectorUnavailable(
                f"There was no turn to ask {self._service} for {waited:.0f} s: too many others ask it.",
                retry_after=LONGEST_WAIT_SECONDS,
            )
        if not self._told and waited + look.seconds > _WORTH_TELLING_SECONDS:
            self._told = True
            why = f": {look.reason}" if look.held_seconds > 0 else ", as everybody does in turn"
            self._attendance.tell(f"Waiting {math.ceil(look.seconds)} s to ask {self._service}{why}.")
        # A little chance, so that of many who wait for one moment it is not always the same who comes first.
        self._attendance.sleep(min(look.seconds, 1.0) * random.uniform(1.0, 1.1))  # noqa: S311 - no secret


def _taken(pace: Pace, holder: str) -> bool:
    given = {
        "service": pace.service,
        "spacing": pace.spacing,
        "alone": pace.one_at_a_time,
        "lease": LEASE_SECONDS,
        "holder": holder,
    }
    if _execute(_TAKE, given):
        return True
    return bool(_execute(_ADD, [pace.service]) and _execute(_TAKE, given))


def _look(service: str) -> _Look:
    with connection.cursor() as cursor:
        cursor.execute(_LOOK, [service])
        next_in, held_for, busy_for, reason = cursor.fetchone() or (0.0, None, None, "")
    held = max(held_for or 0.0, 0.0)
    # Nobody knows when a request on its way will be answered: look again soon.
    busy = _LOOK_SECONDS if (busy_for or 0.0) > 0 else 0.0
    return _Look(max(next_in, held, busy, 0.005), held, reason)


def _execute(statement: str, given: object) -> int:
    """Run one statement in a transaction of its own, and give the number of rows it met."""
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(statement, given)  # type: ignore[arg-type]  # a list or a dict
        return int(cursor.rowcount)
