"""The rules of the kinds of alerts, asked at every look: what is bad, and which alerts are over.

A broken rule blinds neither the watch nor the other rules: an alert of its own tells of it as long as it fails.
"""

import logging
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from django.db import InterfaceError, OperationalError, transaction

from jobs.alerts import subjects
from jobs.alerts.kinds import Kind, all_kinds, find_kind, title_of
from jobs.alerts.names import RULE_BROKEN
from jobs.alerts.raising import raise_alert, report_good, resolve
from jobs.models import Alert

logger = logging.getLogger(__name__)

T = TypeVar("T")
#: What the rules raised that failed, by the names of their kinds.
Broken = dict[str, Exception]


def ask(at: datetime) -> None:
    """Ask every kind's rules, and tell of those that fail."""
    broken: Broken = {}
    for kind in all_kinds():
        if kind.find_bad is not None:
            _ask(kind, partial(kind.find_bad, at), broken)
    by_kind: dict[str, list[Alert]] = defaultdict(list)
    for alert in Alert.objects.exclude(state=Alert.State.RESOLVED).order_by("kind", "pk"):
        by_kind[alert.kind].append(alert)
    for name, alerts in by_kind.items():
        known = find_kind(name)
        if known is not None:
            _find_good(known, alerts, at, broken)
    for name, error in broken.items():
        _tell(name, error, at)
    for alert in by_kind.get(RULE_BROKEN, []):
        if alert.fingerprint not in broken:
            report_good(RULE_BROKEN, alert.fingerprint, reason="It works again.", at=at)


def _find_good(kind: Kind, alerts: list[Alert], at: datetime, broken: Broken) -> None:
    """End those of a kind's alerts that its rule finds to be over, or that were not seen for long enough."""
    rule = kind.find_good
    if rule is not None:
        for alert in _ask(kind, lambda: list(rule(alerts, at)), broken) or []:
            report_good(kind.name, alert.fingerprint, reason="It was seen well again.", at=at)
    for alert in alerts:
        if kind.quiet_after is not None and alert.last_seen_at <= at - kind.quiet_after:
            resolve(kind.name, alert.fingerprint, reason="It was not seen for a long time.", at=at)


def _ask(kind: Kind, rule: Callable[[], T], broken: Broken) -> T | None:
    """What the rule gives; None when it fails for any other reason than a database that is away."""
    try:
        with transaction.atomic():
            return rule()
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        logger.exception("A rule of the alerts of the kind %s failed.", kind.name)
        broken[kind.name] = error
        return None


def _tell(name: str, error: Exception, at: datetime) -> None:
    raise_alert(
        RULE_BROKEN,
        subject=subjects.of_kind(name),
        fingerprint=name,
        title=f"The alert rule of {title_of(name)!r} fails",
        message=f"{type(error).__name__}: {error}"[:1000],
        at=at,
    )
