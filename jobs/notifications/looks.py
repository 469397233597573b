"""The symbols and tones of deliveries and severities: never colour alone."""

from django.utils.safestring import SafeString

from jobs import display
from jobs.models import Alert, Delivery, DeliveryAttempt

State = Delivery.State
Outcome = DeliveryAttempt.Outcome
Severity = Alert.Severity

_STATES: dict[str, tuple[str, str]] = {
    State.WAITING: ("hourglass_top", "calm"),
    State.SENDING: ("send", "busy"),
    State.SENT: ("check_circle", "good"),
    State.FAILED: ("error", "bad"),
    State.WITHDRAWN: ("block", "calm"),
}
_OUTCOMES: dict[str, tuple[str, str]] = {
    Outcome.SENT: ("check_circle", "good"),
    Outcome.LATER: ("restart_alt", "warn"),
    Outcome.REFUSED: ("error", "bad"),
    Outcome.LOST: ("bolt", "warn"),
}
_SEVERITIES: dict[str, tuple[str, str]] = {
    Severity.CRITICAL: ("emergency", "bad"),
    Severity.HIGH: ("error", "bad"),
    Severity.MEDIUM: ("warning", "warn"),
    Severity.LOW: ("info", "busy"),
}


def delivery_badge(state: str) -> SafeString:
    """The label of a delivery's state."""
    return display.badge(str(State(state).label), *_STATES[state])


def outcome_badge(outcome: str) -> SafeString:
    """The label of what came of an attempt."""
    return display.badge(str(Outcome(outcome).label), *_OUTCOMES[outcome])


def severity_badge(severity: str) -> SafeString:
    """The label of a severity."""
    return display.badge(str(Severity(severity).label), *_SEVERITIES[severity])
