"""Forgetting old deliveries and messages that were read, in small batches."""

from datetime import datetime, timedelta

from django.utils import timezone

from jobs.models import Delivery, InboxMessage

USUAL_DAYS = 90
_BATCH = 1000


def clean(*, keep_days: int) -> dict[str, int]:
    """Delete what is older; returns how many of each."""
    moment = timezone.now() - timedelta(days=keep_days)
    return {
        "deliveries": _delete_deliveries(moment),
        "messages": _delete_messages(moment),
    }


def _delete_deliveries(moment: datetime) -> int:
    total = 0
    while True:
        old = Delivery.objects.ended_before(moment).order_by("pk").values_list("pk", flat=True)[:_BATCH]
        ids = list(old)
        if not ids:
            return total
        Delivery.objects.filter(pk__in=ids).delete()
        total += len(ids)


def _delete_messages(moment: datetime) -> int:
    total = 0
    while True:
        old = InboxMessage.objects.filter(read_at__lt=moment).order_by("pk").values_list("pk", flat=True)
        ids = list(old[:_BATCH])
        if not ids:
            return total
        InboxMessage.objects.filter(pk__in=ids).delete()
        total += len(ids)
