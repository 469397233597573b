"""What runs did in a window of time, computed by PostgreSQL in one statement."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from jobs.models import EVERYTHING, JobRun, Visibility, first_run_id

Status = JobRun.Status


@dataclass(frozen=True)
class Percentiles:
    """Three percentiles in seconds; None without a single value."""

    p50: float | None
    p90: float | None
    p99: float | None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the runs of one job, or of all, did."""

    #: None for all jobs together.
    job: str | None
    runs: int
    #: Every status with its count.
    by_status: Mapping[str, int]
    #: Succeeded out of all that a worker carried to an end (0 to 1); None when there was none.
    success_rate: float | None
    #: How long latest attempts took.
    durations: Percentiles
    #: From being asked for to the start of the latest attempt.
    waits: Percentiles
    #: Runs carried to an end, by the hour.
    per_hour: float


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """The figures of a window."""

    since: datetime
    until: datetime
    total: Figures
    by_job: list[Figures]


_COUNTS = ", ".join(f"count(*) FILTER (WHERE status = '{status.value}')" for status in Status)
_EXECUTED = ", ".join(f"'{status.value}'" for status in Status.executed())
_FIGURES = f"""
SELECT job, count(*), {_COUNTS},
    percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch FROM finished_at - started_at)::float8
    ) FILTER (WHERE status IN ({_EXECUTED}) AND started_at IS NOT NULL),
    percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch FROM started_at - queued_at)::float8
    ) FILTER (WHERE started_at IS NOT NULL)
FROM jobs_jobrun
WHERE id >= %(first_id)s AND queued_at >= %(since)s AND queued_at < %(until)s
    AND (%(job)s::text IS NULL OR job = %(job)s)
    AND (%(groups)s::int[] IS NULL OR owner_group_id IS NULL OR owner_group_id = ANY (%(groups)s::int[]))
GROUP BY GROUPING SETS ((), (job))
ORDER BY count(*) DESC, job
"""  # noqa: S608 - the names of our own statuses


def of_window(
    since: datetime, until: datetime, *, job: str | None = None, seen: Visibility = EVERYTHING
) -> Statistics:
    """The figures of runs that were asked for from `since` until before `until`, of one job or of all.

    `seen` leaves out the runs of groups that the reader does not see.
    """
    hours = (until - since).total_seconds() / 3600
    with connection.cursor() as cursor:
        cursor.execute(
            _FIGURES,
            {
                "first_id": first_run_id(since),
                "since": since,
                "until": until,
                "job": job,
                "groups": seen.group_ids,
            },
        )
        found = [_figures(row, hours) for row in cursor.fetchall()]
    total = next(figures for figures in found if figures.job is None)
    return Statistics(
        since=since,
        until=until,
        total=total,
        by_job=[figures for figures in found if figures.job is not None],
    )


def _figures(row: tuple[Any, ...], hours: float) -> Figures:
    job, runs, *counts, durations, waits = row
    by_status = dict(zip(Status.values, counts, strict=True))
    executed = sum(by_status[status] for status in Status.executed())
    return Figures(
        job=job,
        runs=runs,
        by_status=by_status,
        success_rate=by_status[Status.SUCCEEDED] / executed if executed else None,
        durations=Percentiles(*(durations or (None, None, None))),
        waits=Percentiles(*(waits or (None, None, None))),
        per_hour=executed / hours if hours else 0.0,
    )
