"""Incidents: the alerts of outages, into which everything is folded that they explain."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from jobs.alerts.kinds import all_kinds
from jobs.models import Alert

#: What is seen so long after an outage may still be its consequence.
AFTERMATH = timedelta(minutes=2)


def kinds() -> list[str]:
    """The names of the kinds that are outages."""
    return [kind.name for kind in all_kinds() if kind.is_outage]


def covering(moment: datetime) -> Alert | None:
    """The incident that explains what was seen at that moment: the one that had begun first."""
    ended_late = Q(state=Alert.State.RESOLVED, resolved_at__gte=moment - AFTERMATH)
    return (
        Alert.objects.filter(
            Q(state__in=Alert.State.live()) | ended_late, kind__in=kinds(), bad_since__lte=moment
        )
        .order_by("bad_since")
        .first()
    )


_COUNT = """
UPDATE jobs_alert SET context = jsonb_set(
    context, '{folded}',
    COALESCE(context -> 'folded', '{}') || jsonb_build_object(
        %(kind)s::text, COALESCE((context -> 'folded' ->> %(kind)s)::int, 0) + %(count)s))
WHERE id = %(id)s
"""


def count_folded(incident_id: int, counts: Mapping[str, int]) -> None:
    """Add to what is folded into an incident, by kind."""
    with connection.cursor() as cursor:
        for kind, count in counts.items():
            cursor.execute(_COUNT, {"id": incident_id, "kind": kind, "count": count})
