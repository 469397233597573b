"""What went wrong with runs since the last look: failures, lost runs and missed slots, grouped by cause.

Each run is taken note of once, in the transaction of the alert it belongs to, by a mark on its row. Whatever the
number of runs, one statement groups a batch of them.
"""

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from jobs.alerts import canary, incidents, subjects
from jobs.alerts.incidents import Span
from jobs.alerts.names import RUN_FAILED, RUN_LOST, SLOT_MISSED
from jobs.alerts.raising import raise_alert
from jobs.deadletters import muted_among

#: Runs that are noted by one statement.
BATCH = 5000
#: With more schedules of one job than this, their missed slots are one alert.
SCHEDULES_APART = 5

_NOTE = """
WITH noted AS (
    UPDATE jobs_jobrun SET is_noted = true
    WHERE id IN (SELECT id FROM jobs_jobrun WHERE status IN ('failed', 'missed') AND NOT is_noted
                 ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
    RETURNING id, job, status, reason, error_type, error_fingerprint, schedule_id, scheduled_for, owner_group_id,
        COALESCE(finished_at, clock_timestamp()) AS finished_at
), explained AS (
    SELECT noted.*, CASE WHEN status = 'missed' THEN 'jobs.slot_missed'
                         WHEN error_type = 'jobs.errors.RunLost' THEN 'jobs.run_lost'
                         ELSE 'jobs.run_failed' END AS kind,
        (SELECT span.id FROM unnest(%(incidents)s::bigint[], %(begins)s::timestamptz[], %(ends)s::timestamptz[])
             WITH ORDINALITY AS span(id, began, until, n)
         WHERE CASE WHEN status = 'missed' THEN COALESCE(scheduled_for, finished_at)
                    WHEN error_type = 'jobs.errors.RunLost' THEN finished_at END BETWEEN began AND until
         ORDER BY n LIMIT 1) AS incident_id
    FROM noted
)
SELECT e.kind, e.job, e.incident_id, CASE WHEN e.kind = 'jobs.slot_missed' THEN e.schedule_id END AS schedule,
    max(s.name), CASE WHEN e.kind = 'jobs.run_failed' THEN e.error_fingerprint ELSE '' END AS cause,
    max(e.error_type), count(*), min(e.finished_at), max(e.finished_at),
    (array_agg(e.id ORDER BY e.id DESC))[1:5], (array_agg(e.reason ORDER BY e.id DESC))[1],
    e.owner_group_id
FROM explained e LEFT JOIN django_celery_beat_periodictask s ON s.id = e.schedule_id
GROUP BY e.kind, e.job, e.owner_group_id, e.incident_id, schedule, cause
ORDER BY e.kind, e.job, e.owner_group_id, schedule, cause
"""


@dataclass(frozen=True)
class Trouble:
    """Runs of a job that ended badly for one cause."""

    kind: str
    job: str
    incident_id: int | None
    #: Set for missed slots.
    schedule_id: int | None
    schedule_name: str | None
    error_fingerprint: str
    error_type: str
    count: int
    first_at: datetime
    last_at: datetime
    #: The latest ones, the latest first.
    run_ids: Sequence[uuid.UUID]
    reason: str
    owner_group_id: int | None

    def fingerprint(self, *parts: object) -> str:
        """Groups have alerts of their own: what one has must not be told to another."""
        group = [f"group {self.owner_group_id}"] if self.owner_group_id else []
        return ":".join(str(part) for part in [*parts, *group] if part)


def note(spans: list[Span]) -> int:
    """Take note of a batch of runs; what an outage explains is counted there. Returns how many runs."""
    troubles = _take(spans)
    for incident_id, counts in _folded(troubles).items():
        incidents.count_folded(incident_id, counts)
    unexplained = [
        trouble for trouble in troubles if trouble.incident_id is None and trouble.job != canary.JOB
    ]
    muted = muted_among(trouble.error_fingerprint for trouble in unexplained)
    missed: dict[tuple[str, int | None], list[Trouble]] = defaultdict(list)
    for trouble in unexplained:
        if trouble.kind == RUN_FAILED:
            if trouble.error_fingerprint not in muted:
                _tell_of_failure(trouble)
        elif trouble.kind == RUN_LOST:
            _tell_of_loss(trouble)
        else:
            missed[trouble.job, trouble.owner_group_id].append(trouble)
    for of_job in missed.values():
        if len(of_job) > SCHEDULES_APART:
            _tell_of_many_missed(of_job)
        else:
            for trouble in of_job:
                _tell_of_missed(trouble)
    return sum(trouble.count for trouble in troubles)


