"""Which rules an occasion meets, and why not the others: what routing does and what people are shown is one thing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from jobs.models import Alert, AlertEvent, NotificationChannel, NotificationRule
from jobs.models.channel import is_within

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """Something to be told, as rules see it."""

    kind: str
    #: What happened: one of `NotificationRule.CHANGES`.
    change: str
    severity: str
    #: Names of what it is about: app, job, subject.
    sources: tuple[str, ...] = ()
    at: datetime


@dataclass(frozen=True)
class Verdict:
    """What one rule says to an occasion."""

    rule: NotificationRule
    matches: bool
    #: Why, in a sentence.
    reason: str


@dataclass(frozen=True)
class Target:
    """A channel that an occasion goes to, and the rule that says so."""

    rule: NotificationRule
    channel: NotificationChannel


def occasion_of(event: AlertEvent) -> Occasion:
    """What happened to an alert, as rules see it."""
    alert = event.alert
    return Occasion(
        kind=alert.kind,
        change=event.what,
        severity=event.severity,
        sources=sources_of(alert),
        at=event.at,
    )


def sources_of(alert: Alert) -> tuple[str, ...]:
    """The names that a rule's sources may match."""
    subject = f"{alert.subject_type}:{alert.subject_id}" if alert.subject_type else ""
    group = f"group:{alert.owner_group.name}" if alert.owner_group else ""
    return tuple(name for name in (alert.app, alert.job, alert.subject_text, subject, group) if name)


def rules() -> list[NotificationRule]:
    """Every enabled rule with its channels and steps, in the order in which they are asked."""
    enabled = NotificationRule.objects.filter(is_enabled=True)
    return list(enabled.prefetch_related("channels", "steps__channels"))


def verdicts(asked: Iterable[NotificationRule], occasion: Occasion) -> list[Verdict]:
    """What each rule says, in the order in which they are asked."""
    found: list[Verdict] = []
    stopped_by: NotificationRule | None = None
    has_matched = False
    for rule in asked:
        if stopped_by is not None:
            found.append(Verdict(rule, False, f"Not asked: “{stopped_by.name}” stops here."))
        elif rule.is_default and has_matched:
            found.append(Verdict(rule, False, "Not asked: it is the default, and another rule has matched."))
        elif mismatch := _mismatch(rule, occasion):
            found.append(Verdict(rule, False, mismatch))
        else:
            found.append(Verdict(rule, True, "It matches."))
            has_matched = True
            stopped_by = rule if rule.stops else None
    return found


def targets(found: Sequence[Verdict]) -> list[Target]:
    """Each channel once, by the first rule that names it; rules that send at once come first."""
    matched = [verdict.rule for verdict in found if verdict.matches]
    matched.sort(key=lambda rule: rule.pace != NotificationRule.Pace.AT_ONCE)
    chosen: dict[int, Target] = {}
    for rule in matched:
        for channel in rule.channels.all():
            chosen.setdefault(channel.pk, Target(rule, channel))
    return list(chosen.values())


def _mismatch(rule: NotificationRule, occasion: Occasion) -> str:
    """Why the rule does not match, in a sentence; empty when it does."""
    if occasion.change not in rule.changes:
        return f"It does not tell when an alert is {occasion.change}."
    if Alert.Severity(occasion.severity).rank > Alert.Severity(rule.severity_at_least).rank:
        return f"It wants a severity of {rule.severity_at_least} at least; this is {occasion.severity}."
    if rule.kinds and not _fits([occasion.kind], rule.kinds):
        return f"It is about other kinds than {occasion.kind}: {', '.join(rule.kinds)}."
    if rule.sources and not _fits(occasion.sources, rule.sources):
        return f"It is about other sources: {', '.join(rule.sources)}."
    local = occasion.at.astimezone(ZoneInfo(rule.time_zone))
    if rule.weekdays and local.weekday() not in rule.weekdays:
        return f"It does not hold on a {_DAYS[local.weekday()]} ({rule.time_zone})."
    if (
        rule.from_time is not None
        and rule.until_time is not None
        and not is_within(local.time(), rule.from_time, rule.until_time)
    ):
        window = f"{rule.from_time:%H:%M} to {rule.until_time:%H:%M}"
        return f"It holds from {window} ({rule.time_zone}); this was at {local:%H:%M}."
    return ""


def _fits(names: Iterable[str], patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for name in names for pattern in patterns)
