"""Failed runs grouped by cause. Each question is one statement over the partial index of failed runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from jobs.errors import NotFound
from jobs.models import EVERYTHING, FailureDecision, JobRun, Visibility

#: How far back failures are looked for, unless told.
WINDOW = timedelta(days=30)
#: Pieces of the little drawing of when a cause struck.
PIECES = 30
#: Schedules are looked for among so many of the latest failures of a cause.
_LATEST = 1000


class UnknownCause(NotFound):
    """No run has failed for this cause, or it is forgotten."""


class State(StrEnum):
    """Where a cause stands."""

    #: Some of its failures were neither made again nor decided about.
    OPEN = "open"
    #: Each of its failures was made again.
    HANDLED = "handled"
    MUTED = "muted"
    ARCHIVED = "archived"


@dataclass(frozen=True, kw_only=True)
class Cause:
    """All failures of one job for one cause within a window."""

    fingerprint: str
    job: str
    error_type: str
    #: Of the latest failure, shortened.
    message: str
    latest_run: UUID
    first_seen: datetime
    last_seen: datetime
    failures: int
    #: Failures that were not made again.
    open: int
    #: Failures that were made again, and how many of those (or of the retries of those) succeeded or go on.
    retried: int
    recovered: int = 0
    going_on: int = 0
    decision: FailureDecision | None = None
    #: The schedules whose runs failed, by id: among the latest failures.
    schedules: Mapping[int, str] = field(default_factory=dict)
    #: Failures in each piece of the window, the oldest first.
    over_time: Sequence[int] = ()

    @property
    def state(self) -> State:
        if self.decision is not None:
            return State(self.decision.action)
        return State.OPEN if self.open else State.HANDLED

    @property
    def named_schedules(self) -> list[dict[str, Any]]:
        return [{"id": number, "name": name} for number, name in self.schedules.items()]

    @property
    def is_lost(self) -> bool:
        """Whether it is about workers that fell silent, not about an error."""
        return self.error_type == "jobs.errors.RunLost"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which causes to find."""

    since: datetime
    until: datetime
    state: State | None = None
    job: str | None = None
    fingerprints: Sequence[str] | None = None
    seen: Visibility = EVERYTHING


#: The place behind which a list goes on: when the last cause was last seen, and its fingerprint.
Place = tuple[datetime, str]


def as_text(cause: Cause) -> str:
    """The place behind a cause, for an address."""
    return f"{cause.last_seen.isoformat()} {cause.fingerprint}"


def as_place(text: str) -> Place | None:
    """The place that a text from an address names; None when `as_text` cannot have given it."""
    moment, _, fingerprint = text.partition(" ")
    try:
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or "\x00" in fingerprint:
            return None
        return at.astimezone(UTC), fingerprint
    except (ValueError, OverflowError):
        return None


_FOUND = """
WITH causes AS (
    SELECT f.error_fingerprint AS fingerprint, count(*) AS failures, count(r.retry_of_id) AS retried,
        min(f.finished_at) AS first_seen, max(f.finished_at) AS last_seen
    FROM jobs_jobrun f
    LEFT JOIN (SELECT DISTINCT retry_of_id FROM jobs_jobrun WHERE retry_of_id IS NOT NULL) r ON r.retry_of_id = f.id
    WHERE f.status = 'failed' AND f.error_fingerprint <> ''
        AND f.finished_at >= %(since)s AND f.finished_at < %(until)s
        {conditions}
    GROUP BY f.error_fingerprint
)
SELECT c.* FROM causes c
LEFT JOIN jobs_failuredecision d ON d.fingerprint = c.fingerprint AND (d.until IS NULL OR d.until > %(now)s)
WHERE (%(state)s::text IS NULL
       OR %(state)s = COALESCE(d.action, CASE WHEN c.retried < c.failures THEN 'open' ELSE 'handled' END))
    AND (%(at)s::timestamptz IS NULL OR (c.last_seen, c.fingerprint) < (%(at)s::timestamptz, %(after)s::text))
ORDER BY c.last_seen DESC, c.fingerprint DESC
LIMIT %(limit)s
"""
_OF_JOB = "AND f.job = %(job)s"
_SEEN = "AND (f.owner_group_id IS NULL OR f.owner_group_id = ANY(%(groups)s::int[]))"
_NAMED = "AND f.error_fingerprint = ANY(%(fingerprints)s::text[])"

_LATEST_RUN = """
SELECT wanted.fingerprint, latest.*
FROM unnest(%(fingerprints)s::text[]) AS wanted(fingerprint)
CROSS JOIN LATERAL (
    SELECT f.id, f.job, f.error_type, left(f.error_message, 400) FROM jobs_jobrun f
    WHERE f.status = 'failed' AND f.error_fingerprint = wanted.fingerprint AND f.finished_at < %(until)s {seen}
    ORDER BY f.finished_at DESC LIMIT 1
) latest
"""

_SCHEDULES = """
SELECT wanted.fingerprint, t.id, t.name
FROM unnest(%(fingerprints)s::text[]) AS wanted(fingerprint)
CROSS JOIN LATERAL (
    SELECT DISTINCT latest.schedule_id FROM (
        SELECT f.schedule_id FROM jobs_jobrun f
        WHERE f.status = 'failed' AND f.error_fingerprint = wanted.fingerprint AND f.finished_at >= %(since)s {seen}
        ORDER BY f.finished_at DESC LIMIT %(latest)s
    ) latest WHERE latest.schedule_id IS NOT NULL
) of_cause
JOIN django_celery_beat_periodictask t ON t.id = of_cause.schedule_id
ORDER BY t.name
"""

