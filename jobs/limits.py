"""The limits of jobs: what code declares and people change. `jobs.admission` keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from jobs import admission, audit, outbox
from jobs.definitions import AnyJob, all_jobs, find_job, is_known
from jobs.errors import IllegalState, InvalidLimit, LimitNotFound
from jobs.models import JobLimit, JobRun
from jobs.rates import LONGEST_SECONDS, MOST, Rate

Status = JobRun.Status

_MOST_RUNNING = 100_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one job; None where there is none."""

    max_running: int | None = None
    #: Parameters whose values make the key.
    key_by: tuple[str, ...] = ()
    max_running_per_key: int | None = None
    rate: Rate | None = None

    def __str__(self) -> str:
        parts = []
        if self.max_running is not None:
            parts.append(f"{self.max_running} at a time")
        if self.max_running_per_key is not None:
            parts.append(f"{self.max_running_per_key} at a time for each {', '.join(self.key_by)}")
        if self.rate is not None:
            parts.append(f"{self.rate} started")
        return "; ".join(parts) or "no limits"


def of_row(row: JobLimit) -> Limits:
    """The limits that a row holds."""
    rate = Rate(row.rate_count, row.rate_seconds) if row.rate_count and row.rate_seconds else None
    return Limits(
        max_running=row.max_running,
        key_by=tuple(row.key_by),
        max_running_per_key=row.max_running_per_key,
        rate=rate,
    )


def get(job: str) -> JobLimit:
    """The row of a job; raises LimitNotFound."""
    row = JobLimit.objects.filter(job=job).first()
    if row is None:
        raise LimitNotFound(f"{job} has no limits.")
    return row


def counted(rows: QuerySet[JobLimit]) -> QuerySet[JobLimit]:
    """The rows with how many runs hold a place (`holding`) and how many wait for one (`waiting`)."""
    runs = JobRun.objects.filter(job=OuterRef("job")).order_by().values("job")
    holding = runs.filter(status__in=[Status.QUEUED, Status.RUNNING], limit_key__isnull=False)
    waiting = runs.filter(status=Status.WAITING, waiting_for=JobRun.WaitingFor.LIMIT)
    return rows.annotate(
        **{
            name: Coalesce(Subquery(which.annotate(number=Count("pk")).values("number")), 0)
            for name, which in (("holding", holding), ("waiting", waiting))
        }
    )


def put(job: str, limits: Limits, *, by: AbstractBaseUser | None) -> JobLimit:
    """Set the limits of a job, for the runs that wait now and all to come. Raises InvalidLimit.

    Runs that are queued or running already are left alone, and count.
    """
    fields = problems(job, limits)
    if fields:
        raise InvalidLimit(fields)
    with transaction.atomic():
        before = JobLimit.objects.filter(job=job).first()
        row, _ = JobLimit.objects.update_or_create(job=job, defaults=_columns(limits))
        _count_active(job, limits)
        was = f"{of_row(before)} → " if before else ""
        audit.record(by, row, f"Limits of {job}: {was}{limits}.")
    _admit(job)
    return row


def remove(job: str, *, by: AbstractBaseUser | None) -> None:
    """Lift the limits of a job; whoever waits goes on. Raises LimitNotFound, IllegalState for declared ones."""
    row = get(job)
    if is_declared(row):
        raise IllegalState("The job declares these limits, and would bring them back. Empty them instead.")
    with transaction.atomic():
        audit.record(by, row, f"Lifted the limits of {job}: {of_row(row)}.", action=audit.DELETION)
        row.delete()
        _count_active(job, None)
    _admit(job)


def _admit(job: str) -> None:
    """Who waited and has room now goes on, after the answer when a request asked for it."""
    messages = admission.admit_job(job)
    transaction.on_commit(lambda: outbox.send_or_hold(messages))


def is_declared(row: JobLimit) -> bool:
    """Whether a job would bring the limits back."""
    return row.origin == JobLimit.Origin.CODE and _declared_by(find_job(row.job)) is not None


