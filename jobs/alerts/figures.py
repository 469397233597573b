"""Numbers about alerts: how many, how bad, how quickly they are looked after."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, F, OuterRef, QuerySet, Subquery

from jobs.alerts.summary import by_severity, counts
from jobs.models import Alert, AlertEvent

#: What the mean times are taken over.
WINDOW = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Alerts as they are now, without those folded into an incident."""

    total: int
    live: int
    by_state: Mapping[str, int]
    #: Of the live ones.
    by_severity: Mapping[str, int]
    by_kind: Mapping[str, int]
    by_app: Mapping[str, int]
    flapping: int
    #: In the last 24 hours.
    opened_today: int
    resolved_today: int
    #: Means of the last 30 days in seconds, from opening; None when there was none.
    seconds_to_acknowledge: float | None
    seconds_to_resolve: float | None


def figures(alerts: QuerySet[Alert], at: datetime) -> Figures:
    """The figures of those alerts."""
    shown = alerts.filter(incident=None).exclude(state=Alert.State.PENDING)
    live = shown.filter(state__in=Alert.State.live())
    states = counts(shown, "state")
    events = AlertEvent.objects.filter(alert__in=shown)
    today = events.filter(at__gte=at - timedelta(days=1)).order_by()
    return Figures(
        total=sum(states.values()),
        live=sum(states.get(state, 0) for state in Alert.State.live()),
        by_state={state: states.get(state, 0) for state in Alert.State.values if state != "pending"},
        by_severity=by_severity(live),
        by_kind=counts(live, "kind"),
        by_app=counts(live, "app"),
        flapping=live.filter(is_flapping=True).count(),
        opened_today=today.filter(what__in=["opened", "reopened"]).count(),
        resolved_today=today.filter(what__in=["resolved", "dismissed"]).count(),
        seconds_to_acknowledge=_mean_seconds(shown, "acknowledged", at),
        seconds_to_resolve=_mean_seconds(shown, "resolved", at),
    )


def _mean_seconds(alerts: QuerySet[Alert], what: str, at: datetime) -> float | None:
    """From the first opening to the first such event."""
    timed = alerts.annotate(began=_first("opened"), then=_first(what)).filter(
        then__gte=at - WINDOW, began__lte=F("then")
    )
    mean = timed.order_by().aggregate(mean=Avg(F("then") - F("began")))["mean"]
    return mean.total_seconds() if mean is not None else None


def _first(what: str) -> Subquery:
    events = AlertEvent.objects.filter(alert=OuterRef("pk"), what=what).order_by("pk")
    return Subquery(events.values("at")[:1])
