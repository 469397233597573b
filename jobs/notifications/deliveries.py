"""The outbox: adding deliveries, claiming them, and writing down what came of an attempt.

A delivery is claimed by a conditional update that counts its attempts and sets a lease; only the attempt that owns
it may write its outcome. A process that dies in between lets the lease run out, and the delivery is made again under
the same id: at least once, and exactly once for a receiver that heeds the id.
"""

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from jobs import audit
from jobs.errors import IllegalState, JobsError
from jobs.models import Alert, AlertEvent, Delivery, DeliveryAttempt, NotificationChannel, NotificationRule
from jobs.notifications import channels
from jobs.notifications.message import Message
from jobs.storable import clean_text

logger = logging.getLogger(__name__)

Purpose = Delivery.Purpose
State = Delivery.State
Outcome = DeliveryAttempt.Outcome

#: What could not be delivered within so long after its time is given up.
PATIENCE = timedelta(hours=24)
#: A week of waiting for a receiver is no waiting: a `Retry-After` counts up to here.
LONGEST_PAUSE = timedelta(hours=6)
#: Bounds of the delay before another attempt, in seconds; it doubles, and is drawn evenly from zero ("full jitter").
BASE_SECONDS, CAP_SECONDS = 30.0, 3600.0
_CLAIMING = 7_206_001  # an advisory lock's number


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to make one attempt at a delivery."""

    delivery: Delivery
    #: Counted from 1.
    attempt: int
    started_at: datetime


def add(
    channel: NotificationChannel,
    message: Message,
    *,
    purpose: Delivery.Purpose,
    key: str,
    now: datetime,
    alert: Alert | None = None,
    event: AlertEvent | None = None,
    rule: NotificationRule | None = None,
    recipients: Iterable[str] | None = None,
) -> list[Delivery]:
    """Put a message into the outbox, once for each recipient; a key that a recipient had already adds nothing.

    Without `recipients`, the channel's own, but for those that were refused. A channel that is disabled, or whose kind
    is gone, gets nothing. In quiet hours the message waits for their end. Returns the rows that were meant, new or not.
    """
    if not channel.is_enabled:
        return []
    if recipients is None:
        recipients = recipients_of(channel)
    severity = message.severity
    due = channel.sends_from(now, severity if purpose in (Purpose.ALERT, Purpose.ESCALATION) else "low")
    stored = message.model_dump(mode="json")
    rows = [
        Delivery(
            channel=channel,
            recipient=recipient,
            purpose=purpose,
            key=key,
            alert=alert,
            event=event,
            rule=rule,
            owner_groups=message.owner_groups,
            severity=severity,
            title=message.title,
            message=stored,
            created_at=now,
            due_at=due,
            expires_at=due + PATIENCE,
        )
        for recipient in recipients
    ]
    return Delivery.objects.bulk_create(rows, ignore_conflicts=True)


def recipients_of(channel: NotificationChannel) -> list[str]:
    """Who gets the channel's messages now; nobody when its kind is gone or its settings cannot be read."""
    try:
        settings = channels.read_settings(channel)
    except JobsError as error:
        logger.error("Nothing can be sent over the channel “%s”: %s", channel, error)
        return []
    found = channels.get_kind(channel.kind).recipients(settings)
    return [recipient for recipient in found if recipient not in channel.refused_recipients]


_CLAIM = """
UPDATE jobs_delivery d
SET state = 'sending', attempts = d.attempts + 1, lease_until = %(lease_until)s
FROM (
    SELECT first.id
    FROM jobs_notificationchannel c
    CROSS JOIN LATERAL (
        SELECT id FROM jobs_delivery
        WHERE channel_id = c.id AND state = 'waiting' AND due_at <= %(now)s
        ORDER BY due_at, id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    ) first
    WHERE c.is_enabled
      AND (c.pause_until IS NULL OR c.pause_until <= %(now)s)
      AND NOT EXISTS (SELECT 1 FROM jobs_delivery s WHERE s.channel_id = c.id AND s.state = 'sending')
    LIMIT %(limit)s
) due
WHERE d.id = due.id
RETURNING d.id
"""


def claim(limit: int, *, now: datetime) -> list[Claim]:
    """Claim the next delivery of each channel that has none under way, at most `limit`: so order is kept.

    Only one process claims at a time; another one that asks meanwhile gets nothing, and asks again soon.
    """
    if limit < 1:
        return []
    lease_until = now + timedelta(seconds=settings.NOTIFICATIONS_LEASE_SECONDS)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_CLAIMING])
        (is_ours,) = cursor.fetchone() or (False,)
        if not is_ours:
            return []
        cursor.execute(_CLAIM, {"now": now, "limit": limit, "lease_until": lease_until})
        ids = [row[0] for row in cursor.fetchall()]
    claimed = Delivery.objects.filter(pk__in=ids).select_related("channel").order_by("due_at", "pk")
    return [Claim(delivery=row, attempt=row.attempts, started_at=now) for row in claimed]


