"""One attempt at a delivery: send, understand what came of it, and look after the channel's health."""

import logging
import random
from datetime import datetime, timedelta

from django.db import Error
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from jobs import alerts
from jobs.alerts.names import NOTIFICATION_FAILING
from jobs.errors import JobsError
from jobs.models import Delivery, DeliveryAttempt, NotificationChannel
from jobs.notifications import channels, deliveries
from jobs.notifications.channels import Answer, Envelope
from jobs.notifications.deliveries import Claim
from jobs.notifications.errors import ChannelRefused, NotNow, NotSent, RecipientRefused, Refused
from jobs.notifications.message import Message

logger = logging.getLogger(__name__)

Outcome = DeliveryAttempt.Outcome
#: So many failures in a row and people are told, over other channels.
FAILING_AFTER = 5


def carry(claim: Claim) -> Answer | NotSent:
    """Make the attempt and write down what came of it; returns the answer, or why there is none."""
    outcome = _attempt(claim.delivery)
    if isinstance(outcome, Answer):
        is_ours = deliveries.finish(
            claim, Outcome.SENT, answer=outcome.text, status=outcome.status, request=dict(outcome.request)
        )
        if is_ours and not _is_test(claim):
            _note_success(claim.delivery.channel)
        return outcome
    next_try_at = _next_try(claim, outcome)
    is_ours = deliveries.finish(
        claim,
        Outcome.LATER if isinstance(outcome, NotNow) else Outcome.REFUSED,
        answer=str(outcome),
        status=outcome.status,
        request=dict(outcome.request),
        next_try_at=next_try_at,
    )
    if is_ours and not _is_test(claim):
        _note_failure(claim, outcome, is_over=next_try_at is None)
    return outcome


def _attempt(delivery: Delivery) -> Answer | NotSent:
    channel = delivery.channel
    try:
        kind = channels.get_kind(channel.kind)
        envelope = Envelope(
            id=delivery.pk,
            message=Message.model_validate(delivery.message),
            settings=channels.read_settings(channel),
            recipient=delivery.recipient,
            channel_id=channel.pk,
        )
        return kind.send(envelope)
    except NotSent as error:
        return error
    except JobsError as error:  # its kind is gone, its secrets or settings cannot be read
        return ChannelRefused(str(error))
    except Error as error:
        return NotNow(f"The database does not answer: {error}")
    except Exception as error:
        logger.exception("The channel %s (%s) broke on delivery %s.", channel.pk, channel.kind, delivery.pk)
        return NotNow(f"The channel broke: {type(error).__name__}. The log of this process tells more.")


def _is_test(claim: Claim) -> bool:
    return claim.delivery.purpose == Delivery.Purpose.TEST


def _next_try(claim: Claim, error: NotSent) -> datetime | None:
    """When to try again; None: not any more."""
    if not isinstance(error, NotNow) or _is_test(claim):
        return None
    now = timezone.now()
    delivery = claim.delivery
    moment = now + timedelta(seconds=delay_seconds(claim.attempt))
    if error.retry_after is not None:
        moment = max(moment, now + _pause(error.retry_after))
    severity = delivery.severity if delivery.alert_id else "low"
    moment = delivery.channel.sends_from(moment, severity)
    return moment if moment < delivery.expires_at else None


def delay_seconds(attempt: int) -> float:
    """How long to wait after the attempt with this number: drawn evenly from zero to a bound that doubles."""
    bound = min(deliveries.CAP_SECONDS, deliveries.BASE_SECONDS * 2 ** min(attempt - 1, 20))
    return random.uniform(0, bound)  # noqa: S311 - spreads load, guards nothing


def _pause(retry_after: float) -> timedelta:
    return min(timedelta(seconds=retry_after), deliveries.LONGEST_PAUSE)


def _note_success(channel: NotificationChannel) -> None:
    NotificationChannel.objects.filter(pk=channel.pk).update(
        failures_in_a_row=0, last_error="", pause_until=None, last_sent_at=timezone.now()
    )
    if channel.failures_in_a_row:
        alerts.resolve(NOTIFICATION_FAILING, cause(channel), reason="A message was delivered.")


def _note_failure(claim: Claim, error: NotSent, *, is_over: bool) -> None:
    channel, now = claim.delivery.channel, timezone.now()
    rows = NotificationChannel.objects.filter(pk=channel.pk)
    changes = {"last_error": str(error)[:500], "last_failed_at": now}
    if isinstance(error, RecipientRefused) and _leave_out(claim, error, now):
        rows.update(**changes)
        return
    rows.update(failures_in_a_row=F("failures_in_a_row") + 1, **changes)
    if isinstance(error, NotNow) and error.retry_after is not None:
        rows.update(pause_until=now + _pause(error.retry_after))
    if isinstance(error, (ChannelRefused, RecipientRefused)):
        _disable(channel, str(error), now)
    elif is_over or channel.failures_in_a_row + 1 >= FAILING_AFTER:
        verb = "refuses messages" if isinstance(error, Refused) else "does not deliver"
        _alert(channel, f"Channel “{channel.name}” {verb}", str(error))


def _leave_out(claim: Claim, error: RecipientRefused, now: datetime) -> bool:
    """Send nothing more to one of several recipients; False when it was the only one left."""
    channel, recipient = claim.delivery.channel, claim.delivery.recipient
    others = [name for name in deliveries.recipients_of(channel) if name != recipient]
    if not others:
        return False
    channel.refused_recipients[recipient] = {"reason": str(error)[:500], "at": now.isoformat()}
    NotificationChannel.objects.filter(pk=channel.pk).update(refused_recipients=channel.refused_recipients)
    _alert(
        channel,
        f"Channel “{channel.name}” no longer sends to {recipient}",
        f"{error}\n\nThe other recipients still get messages.",
        recipient=recipient,
    )
    return True


def _disable(channel: NotificationChannel, reason: str, now: datetime) -> None:
    enabled = NotificationChannel.objects.filter(pk=channel.pk, is_enabled=True)
    if enabled.update(is_enabled=False, disabled_reason=reason[:500], disabled_at=now):
        _alert(channel, f"Channel “{channel.name}” was disabled", f"{reason}\n\n{HOW_TO_ENABLE}")


HOW_TO_ENABLE = (
    "Nothing is sent over it until somebody corrects it and enables it again. What waits is kept for a day."
)


def cause(channel: NotificationChannel, recipient: str = "") -> str:
    """The fingerprint of the alert that says that a channel, or one of its recipients, fails."""
    return f"channel:{channel.pk}:{recipient}" if recipient else f"channel:{channel.pk}"


def _alert(channel: NotificationChannel, title: str, message: str, *, recipient: str = "") -> None:
    alerts.raise_alert(
        NOTIFICATION_FAILING,
        subject=alerts.Subject(
            type="channel",
            id=str(channel.pk),
            text=channel.name,
            link=reverse("admin:jobs_notificationchannel_change", args=[channel.pk]),
        ),
        fingerprint=cause(channel, recipient),
        title=title,
        message=message,
        context={"channel": channel.name, "kind": channel.kind},
    )
