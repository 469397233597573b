"""The admin's first page with 1,000,000 runs and 10,000 schedules in the tables: how long a request takes, and what it asks.

The world is made by SQL: runs of a week of twenty jobs, most succeeded, some failed, a few dozen active; schedules with slots ahead; workers
that report, alerts that are open. The scheduler's own summaries are made from it as they are in production, and the time
that takes is told too. The page is requested through the whole of Django by a signed-in superuser, in this process. Quick: with a fifth of the runs.
"""

import statistics
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.harness import Row, execute, main, percentile, stopwatch
from jobs import summaries
from jobs.models import RunSummary

RUNS, SCHEDULES = 1_000_000, 10_000
TARGET_MS = 150
MOST_QUERIES = 25

_RUNS = """
INSERT INTO jobs_jobrun (
    id, job, queue, priority, parameters, args, status, reason, trigger, attempt, max_attempts, queued_at, published_at,
    publish_count, started_at, finished_at, worker, progress, progress_text, result, error_type, error_message,
    error_fingerprint, traceback)
SELECT
    (lpad(to_hex((extract(epoch FROM made.at) * 1000)::bigint), 12, '0') || '7000'
        || lpad(to_hex((x'8000000000000000'::bit(64)::bigint + number)), 16, '0'))::uuid,
    'benchmarks.job_' || number %% 20, (ARRAY['default', 'publishing', 'sources', 'reports'])[1 + number %% 4], 5,
    jsonb_build_object('source_id', number), '[]', made.status, '', 'schedule', 1, 3, made.at, made.at, 1,
    made.at + interval '0.2 s',
    CASE WHEN made.status <> 'running' THEN made.at + interval '0.2 s' + made.took * interval '1 s' END,
    'celery@worker-' || number %% 8, CASE WHEN made.status = 'running' THEN 40 ELSE 100 END, '', 'null',
    CASE WHEN made.status = 'failed' THEN 'builtins.ValueError' ELSE '' END,
    CASE WHEN made.status = 'failed' THEN 'The answer cannot be read.' ELSE '' END,
    CASE WHEN made.status = 'failed' THEN 'f' || number %% 50 ELSE '' END, ''
FROM (
    SELECT number, now() - (%(runs)s - number) * (interval '7 days' / %(runs)s) AS at, 0.5 + 30 * random() ^ 3 AS took,
        CASE WHEN number > %(runs)s - 30 THEN 'running' WHEN number %% 33 = 0 THEN 'failed'
             WHEN number %% 101 = 0 THEN 'partial' WHEN number %% 257 = 0 THEN 'skipped' ELSE 'succeeded' END AS status
    FROM generate_series(1, %(runs)s) AS number
) AS made
"""
_SCHEDULES = """
INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'hours');
INSERT INTO django_celery_beat_periodictask (
    name, task, args, kwargs, enabled, total_run_count, date_changed, description, one_off, headers, interval_id)
SELECT 'Schedule ' || number, 'benchmarks.job_' || number %% 20, '[]', '{}', true, 0, now(), '', false, '{}',
    (SELECT max(id) FROM django_celery_beat_intervalschedule)
FROM generate_series(1, %(schedules)s) AS number;
UPDATE jobs_schedulepolicy SET is_stale = false, next_slot_at = now() + random() * interval '1 hour';
INSERT INTO jobs_processheartbeat (kind, name, pid, started_at, seen_at, info)
SELECT 'worker', 'celery@worker-' || number, number, now(), now() + interval '1 hour',
    '{"queues": ["default", "publishing", "sources", "reports"], "concurrency": 4}'
FROM generate_series(1, 8) AS number;
INSERT INTO jobs_processheartbeat (kind, name, pid, started_at, seen_at, info)
VALUES ('beat', 'beat@here:1', 1, now(), now() + interval '1 hour', '{"lag_seconds": 0.02, "tick_seconds": 0.01}');
"""


def measure(quick: bool) -> list[Row]:
    """Milliseconds of the page, its number of queries, and of one round of keeping summaries."""
    make_world(RUNS // 5 if quick else RUNS, SCHEDULES)
    with stopwatch() as all_summaries:
        while summaries.keep():
            pass
    rounds = [one_round() for _ in range(5)]
    get_user_model().objects.create_superuser("benchmark", "benchmark@example.com", "uninteresting")
    client = Client()
    client.force_login(get_user_model().objects.get())
    for path in ("/admin/", "/admin/?window=week"):
        ask(client, path)
    day = [ask(client, "/admin/") for _ in range(20 if quick else 100)]
    week = [ask(client, "/admin/?window=week") for _ in range(10 if quick else 50)]
    with CaptureQueriesContext(connection) as captured:
        ask(client, "/admin/")
    slowest = max(captured.captured_queries, key=lambda query: float(query["time"]))
    return [
        in_time("the first page, plots of 24 hours, p50", statistics.median(day), TARGET_MS, f"p90 {percentile(day, 90):.0f} ms"),
        in_time("the first page, plots of 7 days, p50", statistics.median(week), TARGET_MS, f"p90 {percentile(week, 90):.0f} ms"),
        Row(
            name="queries of the first page",
            value=len(captured),
            unit="queries",
            target=f"<= {MOST_QUERIES}",
            ok=len(captured) <= MOST_QUERIES,
            note=f"slowest {float(slowest['time']) * 1000:.0f} ms: {' '.join(slowest['sql'].split())[:70]}",
        ),
        in_time(
            "keeping summaries, one round of the scheduler", statistics.median(rounds), 250,
            f"{RunSummary.objects.filter(is_total=True).count()} spans of the week took {all_summaries():.1f} s in all",
        ),
    ]  # fmt: skip


def make_world(runs: int, schedules: int) -> None:
    with stopwatch() as elapsed:
        execute("ALTER TABLE jobs_jobrun DISABLE TRIGGER USER")
        execute(_RUNS, {"runs": runs})
        execute("ALTER TABLE jobs_jobrun ENABLE TRIGGER USER")
        execute(_SCHEDULES, {"schedules": schedules})
        execute("VACUUM ANALYZE jobs_jobrun")
        execute("VACUUM ANALYZE jobs_schedulepolicy")
        execute("ANALYZE")
    print(f"{runs:,} runs and {schedules:,} schedules made in {elapsed():.0f} s.", flush=True)


def one_round() -> float:
    began = time.perf_counter()
    summaries.keep()
    return 1000 * (time.perf_counter() - began)


def ask(client: Client, path: str) -> float:
    began = time.perf_counter()
    answer: Any = client.get(path)
    took = 1000 * (time.perf_counter() - began)
    assert answer.status_code == 200, answer
    return took


def in_time(name: str, milliseconds: float, target: float, note: str) -> Row:
    return Row(
        name=name,
        value=round(milliseconds, 1),
        unit="ms",
        target=f"< {target:g} ms",
        ok=milliseconds < target,
        note=note,
    )


if __name__ == "__main__":
    main("dashboard", __doc__, measure)
