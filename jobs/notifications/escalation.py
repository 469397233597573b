"""Further channels, when nobody acknowledges an alert in time."""

from datetime import datetime

from django.db import transaction

from jobs.models import Alert, AlertEvent, Delivery, Escalation
from jobs.notifications import content, deliveries
from jobs.notifications.routing import CALLS_TO_ACT


def escalate_due(*, now: datetime) -> int:
    """Take every step whose time has come, unless somebody looks after the alert by now; returns how many were taken."""
    taken = 0
    while True:
        with transaction.atomic():
            due = Escalation.objects.filter(due_at__lte=now).order_by("due_at", "pk")
            waiting = due.select_related("step", "step__rule", "event__alert", "event__by")
            escalation = waiting.select_for_update(skip_locked=True, of=("self",)).first()
            if escalation is None:
                return taken
            if _is_needed(escalation):
                _take(escalation, now)
                taken += 1
            escalation.delete()


def _is_needed(escalation: Escalation) -> bool:
    """The alert is open, and nothing has called for action anew since: that has steps of its own."""
    event = escalation.event
    calls = AlertEvent.objects.filter(alert=event.alert, what__in=CALLS_TO_ACT)
    is_latest = not calls.filter(pk__gt=event.pk, is_silent=False).exists()
    return event.alert.state == Alert.State.OPEN and escalation.step.rule.is_enabled and is_latest


def _take(escalation: Escalation, now: datetime) -> None:
    step, event = escalation.step, escalation.event
    message = content.of_event(event, change=f"Not acknowledged for {step.after_minutes} min")
    for channel in step.channels.all():
        deliveries.add(
            channel,
            message.model_copy(update={"type": "alert.unacknowledged"}),
            purpose=Delivery.Purpose.ESCALATION,
            key=f"escalation:{step.pk}:{event.pk}",
            now=now,
            alert=event.alert,
            event=event,
            rule=step.rule,
        )
