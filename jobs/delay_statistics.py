"""What runs spend their time on: each part's mean and percentiles over many runs, by job or queue and over time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import connection

from jobs.delays import Kind
from jobs.models import EVERYTHING, JobRun, Visibility, first_run_id

By = Literal["job", "queue"]

#: In a sum over many runs, all that lies between the first attempt's start and the latest's is one part.
KINDS = tuple(kind for kind in Kind if kind != Kind.RETRY)
#: Of about so many runs on, a sample of them is looked at.
LOOKED_AT = 40_000
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
    #: In a sample: about so many.
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
    #: One in so many runs was looked at; 1: all of them.
    one_in: int
    total: Spent
    groups: list[Spent]
    over_time: list[Spent]

    @property
    def step_seconds(self) -> float:
        return self.step.total_seconds()


_WANTED = """
r.id >= %(first_id)s AND r.status IN ({executed})
AND (%(job)s::text IS NULL OR r.job = %(job)s)
AND (%(queue)s::text IS NULL OR r.queue = %(queue)s)
AND (%(groups)s::int[] IS NULL OR r.owner_group_id IS NULL OR r.owner_group_id = ANY (%(groups)s::int[]))
""".format(executed=", ".join(f"'{status.value}'" for status in JobRun.Status.executed()))
# Not by `queued_at`: the planner takes it for independent of the id, and would guess far too few.
_ESTIMATE = f"EXPLAIN (FORMAT JSON) SELECT FROM jobs_jobrun r WHERE {_WANTED} AND r.id < %(last_id)s"

# The same moments as in `jobs.delays`, for runs that a worker carried to an end.
_SPENT = """
WITH moments AS MATERIALIZED (
    SELECT r.job, r.queue, date_bin(%(step)s, r.queued_at, %(since)s) AS piece,
        COALESCE(r.scheduled_for, r.queued_at) AS slot_at, r.queued_at, r.waits,
        r.queued_at + make_interval(secs => COALESCE((r.waits ->> 'spread')::float8, 0)) AS spread_until,
        CASE WHEN f.id IS NULL THEN r.admitted_at ELSE f.admitted_at END AS admitted_at,
        CASE WHEN f.id IS NULL THEN r.first_published_at ELSE f.published_at END AS sent_at,
        COALESCE(f.started_at, r.started_at) AS begun_at, r.started_at, r.finished_at
    FROM jobs_jobrun r LEFT JOIN jobs_runattempt f ON f.run_id = r.id AND f.attempt = 1
    WHERE {wanted} AND r.queued_at >= %(since)s AND r.queued_at < %(until)s AND r.started_at IS NOT NULL
        AND (%(one_in)s = 1 OR uuid_hash(r.id) %% %(one_in)s = 0)
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
SELECT {by}, piece, count(*), {figures} FROM spent GROUP BY GROUPING SETS ((), ({by}), (piece))
ORDER BY piece, avg(whole) DESC
"""
_COLUMNS = ["queue_wait" if kind == Kind.QUEUE else f'"{kind.value}"' for kind in KINDS]
_FIGURES = ", ".join(
    f"avg({column}), percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY {column})"
    for column in [*_COLUMNS, "whole"]
)


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
    values: dict[str, Any] = {
        "first_id": first_run_id(since),
        "last_id": first_run_id(until),
        "since": since,
        "until": until,
        "step": step,
        "job": job,
        "queue": queue,
        "groups": seen.group_ids,
    }
    values["one_in"] = one_in = _one_in(values)
    found = [
        Spent(name=row[0], at=row[1], runs=row[2] * one_in, **_shares(row[3:]))
        for row in _ask(_SPENT.format(wanted=_WANTED, by=by, figures=_FIGURES), values)
    ]
    return DelayStatistics(
        since=since,
        until=until,
        by=by,
        step=step,
        one_in=one_in,
        total=next(spent for spent in found if spent.name is None and spent.at is None),
        groups=[spent for spent in found if spent.name is not None],
        over_time=[spent for spent in found if spent.at is not None],
    )


def step_of(window: timedelta) -> timedelta:
    """The length of the pieces of a window: a round one, about a 24th of it."""
    for seconds in (10, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400):
        if window <= timedelta(seconds=seconds * PIECES):
            return timedelta(seconds=seconds)
    return timedelta(days=30)


def _one_in(values: Mapping[str, Any]) -> int:
    """Which share of the runs to look at, by the planner's estimate of how many there are."""
    ((plans,),) = _ask(_ESTIMATE, values)
    plan = json.loads(plans) if isinstance(plans, str) else plans
    rows: float = plan[0]["Plan"]["Plan Rows"]
    return max(round(rows / LOOKED_AT), 1)


def _ask(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
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
