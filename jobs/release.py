"""Slots that waited: for their moment within the jitter, the end of a window, or an earlier run of the schedule.

Each is decided about again under the lock of its schedule's policy, like a new slot (see `jobs.slots`): so that of
any number of schedulers and workers one does it, and two runs never start where one may.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction
from django_celery_beat.models import PeriodicTask

from jobs import admission, failures, ledger, rules
from jobs.definitions import is_known
from jobs.ledger import Outcome
from jobs.models import JobRun, SchedulePolicy
from jobs.outbox import Message
from jobs.rules import Slot
from jobs.timing import RELATED

Status = JobRun.Status
WaitingFor = JobRun.WaitingFor

BATCH = 500

_ANY = "SELECT EXISTS (SELECT FROM jobs_jobrun WHERE status = 'waiting')"


def any_waiting() -> bool:
    """Whether any run waits for its turn: one cheap question."""
    with connection.cursor() as cursor:
        cursor.execute(_ANY)
        return bool(cursor.fetchone()[0])


# By the index of runs that have not ended, a schedule's few.
_AWAITED = """
SELECT EXISTS (
    SELECT FROM jobs_jobrun
    WHERE schedule_id = %s AND status IN ('waiting', 'queued', 'running', 'retrying') AND status = 'waiting')
"""


def is_awaited(schedule_id: int) -> bool:
    """Whether a slot of the schedule waits."""
    with connection.cursor() as cursor:
        cursor.execute(_AWAITED, [schedule_id])
        return bool(cursor.fetchone()[0])


# Slots whose moment has come, and those whose schedule has no other run left.
_READY = """
SELECT DISTINCT r.schedule_id
FROM jobs_jobrun r JOIN jobs_schedulepolicy p ON p.task_id = r.schedule_id
WHERE r.status = 'waiting' AND (%(ids)s::int[] IS NULL OR r.schedule_id = ANY(%(ids)s::int[])) AND (
    (r.waiting_for IN ('jitter', 'window') AND r.not_before <= %(now)s)
    OR (r.waiting_for = 'overlap' AND (p.overlap = 'allow_all' OR NOT EXISTS (
        SELECT FROM jobs_jobrun b
        WHERE b.schedule_id = r.schedule_id AND b.status IN ('waiting', 'queued', 'running', 'retrying')
            AND (b.status <> 'waiting' OR b.waiting_for = 'limit')))))
