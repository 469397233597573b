"""What is wrong, and whether people are told."""

from collections import Counter
from collections.abc import Iterator

from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from jobs.metrics.registry import collector
from jobs.models import Alert, Delivery


@collector
def alerts() -> Iterator[Metric]:
    """Alerts of what is wrong now; resolved ones are history."""
    rows = Alert.objects.live().order_by().values_list("severity", "state").annotate(count=Count("pk"))
    counts: Counter[tuple[str, str]] = Counter({(severity, state): count for severity, state, count in rows})
    family = GaugeMetricFamily(
        "almanac_alerts", "Alerts that are not resolved.", labels=["severity", "state"]
    )
    for severity in Alert.Severity:
        for state in Alert.State.live():
            family.add_metric([severity.value, state.value], counts[severity.value, state.value])
    yield family


@collector
def deliveries() -> Iterator[Metric]:
    """Notifications that should be on their way and are not."""
    now = timezone.now()
    due = Delivery.objects.filter(state=Delivery.State.WAITING, due_at__lte=now).order_by()
    found = due.aggregate(count=Count("pk"), oldest=Min("due_at"))
    oldest = found["oldest"]
    yield GaugeMetricFamily(
        "almanac_deliveries_due", "Notifications that could be sent now.", value=found["count"]
    )
    yield GaugeMetricFamily(
        "almanac_delivery_oldest_due_seconds",
        "How late the latest of them is.",
        value=(now - oldest).total_seconds() if oldest else 0,
    )
