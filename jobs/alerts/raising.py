"""Sightings of good and bad, and what they make of an alert.

A cause is told by kind and fingerprint. Everybody who reports about one cause takes its lock first (an advisory
lock of the transaction), so that parallel sightings count one after the other; what people do to an alert
meanwhile (`jobs.alerts.changes`) waits for the row's lock. Sightings join the caller's transaction: report them
outside of long ones.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from jobs.alerts import events, flapping, incidents
from jobs.alerts.kinds import Kind, find_kind, get_kind
from jobs.alerts.priority import priority
from jobs.models import Alert, AlertEvent
from jobs.storable import clean_json, clean_text

State = Alert.State
What = AlertEvent.What

#: So many entries of an alert's context are kept, the newest.
CONTEXT_KEYS = 100


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What an alert is about."""

    #: Such as "run", "schedule", "queue".
    type: str
    id: str = ""
    #: As people call it.
    text: str = ""
    #: The path of its page; empty: it has none.
    link: str = ""


def raise_alert(
    kind: str,
    *,
    subject: Subject,
    title: str,
    message: str = "",
    severity: str | None = None,
    fingerprint: str | None = None,
    context: Mapping[str, Any] | None = None,
    at: datetime | None = None,
    since: datetime | None = None,
    times: int = 1,
    job: str = "",
    owner_group_id: int | None = None,
) -> Alert:
    """Report that something is bad; returns its alert, which opens when the kind's hysteresis says so.

    Without a fingerprint, the subject tells causes apart. `severity` is the kind's when it is not given, or what the
    alert has. `at` is the moment of the sighting (now), `since` when it began to be bad (the first sighting), `times`
    how many sightings are reported together. With an owner group, only its members see the alert; the fingerprint must
    tell groups apart. Raises UnknownKind.
    """
    declared = get_kind(kind)
    at = at or timezone.now()
    cause = (fingerprint or f"{subject.type}:{subject.id}")[:200]
    with _locked(kind, cause) as found:
        alert = found if found is not None and _goes_on(found, declared, at) else _new(declared, cause, at)
        alert.job = job[:200] or alert.job
        alert.owner_group_id = owner_group_id or alert.owner_group_id
        alert.subject_type, alert.subject_id = clean_text(subject.type)[:50], clean_text(subject.id)[:100]
        alert.subject_text, alert.link = clean_text(subject.text)[:300], subject.link[:500]
        alert.title, alert.message = clean_text(title)[:200], clean_text(message)
        alert.context = _newest({**alert.context, **clean_json(dict(context or {}))})
        wanted = Alert.Severity(severity) if severity else None
        _see_bad(alert, declared, at, since or at, times, wanted)
    return alert


def _newest(context: dict[str, Any]) -> dict[str, Any]:
    """Reports whose keys are never the same do not make an alert grow for ever."""
    return dict(list(context.items())[-CONTEXT_KEYS:])


def report_good(
    kind: str, fingerprint: str, *, reason: str, at: datetime | None = None, times: int = 1
) -> bool:
    """Report that a cause was seen well; True when that closed its alert. Nothing happens without one."""
    declared = find_kind(kind)
    needed = declared.good_in_a_row if declared else 1
    with _locked(kind, fingerprint[:200]) as alert:
        if alert is None:
            return False
        alert.good_in_a_row = min(alert.good_in_a_row + times, 30_000)
        alert.bad_in_a_row = 0
        if alert.is_live and alert.good_in_a_row >= needed:
            _close(alert, at or timezone.now(), reason)
            return True
        if alert.state == State.PENDING:
            alert.delete()
        else:
            Alert.objects.filter(pk=alert.pk).update(bad_in_a_row=0, good_in_a_row=alert.good_in_a_row)
        return False


def resolve(
    kind: str,
    fingerprint: str,
    *,
    reason: str,
    at: datetime | None = None,
    context: Mapping[str, Any] | None = None,
) -> bool:
    """Close the alert of a cause that is over, whatever the kind's hysteresis; True when there was one to close."""
    with _locked(kind, fingerprint[:200]) as alert:
        if alert is None or alert.state == State.RESOLVED:
            return False
        if alert.state == State.PENDING:
            alert.delete()
            return False
        alert.context = _newest({**alert.context, **clean_json(dict(context or {}))})
        _close(alert, at or timezone.now(), reason)
        return True


def unfold(alert_id: int, *, at: datetime) -> None:
    """The alert outlives the incident that explained it: people are told of it now."""
    with transaction.atomic():
        alert = Alert.objects.live().exclude(incident=None).select_for_update().filter(pk=alert_id).first()
        if alert is None:
            return
        alert.incident = None
        alert.news_at = alert.told_at = at
        alert.save()
        events.write(alert, What.OPENED, at=at, note="It outlives the outage that explained it.")


