"""Forgetting a million old runs while others are written: who waits for a lock how long, and how much memory it takes.

`manage.py prune_runs` deletes old runs with their results and logs in a process of its own. Meanwhile a writer takes
runs from being asked for to their end, as fast as it can; a neighbour locks the oldest run that is left, the very row
that pruning is about to delete, so that the two do wait for each other; and a third connection looks every few
milliseconds who waits for a lock, and for how long.
"""

import threading
import time
from datetime import timedelta
from pathlib import Path

from django.db import connection
from django.utils import timezone

from benchmarks.harness import Process, Row, execute, main
from benchmarks.tasks import do_nothing
from jobs import intake, ledger
from jobs.intake import NewRun
from jobs.ledger import Outcome
from jobs.models import JobRun

LONGEST_WAIT_MS = 200.0
MOST_GROWTH_MB = 20.0

_FILL = """
WITH runs AS (
    INSERT INTO jobs_jobrun (id, job, queue, priority, parameters, args, status, reason, trigger, attempt,
        max_attempts, queued_at, published_at, first_published_at, publish_count, started_at, finished_at, worker,
        progress, progress_text, result, error_type, error_message, error_fingerprint, traceback, waiting_for)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000' || lpad(to_hex(n), 16, '8'))::uuid,
        %(job)s, %(queue)s, 5, '{}', '[]', 'succeeded', '', 'code', 1, 4, at, at, at, 1, at, at + interval '1 s', 'w',
        100, '', jsonb_build_object('text', repeat('x', 200)), '', '', '', '', ''
    FROM (SELECT n, now() - interval '200 days' + n * interval '5 s' AS at
          FROM generate_series(%(first)s::int, %(last)s::int) n) numbers
    RETURNING id, queued_at, started_at, finished_at
), results AS (
    INSERT INTO django_celery_results_taskresult (task_id, task_name, status, content_type, content_encoding, result,
        date_created, date_started, date_done, meta)
    SELECT id::text, %(job)s, 'SUCCESS', 'application/json', 'utf-8', 'null', queued_at, started_at, finished_at, '{}'
    FROM runs
)
INSERT INTO jobs_runlog (run_id, attempt, at, level, message) SELECT id, 1, finished_at, 20, 'Done.' FROM runs
"""
_LOCK_OLDEST = "SELECT id FROM jobs_jobrun ORDER BY id LIMIT 1 FOR UPDATE"
_WAITS = "SELECT max(extract(epoch FROM clock_timestamp() - waitstart)) FROM pg_locks WHERE NOT granted"


def measure(quick: bool) -> list[Row]:
    """The longest wait for a lock, and what pruning cost."""
    count = 50_000 if quick else 1_000_000
    for first in range(1, count + 1, 50_000):
        last = min(first + 49_999, count)
        execute(_FILL, {"job": do_nothing.name, "queue": do_nothing.queue, "first": first, "last": last})
    execute("VACUUM ANALYZE")
    idle = Traffic()
    idle.watch_for(3.0)
    busy, memory = Traffic(), []
    command = Process("django", "prune_runs", "--older-than", "1")
    started = time.monotonic()
    with command:
        busy.start()
        while command.is_running:
            memory.append(_resident_mb(command.pid))
            time.sleep(0.1)
        busy.stop()
    seconds = time.monotonic() - started
    left = JobRun.objects.filter(queued_at__lt=timezone.now() - timedelta(days=2)).count()
    if left:
        raise RuntimeError(f"{left} old runs are left: {command.output}")
    early = memory[len(memory) // 10]
    growth = max(memory) - early
    return [
        Row(
            name=f"longest wait for a lock while {count:,} runs are pruned",
            value=round(busy.longest_wait * 1000, 1),
            unit="ms",
            target=f"<= {LONGEST_WAIT_MS:.0f} ms",
            ok=busy.longest_wait * 1000 <= LONGEST_WAIT_MS,
            note=f"{busy.locks} locks of the oldest run; the writer made {busy.runs} runs",
        ),
        Row(
            name="slowest step of the writer meanwhile",
            value=round(busy.slowest * 1000, 1),
            unit="ms",
            peer=round(idle.slowest * 1000, 1),
            target="for reference",
            ok=True,
            note="peer: the same writer alone",
        ),
        Row(
            name="memory that pruning took on after its first tenth",
            value=round(growth, 1),
            unit="MB",
            target=f"<= {MOST_GROWTH_MB:.0f} MB",
            ok=growth <= MOST_GROWTH_MB,
            note=f"{early:.0f} MB then",
        ),
        Row(
            name="runs pruned a second",
            value=round(count / seconds),
            unit="runs/s",
            target="for reference",
            ok=True,
            note=f"{seconds:.0f} s in all, each with a result and a log line",
        ),
    ]


class Traffic:
    """Runs that are written, and a look at who waits."""

    def __init__(self) -> None:
        self.slowest = self.longest_wait = 0.0
        self.runs = self.locks = 0
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=each) for each in (self._write, self._lock_oldest, self._look)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def watch_for(self, seconds: float) -> None:
        self.start()
        time.sleep(seconds)
        self.stop()

    def _write(self) -> None:
        new = NewRun(job=do_nothing.name, queue=do_nothing.queue, trigger=JobRun.Trigger.CODE, parameters={})
        while not self._stopped.is_set():
            started = time.monotonic()
            run, _ = intake.insert(new)
            ledger.claim(run.pk, worker="benchmark", pid=1)
            ledger.finish(run.pk, 1, Outcome(status=JobRun.Status.SUCCEEDED))
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.runs += 1
        connection.close()

    def _lock_oldest(self) -> None:
        while not self._stopped.is_set():
            started = time.monotonic()
            execute(_LOCK_OLDEST)
            self.longest_wait = max(self.longest_wait, time.monotonic() - started)
            self.locks += 1
            time.sleep(0.02)
        connection.close()

    def _look(self) -> None:
        while not self._stopped.is_set():
            ((waits,),) = execute(_WAITS)
            self.longest_wait = max(self.longest_wait, float(waits or 0))
            time.sleep(0.003)
        connection.close()


def _resident_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS")), "VmRSS: 0 kB")
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main("prune", __doc__, measure)
