"""The run ledger's state changes: each one conditional statement that tells whether it won.

Workers race with each other, with the reaper and with people who cancel. No function here reads a row,
decides and writes it back: the condition stands in the UPDATE, and the row count is the answer.
Times are the database's, so that machines need not agree.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models.functions import Now
from psycopg.types.json import Jsonb

from jobs import audit, log_lines
from jobs.errors import IllegalState, RunNotFound
from jobs.models import JobRun
from jobs.storable import clean_json

Status = JobRun.Status


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A worker's right to one attempt: the run, the fencing token and what to do."""

    run_id: uuid.UUID
    attempt: int
    max_attempts: int
    job: str
    parameters: dict[str, Any]
    args: list[Any]
    scheduled_for: datetime | None
    schedule_id: int | None
    #: It has a place within the limits of its job.
    is_limited: bool
    traceparent: str = ""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a body stands: percent (0 to 100), units done and in all, and what it is doing."""

    percent: float = 0
    current: int | None = None
    total: int | None = None
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How an attempt ended for good."""

    status: JobRun.Status
    result: Any = None
    reason: str = ""
    error_type: str = ""
    error_message: str = ""
    error_fingerprint: str = ""
    traceback: str = ""
    #: Where the body stood at its end; None leaves what was last written.
    progress: Progress | None = None


_CLAIM = """
UPDATE jobs_jobrun
SET status = 'running', attempt = attempt + 1, started_at = clock_timestamp(), finished_at = NULL,
    first_published_at = COALESCE(to_timestamp(%s), first_published_at),
    worker = %s, worker_pid = %s, lease_expires_at = clock_timestamp() + make_interval(secs => %s),
    next_attempt_at = NULL, progress = 0, progress_current = NULL, progress_total = NULL, progress_text = '',
    error_type = '', error_message = '', error_fingerprint = '', traceback = ''
WHERE id = %s AND status = 'queued' AND (expires_at IS NULL OR expires_at > clock_timestamp())
RETURNING id, attempt, max_attempts, job, parameters, args, scheduled_for, schedule_id,
    limit_key IS NOT NULL, traceparent
"""


def claim(run_id: uuid.UUID, *, worker: str, pid: int, sent_at: float | None = None) -> Claim | None:
    """Take a queued run for one attempt; None when it is not (or no longer) there to be taken.

    `sent_at` is when the message in hand was sent, in seconds since 1970: it tells how long the run waited for a worker.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [sent_at, worker, pid, settings.JOBS_LEASE_SECONDS, run_id])
        row = cursor.fetchone()
    if row is None:
        return None
    return Claim(
        run_id=row[0],
        attempt=row[1],
        max_attempts=row[2],
        job=row[3],
        parameters=json.loads(row[4]),
        args=json.loads(row[5]),
        scheduled_for=row[6],
        schedule_id=row[7],
        is_limited=row[8],
        traceparent=row[9],
    )


_RENEW = """
UPDATE jobs_jobrun
SET lease_expires_at = clock_timestamp() + make_interval(secs => %s),
    cancel_acknowledged_at = CASE WHEN cancel_requested_at IS NOT NULL
                                  THEN COALESCE(cancel_acknowledged_at, clock_timestamp()) END,
    progress = GREATEST(progress, %s), progress_current = %s, progress_total = %s, progress_text = %s
WHERE id = %s AND attempt = %s AND status = 'running'
RETURNING cancel_requested_at IS NOT NULL
"""


def renew(run_id: uuid.UUID, attempt: int, progress: Progress) -> bool | None:
    """Renew the lease and write progress; True when a cancel is wanted, None when the attempt is superseded."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RENEW,
            [
                settings.JOBS_LEASE_SECONDS,
                progress.percent,
                progress.current,
                progress.total,
                progress.text[:300],
                run_id,
                attempt,
            ],
        )
        row = cursor.fetchone()
    return None if row is None else bool(row[0])


