"""Changing channels and rules: checked, audited, the same for the API and the admin."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from jobs import alerts, audit
from jobs.alerts.names import NOTIFICATION_FAILING
from jobs.errors import InvalidInput, InvalidParameters
from jobs.models import Delivery, DeliveryAttempt, EscalationStep, NotificationChannel, NotificationRule
from jobs.notifications import channels, content, deliveries, sending
from jobs.notifications.channels import Answer
from jobs.notifications.errors import UnknownChannelKind
from jobs.secrets import Sealed, SecretUnreadable


@dataclass(frozen=True, kw_only=True)
class Step:
    """An escalation step as it is wished for."""

    after_minutes: int
    channels: Sequence[NotificationChannel]


def secret_names(channel: NotificationChannel) -> list[str] | None:
    """Which secrets the channel has; None when no key opens them."""
    try:
        return sorted(channel.secrets.open())
    except SecretUnreadable:
        return None


@transaction.atomic
def save_channel(
    channel: NotificationChannel,
    *,
    settings: Mapping[str, object] | None,
    by: AbstractBaseUser | None,
    is_audited: bool = True,
) -> None:
    """Check and save a new or changed channel.

    `settings` are those of its kind, secrets among them; a secret that is left out stays what it is. None: the settings
    do not change. Raises InvalidInput naming each field; those of the kind are below "settings".
    """
    is_new = channel.pk is None
    problems: dict[str, list[str]] = {}
    if settings is not None:
        try:
            _put_settings(channel, settings)
        except UnknownChannelKind as error:
            problems["kind"] = [str(error)]
        except InvalidParameters as error:
            problems |= {f"settings.{name}": texts for name, texts in error.fields.items()}
    problems |= _problems(channel)
    if problems:
        raise InvalidInput(problems)
    channel.save()
    if is_audited:
        action = audit.ADDITION if is_new else audit.CHANGE
        audit.record(by, channel, "Added." if is_new else "Changed.", action=action)


def _put_settings(channel: NotificationChannel, given: Mapping[str, object]) -> None:
    kind = channels.get_kind(channel.kind)
    kept = opened_secrets(channel)
    values = kind.clean({**{name: value for name, value in kept.items() if value}, **given})
    secrets = kind.parameters.secret_names()
    channel.settings = {name: value for name, value in values.items() if name not in secrets}
    channel.secrets = Sealed.of({name: value for name, value in values.items() if name in secrets and value})


def opened_secrets(channel: NotificationChannel) -> dict[str, str]:
    """What is stored; nothing when no key opens it, so that it can be entered again."""
    try:
        return channel.secrets.open()
    except SecretUnreadable:
        return {}


@transaction.atomic
def enable(channel: NotificationChannel, *, by: AbstractBaseUser | None) -> None:
    """Send over the channel again, and to every recipient of it; what waits goes out at once."""
    NotificationChannel.objects.filter(pk=channel.pk).update(
        is_enabled=True,
        disabled_reason="",
        disabled_at=None,
        refused_recipients={},
        failures_in_a_row=0,
        pause_until=None,
    )
    causes = [sending.cause(channel), *(sending.cause(channel, name) for name in channel.refused_recipients)]
    for cause in causes:
        alerts.resolve(NOTIFICATION_FAILING, cause, reason="The channel was enabled again.")
    audit.record(by, channel, "Enabled.")


@transaction.atomic
def disable(channel: NotificationChannel, *, by: AbstractBaseUser | None) -> None:
    """Send nothing over the channel until it is enabled; what waits is kept for a day."""
    NotificationChannel.objects.filter(pk=channel.pk, is_enabled=True).update(
        is_enabled=False, disabled_reason="", disabled_at=timezone.now()
    )
    audit.record(by, channel, "Disabled.")


def delete_channel(channel: NotificationChannel, *, by: AbstractBaseUser | None) -> None:
    """Delete a channel with its deliveries."""
    audit.record(by, channel, "Deleted.", action=audit.DELETION)
    channel.delete()


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What came of a test over a channel, for one recipient."""

    delivery: Delivery
    was_sent: bool
    status: int | None
    #: What the other side said, or why nothing was sent.
    answer: str


def try_out(channel: NotificationChannel, *, by: AbstractBaseUser) -> list[Tried]:
    """Really send a test now, to every recipient, and give the real answers; also over a disabled channel.

    Takes up to half a minute for each. Neither success nor failure changes the channel. Raises JobsError when its
    kind is gone or its secrets or settings cannot be read.
    """
    kind = channels.get_kind(channel.kind)
    recipients = kind.recipients(channels.read_settings(channel))
    audit.record(by, channel, "Tested.")
    message = content.of_test(channel, by=by.get_username(), at=timezone.now())
    tried = []
    for recipient in recipients:
        claim = deliveries.claim_test(channel, message, recipient, now=timezone.now())
        outcome = sending.carry(claim)
        claim.delivery.refresh_from_db()
        tried.append(
            Tried(
                delivery=claim.delivery,
                was_sent=isinstance(outcome, Answer),
                status=outcome.status,
                answer=outcome.text if isinstance(outcome, Answer) else str(outcome),
            )
        )
    return tried


@transaction.atomic
def save_rule(
    rule: NotificationRule,
    *,
    channels: Iterable[NotificationChannel] | None,
    steps: Sequence[Step] | None,
    by: AbstractBaseUser | None,
) -> None:
    """Check and save a new or changed rule; None leaves its channels or steps as they are. Raises InvalidInput."""
    is_new = rule.pk is None
    problems = _problems(rule)
    if not rule.changes:
        problems["changes"] = ["Choose at least one."]
    if steps is not None and len({step.after_minutes for step in steps}) < len(steps):
        problems["steps"] = ["Each step needs a time of its own."]
    if problems:
        raise InvalidInput(problems)
    rule.save()
    if channels is not None:
        rule.channels.set(channels)
    if steps is not None:
        _put_steps(rule, steps)
    action = audit.ADDITION if is_new else audit.CHANGE
    audit.record(by, rule, "Added." if is_new else "Changed.", action=action)


def _put_steps(rule: NotificationRule, wanted: Sequence[Step]) -> None:
    """Steps keep their identity by their time, and with it what waits for them."""
    rule.steps.exclude(after_minutes__in=[step.after_minutes for step in wanted]).delete()
    for step in wanted:
        row, _ = EscalationStep.objects.get_or_create(rule=rule, after_minutes=step.after_minutes)
        row.channels.set(step.channels)


def delete_rule(rule: NotificationRule, *, by: AbstractBaseUser | None) -> None:
    """Delete a rule; what was collected for it is not told."""
    audit.record(by, rule, "Deleted.", action=audit.DELETION)
    rule.delete()


def attempts_of(delivery: Delivery) -> list[DeliveryAttempt]:
    """Everything that was tried, in order."""
    return list(delivery.log.order_by("number"))


def _problems(row: NotificationChannel | NotificationRule) -> dict[str, list[str]]:
    try:
        row.full_clean()
    except ValidationError as error:
        found = error.message_dict
        return {("request" if name == "__all__" else name): texts for name, texts in found.items()}
    return {}
