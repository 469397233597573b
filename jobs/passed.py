"""Slots that passed while a schedule was paused or switched off, and making up for them when somebody asks for it.

Nothing is ever made up for by itself. A slot of a pause has its row already, skipped with the reason: it becomes a
queued run by a conditional write, and its log tells of both. Any other slot gets its row now. Either way there is one
row a slot, and a slot that ran never runs again.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.contrib.auth.models import AbstractBaseUser
from django.db import DataError, models, transaction
from django_celery_beat.models import PeriodicTask

from jobs import outbox, slot_rows
from jobs.definitions import is_known
from jobs.errors import InvalidSchedule
from jobs.models import JobRun, RunLog, SchedulePolicy
from jobs.rules import PAUSED, Slot
from jobs.timing import RELATED, InvalidTiming, Timing, timing_of
from jobs.timing.base import TICK

#: So many runs are made at once, at most.
MOST = 1000
#: Slots are counted up to this number.
COUNTED = 10_000


class MakeUp(models.TextChoices):
    """What to do with slots that passed."""

    SKIP = "skip", "Run none of them"
    LAST = "last", "Run the latest one"
    ALL = "all", "Run every one"


@dataclass(frozen=True)
class Passed:
    """The slots that passed while a schedule did not fire."""

    count: int = 0
    is_more: bool = False
    """True when there are more than `count`."""
    slots: tuple[datetime, ...] = ()
    """All of them, in their order, when they are at most `MOST`; else only the latest one."""
    since: datetime | None = None

    @property
    def is_too_many(self) -> bool:
        """Whether they are more than can be made up for at once."""
        return self.count > MOST

    def chosen(self, rule: str) -> list[datetime]:
        """The slots that a rule makes up for. Raises InvalidSchedule when they are too many."""
        if rule == MakeUp.SKIP:
            return []
        if rule == MakeUp.LAST:
            return list(self.slots[-1:])
        if self.is_too_many:
            raise InvalidSchedule(
                {"catch_up": [f"{self.words}, and at most {MOST:,} runs are made at once."]}
            )
        return list(self.slots)

    @property
    def words(self) -> str:
        """How many there are: "12 slots passed"."""
        number = f"More than {self.count:,}" if self.is_more else f"{self.count:,}"
        return f"{number} slot{'' if self.count == 1 else 's'} passed"


def while_paused(schedule: PeriodicTask, now: datetime) -> Passed:
    """The slots of the present pause up to now: those that were recorded, and those no scheduler has come to yet."""
    policy = SchedulePolicy.objects.get(pk=schedule.pk)
    if policy.paused_at is None or not is_known(schedule.task):
        return Passed()
    start, end = policy.paused_at, min(policy.paused_until or now, now)
    newest_first = (
        skipped_by_pause()
        .filter(schedule_id=schedule.pk, scheduled_for__gte=start, scheduled_for__lt=end)
        .order_by("-scheduled_for")
        .values_list("scheduled_for", flat=True)[: COUNTED + 1]
    )
    recorded = [at for at in newest_first if at is not None][::-1]
    return _passed(schedule, [*recorded, *_not_recorded(schedule, policy, start, end)], since=start)


def while_off(schedule: PeriodicTask, now: datetime, *, since: datetime | None = None) -> Passed:
    """The slots since a schedule was switched off, or since its timing was last changed while it was off.

    `since` is that moment, once the schedule is on again and its policy tells another.
    """
    policy = SchedulePolicy.objects.get(pk=schedule.pk)
    since = since or policy.anchor_at
    if schedule.enabled or since is None or not is_known(schedule.task):
        return Passed()
    timing = _timing(schedule, since)
    found = _between(timing, since, now) if timing else []
    return _passed(schedule, [at for at in found if not policy.is_paused(at)], since=since)


def skipped_by_pause() -> models.QuerySet[JobRun]:
    """The rows of slots that were skipped because their schedule was paused, and for no other reason."""
    return JobRun.objects.filter(status=JobRun.Status.SKIPPED, reason__startswith=PAUSED)


def _passed(schedule: PeriodicTask, found: list[datetime], *, since: datetime) -> Passed:
    if schedule.one_off:
        found = found[-1:]
    shown = found if len(found) <= MOST else found[-1:]
    return Passed(min(len(found), COUNTED), len(found) > COUNTED, tuple(shown), since)


def _not_recorded(
    schedule: PeriodicTask, policy: SchedulePolicy, start: datetime, end: datetime
) -> list[datetime]:
    """The slots of a pause that no scheduler has come to yet."""
    if not schedule.enabled or policy.anchor_at is None:
        return []
    timing = _timing(schedule, policy.anchor_at)
    if timing is None:
        return []
    if policy.is_stale:
        return _between(timing, max(policy.anchor_at, start - TICK), end - TICK)
    if policy.next_slot_at is None:
        return []
    return _between(timing, max(policy.next_slot_at, start) - TICK, end - TICK)


def _timing(schedule: PeriodicTask, anchor: datetime) -> Timing | None:
    try:
        return timing_of(schedule, anchor=anchor)
    except InvalidTiming:
        return None


def _between(timing: Timing, after: datetime, until: datetime) -> list[datetime]:
    """The slots after one moment up to another; when they are too many, enough to tell so and the latest one."""
    found = list(islice(timing.slots(after, until=until), COUNTED + 1))
    if len(found) > COUNTED:
        found.append(_latest(timing, until))
    return found


def _latest(timing: Timing, until: datetime) -> datetime:
    """The latest slot of a dense timing up to a moment."""
    span = timedelta(minutes=1)
    while True:
        if found := list(timing.slots(until - span, until=until)):
            return found[-1]
        span *= 4


def make_up(
    schedule: PeriodicTask,
    chosen: list[datetime],
    now: datetime,
    *,
    by: AbstractBaseUser | None,
    why: str,
    instead_of: models.QuerySet[JobRun] | None = None,
) -> list[uuid.UUID]:
    """Make runs of slots that passed, each once; returns their ids. `why` ends the sentence "It runs because …".

    A slot that has its row already runs when that is one of `instead_of`: of those skipped by a pause, if not given.
    To be called in the transaction that ends the pause or switches the schedule on. Raises InvalidSchedule when the
    schedule's values cannot be stored.
    """
    if not chosen:
        return []
    task = PeriodicTask.objects.select_related("policy", *RELATED).get(pk=schedule.pk)
    before = {
        at: (pk, reason)
        for at, pk, reason in (skipped_by_pause() if instead_of is None else instead_of)
        .filter(schedule_id=task.pk, scheduled_for__in=chosen)
        .values_list("scheduled_for", "pk", "reason")
        if at is not None
    }
    reason = f"Made up for: {why}."[:300]
    wanted = [Slot(task, at, JobRun.Status.QUEUED, reason) for at in chosen]
    try:
        made, messages = slot_rows.make_up(wanted, now, skipped={at: pk for at, (pk, _) in before.items()})
    except DataError as error:
        raise InvalidSchedule({"parameters": ["The schedule's values cannot be stored."]}) from error
    runs = [pk for pk, status in made.items() if status in JobRun.Status.active()]
    JobRun.objects.filter(pk__in=runs).update(requested_by=by)
    RunLog.objects.bulk_create(
        RunLog(run_id=pk, attempt=0, at=now, message=f"Was skipped: {was} {reason}")
        for pk, was in before.values()
        if made.get(pk) in JobRun.Status.active()
    )
    PeriodicTask.objects.filter(pk=task.pk).update(
        last_run_at=now,
        total_run_count=models.F("total_run_count") + len(runs),
        # Not as it was read: somebody may have switched it off since.
        enabled=models.Case(models.When(one_off=True, then=models.Value(False)), default=models.F("enabled")),
    )
    transaction.on_commit(lambda: outbox.send_or_hold(messages))
    return runs