def sync() -> list[str]:
    """Bring the limits that jobs declare into the database; operators' edits stay. Returns the jobs it wrote.

    In the caller's transaction.
    """
    rows = {row.job: row for row in JobLimit.objects.all()}
    written = []
    for job in all_jobs():
        declared = _declared_by(job)
        row = rows.get(job.name)
        if declared is None:
            continue
        if row is None:
            JobLimit.objects.create(
                job=job.name, origin=JobLimit.Origin.CODE, declared=as_json(declared), **_columns(declared)
            )
        elif row.declared == as_json(of_row(row)) != as_json(declared):
            JobLimit.objects.filter(pk=row.pk).update(declared=as_json(declared), **_columns(declared))
        else:
            continue
        _count_active(job.name, declared)
        written.append(job.name)
    return written


def drift() -> list[tuple[str, str, str, str]]:
    """Where code and database differ: the job, how, what code has, what the database has."""
    found = []
    for row in JobLimit.objects.filter(origin=JobLimit.Origin.CODE):
        declared, actual = _declared_by(find_job(row.job)), of_row(row)
        if declared is None:
            found.append((row.job, "limits not declared any more", "", str(actual)))
        elif declared != actual:
            found.append((row.job, "limits edited", str(declared), str(actual)))
    return found


def as_json(limits: Limits) -> dict[str, Any]:
    """The limits as they are kept to compare."""
    return {
        "max_running": limits.max_running,
        "key_by": list(limits.key_by),
        "max_running_per_key": limits.max_running_per_key,
        "rate": str(limits.rate) if limits.rate else None,
    }


def _declared_by(job: AnyJob | None) -> Limits | None:
    if job is None or (job.concurrency is None and job.rate is None):
        return None
    concurrency = job.concurrency
    if concurrency is None:
        return Limits(rate=job.rate)
    return Limits(
        max_running=concurrency.in_all,
        key_by=concurrency.key_by,
        max_running_per_key=concurrency.per_key,
        rate=job.rate,
    )


def _columns(limits: Limits) -> Mapping[str, Any]:
    return {
        "max_running": limits.max_running,
        "key_by": list(limits.key_by),
        "max_running_per_key": limits.max_running_per_key,
        "rate_count": limits.rate.count if limits.rate else None,
        "rate_seconds": limits.rate.seconds if limits.rate else None,
    }


def problems(job: str, limits: Limits) -> dict[str, list[str]]:
    """What is wrong with the limits, by field; empty when nothing is."""
    fields: dict[str, list[str]] = {}
    if not is_known(job):
        fields["job"] = [f"There is no job named {job!r}."]
    for name in ("max_running", "max_running_per_key"):
        value = getattr(limits, name)
        if value is not None and not 1 <= value <= _MOST_RUNNING:
            fields[name] = [f"Use 1 to {_MOST_RUNNING:,}, or leave it empty."]
    if bool(limits.key_by) != (limits.max_running_per_key is not None):
        fields["key_by"] = ["Give both a key and how many runs with the same key, or neither."]
    definition = find_job(job)
    if definition is not None:
        unknown = [name for name in limits.key_by if name not in definition.parameters.model_fields]
        if unknown:
            fields["key_by"] = [f"The job has no parameter {', '.join(unknown)}."]
    if len(set(limits.key_by)) != len(limits.key_by):
        fields["key_by"] = ["Name each parameter once."]
    rate = limits.rate
    if rate is not None and not (1 <= rate.count <= MOST and 1 <= rate.seconds <= LONGEST_SECONDS):
        fields["rate"] = ["Use 1 to 1,000,000 starts in 1 second to 31 days."]
    return fields


_COUNT = """
UPDATE jobs_jobrun SET limit_key = CASE WHEN %(is_limited)s THEN jobs_limit_key(parameters, %(key_by)s::varchar[]) END
WHERE job = %(job)s AND status IN ('waiting', 'queued', 'running', 'retrying')
"""


def _count_active(job: str, limits: Limits | None) -> None:
    """Let the job's runs that have not ended count under the limits, or no more."""
    parameters: dict[str, Any] = {
        "job": job,
        "is_limited": limits is not None,
        "key_by": list(limits.key_by) if limits else [],
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, parameters)