# The outcome goes to the ledger and to django-celery-results in one statement. A failure without a fingerprint gets
# `jobs.fingerprints.of_kind`. For the latter, arguments are
# JSON strings of their representation, as its own backend writes them.
_END = """
WITH ended AS (
    UPDATE jobs_jobrun
    SET status = %(status)s, reason = %(reason)s, finished_at = clock_timestamp(), lease_expires_at = NULL,
        next_attempt_at = NULL, result = %(result)s,
        progress = COALESCE(%(percent)s, progress), progress_current = COALESCE(%(current)s, progress_current),
        progress_total = COALESCE(%(total)s, progress_total), progress_text = COALESCE(%(text)s, progress_text),
        error_type = %(error_type)s, error_message = %(error_message)s,
        error_fingerprint = CASE WHEN %(error_type)s = '' OR %(error_fingerprint)s <> '' THEN %(error_fingerprint)s
            ELSE left(encode(sha256(convert_to(job || ' ' || %(error_type)s, 'UTF8')), 'hex'), 16) END,
        traceback = %(traceback)s
    WHERE {condition}
    RETURNING id, job, args, parameters, worker, queued_at, started_at, finished_at, schedule_id
)
INSERT INTO django_celery_results_taskresult (
    task_id, periodic_task_name, task_name, task_args, task_kwargs, status, worker, content_type,
    content_encoding, result, date_created, date_started, date_done, traceback, meta)
SELECT id::text, (SELECT name FROM django_celery_beat_periodictask p WHERE p.id = schedule_id), job,
    to_json(args::text)::text, to_json(parameters::text)::text, %(celery_status)s, left(worker, 100),
    'application/json', 'utf-8', %(celery_result)s, queued_at, started_at, finished_at,
    NULLIF(%(traceback)s, ''), '{{"children": []}}'
FROM ended
ON CONFLICT (task_id) DO UPDATE
SET status = EXCLUDED.status, result = EXCLUDED.result, worker = EXCLUDED.worker, traceback = EXCLUDED.traceback,
    date_started = EXCLUDED.date_started, date_done = EXCLUDED.date_done
RETURNING task_id
"""
_END_ATTEMPT = _END.format(condition="id = %(id)s AND attempt = %(attempt)s AND status = 'running'")
_END_STOPPING = _END.format(
    condition="id = %(id)s AND attempt = %(attempt)s AND status = 'running' AND cancel_requested_at IS NOT NULL"
)
_END_WAITING = _END.format(condition="id = %(id)s AND status IN ('waiting', 'queued', 'retrying')")
_END_NOT_ADMITTED = _END.format(condition="id = ANY(%(ids)s) AND status = 'waiting'")
_END_OF_SCHEDULE = _END.format(
    condition="""schedule_id = %(schedule_id)s AND (status IN ('queued', 'retrying')
        OR status = 'waiting' AND waiting_for = 'limit')"""
)
_END_WAITING_IN_QUEUE = _END.format(
    condition="""id IN (
        SELECT id FROM jobs_jobrun WHERE queue = %(queue)s AND status IN ('waiting', 'queued', 'retrying')
        ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED)"""
)
_END_EXPIRED = _END.format(
    condition="""status IN ('waiting', 'queued') AND expires_at <= clock_timestamp()
        AND (attempt > 0) = %(has_begun)s"""
)


def _end(statement: str, outcome: Outcome, **condition: uuid.UUID | int | str | Sequence[uuid.UUID]) -> int:
    """Write an outcome to the runs that meet the statement's condition; returns how many."""
    if outcome.status in (Status.SUCCEEDED, Status.PARTIAL):
        celery_result = json.dumps(outcome.result)
    else:
        celery_result = json.dumps(celery_error(outcome.error_type, outcome.error_message or outcome.reason))
    progress = outcome.progress
    parameters: dict[str, Any] = {
        "status": outcome.status.value,
        "celery_status": outcome.status.celery_state,
        "reason": outcome.reason[:300],
        "result": None if outcome.result is None else Jsonb(outcome.result),
        "celery_result": celery_result,
        "percent": progress.percent if progress else None,
        "current": progress.current if progress else None,
        "total": progress.total if progress else None,
        "text": progress.text[:300] if progress else None,
        "error_type": outcome.error_type[:200],
        "error_message": outcome.error_message,
        "error_fingerprint": outcome.error_fingerprint,
        "traceback": outcome.traceback,
        **condition,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)


