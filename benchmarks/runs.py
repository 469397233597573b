"""How many runs a second one worker (prefork, `-c 2`) carries through, with everything recorded.

Ours: claim, outcome, ledger and `TaskResult` of each run. The peer: Celery with django-celery-results,
`result_extended` and `task_track_started` (the guide of Celery for Django sets it), which records start and end in
one table. For reference also without the start, and bare Celery with results in Redis. In each round a worker
finds the same number of messages waiting; what counts is the time from a tenth of the outcomes to the last one.
Rounds alternate.
"""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from benchmarks import stock
from benchmarks.harness import Process, Row, execute, main, wait_until
from benchmarks.tasks import do_nothing
from jobs import outbox
from jobs.models import JobRun
from tests.servers import broker_client

WARM_UP = 0.1
TARGET = 1.3


@dataclass(frozen=True)
class Contestant:
    """One way to run tasks: how messages are published, which worker takes them, and when each was done."""

    title: str
    publish: Callable[[int], None]
    worker: Process
    done_at: Callable[[], list[float]]


def measure(quick: bool) -> list[Row]:
    """Runs a second of ours beside the peer's; then ours beside the references."""
    count, rounds = (400, 2) if quick else (1_500, 3)
    chosen = contestants()[: 2 if quick else None]
    rates: dict[str, list[float]] = {contestant.title: [] for contestant in chosen}
    for _ in range(rounds):
        for contestant in chosen:
            rates[contestant.title].append(rate(contestant, count))
    (_, ours), (title, peer), *references = rates.items()
    rows = [row(title, ours, peer)]
    return rows + [row(title, ours, other, is_reference=True) for title, other in references]


def contestants() -> list[Contestant]:
    return [
        Contestant(
            "the ledger",
            publish_ours,
            # Its own log level, which the benchmark has lowered.
            Process("celery", "-A", "config", "worker", "-c", "2", "-Q", do_nothing.queue, LOG_LEVEL="INFO"),
            done_in_ledger,
        ),
        Contestant("django-celery-results", publish_stock, stock_worker(), done_in_results),
        Contestant(
            "the same, untracked start", publish_stock, stock_worker(STOCK_TRACK_STARTED="0"), done_in_results
        ),
        Contestant(
            "bare Celery, Redis results",
            publish_stock,
            stock_worker(STOCK_RESULTS=settings.BROKER_URL, STOCK_TRACK_STARTED="0"),
            done_in_redis,
        ),
    ]


def stock_worker(**environment: str) -> Process:
    return Process(
        *("celery", "-A", "benchmarks.stock", "worker", "-c", "2"),
        DJANGO_SETTINGS_MODULE="benchmarks.stock_settings",
        **environment,
    )


def row(title: str, ours: list[float], peer: list[float], *, is_reference: bool = False) -> Row:
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, peer, strict=True))
    return Row(
        name=f"tracked runs a second; peer: {title}",
        value=round(statistics.median(ours)),
        unit="runs/s",
        peer=round(statistics.median(peer)),
        ratio=round(ratio, 2),
        target="for reference" if is_reference else f">= {TARGET} x",
        ok=is_reference or ratio >= TARGET,
        note=f"rounds {' '.join(f'{mine:.0f}:{theirs:.0f}' for mine, theirs in zip(ours, peer, strict=True))}",
    )


def rate(contestant: Contestant, count: int) -> float:
    """Tasks a second in one round, on emptied tables."""
    execute("TRUNCATE jobs_jobrun, jobs_runlog, jobs_runattempt, django_celery_results_taskresult")
    with broker_client(settings.BROKER_URL) as client:
        client.flushdb()
    contestant.publish(count)
    execute("VACUUM ANALYZE jobs_jobrun")
    execute("CHECKPOINT")
    with contestant.worker as worker:
        try:
            wait_until(
                lambda: len(contestant.done_at()) == count, seconds=120, what=contestant.title, every=0.5
            )
        except TimeoutError as error:
            raise RuntimeError(worker.output) from error
    done = sorted(contestant.done_at())
    first = int(WARM_UP * count)
    return (count - first - 1) / (done[-1] - done[first])


def publish_ours(count: int) -> None:
    now = timezone.now()
    runs = [
        JobRun(job=do_nothing.name, queue=do_nothing.queue, trigger="code", queued_at=now, published_at=now)
        for _ in range(count)
    ]
    JobRun.objects.bulk_create(runs)
    outbox.send(
        outbox.Message(
            run_id=run.id, job=run.job, queue=run.queue, priority=run.priority, args=[], parameters={}
        )
        for run in runs
    )


def publish_stock(count: int) -> None:
    with stock.app.producer_or_acquire() as producer:
        for _ in range(count):
            stock.do_nothing.apply_async(producer=producer)


def done_in_ledger() -> list[float]:
    return _timestamps(
        "SELECT extract(epoch FROM r.finished_at) FROM jobs_jobrun r "
        "JOIN django_celery_results_taskresult t ON t.task_id = r.id::text "
        "WHERE r.status = 'succeeded' AND t.status = 'SUCCESS'"
    )


def done_in_results() -> list[float]:
    return _timestamps(
        "SELECT extract(epoch FROM date_done) FROM django_celery_results_taskresult WHERE status = 'SUCCESS'"
    )


def _timestamps(query: str) -> list[float]:
    return [float(row[0]) for row in execute(query)]


def done_in_redis() -> list[float]:
    with broker_client(settings.BROKER_URL) as client:
        keys = client.keys("celery-task-meta-*")
        results = [json.loads(value) for value in client.mget(keys) if value] if keys else []
    done = [parse_datetime(result["date_done"]) for result in results if result["status"] == "SUCCESS"]
    return [moment.timestamp() for moment in done if moment is not None]


if __name__ == "__main__":
    main("runs", __doc__, measure)
