"""The jobs of accounts."""

from datetime import timedelta
from typing import Annotated

from django.conf import settings
from django.utils import timezone
from pydantic import Field

from jobs.context import ActiveRun
from jobs.definitions import cron, job
from jobs.retention import forget_audit_events


@job(
    "accounts.forget_audit",
    title="Forget old audit events",
    queue="maintenance",
    schedule=cron("45 0 * * sun"),
)
def forget_audit(
    run: ActiveRun, *, days: Annotated[int, Field(ge=1, le=36_525)] = settings.AUDIT_KEEP_DAYS
) -> dict[str, int]:
    """Remove the events of the audit trail that are older than so many days."""
    return {"events": forget_audit_events(before=timezone.now() - timedelta(days=days))}
