"""What runs spend their time on: each part's mean and percentiles over many runs, by job or queue and over time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import connection

from jobs.delays import Kind
from jobs.models import JobRun, Visibility, first_run_id
from jobs.statistics import EVERYTHING

By = Literal["job", "queue"]

#: In a sum over many runs, all that lies between the first attempt's start and the latest's is one part.
KINDS = tuple(kind for kind in Kind if kind != Kind.RETRY)
#: Over time, a window is cut into about so many pieces.
PIECES = 24


@dataclass(frozen=True, kw_only=True)
class Share:
    """One part over many runs, in seconds. Means of the parts add up to the mean of the whole."""

    kind: Kind
    mean: float
    p50: float
    p90: float


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What a group of runs spent their time on, from slot (or being asked for) to end."""

    #: The job or queue; None for all together.
    name: str | None = None
    #: The piece of the window; None for all of it.
    at: datetime | None = None
    runs: int
    whole: Share | None
    shares: list[Share]


@dataclass(frozen=True, kw_only=True)
class DelayStatistics:
    """The delays of a window."""

    since: datetime
    until: datetime
    by: By
    #: The length of each piece in `over_time`.
    step: timedelta
    total: Spent
    groups: list[Spent]
    over_time: list[Spent]

    @property
    def step_seconds(self) -> float:
        return self.step.total_seconds()


# The same moments as in `jobs.delays`, for runs that a worker carried to an end.
_SPENT = """
WITH moments AS (
    SELECT r.job, r.queue, date_bin(%(step)s, r.queued_at, %(since)s) AS piece,
        COALESCE(r.scheduled_for, r.queued_at) AS slot_at, r.queued_at, r.waits,
        r.queued_at + make_interval(secs => COALESCE((r.waits ->> 'spread')::float8, 0)) AS spread_until,
        CASE WHEN f.id IS NULL THEN r.admitted_at ELSE f.admitted_at END AS admitted_at,
        CASE WHEN f.id IS NULL THEN r.first_published_at ELSE f.published_at END AS sent_at,
        COALESCE(f.started_at, r.started_at) AS begun_at, r.started_at, r.finished_at
    FROM jobs_jobrun r LEFT JOIN jobs_runattempt f ON f.run_id = r.id AND f.attempt = 1
    WHERE r.id >= %(first_id)s AND r.queued_at >= %(since)s AND r.queued_at < %(until)s
        AND r.status IN ({executed}) AND r.started_at IS NOT NULL
        AND (%(job)s::text IS NULL OR r.job = %(job)s)
        AND (%(queue)s::text IS NULL OR r.queue = %(queue)s)
        AND (%(groups)s::int[] IS NULL OR r.owner_group_id IS NULL OR r.owner_group_id = ANY (%(groups)s::int[]))
), ordered AS (
    -- A moment that lies before its predecessor counts as the same moment.
    SELECT *, GREATEST(slot_at, queued_at) AS t0,
        GREATEST(slot_at, spread_until) AS t1,
        GREATEST(slot_at, spread_until, admitted_at) AS t2,
        GREATEST(slot_at, spread_until, admitted_at, sent_at) AS t3,
        GREATEST(slot_at, spread_until, admitted_at, sent_at, begun_at) AS t4,
        GREATEST(slot_at, spread_until, admitted_at, sent_at, begun_at, started_at) AS t5,
        GREATEST(slot_at, spread_until, admitted_at, sent_at, begun_at, started_at, finished_at) AS t6
    FROM moments
), held AS (
    SELECT *, extract(epoch FROM t2 - t1)::float8 AS held,
        COALESCE((waits ->> 'jitter')::float8, 0) AS jitter, COALESCE((waits ->> 'window')::float8, 0) AS "window",
        COALESCE((waits ->> 'overlap')::float8, 0) AS overlap, COALESCE(waits ? 'limit', false) AS is_limited
    FROM ordered
), spent AS (
    SELECT job, queue, piece,
        extract(epoch FROM t0 - slot_at)::float8 AS scheduler, extract(epoch FROM t1 - t0)::float8 AS spread,
        LEAST(jitter, held) AS jitter,
        LEAST("window", GREATEST(held - jitter, 0)) AS "window",
        LEAST(overlap, GREATEST(held - jitter - "window", 0)) AS overlap,
        CASE WHEN is_limited THEN GREATEST(held - jitter - "window" - overlap, 0) ELSE 0 END AS "limit",
        CASE WHEN is_limited THEN 0 ELSE GREATEST(held - jitter - "window" - overlap, 0) END
            + extract(epoch FROM t3 - t2)::float8 AS outbox,
        extract(epoch FROM t4 - t3)::float8 AS queue_wait,
        extract(epoch FROM t5 - t4)::float8 AS attempt,
        extract(epoch FROM t6 - t5)::float8 AS execution,
        extract(epoch FROM t6 - slot_at)::float8 AS whole
    FROM held
)
SELECT {key}, count(*), {figures} FROM spent GROUP BY {grouping} ORDER BY {order}
"""
_COLUMNS = ["queue_wait" if kind == Kind.QUEUE else f'"{kind.value}"' for kind in KINDS]
_FIGURES = ", ".join(
    f"avg({column}), percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY {column})"
    for column in [*_COLUMNS, "whole"]
)
_EXECUTED = ", ".join(f"'{status.value}'" for status in JobRun.Status.executed())


def of_window(
    since: datetime,
    until: datetime,
    *,
    by: By = "job",
    job: str | None = None,
    queue: str | None = None,
    seen: Visibility = EVERYTHING,
) -> DelayStatistics:
    """What the runs that were asked for from `since` until before `until` spent their time on."""
    step = step_of(until - since)
    values = {
        "first_id": first_run_id(since),
        "since": since,
        "until": until,
        "step": step,
        "job": job,
        "queue": queue,
        "groups": seen.group_ids,
    }
    whole_and_groups = [
        Spent(name=row[0], runs=row[1], **_shares(row[2:]))
        for row in _ask(values, key=by, grouping=f"GROUPING SETS ((), ({by}))", order="avg(whole) DESC")
    ]
    total = [found for found in whole_and_groups if found.name is None]
    return DelayStatistics(
        since=since,
        until=until,
        by=by,
        step=step,
        total=total[0] if total else Spent(runs=0, whole=None, shares=[]),
        groups=[found for found in whole_and_groups if found.name is not None],
        over_time=[
            Spent(at=row[0], runs=row[1], **_shares(row[2:]))
            for row in _ask(values, key="piece", grouping="piece", order="piece")
        ],
    )


def step_of(window: timedelta) -> timedelta:
    """The length of the pieces of a window: a round one, about a 24th of it."""
    for seconds in (10, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400):
        if window <= timedelta(seconds=seconds * PIECES):
            return timedelta(seconds=seconds)
    return timedelta(days=30)


def _ask(values: dict[str, Any], **names: str) -> list[tuple[Any, ...]]:
    statement = _SPENT.format(executed=_EXECUTED, figures=_FIGURES, **names)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def _shares(figures: tuple[Any, ...]) -> dict[str, Any]:
    """The columns of a row by kind; parts on which nobody spent any time are left out."""
    if figures[0] is None:
        return {"whole": None, "shares": []}
    pairs = list(zip(figures[::2], figures[1::2], strict=True))
    shares = [
        Share(kind=kind, mean=mean, p50=both[0], p90=both[1])
        for kind, (mean, both) in zip((*KINDS, Kind.EXECUTION), pairs, strict=True)
    ]
    return {"whole": shares[-1], "shares": [share for share in shares[:-1] if share.mean > 0]}
