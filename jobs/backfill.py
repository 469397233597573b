"""Backfill: slots of a span that has passed run after all, or once more.

A slot that never ran keeps its one row, as `jobs.passed` does it; one that ran is made again as a retry, linked to it.
Nothing runs twice: neither a slot that is under way nor a run that was made again before.
"""

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django_celery_beat.models import PeriodicTask

from jobs import audit, passed
from jobs.definitions import is_known, retry_run
from jobs.errors import InvalidInput, InvalidParameters
from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.timing import InvalidTiming, timing_of
from jobs.timing.base import TICK

Status = JobRun.Status

#: So many slots are looked at in one call, at most.
MOST = passed.MOST
_NEVER_RAN = (Status.SKIPPED, Status.MISSED)
_FAILED = (Status.FAILED, Status.CANCELLED)
_SUCCEEDED = (Status.SUCCEEDED, Status.PARTIAL)


class Which(models.TextChoices):
    """Which slots run: each choice has those of the one before."""

    NEVER_RAN = "never_ran", "Those that never ran"
    FAILED = "failed", "Those that never ran or have failed"
    ALL = "all", "All that are not under way"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a backfill would do now."""

    #: Slots that get their run, in their order.
    slots: tuple[datetime, ...]
    #: Runs that are made again.
    again: tuple[uuid.UUID, ...]
    #: The slots of the span by what became of them: a status of the ledger, or "no row".
    found: dict[str, int]

    @property
    def count(self) -> int:
        """How many runs there would be."""
        return len(self.slots) + len(self.again)


def plan(schedule: Schedule, *, start: datetime, end: datetime, which: str, now: datetime) -> Plan:
    """What would run for the slots from `start` to before `end`, by the timing as it is now and by the ledger.

    Raises InvalidInput for a span that is empty, not over, or has more than `MOST` slots.
    """
    if end > now:
        raise InvalidInput({"end": ["Only slots that have passed can be backfilled."]})
    if start >= end:
        raise InvalidInput({"end": ["The end must come after the start."]})
    if not is_known(schedule.task):
        raise InvalidInput({"schedule": [f"No task named {schedule.task} exists any more."]})
    rows = _rows(schedule, start, end)
    without_row = [at for at in _slots(schedule, start, end) if at not in rows]
    if len(without_row) + len(rows) > MOST:
        raise InvalidInput({"end": [f"There are more than {MOST:,} slots: choose a shorter span."]})
    never_ran = [at for at, (_, status, _) in rows.items() if status in _NEVER_RAN]
    wanted = {
        Which.NEVER_RAN: (),
        Which.FAILED: _FAILED,
        Which.ALL: (*_FAILED, *_SUCCEEDED),
    }[Which(which)]
    return Plan(
        slots=tuple(sorted([*without_row, *never_ran])),
        again=tuple(pk for pk, status, is_retried in rows.values() if status in wanted and not is_retried),
        found=dict(Counter([*(status for _, status, _ in rows.values()), *("no row" for _ in without_row)])),
    )


def carry_out(
    schedule: Schedule,
    *,
    start: datetime,
    end: datetime,
    which: str,
    now: datetime,
    by: AbstractBaseUser | None,
) -> list[uuid.UUID]:
    """Make the runs and send them after commit; returns their ids. Raises like `plan`.

    Raises InvalidInput too when the parameters of a run that is to be made again do not fit its job any more.
    """
    with transaction.atomic():
        # Two backfills of one schedule wait for each other, so that neither makes a run again that the other does.
        PeriodicTask.objects.select_for_update(no_key=True).get(pk=schedule.pk)
        wish = plan(schedule, start=start, end=end, which=which, now=now)
        made = passed.make_up(
            schedule, list(wish.slots), now, by=by, why="it was backfilled", instead_of=never_ran()
        )
        for run in JobRun.objects.filter(pk__in=wish.again).order_by("scheduled_for"):
            try:
                made.append(retry_run(run, by=by).pk)
            except InvalidParameters as error:
                raise InvalidInput(
                    {f"parameters.{name}": said for name, said in error.fields.items()}
                ) from error
        first, last = (f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" for at in (start, end))
        audit.record(by, schedule, f"Backfilled {len(made)} slots from {first} to {last} UTC.")
    return made


def never_ran() -> QuerySet[JobRun]:
    """The rows of slots that no worker ever began."""
    return JobRun.objects.filter(status__in=_NEVER_RAN)


def _rows(schedule: Schedule, start: datetime, end: datetime) -> dict[datetime, tuple[uuid.UUID, str, bool]]:
    """Slot to run, status and whether it was made again, one more than `MOST` at most."""
    found = (
        JobRun.objects.filter(schedule_id=schedule.pk, scheduled_for__gte=start, scheduled_for__lt=end)
        .annotate(is_retried=Exists(JobRun.objects.filter(retry_of=OuterRef("pk"))))
        .order_by("scheduled_for")
        .values_list("scheduled_for", "pk", "status", "is_retried")[: MOST + 1]
    )
    return {at: (pk, status, is_retried) for at, pk, status, is_retried in found if at is not None}


def _slots(schedule: Schedule, start: datetime, end: datetime) -> list[datetime]:
    anchor = SchedulePolicy.objects.values_list("anchor_at", flat=True).get(pk=schedule.pk)
    try:
        timing = timing_of(schedule, anchor=anchor or start)
    except InvalidTiming as error:
        raise InvalidInput({"schedule": [str(error)]}) from error
    return list(islice(timing.slots(start - TICK, until=end - TICK), MOST + 1))