def celery_error(error_type: str, message: str) -> dict[str, Any]:
    """An error as Celery's result backends store it; without a type, that of a revoked task."""
    module, _, name = (error_type or "celery.exceptions.TaskRevokedError").rpartition(".")
    return {"exc_type": name, "exc_message": [message], "exc_module": module}


def end_expired(outcome: Outcome, *, has_begun: bool) -> int:
    """End the queued runs whose time is over, those that were begun once or those that never were."""
    return _end(_END_EXPIRED, outcome, has_begun=has_begun)


def finish(run_id: uuid.UUID, attempt: int, outcome: Outcome) -> bool:
    """Record how an attempt ended; False when it is superseded and its outcome does not count."""
    return bool(_end(_END_ATTEMPT, outcome, id=run_id, attempt=attempt))


_RETRY = """
WITH ended AS (
    UPDATE jobs_jobrun
    SET status = 'retrying', next_attempt_at = clock_timestamp() + make_interval(secs => %s), finished_at = NULL,
        lease_expires_at = NULL, error_type = %s, error_message = %s, error_fingerprint = %s, traceback = %s
    WHERE id = %s AND attempt = %s AND status = 'running' AND cancel_requested_at IS NULL
    RETURNING *
)
INSERT INTO jobs_runattempt (
    run_id, attempt, ended, admitted_at, published_at, started_at, ended_at, retry_at, worker,
    error_type, error_message, error_fingerprint)
SELECT id, attempt, 'failed', admitted_at, first_published_at, started_at, clock_timestamp(), next_attempt_at, worker,
    error_type, left(error_message, 2000), error_fingerprint
FROM ended
"""


def retry_later(run_id: uuid.UUID, attempt: int, outcome: Outcome, *, delay_seconds: float) -> bool:
    """End an attempt that will be made again after the delay; False when it is superseded.

    An attempt that was asked to stop is not made again: its run ends as cancelled.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _RETRY,
            [
                delay_seconds,
                outcome.error_type[:200],
                outcome.error_message,
                outcome.error_fingerprint,
                outcome.traceback,
                run_id,
                attempt,
            ],
        )
        if cursor.rowcount:
            return True
    cancelled = replace(
        outcome, status=Status.CANCELLED, reason="Cancelled while running: it failed and is not tried again."
    )
    return bool(_end(_END_STOPPING, cancelled, id=run_id, attempt=attempt))


_PUT_OFF = """
UPDATE jobs_jobrun r
SET status = 'retrying', next_attempt_at = later.at, published_at = NULL, first_published_at = NULL,
    publish_count = 0, waiting_for = '', waiting_since = NULL,
    waits = jsonb_build_object('spread', GREATEST(round(extract(epoch FROM later.at - r.queued_at), 3), 0))
FROM unnest(%s::uuid[], %s::timestamptz[]) AS later(id, at)
WHERE r.id = later.id AND r.attempt = 0 AND r.status IN ('waiting', 'queued')
"""


def put_off(moments: Mapping[uuid.UUID, datetime]) -> None:
    """Let runs that were just written begin at these moments, in the transaction that wrote them."""
    if moments:
        with connection.cursor() as cursor:
            cursor.execute(_PUT_OFF, [list(moments), list(moments.values())])


_REQUEST_CANCEL = """
UPDATE jobs_jobrun
SET cancel_requested_at = COALESCE(cancel_requested_at, clock_timestamp()),
    cancel_requested_by_id = COALESCE(cancel_requested_by_id, %s)
