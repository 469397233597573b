"""How long runs of a job took lately, and what that says about one that is running."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from jobs.models import JobRun, Visibility

#: As many of the latest finished runs of a job are asked.
SAMPLE = 50
EVERYTHING = Visibility(sees_all=True)

_DURATIONS = """
SELECT wanted.job, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY latest.seconds), count(*)
FROM unnest(%s::text[]) AS wanted(job)
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds FROM jobs_jobrun
    WHERE job = wanted.job AND status IN ('succeeded', 'partial')
        AND (%s::int[] IS NULL OR owner_group_id IS NULL OR owner_group_id = ANY (%s::int[]))
    ORDER BY id DESC LIMIT %s
) latest
GROUP BY wanted.job
"""


@dataclass(frozen=True)
class Durations:
    """Typical durations of a job in seconds: the median and the 90th percentile of its latest runs."""

    p50: float
    p90: float
    runs: int


@dataclass(frozen=True)
class Eta:
    """How many seconds a running run still needs: best guess, and what 90 % of runs like it stay below.

    `basis` says what it rests on: "progress", "history", or "progress and history".
    """

    seconds: float
    p90_seconds: float | None
    basis: str


def durations(job: str) -> Durations | None:
    """Typical durations of the job; None before its first success."""
    return durations_by_job([job]).get(job)


def durations_by_job(jobs: Iterable[str], seen: Visibility = EVERYTHING) -> dict[str, Durations]:
    """Typical durations of several jobs, in one query; jobs without a success are left out.

    Estimates rest on all runs; figures that are shown as such, on those that their reader sees.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DURATIONS, [sorted(set(jobs)), seen.group_ids, seen.group_ids, SAMPLE])
        return {
            job: Durations(p50=percentiles[0], p90=percentiles[1], runs=count)
            for job, percentiles, count in cursor.fetchall()
        }


def eta(run: JobRun, at: datetime, typical: Durations | None) -> Eta | None:
    """The remaining time of a running run; None when nothing can be said.

    Progress p after t seconds predicts t * (1 - p) / p more: 3 of 5 units after 45.2 s leave 30.1 s. The upper
    value comes from history: a run that needs the 90th percentile in all.
    """
    elapsed = run.elapsed(at)
    if run.status != JobRun.Status.RUNNING or elapsed is None:
        return None
    passed = elapsed.total_seconds()
    share = run.progress / 100
    left_p90 = max(typical.p90 - passed, 0.0) if typical else None
    if share > 0:
        left = passed * (1 - share) / share
        basis = "progress" if left_p90 is None else "progress and history"
        return Eta(left, None if left_p90 is None else max(left, left_p90), basis)
    if typical is None or left_p90 is None:
        return None
    return Eta(max(typical.p50 - passed, 0.0), left_p90, "history")
