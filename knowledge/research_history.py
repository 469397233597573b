"""What runs of research jobs brought: each in figures, and all of them over some time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Exists, OuterRef, QuerySet

from jobs.models import JobRun, Visibility, first_run_id
from knowledge.models import Embedding, Outcome, Passage, ResearchJob
from knowledge.research import JOB

Status = JobRun.Status
Result = Outcome.Result

#: States of runs in the words of research jobs. What waits for its next attempt has not ended.
WORDS = {
    Status.WAITING: "pending",
    Status.QUEUED: "pending",
    Status.RUNNING: "running",
    Status.RETRYING: "retrying",
    Status.SUCCEEDED: "completed",
    Status.PARTIAL: "partial",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
    Status.SKIPPED: "skipped",
    Status.MISSED: "skipped",
}
STATES = list(dict.fromkeys(WORDS.values()))

#: Jobs that a summary names.
_MOST_JOBS = 10


def runs(
    seen: Visibility,
    *,
    job_id: int | None = None,
    state: str | None = None,
    since: datetime | None = None,
) -> QuerySet[JobRun]:
    """Runs of research jobs, the newest first, without their larger fields."""
    found = JobRun.objects.filter(seen.condition("owner_group"), job=JOB).order_by("-pk")
    if job_id is not None:
        found = found.filter(parameters__research_job_id=job_id)
    if state is not None:
        found = found.filter(status__in=[status for status, word in WORDS.items() if word == state])
    if since is not None:
        found = found.filter(pk__gte=first_run_id(since))
    return found.defer("args", "traceback")


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Papers of one run."""

    #: All that the sources gave.
    papers_found: int = 0
    #: New and changed ones: they were stored and cut into passages.
    papers_processed: int = 0
    #: That were here already, or that the source does not have any more.
    papers_skipped: int = 0
    #: Of the processed ones, how many have all their vectors.
    papers_embedded: int = 0
    #: Whose vectors could not be made, and that could not be stored.
    embedding_errors: int = 0
    storing_errors: int = 0


def counts(of: Iterable[JobRun]) -> dict[UUID, Counts]:
    """By run: what its result says, and for want of one what has become of its papers so far. Three statements at most."""
    told: dict[UUID, Counts] = {}
    untold: list[UUID] = []
    for run in of:
        if isinstance(run.result, dict):
            told[run.pk] = _of_result(run.result)
        else:
            untold.append(run.pk)
    return told | (_of_outcomes(untold) if untold else {})


def _of_result(result: Mapping[str, Any]) -> Counts:
    number = {name: value for name, value in result.items() if isinstance(value, int)}
    errors = result.get("errors")
    return Counts(
        papers_found=number.get("papers_found", 0),
        papers_processed=number.get("new", 0) + number.get("updated", 0),
        papers_skipped=number.get("known", 0) + number.get("skipped", 0),
        papers_embedded=number.get("papers_indexed", 0),
        # Those of sources and papers name the source; those of vectors do not.
        embedding_errors=sum(1 for error in errors if not error.get("source"))
        if isinstance(errors, list)
        else 0,
        storing_errors=number.get("failed", 0),
    )


