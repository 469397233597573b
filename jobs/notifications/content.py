"""What alerts, digests and tests say."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from jobs.alerts.kinds import find_kind, title_of
from jobs.display import duration
from jobs.models import Alert, AlertEvent, NotificationChannel
from jobs.notifications.message import Fact, Item, Message, absolute

#: So many items of a digest are listed; the others are counted.
LISTED = 50
_OPENINGS = {AlertEvent.What.OPENED, AlertEvent.What.REOPENED, AlertEvent.What.ESCALATED}


def of_event(event: AlertEvent, *, change: str | None = None) -> Message:
    """What happened to an alert. `change` replaces the word for it."""
    alert = event.alert
    return Message(
        type=f"alert.{event.what}",
        title=alert.title,
        severity=event.severity,
        at=event.at,
        change=change or event.get_what_display(),
        text=_text_of(event),
        facts=_facts_of(event),
        path=path_of(alert),
        owner_group=alert.owner_group_id,
        data={"alert": _as_data(alert), "event": _event_as_data(event)},
    )


def of_digest(name: str, events: Sequence[AlertEvent], *, at: datetime) -> Message:
    """Several events told together, the newest first."""
    newest = sorted(events, key=lambda event: (event.at, event.pk), reverse=True)
    alerts = {event.alert_id for event in newest}
    worst = min((Alert.Severity(event.severity) for event in newest), key=lambda severity: severity.rank)
    left = len(newest) - LISTED
    return Message(
        type="digest",
        title=f"{name}: {_counted(len(newest), 'change')} of {_counted(len(alerts), 'alert')}",
        severity=worst.value,
        at=at,
        text=f"{left} older ones are not listed." if left > 0 else "",
        items=tuple(
            Item(
                title=event.alert.title,
                severity=event.severity,
                change=event.get_what_display(),
                at=event.at,
                path=path_of(event.alert),
                owner_group=event.alert.owner_group_id,
            )
            for event in newest[:LISTED]
        ),
        path=reverse("admin:jobs_alert_changelist"),
        data={
            "events": [
                {"alert": _as_data(event.alert), "event": _event_as_data(event)} for event in newest[:LISTED]
            ],
            "total": len(newest),
        },
    )


def of_test(channel: NotificationChannel, *, by: str, at: datetime) -> Message:
    """A message that says that a channel works."""
    place = f" at {settings.SITE_URL}" if settings.SITE_URL else ""
    return Message(
        type="test",
        title="A test of Almanac's notifications",
        at=at,
        text=f"{by} has asked for this test of the channel “{channel.name}”{place}. Nothing is wrong.",
        path=reverse("admin:jobs_notificationchannel_change", args=[channel.pk]),
        data={"channel": channel.name, "asked_by": by},
    )


def path_of(alert: Alert) -> str:
    """The alert's page."""
    return reverse("admin:jobs_alert_change", args=[alert.pk])


def _text_of(event: AlertEvent) -> str:
    alert = event.alert
    parts = [event.note.strip(), alert.message.strip() if event.what in _OPENINGS else ""]
    kind = find_kind(alert.kind)
    if event.what in _OPENINGS and kind is not None and kind.runbook:
        parts.append(f"What to do:\n{kind.runbook.strip()}")
    return "\n\n".join(part for part in parts if part)


def _facts_of(event: AlertEvent) -> tuple[Fact, ...]:
    alert = event.alert
    lasted = ""
    if event.what == AlertEvent.What.RESOLVED and alert.opened_at is not None:
        lasted = duration(event.at - alert.opened_at)
    facts = (
        ("Kind", title_of(alert.kind)),
        ("About", alert.subject_text),
        ("Job", alert.job),
        ("Since", f"{alert.first_seen_at:%a %d %b %Y, %H:%M} UTC"),
        ("Seen", f"{alert.count} times" if alert.count > 1 else ""),
        ("Lasted", lasted),
        ("By", str(event.by) if event.by else ""),
    )
    return tuple(Fact(label=label, value=value) for label, value in facts if value)


def _as_data(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "title": alert.title,
        "message": alert.message,
        "app": alert.app,
        "job": alert.job,
        "subject": {"type": alert.subject_type, "id": alert.subject_id, "text": alert.subject_text},
        "priority": alert.priority,
        "count": alert.count,
        "first_seen_at": alert.first_seen_at.isoformat(),
        "last_seen_at": alert.last_seen_at.isoformat(),
        "context": alert.context,
        "url": absolute(path_of(alert)),
    }


def _event_as_data(event: AlertEvent) -> dict[str, Any]:
    return {
        "id": event.pk,
        "what": event.what,
        "at": event.at.isoformat(),
        "severity": event.severity,
        "note": event.note,
        "by": str(event.by) if event.by else None,
    }


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
