"""One scrape: every collector is asked within a time limit, and what does not answer is told as down."""

import logging
import threading
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import Error, connection
from kombu.exceptions import OperationalError as BrokerError
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jobs import outbox
from jobs.metrics import alerts, counters, gauges
from jobs.metrics.registry import all_collectors
from jobs.probing import NoAnswer, Probe

__all__ = ["alerts", "counters", "exposition", "gauges"]

logger = logging.getLogger(__name__)

#: Prometheus waits ten seconds for a scrape unless told otherwise.
DATABASE_SECONDS = 5.0
BROKER_SECONDS = 1.0


class Scraper:
    """Asks database and broker at the same time, for one scrape after the other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._database = Probe(_ask_database, name="metrics-database")
        self._broker = Probe(_ask_broker, name="metrics-broker")

    def families(self) -> list[Metric]:
        """What there is to tell. Never raises for want of a server, never takes much longer than the limits."""
        with self._lock:
            began = time.monotonic()
            self._database.start()
            self._broker.start()
            found = [*self._of(self._broker, "broker", BROKER_SECONDS)]
            found += self._of(
                self._database, "database", max(began + DATABASE_SECONDS - time.monotonic(), 0.1)
            )
            took = time.monotonic() - began
        up = GaugeMetricFamily("almanac_up", "Whether a server that jobs need answers.", labels=["part"])
        for metric in found:
            if metric.name == up.name:
                up.samples.extend(metric.samples)
        took_family = GaugeMetricFamily("almanac_scrape_seconds", "What gathering all this took.", value=took)
        return [up, *(metric for metric in found if metric.name != up.name), took_family]

    def _of(self, probe: Probe[list[Metric]], part: str, timeout: float) -> list[Metric]:
        try:
            return [_up(part, 1), *probe.answer(timeout)]
        except (NoAnswer, Error, BrokerError):
            return [_up(part, 0)]


def _up(part: str, value: int) -> Metric:
    family = GaugeMetricFamily("almanac_up", "", labels=["part"])
    family.add_metric([part], value)
    return family


def _ask_database() -> list[Metric]:
    """Every collector's answer, over a connection of this thread's own."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{DATABASE_SECONDS:g}s"])
        return _collected()
    finally:
        connection.close()


def _collected() -> list[Metric]:
    """What the collectors tell; one that is broken is told as such, and does not silence the others."""
    found: list[Metric] = []
    works = GaugeMetricFamily(
        "almanac_collector_up", "Whether a part of this page works.", labels=["collector"]
    )
    for collect in all_collectors():
        name = f"{collect.__module__}.{collect.__qualname__}"
        try:
            found += collect()
        except Error:  # the database: for all of them the same
            raise
        except Exception:
            logger.exception("The metrics of %s cannot be told.", name)
            works.add_metric([name], 0)
        else:
            works.add_metric([name], 1)
    return [*found, works]


def _ask_broker() -> list[Metric]:
    family = GaugeMetricFamily("almanac_queue_messages", "Messages on the broker.", labels=["queue"])
    for queue, depth in outbox.depths(settings.JOBS_QUEUES, timeout=BROKER_SECONDS).items():
        family.add_metric([queue], depth)
    return [family]


class _Once(Collector):
    """Families that are already there, for the client's encoders."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


_scraper = Scraper()


def exposition(accept: str) -> tuple[bytes, str]:
    """A scrape as text, and its content type: OpenMetrics or Prometheus' own, as the header says."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(_scraper.families()))
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number
        encode, content_type = choose_encoder("")
    return encode(registry), content_type
