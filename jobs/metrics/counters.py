"""Counters and histograms: what has happened since the installation began."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

from jobs.metrics import totals
from jobs.metrics.registry import collector
from jobs.metrics.totals import Total
from jobs.models import JobRun, RunTally

#: Not `job`: that is Prometheus' own name for what it scrapes.
#: series of totals -> name of the family, its meaning, its label
HISTOGRAMS = {
    "duration": (
        "almanac_run_duration_seconds",
        "How long the last attempt of an executed run took.",
        "job_name",
    ),
    "wait": ("almanac_run_wait_seconds", "From the wish for a run to its first attempt.", "job_name"),
    "http_duration": (
        "almanac_http_request_duration_seconds",
        "Time to answer a request, by part of the site.",
        "area",
    ),
}
#: event of a tally -> name of the family, its meaning
EVENTS = {
    RunTally.Event.RETRY: ("almanac_run_retries", "Attempts that failed and are made again."),
    RunTally.Event.LOST: ("almanac_runs_lost", "Attempts whose worker died or fell silent."),
    RunTally.Event.RESEND: ("almanac_run_resends", "Messages that were sent to the broker again."),
}


@collector
def everything_counted() -> Iterator[Metric]:
    """All families that stand on the totals: one query."""
    rows = totals.read()
    events = {(row.subject, row.key): row.count for row in rows if row.series == "event"}
    yield _outcomes(events)
    for event, (name, meaning) in EVENTS.items():
        family = CounterMetricFamily(name, meaning, labels=["job_name"])
        for job in totals.job_labels():
            family.add_metric([job], events.get((job, event.value), 0))
        yield family
    for series, (name, meaning, label) in HISTOGRAMS.items():
        yield _histogram(name, meaning, label, (row for row in rows if row.series == series))
    yield _requests(row for row in rows if row.series == "http_request")
    deliveries = CounterMetricFamily(
        "almanac_deliveries",
        "Notifications that ended, by kind of channel.",
        labels=["channel_kind", "outcome"],
    )
    for row in rows:
        if row.series == "delivery":
            deliveries.add_metric([row.subject, row.key], row.count)
    yield deliveries


def _outcomes(events: Mapping[tuple[str, str], int]) -> Metric:
    """Zeros too: an increase from nothing would be invisible to Prometheus."""
    family = CounterMetricFamily(
        "almanac_runs", "Runs that ended, by outcome.", labels=["job_name", "outcome"]
    )
    for job in totals.job_labels():
        for outcome in JobRun.Status.terminal():
            family.add_metric([job, outcome.value], events.get((job, outcome.value), 0))
    return family


def _histogram(name: str, meaning: str, label: str, rows: Iterable[Total]) -> Metric:
    counts: dict[str, dict[float, int]] = {}
    sums: dict[str, float] = {}
    for row in rows:
        buckets = counts.setdefault(row.subject, {})
        buckets[float(row.key)] = buckets.get(float(row.key), 0) + row.count
        sums[row.subject] = sums.get(row.subject, 0) + row.seconds
    known = set(totals.job_labels()) if label == "job_name" else counts.keys()
    family = HistogramMetricFamily(name, meaning, labels=[label])
    for subject in sorted(counts.keys() & known):
        family.add_metric([subject], _cumulated(counts[subject]), sums[subject])
    return family


def _cumulated(counts: Mapping[float, int]) -> list[tuple[str, float]]:
    """Counts up to each bound of today; those under bounds of the past go to the next larger one."""
    return [
        (
            str(bound) if bound != float("inf") else totals.INFINITY,
            sum(n for at, n in counts.items() if at <= bound),
        )
        for bound in (*totals.BOUNDS, float("inf"))
    ]


def _requests(rows: Iterable[Total]) -> Metric:
    family = CounterMetricFamily(
        "almanac_http_requests", "Requests answered, by page.", labels=["view", "method", "status"]
    )
    for row in rows:
        method, status = row.key.split()
        family.add_metric([row.subject, method, status], row.count)
    return family
