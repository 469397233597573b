"""Letting waiting runs through: within the limits of their job, one transaction a job.

A run of a job with limits is written as `waiting`. It is queued when the limits have a place for it, and holds the
place while it is queued or running. The places are counted in the ledger, under a lock on the job's limits; nothing
is booked beside, so a crash leaks nothing: a run whose worker died is queued again (and keeps its place) or ended.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction

from jobs import outbox
from jobs.models import JobLimit, JobRun
from jobs.outbox import Message

Status = JobRun.Status

BATCH = 500

# Its waits are added up by what for; a run of a job with limits goes on to wait for a place.
_LET_GO = """
UPDATE jobs_jobrun r
SET status = CASE WHEN go.is_limited THEN 'waiting' ELSE 'queued' END,
    waiting_for = CASE WHEN go.is_limited THEN 'limit' ELSE '' END,
    waiting_since = CASE WHEN go.is_limited THEN clock_timestamp() END,
    limit_key = CASE WHEN go.is_limited THEN jobs_limit_key(r.parameters, go.key_by) ELSE r.limit_key END,
    waits = COALESCE(r.waits, '{}') || jsonb_build_object(r.waiting_for, round(
        COALESCE((r.waits ->> r.waiting_for)::numeric, 0)
        + extract(epoch FROM clock_timestamp() - r.waiting_since)::numeric, 3)),
    admitted_at = CASE WHEN go.is_limited THEN r.admitted_at ELSE clock_timestamp() END,
    published_at = CASE WHEN go.is_limited THEN NULL ELSE clock_timestamp() END,
    first_published_at = CASE WHEN go.is_limited THEN NULL ELSE clock_timestamp() END,
    publish_count = CASE WHEN go.is_limited THEN 0 ELSE 1 END,
    not_before = NULL, reason = ''
FROM (
    SELECT w.id, l.key_by, l.id IS NOT NULL AND w.waiting_for <> 'limit' AS is_limited
    FROM jobs_jobrun w LEFT JOIN jobs_joblimit l ON l.job = w.job
    WHERE w.id = ANY(%s) AND w.status = 'waiting'
    FOR NO KEY UPDATE OF w
) go
WHERE r.id = go.id
RETURNING r.id, r.job, r.queue, r.priority, r.args, r.parameters, r.status
"""


def let_go(run_ids: Sequence[uuid.UUID]) -> list[Message]:
    """Queue waiting runs whose wait is over, in the caller's transaction; returns what to send after it.

    Those that waited for something else and whose job has limits wait for a place now.
    """
    if not run_ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_LET_GO, [list(run_ids)])
        rows = cursor.fetchall()
    order = {run_id: number for number, run_id in enumerate(run_ids)}
    return [
        Message(
            run_id=row[0],
            job=row[1],
            queue=row[2],
            priority=row[3],
            args=json.loads(row[4]),
            parameters=json.loads(row[5]),
        )
        for row in sorted(rows, key=lambda row: order[row[0]])
        if row[6] == Status.QUEUED
    ]


# A loose index scan: as many steps as jobs have runs waiting, however many those are.
_JOBS = """
WITH RECURSIVE waiting AS (
    (SELECT job FROM jobs_jobrun WHERE status = 'waiting' AND waiting_for = 'limit' ORDER BY job LIMIT 1)
    UNION ALL
    SELECT (SELECT r.job FROM jobs_jobrun r WHERE r.status = 'waiting' AND r.waiting_for = 'limit'
            AND r.job > waiting.job ORDER BY r.job LIMIT 1)
    FROM waiting WHERE waiting.job IS NOT NULL
)
SELECT job FROM waiting WHERE job IS NOT NULL
"""


def admit() -> list[Message]:
    """Give every job's free places to the runs that wait for them; returns what to send."""
    with connection.cursor() as cursor:
        cursor.execute(_JOBS)
        jobs = [row[0] for row in cursor.fetchall()]
    return [message for job in jobs for message in admit_job(job)]


