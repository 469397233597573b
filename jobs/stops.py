"""Stopping a schedule's runs to make room for its next slot."""

import uuid
from datetime import datetime

from django.db import connection

from jobs import ledger
from jobs.ledger import Outcome
from jobs.models import JobRun, RunLog

_STOP = """
WITH asked AS (
    UPDATE jobs_jobrun
    SET cancel_requested_at = COALESCE(cancel_requested_at, clock_timestamp()),
        cancel_forced = cancel_forced OR %(is_forced)s
    WHERE schedule_id = %(schedule_id)s AND status = 'running'
    RETURNING id, attempt
)
INSERT INTO jobs_runlog (run_id, attempt, at, level, message)
SELECT id, attempt, clock_timestamp(), %(level)s, %(message)s FROM asked
"""


def stop_runs_of(schedule_id: int, *, by_slot: datetime, is_forced: bool) -> int:
    """Cancel the schedule's runs that no worker has, ask the running ones to stop; returns how many run on.

    Forced, they get no grace: their process is killed when it next renews its lease.
    """
    cause = f"for the slot of {by_slot:%Y-%m-%d %H:%M:%S} UTC"
    outcome = Outcome(status=JobRun.Status.CANCELLED, reason=f"Cancelled before it started, {cause}.")
    ledger.end_waiting_of_schedule(schedule_id, outcome)
    with connection.cursor() as cursor:
        cursor.execute(
            _STOP,
            {
                "schedule_id": schedule_id,
                "is_forced": is_forced,
                "level": RunLog.Level.WARNING,
                "message": f"{'To be killed' if is_forced else 'Asked to stop'} {cause}.",
            },
        )
        return int(cursor.rowcount)


def is_forced(run_id: uuid.UUID) -> bool:
    """Whether a run that was asked to stop gets no grace."""
    return JobRun.objects.filter(pk=run_id, cancel_forced=True).exists()
