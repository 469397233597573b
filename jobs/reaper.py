"""Bringing back what got lost: silent workers, due retries, runs that waited past their expiry.

Runs in the scheduler's loop, outside every queue, so that a full or dead queue cannot stop it.
"""

import uuid
from typing import Any

from celery import states
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from django.db import Error, InterfaceError, OperationalError, connection, transaction

from jobs import ledger, log_lines
from jobs.definitions import find_job
from jobs.ledger import Outcome
from jobs.models import JobRun, RunLog

Status = JobRun.Status

_BATCH = 100

_PROMOTE = """
UPDATE jobs_jobrun
SET status = CASE WHEN limit_key IS NULL THEN 'queued' ELSE 'waiting' END,
    waiting_for = CASE WHEN limit_key IS NULL THEN '' ELSE 'limit' END,
    waiting_since = CASE WHEN limit_key IS NOT NULL THEN clock_timestamp() END,
    next_attempt_at = NULL, published_at = NULL, first_published_at = NULL, publish_count = 0
WHERE status = 'retrying' AND next_attempt_at <= clock_timestamp()
"""


def promote_retries() -> int:
    """Queue the runs whose next attempt is due; those of jobs with limits wait for a place again."""
    with connection.cursor() as cursor:
        cursor.execute(_PROMOTE)
        return int(cursor.rowcount)


def expire_waiting() -> int:
    """End the runs that no worker took in time; returns how many."""
    return ledger.end_expired(
        Outcome(status=Status.MISSED, reason="No worker took it before it expired."), has_begun=False
    ) + ledger.end_expired(
        Outcome(
            status=Status.FAILED,
            reason="It expired before another attempt was made.",
            error_type="jobs.errors.RunExpired",
        ),
        has_begun=True,
    )


def recover_lost() -> int:
    """Requeue, fail or cancel the running runs whose lease ran out; returns how many.

    One that the database refuses to change does not keep the others: they are settled first, then its error is raised.
    """
    refusal: Error | None = None
    with transaction.atomic():
        lost = list(
            JobRun.objects.raw(
                "SELECT * FROM jobs_jobrun WHERE status = 'running' AND lease_expires_at < clock_timestamp() "
                "ORDER BY lease_expires_at LIMIT %s FOR UPDATE SKIP LOCKED",
                [_BATCH],
            )
        )
        for run in lost:
            try:
                with transaction.atomic():
                    _recover(run, f"The worker {run.worker} fell silent.")
            except (OperationalError, InterfaceError):
                raise
            except Error as error:
                error.add_note(f"Run {run.pk} of {run.job} cannot be brought back.")
                refusal = error
    if refusal is not None:
        raise refusal
    return len(lost)


def settle_dead_attempt(run_id: uuid.UUID, *, worker: str, pid: int, error: Any, state: str) -> None:
    """Record what a worker's main process knows of an attempt whose child process is gone, or about to be killed.

    The condition is that this very process still holds the run: after a recorded outcome, or when the run was
    given to another process since, nothing happens.
    """
    with transaction.atomic():
        run = (
            JobRun.objects.select_for_update()
            .filter(pk=run_id, status=Status.RUNNING, worker=worker, worker_pid=pid)
            .first()
        )
        if run is None:
            return
        if run.cancel_requested_at is not None or state == states.REVOKED:
            _end(run, Status.CANCELLED, "Cancelled: its process was ended.", "")
        elif isinstance(error, (TimeLimitExceeded, SoftTimeLimitExceeded)):
            _end(run, Status.FAILED, "Killed at its hard time limit.", "celery.exceptions.TimeLimitExceeded")
        elif isinstance(error, WorkerLostError):
            _recover(run, "Its process died.")
        else:
            _end(run, Status.FAILED, str(error), f"{type(error).__module__}.{type(error).__qualname__}")


def _recover(run: JobRun, reason: str) -> None:
    job = find_job(run.job)
    if run.cancel_requested_at is not None:
        _end(run, Status.CANCELLED, f"Cancelled. {reason}", "")
    elif run.attempt >= run.max_attempts or (job is not None and not job.retry.retry_lost):
        _end(
            run,
            Status.FAILED,
            f"Lost in attempt {run.attempt} of {run.max_attempts}. {reason}",
            "jobs.errors.RunLost",
        )
    else:
        log_lines.note(
            run,
            f"Attempt {run.attempt} of {run.max_attempts} lost. {reason} Queued again.",
            level=RunLog.Level.WARNING,
        )
        ledger.requeue_lost(run, reason)


def _end(run: JobRun, status: JobRun.Status, reason: str, error_type: str) -> None:
    log_lines.note(run, reason, level=RunLog.Level.ERROR if error_type else RunLog.Level.WARNING)
    outcome = Outcome(
        status=status,
        reason=reason,
        error_type=error_type,
        error_message=reason if error_type else "",
    )
    ledger.finish(run.id, run.attempt, outcome)
