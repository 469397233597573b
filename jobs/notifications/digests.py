"""Digests: what was collected for a rule and a channel goes out as one message."""

from datetime import datetime

from django.db import transaction

from jobs.models import Delivery, DigestEntry, NotificationChannel, NotificationRule
from jobs.notifications import content, deliveries


def send_due(*, now: datetime) -> int:
    """Make a digest of everything that was collected until now; returns how many digests."""
    due = DigestEntry.objects.filter(due_at__lte=now)
    pairs = list(due.order_by("rule_id", "channel_id").values_list("rule_id", "channel_id").distinct())
    return sum(_send(rule_id, channel_id, now) for rule_id, channel_id in pairs)


def _send(rule_id: int, channel_id: int, now: datetime) -> bool:
    with transaction.atomic():
        waiting = DigestEntry.objects.filter(rule_id=rule_id, channel_id=channel_id, due_at__lte=now)
        locked = waiting.order_by("pk").select_for_update(skip_locked=True, of=("self",))
        entries = list(locked.select_related("event__alert", "event__by"))
        if not entries:
            return False
        rule = NotificationRule.objects.get(pk=rule_id)
        deliveries.add(
            NotificationChannel.objects.get(pk=channel_id),
            content.of_digest(rule.name, [entry.event for entry in entries], at=now),
            purpose=Delivery.Purpose.DIGEST,
            key=f"digest:{entries[0].pk}",
            now=now,
            rule=rule,
        )
        DigestEntry.objects.filter(pk__in=[entry.pk for entry in entries]).delete()
    return True
