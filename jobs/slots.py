"""Slots: the moments a schedule fires. Every slot becomes one row of the ledger, run or not, with the reason.

Claiming is by row locks on the policies, so that any number of schedulers share the work. In one
transaction the rows of all due slots are written and `next_slot_at` moves on: a scheduler killed at any
point leaves either both or neither.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import DataError, connection, transaction
from django_celery_beat.models import PeriodicTask

from jobs.definitions import find_job
from jobs.models import JobRun, SchedulePolicy, new_run_id
from jobs.outbox import Message
from jobs.timing import InvalidTiming, Timing, timing_of

Status = JobRun.Status
CatchUp = SchedulePolicy.CatchUp

BATCH = 500
#: A slot this late still counts as on time, whatever its catch-up rule.
ON_TIME = timedelta(seconds=60)
#: How many slots of one schedule are settled in one transaction, when many passed unseen.
SLOTS_AT_ONCE = 1000
OVERTAKEN = "The schedule was edited before this slot could run."
#: How the reason of a slot begins that was skipped by a pause: such a slot can be made up for (jobs.passed).
PAUSED = "The schedule was paused"


@dataclass(frozen=True)
class Slot:
    """One slot with its outcome: status QUEUED for a run to be made."""

    schedule: PeriodicTask
    at: datetime
    status: JobRun.Status
    reason: str = ""


def plan_stale(now: datetime) -> int:
    """Find the next slot of schedules that are new or were edited, from the edit on; returns how many."""
    if not _any("is_stale", []):
        return 0
    with transaction.atomic():
        stale = list(_locked("is_stale", []))
        _insert([slot for policy in stale for slot in _plan(policy, now)], now)
        _save(stale)
    return len(stale)


def fire_due(now: datetime) -> tuple[int, list[Message]]:
    """Settle a batch of due schedules; returns how many, and the messages of the runs that were made."""
    if not _any("next_slot_at <= %s AND NOT is_stale", [now]):
        return 0, []
    with transaction.atomic():
        due = list(_locked("next_slot_at <= %s AND NOT is_stale", [now]))
        if not due:
            return 0, []
        slots = [slot for policy in due for slot in _settle(policy, now)]
        messages = _insert(slots, now)
        _save(due)
        _count_runs(slots, now)
    return len(due), messages


def _any(condition: str, parameters: list[Any]) -> bool:
    """Whether a policy meets the condition: most ticks end with this one cheap question."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM jobs_schedulepolicy WHERE {condition})",  # noqa: S608 - as below
            parameters,
        )
        return bool(cursor.fetchone()[0])


def _locked(condition: str, parameters: list[Any]) -> Iterable[SchedulePolicy]:
    """The policies that meet the condition, with their schedules; not those that are claimed or being edited.

    Both rows are locked, without ever waiting: an edit locks the schedule first and its policy by a trigger, so
    that one of us would come to wait for the other in turn.
    """
    found = SchedulePolicy.objects.raw(
        f"SELECT * FROM jobs_schedulepolicy WHERE {condition} "  # noqa: S608 - the two conditions above
        f"ORDER BY next_slot_at LIMIT {BATCH} FOR NO KEY UPDATE SKIP LOCKED",
        parameters,
    )
    policies = {policy.pk: policy for policy in found}
    # Read after the policies are locked: an edit that begins now waits for us, and marks its policy stale.
    tasks = (
        PeriodicTask.objects.select_related("crontab", "interval", "solar", "clocked")
        .select_for_update(skip_locked=True, of=("self",), no_key=True)
        .in_bulk(list(policies))
    )
    for pk, task in tasks.items():
        policies[pk].task = task
    return [policy for pk, policy in policies.items() if pk in tasks]


def _plan(policy: SchedulePolicy, now: datetime) -> list[Slot]:
    """Move a policy to its first slot after the edit; returns the slot that the edit overtook, if any.

    When no scheduler ran before the edit, that one stands for all that the former timing still had to come.
    """
    edited_at = min(policy.anchor_at or now, now)
    overtaken = policy.next_slot_at
    policy.anchor_at = edited_at.replace(microsecond=0)
    policy.planning_error = ""
    policy.next_slot_at = None
    if policy.task.enabled:
        try:
            policy.next_slot_at = timing_of(policy.task, anchor=policy.anchor_at).next_after(edited_at)
        except InvalidTiming as error:
            policy.planning_error = str(error)[:300]
    if overtaken is None or overtaken > edited_at:
        return []
    return [Slot(policy.task, overtaken, Status.SKIPPED, OVERTAKEN)]


