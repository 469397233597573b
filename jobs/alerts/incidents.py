"""Incidents: the alerts of outages, into which everything is folded that they explain.

An incident begins when its part was last seen well. When the part is back, its end is noted, and the incident
closes once the slots that fell into it are settled, with a summary of what became of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from jobs.alerts.kinds import all_kinds, find_kind
from jobs.models import Alert, JobRun, SchedulePolicy, first_run_id

#: What is seen so long after an outage may still be its consequence.
AFTERMATH = timedelta(minutes=2)
#: A part must stay well for so long before its incident closes.
STEADY = timedelta(seconds=5)
#: How long an incident waits for its slots to be settled before it closes all the same.
PATIENCE = timedelta(minutes=2)
#: Machines' clocks may differ by so much.
_SKEW = timedelta(minutes=1)

_FATES = """
SELECT CASE
    WHEN status IN ('queued', 'running', 'retrying') THEN 'waiting'
    WHEN status = 'failed' AND error_type = 'jobs.errors.RunLost' THEN 'lost'
    WHEN status IN ('succeeded', 'partial', 'failed') THEN 'caught_up'
    ELSE status END AS fate, count(*)
FROM jobs_jobrun WHERE id >= %s AND scheduled_for >= %s AND scheduled_for < %s
GROUP BY fate
"""


@dataclass(frozen=True)
class Span:
    """When an incident's outage was, and until when what is seen counts as its consequence."""

    incident_id: int
    began: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Slots:
    """What became of the slots that fell into an outage."""

    #: They ran, if late; a failure of their own counts as having run.
    caught_up: int = 0
    #: Queued or running.
    waiting: int = 0
    missed: int = 0
    #: Left out by a rule of their schedule, such as "run the latest one".
    skipped: int = 0
    lost: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        return sum(vars(self).values())


def kinds() -> list[str]:
    """The names of the kinds that are outages."""
    return [kind.name for kind in all_kinds() if kind.is_outage]


def is_incident(alert: Alert) -> bool:
    """Whether the alert is one of an outage."""
    kind = find_kind(alert.kind)
    return kind is not None and kind.is_outage


def spans(at: datetime) -> list[Span]:
    """The outages that explain what is seen at that moment or a little before, the first to begin first."""
    recent = Q(state=Alert.State.RESOLVED, resolved_at__gte=at - AFTERMATH)
    found = Alert.objects.filter(
        Q(state__in=Alert.State.live()) | recent, kind__in=kinds(), bad_since__lte=at
    )
    return [
        Span(alert.pk, began, (alert.resolved_at or at) + AFTERMATH)
        for alert in found.order_by("bad_since")
        if (began := alert.bad_since) is not None
    ]


def covering(at: datetime) -> int | None:
    """The id of the incident that explains what was seen at that moment."""
    return next((span.incident_id for span in spans(at) if span.began <= at <= span.until), None)


def ended_at(incident: Alert) -> datetime | None:
    """When the outage was over; None while it lasts."""
    text = incident.context.get("ended")
    return parse_datetime(text) if isinstance(text, str) else None


def note_end(incident: Alert, at: datetime) -> None:
    """The part is back: remember since when, unless that is known already."""
    if ended_at(incident) is None:
        incident.context = {**incident.context, "ended": at.isoformat()}
        Alert.objects.filter(pk=incident.pk).update(context=incident.context)


def runs_of(incident: Alert, at: datetime) -> QuerySet[JobRun]:
    """The runs of all slots that fell into the outage, the latest first."""
    began, ended = _bounds(incident, at)
    return JobRun.objects.filter(
        pk__gte=first_run_id(began - _SKEW), scheduled_for__gte=began, scheduled_for__lt=ended
    )


def slots_of(incident: Alert, at: datetime) -> Slots:
    """What has become so far of the slots that fell into the outage."""
    began, ended = _bounds(incident, at)
    return slots_between(began, ended)


def slots_between(began: datetime, ended: datetime) -> Slots:
    """What has become so far of the slots between two moments."""
    with connection.cursor() as cursor:
        cursor.execute(_FATES, [first_run_id(began - _SKEW), began, ended])
        return Slots(**dict(cursor.fetchall()))


def is_settled(incident: Alert, at: datetime) -> bool:
    """Whether the outage is over, its part steady, and each of its slots has an outcome or has waited too long."""
    ended = ended_at(incident)
    if ended is None or at - ended < STEADY:
        return False
    if at - ended >= PATIENCE:
        return True
    unclaimed = SchedulePolicy.objects.filter(next_slot_at__lt=ended, task__enabled=True)
    return not unclaimed.exists() and slots_of(incident, at).waiting == 0


def summary(incident: Alert, slots: Slots, at: datetime) -> str:
    """One sentence or two for people: when it was, and what became of the slots."""
    began, ended = _bounds(incident, at)
    seconds = round((ended - began).total_seconds())
    when = f"From {began:%Y-%m-%d %H:%M:%S} to {ended:%H:%M:%S} UTC ({seconds // 60} min {seconds % 60} s)."
    if slots.total == 0:
        return f"{when} No slot fell into it."
    named = {
        "caught up": slots.caught_up,
        "still waiting": slots.waiting,
        "missed": slots.missed,
        "skipped by their rule": slots.skipped,
        "cancelled": slots.cancelled,
    }
    fates = [f"{count} {name}" for name, count in named.items() if count]
    return f"{when} {slots.total} slots fell into it: {', '.join([*fates, f'{slots.lost} lost'])}."


_COUNT = """
UPDATE jobs_alert SET context = jsonb_set(
    context, '{folded}',
    COALESCE(context -> 'folded', '{}') || jsonb_build_object(
        %(kind)s::text, COALESCE((context -> 'folded' ->> %(kind)s)::int, 0) + %(count)s::int))
WHERE id = %(id)s
"""


def count_folded(incident_id: int, counts: Mapping[str, int]) -> None:
    """Add what the outage explains to its incident, by kind of alert that there would have been."""
    with connection.cursor() as cursor:
        for kind, count in counts.items():
            cursor.execute(_COUNT, {"id": incident_id, "kind": kind, "count": count})


def _bounds(incident: Alert, at: datetime) -> tuple[datetime, datetime]:
    return incident.bad_since or incident.first_seen_at, ended_at(incident) or incident.resolved_at or at
