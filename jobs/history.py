"""How long runs of a job took lately, and what that says about one that is running."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

from jobs import estimates
from jobs.models import EVERYTHING, JobRun, Visibility

#: As many of the latest finished runs of a job are asked.
SAMPLE = 50

_DURATIONS = """
SELECT wanted.job, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY latest.seconds),
    array_agg(latest.seconds ORDER BY latest.seconds)
FROM unnest(%s::text[]) AS wanted(job)
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds FROM jobs_jobrun
    WHERE job = wanted.job AND status IN ('succeeded', 'partial')
        AND (%s::int[] IS NULL OR owner_group_id IS NULL OR owner_group_id = ANY (%s::int[]))
    ORDER BY id DESC LIMIT %s
) latest
GROUP BY wanted.job
"""


_OF_SCHEDULES = """
SELECT wanted.id, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY latest.seconds),
    array_agg(latest.seconds ORDER BY latest.seconds)
FROM unnest(%s::int[]) AS wanted(id)
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM finished_at - started_at)::float8 AS seconds FROM jobs_jobrun
    WHERE schedule_id = wanted.id AND status IN ('succeeded', 'partial') ORDER BY id DESC LIMIT %s
) latest
GROUP BY wanted.id HAVING count(*) >= %s
"""

# Runs with equal parameters.
_ALIKE = """
SELECT percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY alike.seconds),
    array_agg(alike.seconds ORDER BY alike.seconds)
FROM (
    SELECT latest.seconds FROM (
        SELECT id, parameters, extract(epoch FROM finished_at - started_at)::float8 AS seconds FROM jobs_jobrun
        WHERE job = %(job)s AND status IN ('succeeded', 'partial') ORDER BY id DESC LIMIT %(look_back)s
    ) latest
    WHERE latest.parameters = %(parameters)s ORDER BY latest.id DESC LIMIT %(sample)s
) alike
"""
#: Runs with equal parameters are looked for among so many of a job's latest; so few say nothing of their own.
_LOOK_BACK, _TOO_FEW = 500, 5


@dataclass(frozen=True)
class Durations:
    """Typical durations of a job in seconds: the median and the 90th percentile of its latest runs."""

    p50: float
    p90: float
    runs: int
    #: Each of them, in ascending order.
    seconds: tuple[float, ...] = ()

    @property
    def sample(self) -> tuple[float, ...]:
        """Each of them; where only the two percentiles are known, what a log-normal distribution makes of them."""
        return self.seconds or estimates.log_normal(self.p50, self.p90)


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
        return {job: _durations(percentiles, seconds) for job, percentiles, seconds in cursor.fetchall()}


def durations_by_schedule(schedules: Iterable[int]) -> dict[int, Durations]:
    """Typical durations of several schedules' runs, in one query; those that hardly ran are left out."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_SCHEDULES, [sorted(set(schedules)), SAMPLE, _TOO_FEW])
        return {
            schedule: _durations(percentiles, seconds) for schedule, percentiles, seconds in cursor.fetchall()
        }


def typical(run: JobRun) -> Durations | None:
    """Typical durations of runs like this one: with its parameters, if there were enough of those; else of its job."""
    values: dict[str, Any] = {
        "job": run.job,
        "parameters": Jsonb(run.parameters),
        "look_back": _LOOK_BACK,
        "sample": SAMPLE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ALIKE, values)
        percentiles, seconds = cursor.fetchone()
    if seconds is not None and len(seconds) >= _TOO_FEW:
        return _durations(percentiles, seconds)
    return durations(run.job)


def _durations(percentiles: list[float], seconds: list[float]) -> Durations:
    return Durations(p50=percentiles[0], p90=percentiles[1], runs=len(seconds), seconds=tuple(seconds))


def eta(run: JobRun, at: datetime, typical: Durations | None) -> Eta | None:
    """The remaining time of a running run; None when nothing can be said. See `jobs.estimates` for how."""
    remaining = left(run, at, typical)
    if remaining is None:
        return None
    return Eta(remaining.quantile(0.5), remaining.quantile(0.9), _basis(run, typical))


def _basis(run: JobRun, typical: Durations | None) -> str:
    if run.progress <= 0:
        return "history"
    return "progress" if typical is None else "progress and history"


def left(run: JobRun, at: datetime, typical: Durations | None) -> estimates.Left | None:
    """The remaining time of a running run as a distribution; None when nothing can be said."""
    elapsed = run.elapsed(at)
    if run.status != JobRun.Status.RUNNING or elapsed is None:
        return None
    history = typical.sample if typical else ()
    return estimates.left(max(elapsed.total_seconds(), 0.0), run.progress / 100, history)
