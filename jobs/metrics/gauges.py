"""Gauges of the ledger: what waits, what runs, how late, and who is there. All from small indexes."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from jobs import heartbeats
from jobs.metrics.registry import collector
from jobs.models import JobRun, ProcessHeartbeat, RunTally

Kind = ProcessHeartbeat.Kind

_ACTIVE = """
SELECT queue, status, count(*), extract(epoch FROM clock_timestamp() - min(queued_at)),
    count(*) FILTER (WHERE status = 'queued' AND published_at IS NULL)
FROM jobs_jobrun WHERE status IN ('waiting', 'queued', 'running', 'retrying')
GROUP BY queue, status
"""
_DUE = """
SELECT count(*), COALESCE(extract(epoch FROM clock_timestamp() - min(next_slot_at)), 0)
FROM jobs_schedulepolicy WHERE next_slot_at <= clock_timestamp() AND NOT is_stale
"""


@collector
def active_runs() -> Iterator[Metric]:
    """What waits and runs. Queues that are no queues of the installation count as `other`."""
    counts: Counter[tuple[str, str]] = Counter()
    oldest: Counter[str] = Counter()
    unsent = 0
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE)
        for queue, status, count, age, unsent_here in cursor.fetchall():
            label = queue if queue in settings.JOBS_QUEUES else "other"
            counts[label, status] += count
            unsent += unsent_here
            if status == JobRun.Status.QUEUED:
                oldest[label] = max(oldest[label], age)
    active = GaugeMetricFamily(
        "almanac_runs_active", "Runs that wait, run or wait to be retried.", labels=["queue", "status"]
    )
    waiting = GaugeMetricFamily(
        "almanac_queue_oldest_run_seconds",
        "Age of the oldest run that may start and has not.",
        labels=["queue"],
    )
    for queue in (*settings.JOBS_QUEUES, "other"):
        waiting.add_metric([queue], float(oldest[queue]))
        for status in JobRun.Status.active():
            active.add_metric([queue, status.value], counts[queue, status])
    yield active
    yield waiting
    yield GaugeMetricFamily(
        "almanac_outbox_unsent_runs", "Runs whose message is not on the broker yet.", value=unsent
    )


@collector
def slots() -> Iterator[Metric]:
    """How late slots are."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE)
        count, age = cursor.fetchone()
    yield GaugeMetricFamily(
        "almanac_schedules_due", "Schedules with a slot that no scheduler took.", value=count
    )
    yield GaugeMetricFamily(
        "almanac_slot_oldest_unclaimed_seconds", "Age of the oldest slot that no scheduler took.", value=age
    )


@collector
def processes() -> Iterator[Metric]:
    """Workers and schedulers, living ones and those that died in the last day."""
    alive_since = timezone.now() - timedelta(seconds=heartbeats.DEAD_AFTER)
    rows = list(ProcessHeartbeat.objects.all())
    alive = [row for row in rows if row.seen_at >= alive_since]
    states = Counter((row.kind, "alive" if row.seen_at >= alive_since else "silent") for row in rows)
    family = GaugeMetricFamily(
        "almanac_processes", "Workers and schedulers by state.", labels=["kind", "state"]
    )
    for kind in Kind:
        for state in ("alive", "silent"):
            family.add_metric([kind.value, state], states[kind.value, state])
    yield family
    workers = [row for row in alive if row.kind == Kind.WORKER]
    consumers = Counter(queue for worker in workers for queue in worker.info.get("queues", []))
    family = GaugeMetricFamily(
        "almanac_queue_consumers", "Living workers that take from the queue.", labels=["queue"]
    )
    for queue in settings.JOBS_QUEUES:
        family.add_metric([queue], consumers[queue])
    yield family
    yield GaugeMetricFamily(
        "almanac_worker_slots",
        "Runs that all living workers together can execute at once.",
        value=sum(worker.info.get("concurrency") or 0 for worker in workers),
    )
    lags = [float(row.info.get("lag_seconds", 0)) for row in alive if row.kind == Kind.BEAT]
    lag = GaugeMetricFamily(
        "almanac_scheduler_lag_seconds",
        "How late the latest slots were sent; of several schedulers the best.",
    )
    if lags:
        lag.add_metric([], min(lags))
    yield lag


@collector
def tallies() -> Iterator[Metric]:
    """What the schedulers have not added to the totals yet."""
    yield GaugeMetricFamily(
        "almanac_tallies_pending",
        "Events that are counted here but not folded into the totals yet.",
        value=RunTally.objects.count(),
    )
