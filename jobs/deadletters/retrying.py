"""Making failed runs again, many at a time: looked at before, edited on the way, spread over time, and each once."""

import math
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from jobs import audit, heartbeats, history, intake, ledger
from jobs.definitions import AnyJob, find_job
from jobs.errors import InvalidInput, InvalidParameters
from jobs.intake import NewRun
from jobs.models import EVERYTHING, JobRun, ProcessHeartbeat, Visibility

#: At most so many failures are made again by one call, the oldest first.
MOST = 5_000
#: So many are made again in one transaction.
_BATCH = 200
#: The most and the least that may start in a minute.
FASTEST, SLOWEST = 6_000, 1


@dataclass(frozen=True, kw_only=True)
class Wish:
    """Which failures to make again, and how."""

    #: By cause; or None with `run_ids`.
    fingerprint: str | None = None
    #: Only these of them, or these of any cause; None: all of the cause.
    run_ids: Sequence[uuid.UUID] | None = None
    #: Parameters that replace those of every run; what is not named stays as it was in each.
    overrides: Mapping[str, Any] = field(default_factory=dict)
    #: So many start in a minute, evenly spread; None: all at once.
    per_minute: int | None = None
    seen: Visibility = EVERYTHING


@dataclass(frozen=True)
class Again:
    """A failure that can be made again, and with which parameters."""

    run: JobRun
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Refused:
    """A failure that cannot be made again as wished, and what is wrong with each parameter."""

    run: JobRun
    fields: Mapping[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a wish would do now."""

    again: list[Again]
    refused: list[Refused]
    #: Failures of the cause that were made again before.
    already: int
    #: There are more than `MOST`: the younger ones take another call.
    has_more: bool
    #: From the first start to the last, in seconds.
    spread_seconds: float
    #: Until all have ended, in seconds; None when there is no history or no worker to go by.
    total_seconds: float | None

    @property
    def problems(self) -> list[tuple[str, int]]:
        """What is wrong with the refused ones, with how many have it."""
        said = Counter(
            f"{name}: {' '.join(reasons)}" for one in self.refused for name, reasons in one.fields.items()
        )
        return said.most_common()


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a wish has done."""

    runs: list[uuid.UUID]
    refused: list[Refused]
    #: Others had made these again in the meantime.
    overtaken: int
    has_more: bool
    #: When the last of them starts.
    last_start_at: datetime | None


def plan(wish: Wish) -> Plan:
    """What the wish would do, without doing it. Raises InvalidInput for a rate that makes no sense."""
    _check(wish)
    ids, has_more = _chosen(wish)
    again: list[Again] = []
    refused: list[Refused] = []
    for batch in _batches(ids):
        for run in _not_again(batch).in_bulk(batch).values():
            one = _prepared(run, wish)
            if isinstance(one, Again):
                again.append(one)
            else:
                refused.append(one)
    return Plan(
        again=again,
        refused=refused,
        already=_failures(wish).filter(_is_retried()).count(),
        has_more=has_more,
        spread_seconds=_spread(len(again), wish),
        total_seconds=_total(again, wish),
    )


def carry_out(wish: Wish, *, by: AbstractBaseUser | None) -> Done:
    """Make the failures again as new runs, each at most once, however often and by however many this is called.

    Interrupted, it has made whole batches again, and goes on with the others when called once more. Raises
    InvalidInput like `plan`; runs whose parameters do not fit are left out.
    """
    _check(wish)
    ids, has_more = _chosen(wish)
    turns = _turns(timezone.now(), wish)
    done: list[uuid.UUID] = []
    refused: list[Refused] = []
    last_start_at = None
    for batch in _batches(ids):
        with transaction.atomic():
            moments = {}
            for run in _not_again(batch).select_for_update(skip_locked=True, of=("self",)).order_by("pk"):
                one = _prepared(run, wish)
                if isinstance(one, Refused):
                    refused.append(one)
                elif new_id := _make(one, by):
                    last_start_at = moments[new_id] = next(turns)
            ledger.put_off(moments)
        done += moments
    _tell(wish, len(done), by)
    overtaken = len(ids) - len(done) - len(refused)
    return Done(
        runs=done, refused=refused, overtaken=overtaken, has_more=has_more, last_start_at=last_start_at
    )


def _batches(ids: list[uuid.UUID]) -> Iterator[list[uuid.UUID]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


def _check(wish: Wish) -> None:
    if wish.per_minute is not None and not SLOWEST <= wish.per_minute <= FASTEST:
        raise InvalidInput({"per_minute": [f"Use {SLOWEST} to {FASTEST}, or nothing for all at once."]})
    if wish.fingerprint is None and wish.run_ids is None:
        raise InvalidInput({"fingerprint": ["Say which failures, by cause or by their ids."]})


def _failures(wish: Wish) -> QuerySet[JobRun]:
    found = JobRun.objects.filter(wish.seen.condition("owner_group"), status=JobRun.Status.FAILED)
    if wish.fingerprint is not None:
        found = found.filter(error_fingerprint=wish.fingerprint)
    if wish.run_ids is not None:
        found = found.filter(pk__in=wish.run_ids)
    return found


def _is_retried() -> Exists:
    return Exists(JobRun.objects.filter(retry_of=OuterRef("pk")))


def _chosen(wish: Wish) -> tuple[list[uuid.UUID], bool]:
    """The failures that were not made again yet, the oldest first; the flag tells of more."""
    ids = list(
        _failures(wish)
        .filter(~_is_retried())
        .order_by("finished_at")
        .values_list("pk", flat=True)[: MOST + 1]
    )
    return ids[:MOST], len(ids) > MOST


def _not_again(ids: Sequence[uuid.UUID]) -> QuerySet[JobRun]:
    failed = JobRun.objects.filter(pk__in=ids, status=JobRun.Status.FAILED)
    return failed.filter(~_is_retried()).defer("result", "traceback", "error_message")


def _prepared(run: JobRun, wish: Wish) -> Again | Refused:
    job = find_job(run.job)
    if job is None:
        return Refused(run, {"job": [f"There is no job named {run.job} any more."]})
    try:
        return Again(run, job.clean({**run.parameters, **wish.overrides}))
    except InvalidParameters as error:
        return Refused(run, error.fields)


def _make(again: Again, by: AbstractBaseUser | None) -> uuid.UUID | None:
    """Write the new run; None when the failure was made again before.

    The row of the failure is locked, but only the unique key is proof against somebody who looked before we wrote.
    """
    failed = again.run
    job: AnyJob | None = find_job(failed.job)
    assert job is not None  # noqa: S101 - it is prepared
    run, is_new = intake.insert(
        NewRun(
            job=job.name,
            queue=job.queue,
            trigger=JobRun.Trigger.RETRY,
            parameters=again.parameters,
            priority=job.priority,
            max_attempts=job.retry.max_attempts,
            requested_by=by,
            schedule_id=failed.schedule_id,
            retry_of=failed,
            idempotency_key=f"retry of {failed.pk}",
        )
    )
    return run.pk if is_new else None


def _turns(now: datetime, wish: Wish) -> Iterator[datetime]:
    """The moments at which one after the other starts."""
    step = timedelta(seconds=60 / wish.per_minute) if wish.per_minute else timedelta()
    return (now + step * number for number in count())


def _spread(runs: int, wish: Wish) -> float:
    return max(runs - 1, 0) * 60 / wish.per_minute if wish.per_minute else 0.0


def _total(again: Sequence[Again], wish: Wish) -> float | None:
    """The starts spread as wished, or as the workers can take them if that is slower; then the last run's own time."""
    if not again:
        return None
    typical = history.durations_by_job(one.run.job for one in again)
    workers = heartbeats.alive(ProcessHeartbeat.Kind.WORKER, timezone.now())
    queues = {job.queue for one in again if (job := find_job(one.run.job))}
    places: int = sum(
        worker.info.get("concurrency") or 0
        for worker in workers
        if queues & set(worker.info.get("queues", []))
    )
    if not places or any(one.run.job not in typical for one in again):
        return None
    work = math.fsum(typical[one.run.job].p50 for one in again) / places
    return max(_spread(len(again), wish), work) + max(typical[one.run.job].p50 for one in again)


def _tell(wish: Wish, made: int, by: AbstractBaseUser | None) -> None:
    what = f"failure {wish.fingerprint}" if wish.fingerprint else "failed runs"
    changed = f", with {', '.join(sorted(wish.overrides))} changed" if wish.overrides else ""
    rate = f", {wish.per_minute} a minute" if wish.per_minute else ""
    audit.record_about(by, what, f"Made {made} failed runs again{changed}{rate}.")
