"""Alerts that open and close again and again: people are told so once, and once when it is over."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Greatest

from jobs.alerts import events
from jobs.alerts.kinds import find_kind
from jobs.alerts.priority import priority
from jobs.models import Alert, AlertEvent

What = AlertEvent.What

#: So many openings within so long are flapping; as long without a change, and it is over.
OPENINGS = 4
WITHIN = timedelta(hours=1)


def notice(alert: Alert, at: datetime) -> None:
    """See whether the alert flaps now that it was opened again; if so, say that instead of each change from here on."""
    opened = alert.events.filter(what__in=[What.OPENED, What.REOPENED], at__gt=at - WITHIN).count()
    if alert.is_flapping or opened < OPENINGS:
        return
    _mark(alert, is_flapping=True)
    alert.events.filter(what=What.REOPENED, notified_at=None, at=at).update(is_silent=True, notified_at=at)
    note = f"Opened {opened} times within {WITHIN // timedelta(minutes=1)} minutes. Its changes are not told one by one."
    events.write(alert, What.FLAPPING, at=at, note=note, is_silent=alert.incident_id is not None)


def settle(at: datetime) -> int:
    """Tell of the alerts that were steady for long enough; returns how many."""
    steady = Alert.objects.filter(is_flapping=True).annotate(changed_at=Greatest("opened_at", "resolved_at"))
    with transaction.atomic():
        alerts = list(steady.filter(changed_at__lte=at - WITHIN).select_for_update(skip_locked=True))
        for alert in alerts:
            _mark(alert, is_flapping=False)
            events.write(alert, What.STEADY, at=at, note=f"It stays {alert.get_state_display().lower()}.")
    return len(alerts)


def _mark(alert: Alert, *, is_flapping: bool) -> None:
    kind = find_kind(alert.kind)
    alert.is_flapping = is_flapping
    alert.priority = priority(
        alert.severity, count=alert.count, is_outage=bool(kind and kind.is_outage), is_flapping=is_flapping
    )
    Alert.objects.filter(pk=alert.pk).update(is_flapping=is_flapping, priority=alert.priority)
