"""The totals behind counters and histograms: kept in the database, so that every process tells the same.

What happens to runs arrives as tallies (`jobs.models.RunTally`), written by triggers. `fold` adds them to the
totals and deletes them in one statement; `read` adds those that are left in one statement too. So nothing is
counted twice or not at all, however many processes fold and read, and wherever one of them is killed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from jobs.definitions import all_jobs

#: Upper bounds of the buckets, in seconds: from jobs that do nothing to jobs of half a night.
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
#: What stands for every Celery task that is no job of ours: schedules may name any.
OTHER = "other"
INFINITY = "+Inf"
_BATCH = 20_000

_RENAMED = "CASE WHEN job = ANY(%(jobs)s) THEN job ELSE %(other)s END AS job"
_BUCKET = (
    "COALESCE((SELECT min(b) FROM unnest(%(bounds)s::float8[]) b WHERE b >= {column})::text, %(infinity)s)"
)
_ADDED_UP = f"""
    SELECT 'event' AS series, job AS subject, event AS key, count(*) AS count, 0::float8 AS seconds
    FROM tally GROUP BY 2, 3
    UNION ALL
    SELECT 'duration', job, {_BUCKET.format(column="seconds")}, count(*), sum(seconds)
    FROM tally WHERE seconds IS NOT NULL GROUP BY 2, 3
    UNION ALL
    SELECT 'wait', job, {_BUCKET.format(column="waited")}, count(*), sum(waited)
    FROM tally WHERE waited IS NOT NULL GROUP BY 2, 3
"""  # noqa: S608 - of the constants above
_ADD = """
INSERT INTO jobs_metrictotal (series, subject, key, count, seconds)
SELECT series, subject, key, count, seconds FROM {source} ORDER BY 1, 2, 3
ON CONFLICT (series, subject, key) DO UPDATE
SET count = jobs_metrictotal.count + EXCLUDED.count, seconds = jobs_metrictotal.seconds + EXCLUDED.seconds
"""
_FOLD = f"""
WITH gone AS (
    DELETE FROM jobs_runtally
    WHERE id IN (SELECT id FROM jobs_runtally ORDER BY id LIMIT {_BATCH} FOR UPDATE SKIP LOCKED)
    RETURNING event, job, seconds, waited
),
tally AS (SELECT event, {_RENAMED}, seconds, waited FROM gone),
added AS (
    {_ADD.format(source=f"({_ADDED_UP}) new")}
)
SELECT count(*) FROM gone
"""  # noqa: S608 - of the constants above
_READ = f"""
WITH tally AS (SELECT event, {_RENAMED}, seconds, waited FROM jobs_runtally)
SELECT series, subject, key, sum(count)::bigint, sum(seconds)
FROM (SELECT series, subject, key, count, seconds FROM jobs_metrictotal UNION ALL {_ADDED_UP}) AS everything
GROUP BY 1, 2, 3
"""  # noqa: S608 - of the constants above


@dataclass(frozen=True, order=True)
class Total:
    """How often something was counted, and the sum of what was measured."""

    series: str
    subject: str
    key: str
    count: int
    seconds: float = 0.0


def fold() -> int:
    """Add the tallies to the totals; returns how many there were. Cheap when there are none."""
    folded = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_FOLD, _parameters())
            count = int(cursor.fetchone()[0])
        folded += count
        if count < _BATCH:
            return folded


def read() -> list[Total]:
    """Every total as of this moment, tallies that are not folded yet included."""
    with connection.cursor() as cursor:
        cursor.execute(_READ, _parameters())
        return [Total(*row) for row in cursor.fetchall()]


def add(totals: Iterable[Total]) -> None:
    """Add what a process has counted by itself."""
    rows = sorted(totals)
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD.format(
                source="unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::float8[]) "
                "AS new(series, subject, key, count, seconds)"
            ),
            [
                [row.series for row in rows],
                [row.subject for row in rows],
                [row.key for row in rows],
                [row.count for row in rows],
                [row.seconds for row in rows],
            ],
        )


def bucket_of(seconds: float) -> str:
    """The key of the bucket that a length of time falls into."""
    return next((format(bound, "g") for bound in BOUNDS if seconds <= bound), INFINITY)


def job_labels() -> list[str]:
    """Every value that the label `job_name` can have."""
    return [*(job.name for job in all_jobs()), OTHER]


def _parameters() -> dict[str, Any]:
    return {
        "jobs": [job.name for job in all_jobs()],
        "other": OTHER,
        "bounds": list(BOUNDS),
        "infinity": INFINITY,
    }