@contextmanager
def _locked(kind: str, fingerprint: str) -> Iterator[Alert | None]:
    """A transaction that has the cause to itself; gives its newest alert, locked, whatever its state."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"alert {kind} {fingerprint}"]
            )
        alerts = Alert.objects.filter(kind=kind, fingerprint=fingerprint)
        unresolved = alerts.exclude(state=State.RESOLVED)
        yield (
            unresolved.select_for_update().first()
            or alerts.filter(state=State.RESOLVED).order_by("-resolved_at").select_for_update().first()
        )


def _goes_on(alert: Alert, kind: Kind, at: datetime) -> bool:
    """Whether the sighting belongs to this alert.

    One that was resolved goes on when its cause soon comes back. One that was dismissed goes on, unheard, as long
    as its cause never pauses for long.
    """
    if alert.resolved_at is None:
        return True
    rested_since = alert.last_seen_at if _is_dismissed(alert) else alert.resolved_at
    return at - rested_since <= kind.reopens_within


def _is_dismissed(alert: Alert) -> bool:
    return alert.resolution == Alert.Resolution.DISMISSED


def _new(kind: Kind, fingerprint: str, at: datetime) -> Alert:
    return Alert(
        kind=kind.name,
        app=kind.app_label,
        severity=kind.severity,
        fingerprint=fingerprint,
        first_seen_at=at,
        last_seen_at=at,
        news_at=at,
    )


def _see_bad(
    alert: Alert, kind: Kind, at: datetime, since: datetime, times: int, severity: Alert.Severity | None
) -> None:
    """Count the sightings, and write what they make of the alert with its event."""
    if alert.bad_in_a_row == 0 or alert.bad_since is None:
        alert.bad_since = since
    alert.bad_since = min(alert.bad_since, since)
    alert.first_seen_at = min(alert.first_seen_at, since)
    alert.last_seen_at = max(alert.last_seen_at, at)
    alert.count += times
    alert.bad_in_a_row += times
    alert.good_in_a_row = 0
    what = _next_step(alert, kind, at, severity)
    alert.severity = severity or alert.severity
    if what is not None:
        _take(alert, what, kind, at)
    alert.priority = priority(
        alert.severity, count=alert.count, is_outage=kind.is_outage, is_flapping=alert.is_flapping
    )
    # Under the cause's lock and, where there is a row, under the row's: nobody else's change can be overwritten.
    alert.save()
    if what is not None:
        _tell(alert, what, at)


def _next_step(
    alert: Alert, kind: Kind, at: datetime, severity: Alert.Severity | None
) -> AlertEvent.What | None:
    """What a sighting means for the alert; None: it only counts."""
    was = Alert.Severity(alert.severity)
    is_worse = severity is not None and severity.rank < was.rank
    if not alert.is_live:
        if not _is_bad_enough(alert, kind, at) or (_is_dismissed(alert) and not is_worse):
            return None
        return What.REOPENED if alert.state == State.RESOLVED else What.OPENED
    if severity is not None and severity != was:
        return What.ESCALATED if is_worse else What.EASED
    is_due = alert.told_at is None or at - alert.told_at >= kind.cooldown
    return What.REPEATED if is_due and alert.state == State.OPEN else None


def _is_bad_enough(alert: Alert, kind: Kind, at: datetime) -> bool:
    if kind.bad_for is None:
        return alert.bad_in_a_row >= kind.bad_in_a_row
    has_lasted = alert.bad_since is not None and at - alert.bad_since >= kind.bad_for
    return has_lasted or (kind.bad_in_a_row > 1 and alert.bad_in_a_row >= kind.bad_in_a_row)


def _take(alert: Alert, what: AlertEvent.What, kind: Kind, at: datetime) -> None:
    """Take the step. What is new wakes people up: an acknowledged or snoozed alert that gets worse is open again."""
    if what in (What.OPENED, What.REOPENED):
        alert.opened_at = at
        alert.resolved_at = None
        alert.resolution = Alert.Resolution.NONE
        alert.incident_id = incidents.covering(at) if kind.is_folded else None
    if what in (What.OPENED, What.REOPENED, What.ESCALATED):
        alert.state = State.OPEN
        alert.snoozed_until = None
        alert.news_at = at
    if what != What.EASED:
        alert.told_at = at


def _tell(alert: Alert, what: AlertEvent.What, at: datetime) -> None:
    is_silent = alert.incident_id is not None or alert.is_flapping or what == What.EASED
    events.write(alert, what, at=at, is_silent=is_silent)
    if what == What.REOPENED:
        flapping.notice(alert, at)


def _close(alert: Alert, at: datetime, reason: str) -> None:
    alert.state = State.RESOLVED
    alert.resolution = Alert.Resolution.RECOVERED
    alert.resolved_at = at
    alert.snoozed_until = None
    alert.bad_in_a_row = 0
    alert.save()
    is_silent = alert.incident_id is not None or alert.is_flapping
    events.write(alert, What.RESOLVED, at=at, note=reason, context=alert.context, is_silent=is_silent)
