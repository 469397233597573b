"""Counting runs once and for all: ten minutes of the ledger at a time, so that figures of a week cost next to nothing.

A span is counted from the rows that were made in it, found by their ids. It is counted again while it is young and as
long as runs of it have not ended. Nothing depends on what was counted before: a lost or wrong summary mends itself.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from jobs.models import JobRun, RunSummary, Visibility, first_run_id

Status = JobRun.Status

SPAN = timedelta(minutes=10)
#: Summaries are made for so long back, and kept for longer.
REACH = timedelta(days=7)
KEPT = timedelta(days=35)
#: A span with open runs is counted again after this.
AGAIN_AFTER = timedelta(minutes=1)
#: Upper bounds of the durations' histogram in seconds: from 50 ms to 18 hours, each 1.6 times the one before.
BOUNDS = [round(0.05 * 1.6**power, 3) for power in range(31)]
#: Seconds after which one call of `keep` begins no other span than the present one and the one before.
BUDGET_SECONDS = 0.2
_YOUNG = 2
_LOCK = 7_002_011

_STATUSES = (Status.SUCCEEDED, Status.PARTIAL, Status.FAILED, Status.CANCELLED, Status.SKIPPED, Status.MISSED)
_ENDED = ", ".join(f"count(*) FILTER (WHERE status = '{status.value}')" for status in _STATUSES)
_COLUMNS = (*(status.value for status in _STATUSES), "open")
_OPEN = ", ".join(f"'{status.value}'" for status in Status.active())
_HISTOGRAM = ", ".join(f"count(*) FILTER (WHERE bucket = {bucket})" for bucket in range(len(BOUNDS) + 1))
_COUNT = f"""
INSERT INTO jobs_runsummary (
    begins_at, is_total, owner_group_id, {", ".join(status.value for status in _STATUSES)}, open, durations, counted_at)
SELECT %(begins_at)s, grouping(owner_group_id) = 1, owner_group_id, {_ENDED},
    count(*) FILTER (WHERE status IN ({_OPEN})), ARRAY[{_HISTOGRAM}]::int[], clock_timestamp()
FROM (
    SELECT owner_group_id, status, CASE WHEN status IN ('succeeded', 'partial', 'failed') THEN
        width_bucket(extract(epoch FROM finished_at - started_at)::float8, %(bounds)s::float8[]) END AS bucket
    FROM jobs_jobrun WHERE id >= %(first)s AND id < %(last)s
) AS made
GROUP BY GROUPING SETS ((), (owner_group_id))
"""  # noqa: S608 - the names of our own statuses

# Young spans always; then those with open runs, the longest untouched first; then those that are not there.
_TO_COUNT = """
SELECT span FROM (
    SELECT span, 0 AS place, span AS since FROM unnest(%(young)s::timestamptz[]) AS span
    UNION ALL
    (SELECT begins_at, 1, counted_at FROM jobs_runsummary
     WHERE is_total AND open > 0 AND counted_at < %(now)s - make_interval(secs => %(again)s) ORDER BY counted_at LIMIT 20)
    UNION ALL
    SELECT missing, 2, %(now)s - missing + %(from)s
    FROM generate_series(%(from)s, %(to)s, make_interval(secs => %(span)s)) AS missing
    WHERE NOT EXISTS (SELECT FROM jobs_runsummary WHERE begins_at = missing AND is_total)
) AS wanted
ORDER BY place, since
"""


def begin_of_span(moment: datetime) -> datetime:
    """When the span that the moment lies in began."""
    seconds = int(SPAN.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def keep() -> bool:
    """Count the spans that need it and forget old ones; whether some had to be left for the next time.

    Does nothing when another scheduler is at it.
    """
    now = timezone.now()
    deadline = time.monotonic() + BUDGET_SECONDS
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return False
        spans = _to_count(now)
        counted = 0
        while counted < len(spans) and (counted < _YOUNG or time.monotonic() < deadline):
            count(spans[counted])
            counted += 1
        RunSummary.objects.filter(begins_at__lt=now - KEPT).delete()
    return counted < len(spans)


def count(begins_at: datetime) -> None:
    """Count the runs of one span anew."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_runsummary WHERE begins_at = %s", [begins_at])
        cursor.execute(
            _COUNT,
            {
                "begins_at": begins_at,
                "bounds": BOUNDS,
                "first": first_run_id(begins_at),
                "last": first_run_id(begins_at + SPAN),
            },
        )