WHERE id = %s AND status = 'running'
"""


def cancel(run_id: uuid.UUID, *, by: AbstractBaseUser | None) -> JobRun:
    """Cancel a waiting run at once, or ask a running one to stop; returns the row as it is then.

    Raises RunNotFound, and IllegalState when the run has ended. Asking twice is the same as asking once.
    """
    who = by.get_username() if by else "the command line"
    outcome = Outcome(status=Status.CANCELLED, reason=f"Cancelled by {who} before it started.")
    with transaction.atomic():
        # A run that is neither waiting nor running may have moved from one to the other between two statements.
        while not (_end(_END_WAITING, outcome, id=run_id) or _ask_to_stop(run_id, by)):
            run = get(run_id)
            if not run.is_active:
                raise IllegalState(f"The run has already ended: {run.get_status_display().lower()}.")
        JobRun.objects.filter(pk=run_id, cancel_requested_at=None).update(
            cancel_requested_by=by, cancel_requested_at=Now()
        )
        run = get(run_id)
        log_lines.note(run, f"Cancel requested by {who}.")
        audit.record(by, run, "Cancel requested.")
    return run


def _ask_to_stop(run_id: uuid.UUID, by: AbstractBaseUser | None) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_REQUEST_CANCEL, [by.pk if by else None, run_id])
        return bool(cursor.rowcount)


def cancel_waiting(queue: str, *, reason: str) -> int:
    """Cancel up to 1,000 runs that wait for the queue or to be retried on it; returns how many."""
    outcome = Outcome(status=Status.CANCELLED, reason=reason)
    return _end(_END_WAITING_IN_QUEUE, outcome, queue=queue)


def end_not_admitted(run_ids: Sequence[uuid.UUID], outcome: Outcome) -> int:
    """End runs that wait for their turn, and shall not get it; returns how many did."""
    return _end(_END_NOT_ADMITTED, outcome, ids=run_ids)


def end_waiting_of_schedule(schedule_id: int, outcome: Outcome) -> int:
    """End a schedule's runs that no worker has, but for slots that wait for their moment or for another run."""
    return _end(_END_OF_SCHEDULE, outcome, schedule_id=schedule_id)


def revoke(run_id: uuid.UUID) -> bool:
    """Cancel a waiting run whose message a worker threw away, told so by Celery's remote control."""
    outcome = Outcome(status=Status.CANCELLED, reason="Revoked with Celery's remote control.")
    return bool(_end(_END_WAITING, outcome, id=run_id))


_REQUEUE = """
WITH kept AS (
    INSERT INTO jobs_runattempt (
        run_id, attempt, ended, admitted_at, published_at, started_at, ended_at, worker,
        error_type, error_message, error_fingerprint)
    SELECT id, attempt, 'lost', admitted_at, first_published_at, started_at, clock_timestamp(), worker,
        'jobs.errors.RunLost', %(reason)s, ''
    FROM jobs_jobrun WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running'
)
UPDATE jobs_jobrun
SET status = 'queued', published_at = NULL, first_published_at = NULL, publish_count = 0, lease_expires_at = NULL
WHERE id = %(id)s AND attempt = %(attempt)s AND status = 'running'
"""


def requeue_lost(run: JobRun, reason: str) -> None:
    """Queue a run again whose attempt was lost. The caller has locked the run's row."""
    with connection.cursor() as cursor:
        cursor.execute(_REQUEUE, {"id": run.id, "attempt": run.attempt, "reason": reason})


def change_arguments(
    run_id: uuid.UUID, attempt: int, args: Sequence[Any], parameters: Mapping[str, Any]
) -> None:
    """What the next attempt is called with, for Celery tasks that retry themselves with other arguments."""
    JobRun.objects.filter(pk=run_id, attempt=attempt, status=Status.RUNNING).update(
        args=clean_json(list(args)), parameters=clean_json(dict(parameters))
    )


def get(run_id: uuid.UUID) -> JobRun:
    """The run; raises RunNotFound."""
    run = JobRun.objects.filter(pk=run_id).first()
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run
