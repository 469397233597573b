"""The event log: what changed since a moment, exactly once each, and forgetting what is old.

Triggers (migration `0007_live_events`) write a row in the transaction of the change. A number that grows cannot say
what is new: transactions commit in another order than they began. PostgreSQL's snapshots can. A reader keeps the
snapshot of its last look; new is what that one could not see: rows of transactions that began after it, or were under
way in it. Nothing is left out and nothing comes twice, however long a transaction takes, and the index finds
both kinds at once.

The tables are unlogged, so a crash of the database empties them; the epoch, a random word, tells that it happened.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from jobs.errors import InvalidInput

#: How long events are kept for readers that come back.
KEPT = timedelta(minutes=5)
#: How often a mark is made, up to which events can be forgotten.
MARK_EVERY = timedelta(seconds=30)
#: More events than this at once are not told one by one: their readers look at everything anew.
MOST_AT_ONCE = 20_000


@dataclass(frozen=True)
class Cursor:
    """A moment in the log. As text it is the id of server-sent events: `<epoch>.<milliseconds>.<snapshot>`."""

    epoch: str
    at: datetime
    snapshot: str

    def __str__(self) -> str:
        return f"{self.epoch}.{int(self.at.timestamp() * 1000)}.{self.snapshot}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """The cursor that was written as text; raises InvalidInput."""
        found = _CURSOR.fullmatch(text) if len(text) <= _LONGEST_CURSOR else None
        if found is None:
            raise InvalidInput({"last_event_id": ["This is no id of an event."]})
        epoch, milliseconds, snapshot = found.groups()
        if any(int(number) > _LAST_TRANSACTION for number in re.findall(r"\d+", snapshot)):
            raise InvalidInput({"last_event_id": ["This is no id of an event."]})
        return cls(epoch, datetime.fromtimestamp(int(milliseconds) / 1000, UTC), snapshot)

    @property
    def next_transaction(self) -> str:
        """The first transaction that began after the moment."""
        return self.snapshot.split(":")[1]

    @property
    def under_way(self) -> list[str]:
        """Transactions that had begun and not ended."""
        return [number for number in self.snapshot.split(":")[2].split(",") if number]


_CURSOR = re.compile(r"([0-9a-f]{8})\.(\d{1,14})\.(\d{1,20}:\d{1,20}:(?:\d{1,20}(?:,\d{1,20})*)?)")
_LONGEST_CURSOR = 4000
_LAST_TRANSACTION = 2**64 - 1


@dataclass(frozen=True)
class Event:
    """One row of the log."""

    at: datetime
    #: run, log, alert, worker or schedule.
    kind: str
    #: The id of the run or alert, the name of the process; empty for schedules.
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True)
class News:
    """What happened between two cursors."""

    events: Sequence[Event]
    cursor: Cursor
    #: The log cannot tell all that happened: whoever reads it must look at everything anew.
    is_broken: bool = False


_NOW = "SELECT epoch, clock_timestamp(), pg_current_snapshot()::text FROM jobs_eventepoch"
_BEGIN_EPOCH = "INSERT INTO jobs_eventepoch DEFAULT VALUES ON CONFLICT DO NOTHING"


def now() -> Cursor:
    """The present moment: whatever is committed later is news."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW)
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_BEGIN_EPOCH)
            cursor.execute(_NOW)
            row = cursor.fetchone()
    return Cursor(*row)


# One statement, hence one snapshot: the one that is returned is the one the rows were seen with.
_SINCE = """
SELECT mark.*, event.* FROM (
    SELECT epoch, pruned_to, clock_timestamp(), pg_current_snapshot()::text,
        pg_snapshot_xmax(pg_current_snapshot()) >= %(next)s::xid8
    FROM jobs_eventepoch
) AS mark LEFT JOIN LATERAL (
    SELECT id, at, kind, subject, data::text FROM jobs_event WHERE transaction >= %(next)s::xid8
    UNION ALL
    SELECT id, at, kind, subject, data::text FROM jobs_event
    WHERE transaction = ANY(%(under_way)s::text[]::xid8[]) AND transaction < %(next)s::xid8
    ORDER BY id LIMIT %(most)s
) AS event ON true
ORDER BY event.id
"""


def since(last: Cursor) -> News:
    """What was committed after the cursor, in the order in which it was done."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SINCE,
            {"next": last.next_transaction, "under_way": last.under_way, "most": MOST_AT_ONCE + 1},
        )
        rows = cursor.fetchall()
    if not rows:
        return News([], now(), is_broken=True)
    epoch, pruned_to, at, snapshot, is_ours = rows[0][:5]
    here = Cursor(epoch, at, snapshot)
    is_broken = epoch != last.epoch or last.at < pruned_to or not is_ours or len(rows) > MOST_AT_ONCE
    if is_broken:
        return News([], here, is_broken=True)
    events = [
        Event(at=at, kind=kind, subject=subject, data=json.loads(data))
        for *_, number, at, kind, subject, data in rows
        if number is not None
    ]
    return News(events, here)


_MARK = """
INSERT INTO jobs_eventmark
SELECT WHERE NOT EXISTS (SELECT FROM jobs_eventmark WHERE taken_at > clock_timestamp() - make_interval(secs => %s))
"""
_OLDEST_USABLE_MARK = """
SELECT taken_at, snapshot::text FROM jobs_eventmark WHERE taken_at < clock_timestamp() - make_interval(secs => %s)
ORDER BY taken_at DESC LIMIT 1
"""
_FORGET = """
DELETE FROM jobs_event
WHERE transaction < pg_snapshot_xmax(%(snapshot)s::pg_snapshot)
    AND pg_visible_in_snapshot(transaction, %(snapshot)s::pg_snapshot)
"""


def prune() -> int:
    """Forget events that everybody could see for `KEPT`; returns how many. Cheap to call often.

    An event's own time would not do: it may be committed long after it was written. What a mark's snapshot saw
    was committed by then.
    """
    now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM jobs_eventepoch FOR UPDATE SKIP LOCKED")
        if cursor.rowcount == 0:  # another scheduler does it
            return 0
        cursor.execute(_MARK, [MARK_EVERY.total_seconds()])
        cursor.execute(_OLDEST_USABLE_MARK, [KEPT.total_seconds()])
        mark = cursor.fetchone()
        if mark is None:
            return 0
        taken_at, snapshot = mark
        cursor.execute("UPDATE jobs_eventepoch SET pruned_to = %s", [taken_at])
        cursor.execute(_FORGET, {"snapshot": snapshot})
        forgotten = int(cursor.rowcount)
        cursor.execute("DELETE FROM jobs_eventmark WHERE taken_at <= %s", [taken_at])
    return forgotten
