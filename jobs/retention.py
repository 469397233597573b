"""Forgetting old runs: their rows, their logs and their outcomes in django-celery-results."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import reset_queries, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs.models import AuditEvent, JobRun, RunLog, SchedulePolicy, first_run_id
from jobs.models.run import JobRunQuerySet

#: The most rows of one transaction.
BATCH = 1000
#: A transaction should take about so many seconds: nobody waits longer for a row that it has locked.
_PACE = 0.03
_SMALLEST = 50

_FIRST, _LAST = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)


@dataclass(frozen=True)
class Pruned:
    """How many rows went, or would go."""

    runs: int = 0
    logs: int = 0
    results: int = 0

    def __add__(self, other: "Pruned") -> "Pruned":
        return Pruned(self.runs + other.runs, self.logs + other.logs, self.results + other.results)


def prune(*, older_than: timedelta, dry_run: bool = False) -> Pruned:
    """Delete the runs that ended longer ago than that, in batches with a transaction each; active runs stay.

    Runs of schedules that say how long or how many are to be kept follow those instead. Interrupted, it leaves whole
    batches behind and goes on next time. Retries and children of a deleted run lose their link to it.
    """
    now = timezone.now()
    total = Pruned()
    for runs, first, last in _expired(now, now - older_than):
        total += _drain(runs, first, last, _count if dry_run else forget)
    return total


def _expired(now: datetime, before: datetime) -> Iterator[tuple[JobRunQuerySet, uuid.UUID, uuid.UUID]]:
    """What is to go: runs, each with the bounds of the ids among which they lie."""
    own_age = SchedulePolicy.objects.filter(keep_days__isnull=False)
    usual = JobRun.objects.finished().filter(
        Q(schedule__isnull=True) | ~Exists(own_age.filter(pk=OuterRef("schedule_id"))), finished_at__lt=before
    )
    # Ids grow with time, so only the old end of the table is read. Runs that another system sent with random ids
    # may lie anywhere behind: beyond every id of ours.
    yield usual, _FIRST, first_run_id(before)
    yield usual, first_run_id(now + timedelta(days=1)), _LAST
    for policy in own_age.only("pk", "keep_days").iterator():
        cutoff = now - timedelta(days=policy.keep_days or 0)
        yield _of(policy).filter(finished_at__lt=cutoff), _FIRST, _LAST
    for policy in SchedulePolicy.objects.filter(keep_runs__isnull=False).only("pk", "keep_runs").iterator():
        newest = _of(policy).order_by("-pk").values_list("pk", flat=True)
        too_many = list(newest[policy.keep_runs : (policy.keep_runs or 0) + 1])
        if too_many:
            yield _of(policy).filter(pk__lte=too_many[0]), _FIRST, _LAST


def _of(policy: SchedulePolicy) -> JobRunQuerySet:
    return JobRun.objects.finished().filter(schedule_id=policy.pk)


def _drain(
    runs: JobRunQuerySet, after: uuid.UUID, last: uuid.UUID, deal_with: Callable[[list[uuid.UUID]], Pruned]
) -> Pruned:
    """Deal with the runs batch by batch, each behind the last; batches get as large as the pace allows."""
    total, size = Pruned(), min(_SMALLEST, BATCH)
    while ids := list(
        runs.filter(pk__gt=after, pk__lt=last).order_by("pk").values_list("pk", flat=True)[:size]
    ):
        started = time.monotonic()
        total += deal_with(ids)
        took = time.monotonic() - started
        size = int(min(max(size * min(_PACE / max(took, 1e-6), 2.0), _SMALLEST), BATCH))
        after = ids[-1]
        reset_queries()  # with DEBUG, Django remembers the latest thousands of statements, with all these ids
    return total


def _count(ids: list[uuid.UUID]) -> Pruned:
    return Pruned(
        runs=len(ids),
        logs=RunLog.objects.filter(run_id__in=ids).count(),
        results=TaskResult.objects.filter(task_id__in=[str(pk) for pk in ids]).count(),
    )


def forget(ids: list[uuid.UUID]) -> Pruned:
    """Delete these runs with all that belongs to them."""
    with transaction.atomic():
        results, _ = TaskResult.objects.filter(task_id__in=[str(pk) for pk in ids]).delete()
        # Without the other columns, of which some may be large: the rows are read for what hangs on them.
        _, deleted = JobRun.objects.filter(pk__in=ids).only("pk").delete()
    return Pruned(runs=deleted.get("jobs.JobRun", 0), logs=deleted.get("jobs.RunLog", 0), results=results)


def forget_audit_events(*, before: datetime) -> int:
    """Delete the audit events from before a moment, in batches with a transaction each; returns how many."""
    total = 0
    while ids := list(
        AuditEvent.objects.filter(at__lt=before).order_by("at").values_list("pk", flat=True)[:BATCH]
    ):
        AuditEvent.objects.filter(pk__in=ids).delete()
        total += len(ids)
    return total


def clean(*, keep_days: int | None = None) -> dict[str, int]:
    """Prune runs, then the results of Celery tasks that are no runs; returns how many rows went, by what they are.

    Without a number of days the installation's (`JOBS_KEEP_RUNS_DAYS`) holds.
    """
    older_than = timedelta(days=settings.JOBS_KEEP_RUNS_DAYS if keep_days is None else keep_days)
    pruned = prune(older_than=older_than)
    others = _delete_results(timezone.now() - older_than)
    return {"runs": pruned.runs, "logs": pruned.logs, "results": pruned.results + others}


def _delete_results(before: datetime) -> int:
    """Results that old have no run any more: a run's result is written when it ends."""
    total = 0
    old = TaskResult.objects.filter(date_done__lt=before).order_by("date_done")
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        deleted, _ = TaskResult.objects.filter(pk__in=ids).delete()
        total += deleted
    return total
