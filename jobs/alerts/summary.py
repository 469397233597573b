"""The day's alerts in one message: how many, how bad, which are new, what is still open."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, QuerySet
from pydantic_core import to_jsonable_python

from jobs.alerts.kinds import title_of
from jobs.models import Alert, AlertEvent, AlertRead

DAY = timedelta(days=1)
#: How many of the latest alerts are listed.
LATEST = 10


@dataclass(frozen=True, kw_only=True)
class Line:
    """One alert in a list."""

    id: int
    severity: str
    title: str
    state: str
    count: int
    last_seen_at: datetime
    link: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Alerts between two moments, and those that are live at the end. Folded ones are counted with their incident."""

    since: datetime
    until: datetime
    #: Opened, opened again and resolved in between.
    opened: int
    reopened: int
    resolved: int
    #: Live at the end, and how many of them nobody has read.
    live: int
    unread: int
    #: Of the live ones.
    by_severity: Mapping[str, int] = field(default_factory=dict)
    by_kind: Mapping[str, int] = field(default_factory=dict)
    #: Seen in between or still live, the most pressing first.
    latest: tuple[Line, ...] = ()

    @property
    def as_json(self) -> dict[str, Any]:
        """For programs."""
        document: dict[str, Any] = to_jsonable_python(self)
        return document

    @property
    def title(self) -> str:
        """For the subject of a message."""
        if not self.live:
            return "Almanac: no open alerts"
        return f"Almanac: {self.live} open {'alert' if self.live == 1 else 'alerts'}, {self.unread} unread"

    @property
    def text(self) -> str:
        """The whole as plain text."""
        lines = [
            f"From {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC",
            "",
            f"Opened {self.opened}, opened again {self.reopened}, resolved {self.resolved}.",
            f"Open now: {self.live}, unread: {self.unread}.",
        ]
        lines += _table("By severity", self.by_severity)
        lines += _table("By kind", {title_of(name): count for name, count in self.by_kind.items()})
        if self.latest:
            lines += ["", "Latest"]
            lines += [
                f"  {line.severity:<8}  {line.title} ({line.state}, seen {line.count} times)"
                for line in self.latest
            ]
        return "\n".join(lines)


def summarise(until: datetime, *, since: datetime | None = None) -> Summary:
    """The summary of the day before a moment, or of the time between two."""
    since = since or until - DAY
    shown = Alert.objects.shown().filter(incident=None)
    live = shown.live()
    events = dict(
        AlertEvent.objects.filter(at__gte=since, at__lt=until, alert__incident=None)
        .order_by()
        .values_list("what")
        .annotate(count=Count("pk"))
    )
    read = AlertRead.objects.filter(alert=OuterRef("pk"), at__gte=OuterRef("news_at"))
    # Who reads it is not known: what belongs to a group is counted, but not named.
    named = (shown.filter(last_seen_at__gte=since) | live).filter(owner_group=None)
    latest = named.order_by("-priority", "-last_seen_at")
    return Summary(
        since=since,
        until=until,
        opened=events.get(AlertEvent.What.OPENED, 0),
        reopened=events.get(AlertEvent.What.REOPENED, 0),
        resolved=events.get(AlertEvent.What.RESOLVED, 0),
        live=live.count(),
        unread=live.filter(~Exists(read)).count(),
        by_severity=by_severity(live),
        by_kind=counts(live, "kind"),
        latest=tuple(_line(alert) for alert in latest[:LATEST]),
    )


def by_severity(alerts: QuerySet[Alert]) -> dict[str, int]:
    """How many there are of each severity, all named, the worst first."""
    found = counts(alerts, "severity")
    return {severity: found.get(severity, 0) for severity in Alert.Severity.values}


def counts(alerts: QuerySet[Alert], column: str) -> dict[str, int]:
    """How many there are by the values of a column, the most frequent first."""
    rows = alerts.order_by().values_list(column).annotate(count=Count("pk")).order_by("-count", column)
    return dict(rows)


def _line(alert: Alert) -> Line:
    return Line(
        id=alert.pk,
        severity=alert.severity,
        title=alert.title,
        state=alert.state,
        count=alert.count,
        last_seen_at=alert.last_seen_at,
        link=alert.link,
    )


def _table(title: str, rows: Mapping[str, int]) -> list[str]:
    return ["", title, *(f"  {count:>5}  {name}" for name, count in rows.items() if count)] if rows else []