def _take(spans: list[Span]) -> list[Trouble]:
    parameters: dict[str, Any] = {
        "batch": BATCH,
        "incidents": [span.incident_id for span in spans],
        "begins": [span.began for span in spans],
        "ends": [span.until for span in spans],
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, parameters)
        return [Trouble(*row) for row in cursor.fetchall()]


def _folded(troubles: list[Trouble]) -> dict[int, Counter[str]]:
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for trouble in troubles:
        if trouble.incident_id is not None and trouble.job != canary.JOB:
            counts[trouble.incident_id][trouble.kind] += trouble.count
    return counts


def _context(trouble: Trouble) -> dict[str, object]:
    return {"runs": [str(run_id) for run_id in trouble.run_ids]}


def _tell_of_failure(trouble: Trouble) -> None:
    subject = subjects.of_job(trouble.job)
    error = trouble.error_type.rpartition(".")[2]
    raise_alert(
        RUN_FAILED,
        subject=subject,
        fingerprint=trouble.fingerprint(trouble.job, trouble.error_fingerprint),
        title=f"{subject.text} fails{f': {error}' if error else ''}",
        message=trouble.reason,
        context=_context(trouble)
        | {"error_fingerprint": trouble.error_fingerprint, "error_type": trouble.error_type},
        since=trouble.first_at,
        at=trouble.last_at,
        times=trouble.count,
        job=trouble.job,
        owner_group_id=trouble.owner_group_id,
    )


def _tell_of_loss(trouble: Trouble) -> None:
    subject = subjects.of_job(trouble.job)
    raise_alert(
        RUN_LOST,
        subject=subject,
        fingerprint=trouble.fingerprint(trouble.job),
        title=f"{subject.text}: lost with its worker",
        message=trouble.reason,
        context=_context(trouble) | {"error_fingerprint": trouble.error_fingerprint},
        since=trouble.first_at,
        at=trouble.last_at,
        times=trouble.count,
        job=trouble.job,
        owner_group_id=trouble.owner_group_id,
    )


def _tell_of_missed(trouble: Trouble) -> None:
    if trouble.schedule_id is None:
        subject = subjects.of_job(trouble.job)
    else:
        subject = subjects.of_schedule(trouble.schedule_id, trouble.schedule_name or trouble.job)
    raise_alert(
        SLOT_MISSED,
        subject=subject,
        fingerprint=trouble.fingerprint(subject.type, subject.id),
        title=f"{subject.text} missed {_slots(trouble.count)}",
        message=trouble.reason,
        context=_context(trouble),
        since=trouble.first_at,
        at=trouble.last_at,
        times=trouble.count,
        job=trouble.job,
        owner_group_id=trouble.owner_group_id,
    )


def _tell_of_many_missed(troubles: list[Trouble]) -> None:
    latest = max(troubles, key=lambda trouble: trouble.last_at)
    subject = subjects.of_job(latest.job)
    count = sum(trouble.count for trouble in troubles)
    raise_alert(
        SLOT_MISSED,
        subject=subject,
        fingerprint=latest.fingerprint(subject.type, subject.id),
        title=f"{len(troubles)} schedules of {subject.text} missed {_slots(count)}",
        message=latest.reason,
        context=_context(latest) | {"schedules": [trouble.schedule_id for trouble in troubles[:100]]},
        since=min(trouble.first_at for trouble in troubles),
        at=latest.last_at,
        times=count,
        job=latest.job,
        owner_group_id=latest.owner_group_id,
    )


def _slots(count: int) -> str:
    return "a slot" if count == 1 else f"{count} slots"
