"""From what happens to alerts to deliveries: each event is taken up once, in a transaction of its own."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, transaction

from jobs.alerts.names import NOTIFICATION_FAILING
from jobs.models import (
    AlertEvent,
    Delivery,
    DigestEntry,
    Escalation,
    NotificationChannel,
    NotificationRule,
)
from jobs.notifications import content, deliveries, matching
from jobs.notifications.matching import Target

logger = logging.getLogger(__name__)

What = AlertEvent.What
Purpose = Delivery.Purpose

#: After these somebody should act: steps of escalation are counted from them.
CALLS_TO_ACT = (What.OPENED, What.REOPENED, What.ESCALATED, What.UNSNOOZED)
#: So many events are taken up in one round.
BATCH = 200


def route_events(*, now: datetime) -> int:
    """Take up what happened and nobody was told of yet; returns how many events."""
    rules = matching.rules()
    for count in range(BATCH):
        if not _route_next(rules, now):
            return count
    return BATCH


def _route_next(rules: Sequence[NotificationRule], now: datetime) -> bool:
    with transaction.atomic():
        waiting = AlertEvent.objects.to_notify().select_related("alert__owner_group", "by")
        event = waiting.select_for_update(skip_locked=True, of=("self",)).first()
        if event is None:
            return False
        try:
            with transaction.atomic():
                route(event, rules, now=now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("Event %s of alert %s cannot be told.", event.pk, event.alert_id)
        AlertEvent.objects.filter(pk=event.pk).update(notified_at=now)
        return True


def route(event: AlertEvent, rules: Sequence[NotificationRule], *, now: datetime) -> None:
    """Put one event into the outbox of each channel that its rules name, or into their next digest."""
    occasion = matching.occasion_of(event)
    found = matching.targets(matching.verdicts(rules, occasion))
    targets = [target for target in found if not _is_about(target.channel, event)]
    if event.what == What.REPEATED:
        targets = [target for target in targets if _is_due_again(target, event, now)]
    if event.what == What.RESOLVED:
        targets += _collected(event, rules, but=targets)
    message = content.of_event(event)
    for target in targets:
        due = target.rule.digest_due(now)
        if due is None:
            deliveries.add(
                target.channel,
                message,
                purpose=Purpose.ALERT,
                key=key_of(event),
                now=now,
                alert=event.alert,
                event=event,
                rule=target.rule,
            )
        else:
            DigestEntry.objects.get_or_create(
                rule=target.rule, channel=target.channel, event=event, defaults={"due_at": due}
            )
    if event.what == What.RESOLVED:
        _tell_recovery(event, now)
    if event.what in CALLS_TO_ACT:
        _plan_escalation(
            event, [verdict.rule for verdict in matching.verdicts(rules, occasion) if verdict.matches]
        )


def key_of(event: AlertEvent) -> str:
    """What makes two deliveries the same: this event, whichever way it comes to a recipient."""
    return f"event:{event.pk}"


def _tell_recovery(event: AlertEvent, now: datetime) -> None:
    """Everybody who was told of the alert is told of its end; who is told by a rule already, only once."""
    alert = event.alert
    message = content.of_event(event)
    for told in deliveries.told_of(alert, since=alert.opened_at or alert.first_seen_at):
        if told.recipient in told.channel.refused_recipients:
            continue
        deliveries.add(
            told.channel,
            message,
            purpose=Purpose.ALERT,
            key=key_of(event),
            now=now,
            alert=alert,
            event=event,
            rule=told.rule,
            recipients=[told.recipient],
        )


def _collected(
    event: AlertEvent, rules: Sequence[NotificationRule], *, but: Sequence[Target]
) -> list[Target]:
    """Digests that tell of the alert's opening, to tell of its end as well."""
    opening = replace(matching.occasion_of(event), change=What.OPENED)
    taken = {target.channel.pk for target in but}
    return [
        target
        for target in matching.targets(matching.verdicts(rules, opening))
        if target.rule.pace != NotificationRule.Pace.AT_ONCE
        and target.rule.tells_recovery
        and target.channel.pk not in taken
        and not _is_about(target.channel, event)
    ]


def _is_due_again(target: Target, event: AlertEvent, now: datetime) -> bool:
    since = now - timedelta(minutes=target.rule.repeat_minutes)
    return not deliveries.was_told(event.alert, target.channel, since=since)


def _plan_escalation(event: AlertEvent, rules: Sequence[NotificationRule]) -> None:
    Escalation.objects.bulk_create(
        [
            Escalation(event=event, step=step, due_at=event.at + timedelta(minutes=step.after_minutes))
            for rule in rules
            for step in rule.steps.all()
        ],
        ignore_conflicts=True,
    )


def _is_about(channel: NotificationChannel, event: AlertEvent) -> bool:
    """Whether the event says that this very channel does not work."""
    alert = event.alert
    return (
        alert.kind == NOTIFICATION_FAILING
        and alert.subject_type == "channel"
        and alert.subject_id == str(channel.pk)
    )
