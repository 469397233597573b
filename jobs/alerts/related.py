"""What belongs to an alert: its history, and the runs it is about."""

import uuid
from datetime import datetime
from typing import Any

from jobs.alerts import incidents
from jobs.alerts.names import RUN_FAILED
from jobs.models import Alert, AlertEvent, JobRun

#: How much is shown.
EVENTS, RUNS = 200, 20


def history(alert: Alert) -> list[AlertEvent]:
    """The latest events, the oldest of them first."""
    return list(alert.events.select_related("by").order_by("-pk")[:EVENTS])[::-1]


def runs(alert: Alert, at: datetime, *, seen_by: Any) -> list[JobRun]:
    """The latest runs that the alert is about and the person may see; for an incident, of the slots in its outage."""
    seen = JobRun.objects.visible_to(seen_by)
    if incidents.is_incident(alert):
        found = seen & incidents.runs_of(alert, at)
    elif alert.kind == RUN_FAILED:
        found = seen.filter(job=alert.job, error_fingerprint=alert.context.get("error_fingerprint", "-"))
    else:
        found = seen.filter(pk__in=_ids(alert))
    if not seen_by.has_perm("jobs.view_jobrun"):
        return []
    heavy = ("parameters", "args", "result", "traceback", "error_message")
    return list(found.select_related("schedule").defer(*heavy).order_by("-pk")[:RUNS])


def _ids(alert: Alert) -> list[uuid.UUID]:
    """The runs that whoever raised it named; the context may hold anything."""
    named = alert.context.get("runs")
    texts = named if isinstance(named, list) else []
    return [found for text in texts[:RUNS] if (found := _uuid(text)) is not None]


def _uuid(text: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