def _settle(policy: SchedulePolicy, now: datetime) -> list[Slot]:
    """The outcome of each slot of one schedule up to `now`; moves the policy on."""
    due = policy.next_slot_at
    assert due is not None  # noqa: S101 - by the query
    try:
        timing = timing_of(policy.task, anchor=policy.anchor_at or due)
        passed, policy.next_slot_at = _passed(timing, due, now)
    except InvalidTiming as error:
        policy.next_slot_at = None
        policy.planning_error = str(error)[:300]
        passed = [due]
    has_more = policy.next_slot_at is not None and policy.next_slot_at <= now
    newest = None if has_more else next((at for at in reversed(passed) if not policy.is_paused(at)), None)
    slots = [_outcome(policy, at, now, newest) for at in passed]
    first_run = next((number for number, slot in enumerate(slots) if slot.status == Status.QUEUED), None)
    if policy.task.one_off and first_run is not None:
        policy.next_slot_at = None
        return slots[: first_run + 1]
    return slots


def _passed(timing: Timing, first: datetime, now: datetime) -> tuple[list[datetime], datetime | None]:
    """The slots from `first` up to `now`, and the one after them."""
    passed = [first]
    following = timing.next_after(first)
    while following is not None and following <= now and len(passed) < SLOTS_AT_ONCE:
        passed.append(following)
        following = timing.next_after(following)
    return passed, following


def _outcome(policy: SchedulePolicy, at: datetime, now: datetime, newest: datetime | None) -> Slot:
    task = policy.task
    late = now - at
    if not is_known(task.task):
        return Slot(task, at, Status.MISSED, f"No task named {task.task} exists any more.")
    if policy.is_paused(at):
        note = f": {policy.pause_note}" if policy.pause_note else ""
        return Slot(task, at, Status.SKIPPED, f"{PAUSED}{note}.")
    if late > timedelta(seconds=policy.catch_up_window_seconds):
        return Slot(task, at, Status.MISSED, "No scheduler ran at the time, and the catch-up window is over.")
    if at == newest:
        if policy.catch_up == CatchUp.SKIP and late > ON_TIME:
            return Slot(task, at, Status.MISSED, "No scheduler ran at the time, and catching up is off.")
        return Slot(task, at, Status.QUEUED)
    if policy.catch_up == CatchUp.ALL:
        return Slot(task, at, Status.QUEUED)
    if policy.catch_up == CatchUp.LAST:
        return Slot(task, at, Status.SKIPPED, "No scheduler ran at the time; a later slot runs instead.")
    return Slot(task, at, Status.MISSED, "No scheduler ran at the time, and catching up is off.")


def is_known(name: str) -> bool:
    return find_job(name) is not None or name in current_app.tasks


_INSERT = """
INSERT INTO jobs_jobrun (
    id, job, queue, priority, parameters, args, status, reason, trigger, schedule_id, scheduled_for, attempt,
    max_attempts, queued_at, published_at, first_published_at, publish_count, expires_at, finished_at, worker,
    progress, progress_text, error_type, error_message, error_fingerprint, traceback, schedule_version)
SELECT id, job, queue, priority, parameters, args, status, reason, 'schedule', schedule_id, scheduled_for, 0,
    max_attempts, %(now)s, CASE WHEN status = 'queued' THEN %(now)s END,
    CASE WHEN status = 'queued' THEN %(now)s END,
    CASE WHEN status = 'queued' THEN 1 ELSE 0 END, expires_at, CASE WHEN status <> 'queued' THEN %(now)s END,
    '', 0, '', '', '', '', '', schedule_version
FROM unnest(
    %(id)s::uuid[], %(job)s::text[], %(queue)s::text[], %(priority)s::int[], %(parameters)s::jsonb[],
    %(args)s::jsonb[], %(status)s::text[], %(reason)s::text[], %(schedule_id)s::int[],
    %(scheduled_for)s::timestamptz[], %(max_attempts)s::int[], %(expires_at)s::timestamptz[],
    %(schedule_version)s::int[]
) AS slot(id, job, queue, priority, parameters, args, status, reason, schedule_id, scheduled_for, max_attempts,
          expires_at, schedule_version)
ON CONFLICT (schedule_id, scheduled_for) WHERE scheduled_for IS NOT NULL DO NOTHING
RETURNING id
"""


def _insert(slots: list[Slot], now: datetime) -> list[Message]:
    """Write the slots' rows in one statement; returns the messages of those that are to run."""
    if not slots:
        return []
    rows = [_row(slot) for slot in slots]
    try:
        written = _write(rows, now)
    except DataError:
        # One of them cannot be stored. The others must not suffer.
        written = set().union(*[_write_alone(row, now) for row in rows])
    return _messages(slots, rows, written)


def _messages(slots: list[Slot], rows: list[dict[str, Any]], written: set[uuid.UUID]) -> list[Message]:
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
        if row["status"] == Status.QUEUED and row["id"] in written
    ]


