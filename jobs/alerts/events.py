"""Writing what happened to an alert, in the transaction in which it happens."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from jobs.models import Alert, AlertEvent
from jobs.storable import clean_text


def write(
    alert: Alert,
    what: AlertEvent.What,
    *,
    at: datetime,
    by: AbstractBaseUser | None = None,
    note: str = "",
    context: Mapping[str, Any] | None = None,
    is_silent: bool = False,
) -> AlertEvent:
    """One line of the alert's history; unless it is silent, people are told of it."""
    return AlertEvent.objects.create(
        alert=alert,
        what=what,
        at=at,
        by_id=by.pk if by else None,
        severity=alert.severity,
        note=clean_text(note)[:500],
        context=dict(context or {}),
        is_silent=is_silent,
        notified_at=at if is_silent else None,
    )
