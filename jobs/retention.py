"""Forgetting old runs: their rows, their logs and their outcomes in django-celery-results."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs.models import AuditEvent, JobRun, RunLog, first_run_id

BATCH = 1000

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

    Interrupted, it leaves whole batches behind and goes on next time. Retries and children of a deleted run
    lose their link to it.
    """
    before = timezone.now() - older_than
    total = Pruned()
    for ids in _batches(before):
        total += _count(ids) if dry_run else forget(ids)
    return total


def _batches(before: datetime) -> Iterator[list[uuid.UUID]]:
    # Ids grow with time, so only the old end of the table is read, and each batch goes on behind the last.
    # Runs that another system sent with random ids may lie anywhere behind: beyond every id of ours.
    beyond = first_run_id(timezone.now() + timedelta(days=1))
    for first, last in ((_FIRST, first_run_id(before)), (beyond, _LAST)):
        after = first
        while ids := list(
            JobRun.objects.finished()
            .filter(pk__gt=after, pk__lt=last, finished_at__lt=before)
            .order_by("pk")
            .values_list("pk", flat=True)[:BATCH]
        ):
            yield ids
            after = ids[-1]


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
        _, deleted = JobRun.objects.filter(pk__in=ids).delete()
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