_MAKE_UP = _INSERT.replace(
    "DO NOTHING",
    """DO UPDATE
SET status = excluded.status, reason = excluded.reason, queue = excluded.queue, priority = excluded.priority,
    parameters = excluded.parameters, args = excluded.args, max_attempts = excluded.max_attempts,
    queued_at = excluded.queued_at, published_at = excluded.published_at,
    first_published_at = excluded.first_published_at, publish_count = excluded.publish_count,
    expires_at = excluded.expires_at, finished_at = excluded.finished_at, schedule_version = excluded.schedule_version
WHERE jobs_jobrun.id = ANY(%(skipped)s) AND jobs_jobrun.status = 'skipped'""",
)


def make_up(slots: list[Slot], now: datetime, *, skipped: Mapping[datetime, uuid.UUID]) -> list[Message]:
    """Make runs of slots of one schedule that somebody chose: new rows, and those of `skipped` (slot to row) anew.

    As the schedule is now, and in the caller's transaction. A slot that has another row already is left alone.
    """
    rows = [_row(slot) | {"id": skipped.get(slot.at) or new_run_id()} for slot in slots]
    for row, slot in zip(rows, slots, strict=True):
        if row["expires_at"] is not None:
            row["expires_at"] += now - slot.at  # from now: the slot's own time has passed
    written = _write(rows, now, _MAKE_UP, skipped=list(skipped.values()))
    _count_runs([slot for slot, row in zip(slots, rows, strict=True) if row["id"] in written], now)
    return _messages(slots, rows, written)


def _write(
    rows: list[dict[str, Any]], now: datetime, statement: str = _INSERT, **values: Any
) -> set[uuid.UUID]:
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in rows[0]}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, {**columns, "now": now, **values})
        return {row[0] for row in cursor.fetchall()}


def _write_alone(row: dict[str, Any], now: datetime) -> set[uuid.UUID]:
    try:
        return _write([row], now)
    except DataError as error:
        reason = f"The schedule's values cannot be stored: {error}".splitlines()[0][:300]
        row |= {"status": Status.MISSED.value, "reason": reason, "parameters": "{}", "args": "[]"}
        row |= {"queue": row["queue"][:100], "expires_at": None}
        return _write([row], now)


def _row(slot: Slot) -> dict[str, Any]:
    task = slot.schedule
    job = find_job(task.task)
    status, reason, parameters, args = slot.status, slot.reason, task.kwargs or "{}", task.args or "[]"
    if not (_is_json(parameters, dict) and _is_json(args, list)):
        status, reason = Status.MISSED, "The schedule's parameters are not valid JSON."
        parameters, args = "{}", "[]"
    return {
        "id": new_run_id(),
        "job": task.task,
        "queue": task.queue or (job.queue if job else settings.CELERY_TASK_DEFAULT_QUEUE),
        "priority": _priority(task, job.priority if job else 5),
        "parameters": parameters,
        "args": args,
        "status": status.value,
        "reason": reason,
        "schedule_id": task.pk,
        "scheduled_for": slot.at,
        "max_attempts": job.retry.max_attempts if job else 3,
        "expires_at": slot.at + timedelta(seconds=task.expire_seconds) if task.expire_seconds else None,
        "schedule_version": task.policy.version,
    }


def _priority(task: PeriodicTask, default: int) -> int:
    return default if task.priority is None else min(task.priority, 9)


def _is_json(text: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False


_SAVE = """
UPDATE jobs_schedulepolicy p
SET next_slot_at = new.next_slot_at, is_stale = false, anchor_at = new.anchor_at, planning_error = new.planning_error
FROM unnest(%s::int[], %s::timestamptz[], %s::timestamptz[], %s::text[])
    AS new(task_id, next_slot_at, anchor_at, planning_error)
WHERE p.task_id = new.task_id
"""


def _save(policies: list[SchedulePolicy]) -> None:
    if not policies:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _SAVE,
            [
                [policy.pk for policy in policies],
                [policy.next_slot_at for policy in policies],
                [policy.anchor_at for policy in policies],
                [policy.planning_error for policy in policies],
            ],
        )


_COUNT = """
UPDATE django_celery_beat_periodictask t
SET last_run_at = %s, total_run_count = total_run_count + fired.count,
    enabled = enabled AND NOT one_off
FROM unnest(%s::int[], %s::int[]) AS fired(id, count)
WHERE t.id = fired.id
"""


def _count_runs(slots: list[Slot], now: datetime) -> None:
    """Keep the two columns that stock tools show, and switch off schedules that were for one run only."""
    counts: dict[int, int] = {}
    for slot in slots:
        if slot.status == Status.QUEUED:
            counts[slot.schedule.pk] = counts.get(slot.schedule.pk, 0) + 1
    if counts:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [now, list(counts), list(counts.values())])
