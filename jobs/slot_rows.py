"""The ledger's rows of slots: written in one statement, one row a slot, whoever else writes."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import DataError, connection, transaction
from django_celery_beat.models import PeriodicTask

from jobs.definitions import find_job
from jobs.models import JobRun, new_run_id
from jobs.outbox import Message
from jobs.rules import Slot, queue_of

Status = JobRun.Status

# A run of a job with limits waits for its place; `jobs.admission` gives it.
_INSERT = """
INSERT INTO jobs_jobrun (
    id, job, queue, priority, parameters, args, status, reason, trigger, schedule_id, scheduled_for, attempt,
    max_attempts, queued_at, published_at, first_published_at, publish_count, expires_at, finished_at, waiting_for,
    waiting_since, not_before, limit_key, worker, progress, progress_text, error_type, error_message,
    error_fingerprint, traceback, schedule_version)
SELECT slot.id, slot.job, slot.queue, slot.priority, slot.parameters, slot.args,
    CASE WHEN is_limited THEN 'waiting' ELSE status END, reason, 'schedule', schedule_id, scheduled_for, 0,
    max_attempts, %(now)s, sent_at, sent_at, CASE WHEN sent_at IS NULL THEN 0 ELSE 1 END, expires_at,
    CASE WHEN status NOT IN ('queued', 'waiting') THEN %(now)s END,
    CASE WHEN is_limited THEN 'limit' ELSE waiting_for END,
    CASE WHEN is_limited OR status = 'waiting' THEN %(now)s END, not_before,
    CASE WHEN is_limited THEN jobs_limit_key(slot.parameters, l.key_by) END,
    '', 0, '', '', '', '', '', schedule_version
FROM unnest(
    %(id)s::uuid[], %(job)s::text[], %(queue)s::text[], %(priority)s::int[], %(parameters)s::jsonb[],
    %(args)s::jsonb[], %(status)s::text[], %(reason)s::text[], %(schedule_id)s::int[],
    %(scheduled_for)s::timestamptz[], %(max_attempts)s::int[], %(expires_at)s::timestamptz[],
    %(waiting_for)s::text[], %(not_before)s::timestamptz[], %(schedule_version)s::int[]
) AS slot(id, job, queue, priority, parameters, args, status, reason, schedule_id, scheduled_for, max_attempts,
          expires_at, waiting_for, not_before, schedule_version)
LEFT JOIN jobs_joblimit l ON l.job = slot.job
CROSS JOIN LATERAL (SELECT status = 'queued' AND l.id IS NOT NULL AS is_limited) AS standing
CROSS JOIN LATERAL (SELECT CASE WHEN status = 'queued' AND NOT is_limited THEN %(now)s::timestamptz END AS sent_at) AS sending
ON CONFLICT (schedule_id, scheduled_for) WHERE scheduled_for IS NOT NULL DO NOTHING
RETURNING id, status
"""


def insert(slots: list[Slot], now: datetime) -> list[Message]:
    """Write the slots' rows in one statement; returns the messages of those that are to run."""
    if not slots:
        return []
    rows = [_row(slot) for slot in slots]
    try:
        written = _write(rows, now)
    except DataError:
        # One of them cannot be stored. The others must not suffer.
        written = {pk: status for row in rows for pk, status in _write_alone(row, now).items()}
    return _messages(slots, rows, written)


def _messages(
    slots: list[Slot], rows: list[dict[str, Any]], written: Mapping[uuid.UUID, str]
) -> list[Message]:
    return [
        Message(
            run_id=row["id"],
            job=row["job"],
            queue=row["queue"],
            priority=row["priority"],
            args=json.loads(row["args"]),
            parameters=json.loads(row["parameters"]),
            schedule_name=slot.schedule.name,
        )
        for slot, row in zip(slots, rows, strict=True)
        if written.get(row["id"]) == Status.QUEUED
    ]


