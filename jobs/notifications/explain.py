"""Which rules would fire, and where a message would go: asked before anything happens."""

from dataclasses import dataclass
from datetime import datetime

from jobs.models import Alert, NotificationChannel, NotificationRule
from jobs.notifications import channels, deliveries, matching
from jobs.notifications.matching import Occasion, Verdict


@dataclass(frozen=True, kw_only=True)
class Way:
    """A channel that a message would take."""

    channel: NotificationChannel
    rule: NotificationRule
    #: When it would be sent; None: not at all.
    at: datetime | None
    #: Why then, or why not, in a sentence.
    reason: str


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The answer."""

    occasion: Occasion
    verdicts: list[Verdict]
    ways: list[Way]


def explain(occasion: Occasion) -> Explanation:
    """What each rule says to an occasion, and what would be sent over which channel, and when."""
    found = matching.verdicts(matching.rules(), occasion)
    ways = [_way(target.channel, target.rule, occasion) for target in matching.targets(found)]
    return Explanation(occasion=occasion, verdicts=found, ways=ways)


def occasion_of(alert: Alert, *, change: str, at: datetime) -> Occasion:
    """What it would be if this happened to the alert."""
    return Occasion(
        kind=alert.kind,
        change=change,
        severity=alert.severity,
        sources=matching.sources_of(alert),
        at=at,
    )


def _way(channel: NotificationChannel, rule: NotificationRule, occasion: Occasion) -> Way:
    def way(at: datetime | None, reason: str) -> Way:
        return Way(channel=channel, rule=rule, at=at, reason=reason)

    if not channel.is_enabled:
        return way(None, "The channel is disabled.")
    if channels.find_kind(channel.kind) is None:
        return way(None, f"No code is left for the kind {channel.kind!r}.")
    if not deliveries.recipients_of(channel):
        return way(None, "Every recipient of the channel was refused.")
    due = rule.digest_due(occasion.at)
    if due is not None:
        return way(channel.sends_from(due, "low"), f"Collected: {rule.get_pace_display().lower()}.")
    at = channel.sends_from(occasion.at, occasion.severity)
    return way(at, "At once." if at == occasion.at else "After the quiet hours of the channel.")
