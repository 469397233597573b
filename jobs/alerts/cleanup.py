"""Forgetting alerts that were resolved long ago, with their history."""

from datetime import datetime, timedelta

from django.db import transaction

from jobs.models import Alert

BATCH = 500
#: How long resolved alerts may be kept at least and at most, in days; and how long they are unless told otherwise.
SHORTEST, LONGEST, USUAL = 30, 365, 90


def cleanup(at: datetime, *, keep_days: int = USUAL, dry_run: bool = False) -> int:
    """Delete the alerts that were resolved longer ago than that, in batches; returns how many."""
    old = Alert.objects.filter(
        state=Alert.State.RESOLVED, resolved_at__lt=at - timedelta(days=keep_days)
    ).order_by("resolved_at")
    if dry_run:
        return old.count()
    total = 0
    while ids := list(old.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            _, deleted = Alert.objects.filter(pk__in=ids).delete()
        total += deleted.get("jobs.Alert", 0)
    return total