# A slot that never ran and that somebody wants to run after all keeps its row.
_MAKE_UP = _INSERT.replace(
    "DO NOTHING",
    """DO UPDATE
SET status = excluded.status, reason = excluded.reason, queue = excluded.queue, priority = excluded.priority,
    parameters = excluded.parameters, args = excluded.args, max_attempts = excluded.max_attempts,
    queued_at = excluded.queued_at, published_at = excluded.published_at,
    first_published_at = excluded.first_published_at, publish_count = excluded.publish_count,
    expires_at = excluded.expires_at, finished_at = excluded.finished_at, waiting_for = excluded.waiting_for,
    waiting_since = excluded.waiting_since, limit_key = excluded.limit_key,
    schedule_version = excluded.schedule_version
WHERE jobs_jobrun.id = ANY(%(skipped)s) AND jobs_jobrun.status IN ('skipped', 'missed')""",
).replace("RETURNING id, status", "RETURNING jobs_jobrun.id, jobs_jobrun.status")


def make_up(
    slots: list[Slot], now: datetime, *, skipped: Mapping[datetime, uuid.UUID]
) -> tuple[dict[uuid.UUID, str], list[Message]]:
    """Make runs of slots of one schedule that somebody chose: new rows, and those of `skipped` (slot to row) anew.

    As the schedule is now, in the caller's transaction; limits of its job hold, as for every run. Gives the status of
    each run that was made, and what to send. A slot that has another row already is left alone.
    """
    rows = [_row(slot) | {"id": skipped.get(slot.at) or new_run_id()} for slot in slots]
    for row, slot in zip(rows, slots, strict=True):
        if row["expires_at"] is not None:
            row["expires_at"] += now - slot.at  # from now: the slot's own time has passed
    made = _write(rows, now, _MAKE_UP, skipped=list(skipped.values()))
    return made, _messages(slots, rows, made)


def _write(
    rows: list[dict[str, Any]], now: datetime, statement: str = _INSERT, **values: Any
) -> dict[uuid.UUID, str]:
    """Write the rows whose slots have none yet; gives the status of each."""
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, {**columns, "now": now, **values})
        return dict(cursor.fetchall())


def _write_alone(row: dict[str, Any], now: datetime) -> dict[uuid.UUID, str]:
    try:
        return _write([row], now)
    except DataError as error:
        reason = f"The schedule's values cannot be stored: {error}".splitlines()[0][:300]
        row |= {"status": Status.MISSED.value, "reason": reason, "parameters": "{}", "args": "[]"}
        row |= {"queue": row["queue"][:100], "expires_at": None, "waiting_for": "", "not_before": None}
        return _write([row], now)


def _row(slot: Slot) -> dict[str, Any]:
    task = slot.schedule
    job = find_job(task.task)
    status, reason, parameters, args = slot.status, slot.reason, task.kwargs or "{}", task.args or "[]"
    if not (_is_json(parameters, dict) and _is_json(args, list)):
        slot = replace(slot, waiting_for="", not_before=None)
        status, reason = Status.MISSED, "The schedule's parameters are not valid JSON."
        parameters, args = "{}", "[]"
    return {
        "id": new_run_id(),
        "job": task.task,
        "queue": queue_of(task),
        "priority": _priority(task, job.priority if job else 5),
        "parameters": parameters,
        "args": args,
        "status": status.value,
        "reason": reason[:300],
        "schedule_id": task.pk,
        "scheduled_for": slot.at,
        "max_attempts": job.retry.max_attempts if job else 3,
        "expires_at": slot.at + timedelta(seconds=task.expire_seconds) if task.expire_seconds else None,
        "waiting_for": slot.waiting_for,
        "not_before": slot.not_before,
        "schedule_version": task.policy.version,
    }


def _priority(task: PeriodicTask, default: int) -> int:
    return default if task.priority is None else min(task.priority, 9)


def _is_json(text: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False
