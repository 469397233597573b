"""What people do with alerts. Each is one conditional UPDATE: of two at the same moment, one wins.

All but reading leave an `AlertEvent` and an audit row in the same transaction. Who changes an alert has read it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.utils import timezone

from jobs import audit
from jobs.alerts import events
from jobs.errors import IllegalState, InvalidInput, JobsError, NotFound
from jobs.models import Alert, AlertEvent, AlertRead

State = Alert.State
What = AlertEvent.What
Resolution = Alert.Resolution

LONGEST_SNOOZE = timedelta(days=30)


class AlertNotFound(NotFound):
    """There is no such alert."""


class InvalidSnooze(InvalidInput):
    """An alert cannot be snoozed until then."""


@dataclass(frozen=True)
class Changed:
    """What became of a change of many: the alerts that changed, and why each of the others did not."""

    done: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)


def get(alert_id: int) -> Alert:
    """The alert; raises AlertNotFound for one that does not exist or has not opened yet."""
    alert = Alert.objects.shown().select_related("incident").filter(pk=alert_id).first()
    if alert is None:
        raise AlertNotFound(f"There is no alert {alert_id}.")
    return alert


def acknowledge(alert_id: int, *, by: AbstractBaseUser | None, note: str = "") -> Alert:
    """Say that somebody looks after it. Raises AlertNotFound, and IllegalState unless it is open or snoozed."""
    new = {"state": State.ACKNOWLEDGED, "snoozed_until": None}
    return _change(alert_id, [State.OPEN, State.SNOOZED], new, What.ACKNOWLEDGED, by, note)


def snooze(alert_id: int, *, until: datetime, by: AbstractBaseUser | None, note: str = "") -> Alert:
    """Put it off until then. Raises AlertNotFound, InvalidSnooze, and IllegalState when it is resolved."""
    now = timezone.now()
    if not now < until <= now + LONGEST_SNOOZE:
        raise InvalidSnooze({"until": [f"Use a moment within the next {LONGEST_SNOOZE.days} days."]})
    new = {"state": State.SNOOZED, "snoozed_until": until}
    said = f"Until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC. {note}".strip()
    return _change(alert_id, State.live(), new, What.SNOOZED, by, said)


def unsnooze(alert_id: int, *, by: AbstractBaseUser | None, note: str = "") -> Alert:
    """Bring it back before its time. Raises AlertNotFound, and IllegalState unless it is snoozed."""
    new = {"state": State.OPEN, "snoozed_until": None}
    return _change(alert_id, [State.SNOOZED], new, What.UNSNOOZED, by, note)


def resolve(alert_id: int, *, by: AbstractBaseUser | None, note: str = "") -> Alert:
    """Say that it is over. Raises AlertNotFound, and IllegalState when it is already."""
    return _end(alert_id, Resolution.MANUAL, What.RESOLVED, by, note)


def dismiss(alert_id: int, *, by: AbstractBaseUser | None, note: str = "") -> Alert:
    """Say that it was nothing to act on. Raises AlertNotFound, and IllegalState when it is over already."""
    return _end(alert_id, Resolution.DISMISSED, What.DISMISSED, by, note)


def each(
    alert_ids: Iterable[int], change: Callable[..., Alert], *, by: AbstractBaseUser | None, **given: Any
) -> Changed:
    """Make a change to many, each in a transaction of its own; what one refuses does not hinder the others."""
    changed = Changed()
    for alert_id in dict.fromkeys(alert_ids):
        try:
            change(alert_id, by=by, **given)
        except InvalidInput:
            raise
        except JobsError as error:
            changed.refused[alert_id] = str(error)
        else:
            changed.done.append(alert_id)
    return changed


def read(alert_ids: Iterable[int], *, by: AbstractBaseUser) -> int:
    """Remember that a person has read them as they are now; returns how many there are."""
    now = timezone.now()
    found = list(Alert.objects.shown().filter(pk__in=list(alert_ids)).values_list("pk", flat=True))
    AlertRead.objects.bulk_create(
        [AlertRead(alert_id=pk, user_id=by.pk, at=now) for pk in sorted(found)],
        update_conflicts=True,
        unique_fields=["alert", "user"],
        update_fields=["at"],
    )
    return len(found)


def unread(alert_ids: Iterable[int], *, by: AbstractBaseUser) -> int:
    """Forget that a person has read them; returns how many there are."""
    found = list(Alert.objects.shown().filter(pk__in=list(alert_ids)).values_list("pk", flat=True))
    AlertRead.objects.filter(alert__in=found, user_id=by.pk).delete()
    return len(found)


_WAKE = """
WITH woken AS (
    UPDATE jobs_alert SET state = 'open', snoozed_until = NULL, news_at = %(at)s
    WHERE state = 'snoozed' AND snoozed_until <= %(at)s
    RETURNING id, severity
)
INSERT INTO jobs_alertevent (alert_id, what, at, severity, note, context, is_silent)
SELECT id, 'unsnoozed', %(at)s, severity, 'Its snooze is over.', '{}', false FROM woken
"""


def wake(at: datetime) -> int:
    """Bring back the alerts whose snooze is over; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, {"at": at})
        return int(cursor.rowcount)


def _end(
    alert_id: int,
    resolution: Alert.Resolution,
    what: AlertEvent.What,
    by: AbstractBaseUser | None,
    note: str,
) -> Alert:
    new = {
        "state": State.RESOLVED,
        "resolution": resolution,
        "resolved_at": timezone.now(),
        "snoozed_until": None,
        "bad_in_a_row": 0,
    }
    return _change(alert_id, State.live(), new, what, by, note)


def _change(
    alert_id: int,
    allowed: list[Alert.State],
    new: dict[str, Any],
    what: AlertEvent.What,
    by: AbstractBaseUser | None,
    note: str,
) -> Alert:
    with transaction.atomic():
        changed = Alert.objects.filter(pk=alert_id, state__in=allowed).update(**new)
        alert = get(alert_id)
        if not changed:
            raise IllegalState(f"The alert is {alert.get_state_display().lower()}.")
        events.write(alert, what, at=timezone.now(), by=by, note=note)
        audit.record(by, alert, f"{what.label}. {note}".strip())
        if by is not None:
            read([alert_id], by=by)
    return alert