def claim_test(channel: NotificationChannel, message: Message, recipient: str, *, now: datetime) -> Claim:
    """A new delivery of a test, claimed at once, also over a disabled channel."""
    row = Delivery.objects.create(
        channel=channel,
        recipient=recipient,
        purpose=Purpose.TEST,
        key=f"test:{uuid.uuid4()}",
        severity=message.severity,
        title=message.title,
        message=message.model_dump(mode="json"),
        state=State.SENDING,
        created_at=now,
        due_at=now,
        expires_at=now,
        attempts=1,
        lease_until=now + timedelta(seconds=settings.NOTIFICATIONS_LEASE_SECONDS),
    )
    return Claim(delivery=row, attempt=1, started_at=now)


def finish(
    claim: Claim,
    outcome: DeliveryAttempt.Outcome,
    *,
    answer: str,
    status: int | None = None,
    request: Any = None,
    next_try_at: datetime | None = None,
) -> bool:
    """Write the outcome of an attempt; False when it had lost the delivery meanwhile, and nothing is written.

    Without `next_try_at`, an attempt that failed was the last.
    """
    now, answer = timezone.now(), clean_text(answer)
    changes: dict[str, Any] = {"lease_until": None, "last_answer": answer[:500]}
    if outcome == Outcome.SENT:
        changes |= {"state": State.SENT, "ended_at": now}
    elif next_try_at is None:
        changes |= {"state": State.FAILED, "ended_at": now}
    else:
        changes |= {"state": State.WAITING, "due_at": next_try_at}
    with transaction.atomic():
        owned = Delivery.objects.filter(pk=claim.delivery.pk, state=State.SENDING, attempts=claim.attempt)
        if not owned.update(**changes):
            return False
        DeliveryAttempt.objects.create(
            delivery=claim.delivery,
            number=claim.attempt,
            started_at=claim.started_at,
            ended_at=now,
            outcome=outcome,
            request=request or {},
            status=status,
            answer=answer,
        )
    return True


def recover_lost(*, now: datetime) -> int:
    """Take back deliveries whose process fell silent, to be made again; returns how many."""
    with transaction.atomic():
        silent = Delivery.objects.filter(state=State.SENDING, lease_until__lt=now)
        lost = list(silent.select_for_update(skip_locked=True, of=("self",)))
        Delivery.objects.filter(pk__in=[row.pk for row in lost]).exclude(purpose=Purpose.TEST).update(
            state=State.WAITING, lease_until=None, due_at=now, last_answer="The process that sent it died."
        )
        Delivery.objects.filter(pk__in=[row.pk for row in lost], purpose=Purpose.TEST).update(
            state=State.FAILED, lease_until=None, ended_at=now, last_answer="The process that sent it died."
        )
        DeliveryAttempt.objects.bulk_create(
            [
                DeliveryAttempt(
                    delivery=row,
                    number=row.attempts,
                    started_at=row.lease_until - timedelta(seconds=settings.NOTIFICATIONS_LEASE_SECONDS)
                    if row.lease_until
                    else now,
                    ended_at=now,
                    outcome=Outcome.LOST,
                    answer="The process that sent it died. Whether the message arrived is not known.",
                )
                for row in lost
            ],
            ignore_conflicts=True,
        )
    return len(lost)


def withdraw_old(*, now: datetime) -> int:
    """Give up what waited too long, over channels that were disabled or paused; returns how many."""
    late = Delivery.objects.filter(state=State.WAITING, expires_at__lte=now)
    return late.update(
        state=State.WITHDRAWN,
        ended_at=now,
        last_answer=f"It waited for more than {PATIENCE // timedelta(hours=1)} hours.",
    )


def retry(deliveries: Iterable[Delivery], *, by: AbstractBaseUser | None) -> int:
    """Put failed and withdrawn deliveries back into the outbox, to be sent now; returns how many.

    Raises IllegalState when one of them neither failed nor was withdrawn.
    """
    now = timezone.now()
    with transaction.atomic():
        chosen = list(
            Delivery.objects.filter(pk__in=[row.pk for row in deliveries]).select_for_update(of=("self",))
        )
        for row in chosen:
            if row.state not in (State.FAILED, State.WITHDRAWN) or row.purpose == Purpose.TEST:
                raise IllegalState(
                    f"Only what failed or was withdrawn is sent again; “{row}” is {row.get_state_display().lower()}."
                    if row.purpose != Purpose.TEST
                    else "A test is not sent again: make another one."
                )
            audit.record(by, row, "Sent again.")
        ids = [row.pk for row in chosen]
        return Delivery.objects.filter(pk__in=ids).update(
            state=State.WAITING, due_at=now, expires_at=now + PATIENCE, ended_at=None
        )


def was_told(alert: Alert, channel: NotificationChannel, *, since: datetime) -> bool:
    """Whether something of the alert went into the channel's outbox since then."""
    told = Delivery.objects.filter(alert=alert, channel=channel, created_at__gt=since)
    return told.exclude(state=State.WITHDRAWN).exists()


def told_of(alert: Alert, *, since: datetime) -> list[Delivery]:
    """The deliveries that told of an alert since it was opened, and were not in vain; one for each recipient."""
    told = Delivery.objects.filter(
        ~Q(state__in=[State.FAILED, State.WITHDRAWN]),
        Q(rule=None) | Q(rule__tells_recovery=True),
        alert=alert,
        created_at__gte=since,
        purpose__in=[Purpose.ALERT, Purpose.ESCALATION],
    )
    return list(
        told.order_by("channel_id", "recipient", F("id").asc())
        .distinct("channel_id", "recipient")
        .select_related("channel", "rule")
    )
