"""What people decide about a cause: to mute it for a while, or not to mend it at all."""

from collections.abc import Iterable
from datetime import UTC, datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from jobs import audit
from jobs.errors import IllegalState, InvalidInput
from jobs.models import FailureDecision
from jobs.storable import clean_text

Action = FailureDecision.Action


def muted_among(fingerprints: Iterable[str]) -> set[str]:
    """Those of the fingerprints whose failures raise no alert: they are muted, or will not be fixed. One query."""
    decided = FailureDecision.objects.in_force(timezone.now())
    return set(decided.filter(pk__in=set(fingerprints)).values_list("pk", flat=True))


def decide(
    fingerprint: str,
    action: FailureDecision.Action,
    *,
    by: AbstractBaseUser | None,
    until: datetime | None = None,
    note: str = "",
) -> FailureDecision:
    """Mute a cause or archive it, until a moment or until the cause changes, which has another fingerprint.

    An earlier decision is replaced. Raises InvalidInput when `until` has passed.
    """
    now = timezone.now()
    if until is not None and until <= now:
        raise InvalidInput({"until": ["This moment has passed."]})
    with transaction.atomic():
        decision, _ = FailureDecision.objects.update_or_create(
            pk=fingerprint,
            defaults={
                "action": action,
                "until": until,
                "note": clean_text(note)[:300],
                "decided_at": now,
                "decided_by_id": by.pk if by else None,
            },
        )
        end = f"until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until else "until the cause changes"
        verb = "Muted" if action == Action.MUTED else "Archived, will not be fixed,"
        audit.record_about(by, f"failure {fingerprint}", f"{verb} {end}. {note}".strip())
    return decision


def reopen(fingerprint: str, *, by: AbstractBaseUser | None) -> None:
    """Take a decision back. Raises IllegalState when there is none."""
    with transaction.atomic():
        count, _ = FailureDecision.objects.filter(pk=fingerprint).delete()
        if not count:
            raise IllegalState("Nothing was decided about this failure.")
        audit.record_about(by, f"failure {fingerprint}", "Opened again.")
