"""Who tells metrics: functions that give families of Prometheus' client, registered when their module is loaded.

    @metrics.collector
    def sources() -> Iterator[Metric]:
        yield GaugeMetricFamily("almanac_sources", "Sources that are read.", value=Source.objects.count())

Collectors are asked one after the other over one database connection of their own, with a time limit for each
statement; labels must have few values that are known beforehand.
"""

from collections.abc import Callable, Iterable

from prometheus_client.metrics_core import Metric

Collector = Callable[[], Iterable[Metric]]

_collectors: list[Collector] = []


def collector(function: Collector) -> Collector:
    """Ask this function, too, at each scrape."""
    _collectors.append(function)
    return function


def all_collectors() -> list[Collector]:
    """In the order of their registration."""
    return list(_collectors)
