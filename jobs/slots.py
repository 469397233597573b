"""Slots: the moments a schedule fires. Every slot becomes one row of the ledger, run or not, with the reason.

Claiming is by row locks on the policies, so that any number of schedulers share the work. In one
transaction the rows of all due slots are written and `next_slot_at` moves on: a scheduler killed at any
point leaves either both or neither.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django_celery_beat.models import PeriodicTask

from jobs import failures, release, rules, slot_rows
from jobs.definitions import is_known
from jobs.models import JobRun, SchedulePolicy
from jobs.outbox import Message
from jobs.rules import Rules, Slot
from jobs.timing import RELATED, InvalidTiming, Timing, timing_of

Status = JobRun.Status
CatchUp = SchedulePolicy.CatchUp

BATCH = 500
#: A slot this late still counts as on time, whatever its catch-up rule.
ON_TIME = timedelta(seconds=60)
#: How many slots of one schedule are settled in one transaction, when many passed unseen.
SLOTS_AT_ONCE = 1000
OVERTAKEN = "The schedule was edited before this slot could run."


def plan_stale(now: datetime) -> int:
    """Find the next slot of schedules that are new or were edited, from the edit on; returns how many."""
    if not _any("is_stale", []):
        return 0
    with transaction.atomic():
        stale = list(_locked("is_stale", []))
        slot_rows.insert([slot for policy in stale for slot in _plan(policy, now)], now)
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
        failures.pause_fragile(due)
        policies = rules.load(due, now)
        slots = [slot for policy in due for slot in _settle(policy, now, policies)]
        messages = release.carry_out([slot for slot in slots if slot.run_id])
        slots = [slot for slot in slots if not slot.run_id]
        messages += slot_rows.insert(slots, now)
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
        PeriodicTask.objects.select_related(*RELATED)
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


def _settle(policy: SchedulePolicy, now: datetime, policies: Rules) -> list[Slot]:
    """The outcome of each slot of one schedule up to `now`; moves the policy on.

    Slots that waited for an earlier run are among them, when they are touched.
    """
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
    stopped = {at: policies.stop(policy, at) for at in passed}
    newest = None if has_more else next((at for at in reversed(passed) if not stopped[at]), None)
    slots = [_outcome(policy, at, now, newest, stopped[at]) for at in passed]
    if not policy.task.one_off:
        return _place(policy, slots, policies)
    settled: list[Slot] = []
    for slot in slots:
        placed = _place(policy, [slot], policies)
        settled += placed
        if any(each.will_run and each.run_id is None for each in placed):
            policy.next_slot_at = None
            break
    return settled


def _place(policy: SchedulePolicy, slots: list[Slot], policies: Rules) -> list[Slot]:
    """The slots of one schedule with its policies' word on those that are to run."""
    following = [*(slot.at for slot in slots[1:]), policy.next_slot_at]
    slots = [
        policies.later(policy, slot, after) if slot.status == Status.QUEUED else slot
        for slot, after in zip(slots, following, strict=True)
    ]
    fresh = [slot for slot in slots if slot.status == Status.QUEUED]
    if not fresh:
        return slots
    return [slot for slot in slots if slot.status != Status.QUEUED] + policies.settle(policy, fresh)


def _passed(timing: Timing, first: datetime, now: datetime) -> tuple[list[datetime], datetime | None]:
    """The slots from `first` up to `now`, and the one after them."""
    passed = [first]
    following = timing.next_after(first)
    while following is not None and following <= now and len(passed) < SLOTS_AT_ONCE:
        passed.append(following)
        following = timing.next_after(following)
    return passed, following


def _outcome(
    policy: SchedulePolicy, at: datetime, now: datetime, newest: datetime | None, stopped: str
) -> Slot:
    task = policy.task
    late = now - at
    if not is_known(task.task):
        return Slot(task, at, Status.MISSED, f"No task named {task.task} exists any more.")
    if stopped:
        return Slot(task, at, Status.SKIPPED, stopped)
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
        if slot.will_run:
            counts[slot.schedule.pk] = counts.get(slot.schedule.pk, 0) + 1
    if counts:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT, [now, list(counts), list(counts.values())])
