"""Pausing schedules whose runs fail for good, when their policy asks for that.

Found in the ledger, not told by the worker that failed: a worker may die between the two.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from jobs.models import SchedulePolicy

NOTE = "A run failed"

# The first failure counts, so that no slot after it has run by the time it is seen.
_PAUSE = """
UPDATE jobs_schedulepolicy p
SET paused_at = failed.finished_at, paused_until = NULL,
    pause_note = left(%(note)s || ' on ' || to_char(failed.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
        || ' UTC' || CASE WHEN failed.reason = '' THEN '' ELSE ': ' || failed.reason END, 200)
FROM (
    SELECT q.task_id, r.finished_at, r.reason
    FROM jobs_schedulepolicy q CROSS JOIN LATERAL (
        SELECT finished_at, reason FROM jobs_jobrun
        WHERE schedule_id = q.task_id AND status = 'failed'
            AND finished_at > COALESCE(q.failures_count_from, q.anchor_at)
        ORDER BY id DESC LIMIT 1
    ) r
    WHERE q.pause_on_failure AND (%(ids)s::int[] IS NULL OR q.task_id = ANY(%(ids)s::int[]))
        AND (q.paused_at IS NULL OR q.paused_until <= clock_timestamp())
    FOR NO KEY UPDATE OF q SKIP LOCKED
) failed
WHERE p.task_id = failed.task_id
RETURNING p.task_id, p.paused_at, p.paused_until, p.pause_note
"""


def pause_fragile(policies: Iterable[SchedulePolicy]) -> None:
    """Pause those of the locked policies that ask for it and whose latest runs failed; the objects are updated."""
    fragile = {policy.pk: policy for policy in policies if policy.pause_on_failure}
    if fragile:
        for pk, paused_at, paused_until, note in _pause(list(fragile)):
            policy = fragile[pk]
            policy.paused_at, policy.paused_until, policy.pause_note = paused_at, paused_until, note


def pause_all_fragile() -> int:
    """The same for every schedule that is not being worked on, so that people see it soon; returns how many."""
    return len(_pause(None))


def _pause(ids: list[int] | None) -> list[tuple[int, datetime, datetime | None, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_PAUSE, {"ids": ids, "note": NOTE})
        return list(cursor.fetchall())
