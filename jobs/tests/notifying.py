"""Channels, rules and alerts for tests of notifications; the channels are real inboxes or webhooks."""

from datetime import UTC, datetime
from typing import Any

from jobs.alerts import Subject, raise_alert
from jobs.models import Alert, Delivery, NotificationChannel, NotificationRule
from jobs.notifications import courier, deliveries, sending
from jobs.secrets import Sealed

#: A Wednesday, in the morning.
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OPENING = ["opened", "reopened", "escalated"]


def begin_anew() -> None:
    """Nothing but what the test makes: the first rule and channel of an installation are away."""
    NotificationRule.objects.all().delete()
    NotificationChannel.objects.all().delete()


def inbox(name: str = "Inbox", **options: Any) -> NotificationChannel:
    return NotificationChannel.objects.create(name=name, kind="inbox", **options)


def webhook(url: str, name: str = "Hook", **options: Any) -> NotificationChannel:
    return NotificationChannel.objects.create(
        name=name,
        kind="webhook",
        settings={"url": url},
        secrets=Sealed.of({"key": KEY}),
        **options,
    )


def email(*to: str, name: str = "Mail", **options: Any) -> NotificationChannel:
    return NotificationChannel.objects.create(name=name, kind="email", settings={"to": list(to)}, **options)


def rule(*channels: NotificationChannel, name: str = "Rule", **options: Any) -> NotificationRule:
    made = NotificationRule.objects.create(name=name, **{"changes": OPENING, **options})
    made.channels.set(channels)
    return made


def trouble(cause: str = "a", *, kind: str = "jobs.run_failed", at: datetime = NOON, **options: Any) -> Alert:
    """An alert that opens at once, or is seen again."""
    given = {
        "subject": Subject(type="run", id=cause, text=f"Run {cause}"),
        "title": f"Trouble with {cause}",
        "message": "It broke.",
        "fingerprint": cause,
        **options,
    }
    return raise_alert(kind, at=at, **given)


def told(channel: NotificationChannel | None = None) -> list[str]:
    """What is in the outbox, in order: "Opened: Trouble with a"."""
    rows = Delivery.objects.order_by("pk")
    if channel is not None:
        rows = rows.filter(channel=channel)
    return [": ".join(part for part in (row.message["change"], row.title) if part) for row in rows]


def deliver_due(now: datetime) -> None:
    """What couriers do, until nothing is due, here and one message after the other."""
    courier.prepare(now)
    while claims := deliveries.claim(courier.HANDS, now=now):
        for claim in claims:
            sending.carry(claim)
