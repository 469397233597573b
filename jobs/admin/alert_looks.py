"""How alerts look in the admin: a symbol, a word and a tone for each severity, state and event."""

from django.utils.safestring import SafeString

from jobs import display
from jobs.models import Alert, AlertEvent

State = Alert.State
What = AlertEvent.What

_SEVERITIES: dict[str, tuple[str, str]] = {
    Alert.Severity.CRITICAL: ("emergency_home", "bad"),
    Alert.Severity.HIGH: ("priority_high", "bad"),
    Alert.Severity.MEDIUM: ("warning", "warn"),
    Alert.Severity.LOW: ("info", "calm"),
}
_STATES: dict[str, tuple[str, str]] = {
    State.PENDING: ("hourglass_top", "calm"),
    State.OPEN: ("notifications_active", "bad"),
    State.ACKNOWLEDGED: ("person_check", "busy"),
    State.SNOOZED: ("snooze", "calm"),
    State.RESOLVED: ("check_circle", "good"),
}
_EVENTS: dict[str, str] = {
    What.OPENED: "notifications_active",
    What.REOPENED: "notifications_active",
    What.REPEATED: "repeat",
    What.ESCALATED: "arrow_upward",
    What.EASED: "arrow_downward",
    What.ACKNOWLEDGED: "person_check",
    What.SNOOZED: "snooze",
    What.UNSNOOZED: "alarm",
    What.RESOLVED: "check_circle",
    What.DISMISSED: "notifications_off",
    What.FLAPPING: "swap_vert",
    What.STEADY: "horizontal_rule",
    What.FOLDED: "folder",
}


def severity_badge(severity: str) -> SafeString:
    """The label of a severity."""
    icon, tone = _SEVERITIES[severity]
    return display.badge(str(Alert.Severity(severity).label), icon, tone)


def state_badge(alert: Alert) -> SafeString:
    """The label of an alert's state; a dismissed one says so."""
    if alert.resolution == Alert.Resolution.DISMISSED:
        return display.badge("Dismissed", "notifications_off", "calm")
    icon, tone = _STATES[alert.state]
    return display.badge(str(State(alert.state).label), icon, tone)


def event_icon(what: str) -> str:
    """The symbol of an event."""
    return _EVENTS[what]
