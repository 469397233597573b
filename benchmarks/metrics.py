"""A scrape of /metrics, and folding, with 1,000,000 runs and 10,000 schedules in the tables.

The peer of a scrape is counting the ledger itself, as an exporter without totals would.
"""

import statistics
import sys
from collections.abc import Callable

from django.db import connection
from django.test import Client
from django.test.utils import override_settings
from django.utils import timezone

from benchmarks.harness import Row, execute, main, stopwatch
from jobs.metrics import totals
from jobs.models import JobRun

_FILL = """
INSERT INTO jobs_jobrun (
    id, job, queue, priority, parameters, args, status, reason, trigger, attempt, max_attempts, queued_at,
    started_at, finished_at, publish_count, worker, progress, progress_text, error_type, error_message,
    error_fingerprint, traceback)
SELECT gen_random_uuid(), (ARRAY['publishing.monitor_feeds', 'jobs.heartbeat', 'foreign.task'])[1 + n %% 3], 'default',
    5, '{}', '[]', (ARRAY['succeeded', 'succeeded', 'failed'])[1 + n %% 3], '', 'code', 1, 1,
    now() - interval '1 day', now() - interval '1 day', now() - interval '1 day', 1, '', 100, '', '', '', '', ''
FROM generate_series(1, %s) n
"""
_SCHEDULES = """
WITH every AS (INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (7, 'days') RETURNING id)
INSERT INTO django_celery_beat_periodictask (
    name, task, args, kwargs, enabled, one_off, total_run_count, date_changed, description, headers, interval_id)
SELECT 'schedule ' || n, 'jobs.heartbeat', '[]', '{}', true, false, 0, now(), '', '{}', every.id
FROM generate_series(1, 10000) n, every
"""
_PEER = """
SELECT job, status, count(*), sum(extract(epoch FROM finished_at - started_at)) FROM jobs_jobrun GROUP BY job, status
"""


def measure(quick: bool) -> list[Row]:
    """Milliseconds of a scrape, and tallies folded a second."""
    runs = 100_000 if quick else 1_000_000
    execute(_FILL, [runs])
    execute(_SCHEDULES)
    execute("ANALYZE")
    with stopwatch() as took:
        folded = totals.fold()
    fold_rate = folded / took()
    waiting = [
        JobRun(
            job="jobs.heartbeat",
            queue="default",
            trigger="code",
            queued_at=timezone.now(),
            parameters={},
            args=[],
        )
        for _ in range(1000)
    ]
    JobRun.objects.bulk_create(waiting)
    scrape = _median(_scrape, 20)
    peer = _median(lambda: execute(_PEER), 5)
    connection.close()
    return [
        Row(
            name="scrape",
            value=round(scrape * 1000, 1),
            unit="ms",
            target="< 250 ms",
            ok=scrape < 0.25,
            peer=round(peer * 1000, 1),
            ratio=round(peer / scrape, 2),
            note=f"{runs:,} runs, 10,000 schedules, 1,000 waiting; the peer only counts the ledger",
        ),
        Row(
            name="tallies folded",
            value=round(fold_rate),
            unit="/s",
            target="> 5,000/s",
            ok=fold_rate > 5000,
            note=f"{folded:,} at once",
        ),
    ]


def _median(action: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        with stopwatch() as took:
            action()
        taken.append(took())
    return statistics.median(taken)


def _scrape() -> None:
    with override_settings(METRICS_TOKEN="the token of the benchmark", METRICS_FLUSH_SECONDS=0):
        answer = Client().get("/metrics", headers={"Authorization": "Bearer the token of the benchmark"})
    if answer.status_code != 200:
        sys.exit(f"/metrics answers {answer.status_code}")


if __name__ == "__main__":
    main("metrics", __doc__, measure)