LIMIT %(batch)s
"""


def release(now: datetime, *, schedule_ids: list[int] | None = None) -> list[Message]:
    """Decide about the waiting slots whose time has come, of all schedules or some; returns what to send."""
    messages: list[Message] = []
    while True:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(_READY, {"now": now, "ids": schedule_ids, "batch": BATCH})
                found = [row[0] for row in cursor.fetchall()]
            policies = _locked(found)
            messages += _decide(policies, now)
        if len(found) < BATCH or not policies:
            return messages


def end_orphaned() -> int:
    """End the waiting slots whose schedule was deleted; returns how many."""
    ids = list(
        JobRun.objects.filter(
            status=Status.WAITING,
            waiting_for__in=[WaitingFor.JITTER, WaitingFor.WINDOW, WaitingFor.OVERLAP],
            schedule=None,
        ).values_list("pk", flat=True)[:BATCH]
    )
    outcome = Outcome(status=Status.SKIPPED, reason="Its schedule was deleted while it waited.")
    return ledger.end_not_admitted(ids, outcome) if ids else 0


def _locked(ids: list[int]) -> list[SchedulePolicy]:
    """The policies of schedules, with their schedules; not those that somebody else works on."""
    if not ids:
        return []
    policies = {
        policy.pk: policy
        for policy in SchedulePolicy.objects.select_for_update(skip_locked=True, no_key=True).filter(
            pk__in=ids
        )
    }
    tasks = PeriodicTask.objects.select_related(*RELATED)
    for pk, task in tasks.in_bulk(list(policies)).items():
        policies[pk].task = task
    return list(policies.values())


_WAITING = """
SELECT schedule_id, id, scheduled_for FROM jobs_jobrun
WHERE status = 'waiting' AND waiting_for IN ('jitter', 'window') AND not_before <= %s AND schedule_id = ANY(%s)
ORDER BY scheduled_for
"""


def _decide(policies: list[SchedulePolicy], now: datetime) -> list[Message]:
    if not policies:
        return []
    failures.pause_fragile(policies)
    word = rules.load(policies, now)
    ids = [policy.pk for policy in policies]
    # Also of those that let runs overlap by now: slots may wait from before.
    word.standings = rules.standings(ids)
    ready: dict[int, list[tuple[uuid.UUID, datetime]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [now, ids])
        for schedule_id, run_id, at in cursor.fetchall():
            ready[schedule_id].append((run_id, at))
    settled: list[Slot] = []
    for policy in policies:
        fresh = [
            Slot(policy.task, at, Status.QUEUED, run_id=run_id) for run_id, at in ready.get(policy.pk, [])
        ]
        refusal = _refusal(policy, now)
        if refusal:
            waiting = word.standings[policy.pk].waiting if policy.pk in word.standings else []
            fresh += [Slot(policy.task, at, Status.WAITING, run_id=run_id) for run_id, at in waiting]
            settled += [Slot(policy.task, s.at, Status.SKIPPED, refusal, run_id=s.run_id) for s in fresh]
        else:
            settled += word.settle(policy, fresh)
    return carry_out(settled)


def _refusal(policy: SchedulePolicy, now: datetime) -> str:
    """Why the slots that waited do not run any more; empty when they may."""
    if not is_known(policy.task.task):
        return f"No task named {policy.task.task} exists any more."
    if policy.is_paused(now):
        note = f": {policy.pause_note}" if policy.pause_note else ""
        return f"The schedule was paused while it waited{note}."
    if not policy.task.enabled and not policy.task.one_off:
        return "The schedule was disabled while it waited."
    return ""


_WAIT_ON = """
UPDATE jobs_jobrun r
SET waits = CASE WHEN r.waiting_for = w.waiting_for THEN r.waits ELSE
        COALESCE(r.waits, '{}') || jsonb_build_object(r.waiting_for, round(
            COALESCE((r.waits ->> r.waiting_for)::numeric, 0)
            + extract(epoch FROM clock_timestamp() - r.waiting_since)::numeric, 3)) END,
    waiting_since = CASE WHEN r.waiting_for = w.waiting_for THEN r.waiting_since ELSE clock_timestamp() END,
    waiting_for = w.waiting_for, not_before = w.not_before, reason = left(w.reason, 300)
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::text[]) AS w(id, waiting_for, not_before, reason)
WHERE r.id = w.id AND r.status = 'waiting'
    AND (r.waiting_for, r.not_before) IS DISTINCT FROM (w.waiting_for, w.not_before)
"""


def carry_out(slots: Iterable[Slot]) -> list[Message]:
    """Write what was decided about slots that have their rows; returns what to send after the transaction."""
    slots = list(slots)
    waiting = [slot for slot in slots if slot.status == Status.WAITING]
    if waiting:
        with connection.cursor() as cursor:
            cursor.execute(
                _WAIT_ON,
                [
                    [slot.run_id for slot in waiting],
                    [slot.waiting_for for slot in waiting],
                    [slot.not_before for slot in waiting],
                    [slot.reason for slot in waiting],
                ],
            )
    dropped: dict[str, list[uuid.UUID]] = defaultdict(list)
    for slot in slots:
        if slot.status == Status.SKIPPED and slot.run_id is not None:
            dropped[slot.reason].append(slot.run_id)
    for reason, ids in dropped.items():
        ledger.end_not_admitted(ids, Outcome(status=Status.SKIPPED, reason=reason))
    return admission.let_go([slot.run_id for slot in slots if slot.run_id and slot.status == Status.QUEUED])