def admit_job(job: str) -> list[Message]:
    """Give a job's free places to its waiting runs, the most urgent and oldest first; returns what to send.

    Nothing while somebody else does the same; who writes a run and who ends one call this, and the scheduler's
    every tick.
    """
    messages: list[Message] = []
    while True:
        with transaction.atomic():
            let_through = let_go(_next(job))
        messages += let_through
        if len(let_through) < BATCH:
            return messages


def _next(job: str) -> list[uuid.UUID]:
    """The runs that have a place now, locked; at most a batch."""
    limit = JobLimit.objects.select_for_update(skip_locked=True, no_key=True).filter(job=job).first()
    if limit is None:
        if JobLimit.objects.filter(job=job).exists():
            return []  # somebody else is at it
        return _first(job, BATCH)  # the limits are gone
    places = min(BATCH, *_free(limit))
    if places <= 0:
        return []
    if limit.max_running_per_key is None:
        return _first(job, places)
    return _first_by_key(limit, places)


# Queued runs count as if they started now. Served by the partial indexes on `limit_key`.
_USED = """
SELECT
    (SELECT count(*) FROM jobs_jobrun
     WHERE job = %(job)s AND limit_key IS NOT NULL AND status IN ('queued', 'running')),
    (SELECT count(*) FROM jobs_jobrun
     WHERE job = %(job)s AND limit_key IS NOT NULL AND status IN ('queued', 'running') AND status = 'queued'),
    (SELECT count(*) FROM jobs_jobrun
     WHERE job = %(job)s AND limit_key IS NOT NULL AND status <> 'queued'
        AND started_at > clock_timestamp() - make_interval(secs => %(seconds)s))
"""


def _free(limit: JobLimit) -> list[int]:
    """How many more each of the limits allows; a large number without any."""
    with connection.cursor() as cursor:
        cursor.execute(_USED, {"job": limit.job, "seconds": limit.rate_seconds or 0})
        held, queued, started = cursor.fetchone()
    free = [BATCH]
    if limit.max_running is not None:
        free.append(limit.max_running - held)
    if limit.rate_count is not None:
        free.append(limit.rate_count - queued - started)
    return free


_FIRST = """
SELECT id FROM jobs_jobrun WHERE status = 'waiting' AND waiting_for = 'limit' AND job = %s
ORDER BY priority, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
"""


def _first(job: str, count: int) -> list[uuid.UUID]:
    return _ids(_FIRST, [job, count])


_FIRST_BY_KEY = """
WITH held AS (
    SELECT limit_key, count(*) AS runs FROM jobs_jobrun
    WHERE job = %(job)s AND limit_key IS NOT NULL AND status IN ('queued', 'running') GROUP BY limit_key
), waiting AS (
    SELECT id, priority, limit_key, row_number() OVER (PARTITION BY limit_key ORDER BY priority, id) AS place
    FROM jobs_jobrun WHERE status = 'waiting' AND waiting_for = 'limit' AND job = %(job)s
), next AS (
    SELECT waiting.id FROM waiting LEFT JOIN held ON held.limit_key = waiting.limit_key
    WHERE waiting.place + COALESCE(held.runs, 0) <= %(most)s
    ORDER BY waiting.priority, waiting.id LIMIT %(count)s
)
SELECT r.id FROM jobs_jobrun r JOIN next ON next.id = r.id WHERE r.status = 'waiting'
ORDER BY r.priority, r.id FOR NO KEY UPDATE OF r SKIP LOCKED
"""


def _first_by_key(limit: JobLimit, count: int) -> list[uuid.UUID]:
    parameters = {"job": limit.job, "most": limit.max_running_per_key, "count": count}
    return _ids(_FIRST_BY_KEY, parameters)


def _ids(statement: str, parameters: Any) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [row[0] for row in cursor.fetchall()]


def send_or_wait(run: JobRun) -> None:
    """After commit send the run, or give it a place within its job's limits if there is one."""
    if run.status == Status.WAITING:
        transaction.on_commit(lambda: outbox.send_or_hold(admit_job(run.job)))
    else:
        outbox.send_on_commit(run)