def _of_outcomes(ids: Sequence[UUID]) -> dict[UUID, Counts]:
    outcomes = Outcome.objects.filter(harvest__run_id__in=ids).order_by()
    rows = outcomes.values_list("harvest__run_id", "result").annotate(Count("pk"))
    by_run: dict[UUID, dict[str, int]] = {pk: {} for pk in ids}
    for pk, result, number in rows:
        by_run[pk][result] = number
    vector = Embedding.objects.filter(
        passage=OuterRef("pk"), model__state="live", text_hash=OuterRef("text_hash")
    )
    lacking = Passage.objects.filter(~Exists(vector), part__paper=OuterRef("paper"))
    done = outcomes.filter(result__in=[Result.NEW, Result.UPDATED], paper__isnull=False)
    embedded = dict(
        done.filter(~Exists(lacking)).values_list("harvest__run_id").annotate(Count("paper", distinct=True))
    )
    return {
        pk: Counts(
            papers_found=sum(found.values()),
            papers_processed=found.get(Result.NEW, 0) + found.get(Result.UPDATED, 0),
            papers_skipped=found.get(Result.KNOWN, 0) + found.get(Result.SKIPPED, 0),
            papers_embedded=embedded.get(pk, 0),
            storing_errors=found.get(Result.FAILED, 0),
        )
        for pk, found in by_run.items()
    }


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Some runs together. Rates are percentages, and None where there is nothing to share."""

    total_runs: int = 0
    successful_runs: int = 0
    partial_runs: int = 0
    failed_runs: int = 0
    cancelled_runs: int = 0
    papers_found: int = 0
    papers_processed: int = 0
    papers_skipped: int = 0
    papers_embedded: int = 0
    #: Seconds of the latest attempts of runs that a worker carried to an end.
    average_duration_seconds: float | None = None

    @property
    def success_rate(self) -> float | None:
        """Of runs that a worker carried to an end, those that succeeded in full."""
        return _percent(self.successful_runs, self.successful_runs + self.partial_runs + self.failed_runs)

    @property
    def processing_rate(self) -> float | None:
        """Of the papers that sources gave, those that were new or changed."""
        return _percent(self.papers_processed, self.papers_found)

    @property
    def embedding_rate(self) -> float | None:
        """Of the processed papers, those whose vectors were made."""
        return _percent(self.papers_embedded, self.papers_processed)


@dataclass(frozen=True)
class Summary:
    """Runs over some days, up to now."""

    total: Figures
    #: Every day, the first one first; days begin at midnight UTC.
    by_day: Mapping[date, Figures]
    #: Those that processed most papers; None for the name of a job that is gone.
    top_jobs: Sequence[tuple[int, str | None, Figures]]


_COUNTED = """
    SELECT run.status, run.finished_at - run.started_at AS length,
        (run.queued_at AT TIME ZONE 'UTC')::date AS day, (run.parameters->>'research_job_id')::bigint AS job,
        coalesce((run.result->>'papers_found')::bigint, came.found, 0) AS found,
        coalesce((run.result->>'new')::bigint + (run.result->>'updated')::bigint, came.processed, 0) AS processed,
        coalesce((run.result->>'known')::bigint + (run.result->>'skipped')::bigint, came.skipped, 0) AS skipped,
        coalesce((run.result->>'papers_indexed')::bigint, 0) AS embedded
    FROM jobs_jobrun run
    LEFT JOIN LATERAL (
        SELECT count(*) AS found,
            count(*) FILTER (WHERE outcome.result IN ('new', 'updated')) AS processed,
            count(*) FILTER (WHERE outcome.result IN ('known', 'skipped')) AS skipped
        FROM knowledge_outcome outcome
        JOIN knowledge_harvest harvest ON harvest.id = outcome.harvest_id
        WHERE harvest.run_id = run.id
    ) came ON run.result IS NULL OR run.result = 'null'::jsonb
    WHERE run.job = %(job)s AND run.id >= %(first)s
        AND (%(research_job)s::bigint IS NULL OR (run.parameters->>'research_job_id')::bigint = %(research_job)s)
        AND (%(groups)s::int[] IS NULL OR run.owner_group_id IS NULL OR run.owner_group_id = ANY(%(groups)s))
"""
_FIGURES = """
    count(*), count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'partial'),
    count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'cancelled'),
    sum(found), sum(processed), sum(skipped), sum(embedded),
    extract(epoch FROM avg(length) FILTER (WHERE status IN ('succeeded', 'partial', 'failed')))
"""
_SUMMARY = f"""
    WITH counted AS MATERIALIZED ({_COUNTED})
    SELECT grouping(day), grouping(job), day, job, {_FIGURES}
    FROM counted
    GROUP BY GROUPING SETS ((), (day), (job))
"""  # noqa: S608 - no part of it is given from outside


def summary(seen: Visibility, now: datetime, *, days: int, job_id: int | None = None) -> Summary:
    """The runs that were asked for within so many days, today included; one statement, and one for names."""
    first = first_moment(now, days)
    first_day = first.date()
    given: dict[str, Any] = {
        "job": JOB, "first": first_run_id(first), "groups": seen.group_ids, "research_job": job_id,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARY, given)
        rows = cursor.fetchall()
    total = Figures()
    by_day = {first_day + timedelta(days=number): Figures() for number in range(days)}
    by_job: dict[int, Figures] = {}
    for no_day, no_job, day, job, *numbers in rows:
        found = _figures(numbers)
        if no_day and no_job:
            total = found
        elif not no_day:
            by_day[day] = found
        elif job is not None:
            by_job[job] = found
    best = sorted(by_job, key=lambda job: (-by_job[job].papers_processed, -by_job[job].total_runs, job))
    names = dict(ResearchJob.objects.filter(pk__in=best[:_MOST_JOBS]).values_list("pk", "name"))
    return Summary(total, by_day, [(job, names.get(job), by_job[job]) for job in best[:_MOST_JOBS]])


def first_moment(now: datetime, days: int) -> datetime:
    """When the first of so many days begins in UTC, today being the last."""
    first_day = now.astimezone(UTC).date() - timedelta(days=days - 1)
    return datetime.combine(first_day, datetime.min.time(), tzinfo=UTC)


def _figures(numbers: Sequence[Any]) -> Figures:
    *whole, seconds = numbers
    names = [field.name for field in fields(Figures)][:-1]
    return Figures(
        **{name: int(number or 0) for name, number in zip(names, whole, strict=True)},
        average_duration_seconds=None if seconds is None else float(seconds),
    )


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None