def _to_count(now: datetime) -> list[datetime]:
    present = begin_of_span(now)
    young = [present - SPAN * number for number in range(_YOUNG)]
    with connection.cursor() as cursor:
        cursor.execute(
            _TO_COUNT,
            {
                "young": young,
                "now": now,
                "again": AGAIN_AFTER.total_seconds(),
                "from": begin_of_span(now - REACH),
                "to": present - _YOUNG * SPAN,
                "span": SPAN.total_seconds(),
            },
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass
class Period:
    """What the runs of some spans did."""

    begins_at: datetime
    ends_at: datetime
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COLUMNS, 0))
    histogram: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    @property
    def executed(self) -> int:
        """Runs that a worker carried to an end."""
        return sum(self.counts[status] for status in ("succeeded", "partial", "failed"))

    @property
    def success_rate(self) -> float | None:
        """Succeeded out of the executed, 0 to 1; None without any."""
        return self.counts["succeeded"] / self.executed if self.executed else None

    def percentile(self, share: float) -> float | None:
        """The duration in seconds that this share of the executed runs stayed below; None without any.

        From a histogram: exact to its bounds, and in between as if durations were spread evenly.
        """
        total = sum(self.histogram)
        if not total:
            return None
        wanted, passed = share * total, 0
        for bucket, number in enumerate(self.histogram):
            if number and passed + number >= wanted:
                low = BOUNDS[bucket - 1] if bucket else 0.0
                high = BOUNDS[min(bucket, len(BOUNDS) - 1)]
                return low + (high - low) * (wanted - passed) / number
            passed += number
        return BOUNDS[-1]


_SUMS = ", ".join(f"sum({name})" for name in _COLUMNS)
_HISTOGRAM_SUMS = ", ".join(f"sum(durations[{bucket + 1}])" for bucket in range(len(BOUNDS) + 1))
# Python would take longer to read the histograms of a week than PostgreSQL to add them up.
_PERIODS = f"""
SELECT date_bin(make_interval(secs => %(step)s), begins_at, %(origin)s) AS period, ARRAY[{_SUMS}]::int[],
    ARRAY[{_HISTOGRAM_SUMS}]::int[]
FROM jobs_runsummary
WHERE begins_at >= %(origin)s AND (
    CASE WHEN %(groups)s::int[] IS NULL THEN is_total
         ELSE NOT is_total AND (owner_group_id IS NULL OR owner_group_id = ANY (%(groups)s::int[])) END)
GROUP BY period
"""  # noqa: S608 - our own columns


def periods(until: datetime, *, step: timedelta, number: int, seen: Visibility) -> list[Period]:
    """So many periods of that length, whole spans each, up to and with the one that `until` lies in. One query."""
    seconds = int(step.total_seconds())
    last = datetime.fromtimestamp(int(until.timestamp()) // seconds * seconds, UTC)
    first = last - step * (number - 1)
    sums = _sums(first, step, seen)
    return [
        Period(begins_at, begins_at + step, *sums.get(begins_at, ()))
        for begins_at in (first + step * place for place in range(number))
    ]


def window(until: datetime, *, length: timedelta, seen: Visibility) -> Period:
    """The last so long, to the span. One query."""
    first = begin_of_span(until - length)
    sums = _sums(first, 2 * length + SPAN, seen)
    return Period(first, until, *sums.get(first, ()))


def _sums(
    origin: datetime, step: timedelta, seen: Visibility
) -> dict[datetime, tuple[dict[str, int], list[int]]]:
    """The sums of each period from `origin` on in which something was summarised."""
    with connection.cursor() as cursor:
        cursor.execute(_PERIODS, {"origin": origin, "step": step.total_seconds(), "groups": seen.group_ids})
        return {
            begins_at: (dict(zip(_COLUMNS, counts, strict=True)), histogram)
            for begins_at, counts, histogram in cursor.fetchall()
        }