_OVER_TIME = """
SELECT f.error_fingerprint, floor(
    extract(epoch FROM f.finished_at - %(since)s) / extract(epoch FROM %(until)s - %(since)s) * %(pieces)s)::int,
    count(*)
FROM jobs_jobrun f
WHERE f.status = 'failed' AND f.error_fingerprint = ANY(%(fingerprints)s::text[])
    AND f.finished_at >= %(since)s AND f.finished_at < %(until)s {seen}
GROUP BY 1, 2
"""

# From each failure along its retries, and theirs.
_RETRIES = """
WITH RECURSIVE retries AS (
    SELECT f.error_fingerprint AS fingerprint, f.id AS failure, r.id, r.status
    FROM jobs_jobrun r JOIN jobs_jobrun f ON f.id = r.retry_of_id
    WHERE r.retry_of_id IS NOT NULL AND f.status = 'failed' AND f.error_fingerprint = ANY(%(fingerprints)s::text[])
        AND f.finished_at >= %(since)s AND f.finished_at < %(until)s {seen}
    UNION
    SELECT retries.fingerprint, retries.failure, r.id, r.status
    FROM retries JOIN jobs_jobrun r ON r.retry_of_id = retries.id
)
SELECT fingerprint, count(DISTINCT failure) FILTER (WHERE status IN ('succeeded', 'partial')),
    count(DISTINCT failure) FILTER (WHERE status = ANY(%(active)s::text[]))
FROM retries GROUP BY fingerprint
"""


def find(wanted: Wanted, *, limit: int = 50, after: Place | None = None) -> list[Cause]:
    """The causes, the latest first, with everything a list shows."""
    values = {
        "since": wanted.since,
        "until": wanted.until,
        "now": timezone.now(),
        "state": wanted.state.value if wanted.state else None,
        "job": wanted.job,
        "fingerprints": None if wanted.fingerprints is None else list(wanted.fingerprints),
        "groups": wanted.seen.group_ids,
        "at": after[0] if after else None,
        "after": after[1] if after else "",
        "limit": limit,
    }
    conditions = [
        _OF_JOB if wanted.job is not None else "",
        _NAMED if wanted.fingerprints is not None else "",
        "" if wanted.seen.sees_all else _SEEN,
    ]
    found = _ask(_FOUND.format(conditions=" ".join(conditions)), values)
    return _described(found, wanted) if found else []


def get(fingerprint: str, *, seen: Visibility = EVERYTHING, window: timedelta = WINDOW) -> Cause:
    """One cause; raises UnknownCause when no failure of it is left that the reader may see."""
    now = timezone.now()
    found = find(Wanted(since=now - window, until=now, fingerprints=[fingerprint], seen=seen), limit=1)
    if not found:
        raise UnknownCause(f"No run has failed with the fingerprint {fingerprint!r} lately.")
    return found[0]


def failures(fingerprint: str, *, seen: Visibility = EVERYTHING) -> Any:
    """The failed runs of a cause, the latest first, as a queryset."""
    of_cause = JobRun.objects.filter(status=JobRun.Status.FAILED, error_fingerprint=fingerprint)
    return of_cause.filter(seen.condition("owner_group")).order_by("-finished_at")


def _described(found: list[tuple[Any, ...]], wanted: Wanted) -> list[Cause]:
    """The causes with what a few more statements tell of all of them together."""
    values = {
        "fingerprints": [row[0] for row in found],
        "since": wanted.since,
        "until": wanted.until,
        "groups": wanted.seen.group_ids,
        "latest": _LATEST,
        "pieces": PIECES,
        "active": [status.value for status in JobRun.Status.active()],
    }
    seen = "" if wanted.seen.sees_all else _SEEN
    latest = {row[0]: row[1:] for row in _ask(_LATEST_RUN.format(seen=seen), values)}
    retries = {row[0]: row[1:] for row in _ask(_RETRIES.format(seen=seen), values)}
    schedules: dict[str, dict[int, str]] = {}
    for fingerprint, schedule_id, name in _ask(_SCHEDULES.format(seen=seen), values):
        schedules.setdefault(fingerprint, {})[schedule_id] = name
    over_time: dict[str, list[int]] = {row[0]: [0] * PIECES for row in found}
    for fingerprint, piece, count in _ask(_OVER_TIME.format(seen=seen), values):
        over_time[fingerprint][min(piece, PIECES - 1)] = count
    decisions = FailureDecision.objects.in_force(timezone.now()).in_bulk([row[0] for row in found])
    causes = []
    for fingerprint, count, retried, first_seen, last_seen in found:
        run_id, job, error_type, message = latest[fingerprint]
        recovered, going_on = retries.get(fingerprint, (0, 0))
        causes.append(
            Cause(
                fingerprint=fingerprint,
                job=job,
                error_type=error_type,
                message=message,
                latest_run=run_id,
                first_seen=first_seen,
                last_seen=last_seen,
                failures=count,
                open=count - retried,
                retried=retried,
                recovered=recovered,
                going_on=going_on,
                decision=decisions.get(fingerprint),
                schedules=schedules.get(fingerprint, {}),
                over_time=over_time[fingerprint],
            )
        )
    return causes


def _ask(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())
