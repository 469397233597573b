"""Reports: something that people asked to be told regularly, by the same rules and channels as alerts."""

import uuid
from collections.abc import Iterable

from django.utils import timezone

from jobs.models import REPORT, Delivery, NotificationChannel
from jobs.notifications import deliveries, matching
from jobs.notifications.matching import Occasion
from jobs.notifications.message import Message, Section, Severity


def send_report(
    kind: str,
    *,
    title: str,
    text: str,
    html: str = "",
    sections: Iterable[Section] = (),
    severity: Severity = "low",
    path: str = "",
    data: dict[str, object] | None = None,
    channels: Iterable[NotificationChannel] | None = None,
    key: str | None = None,
) -> list[Delivery]:
    """Put a report into the outbox of the channels given, or of those that the rules name for reports of its kind.

    `kind` is what rules match, such as "jobs.daily_summary". `text` is the whole for those who see no HTML; `html` is
    sanitised; `path` is the page on this site that it is about. A `key` that was used before sends nothing again: a job
    gives its run's id, so that another attempt tells nobody twice. Returns the deliveries; an empty list says that no
    rule wants it. Joins the caller's transaction.
    """
    now = timezone.now()
    message = Message(
        type="report",
        title=title,
        text=text,
        html=html,
        sections=tuple(sections),
        severity=severity,
        at=now,
        path=path,
        data={"kind": kind, **(data or {})},
    )
    chosen = list(channels) if channels is not None else _by_rules(kind, severity)
    key = f"report:{key or uuid.uuid4()}"
    return [
        row
        for channel in chosen
        for row in deliveries.add(channel, message, purpose=Delivery.Purpose.REPORT, key=key, now=now)
    ]


def _by_rules(kind: str, severity: str) -> list[NotificationChannel]:
    occasion = Occasion(
        kind=kind, change=REPORT, severity=severity, sources=(kind.partition(".")[0],), at=timezone.now()
    )
    found = matching.verdicts(matching.rules(), occasion)
    return [target.channel for target in matching.targets(found)]
