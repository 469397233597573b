"""What agents have used over time, computed by PostgreSQL in one statement."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection


@dataclass(frozen=True, kw_only=True)
class Used:
    """What one agent used of one model in a day or month; or all of it together, with None for each."""

    #: The first day of the period, in the agent's time zone.
    period: date | None
    agent: int | None
    agent_name: str | None
    #: "" for posts that were written without any model.
    model: str | None
    calls: int
    tokens_in: int
    #: Part of the tokens in.
    tokens_cached: int
    tokens_out: int
    #: US dollars.
    cost: Decimal
    #: Posts that the model had a part in, by the day on which it had.
    posts: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The latest period first."""

    total: Used
    rows: Sequence[Used]


@dataclass(frozen=True, kw_only=True)
class Month:
    """What was used in a calendar month, of each agent in its own time zone."""

    first: date
    rows: Sequence[Used]
    #: That were written.
    posts: int

    @property
    def cost(self) -> Decimal:
        return sum((row.cost for row in self.rows), Decimal(0))

    @property
    def tokens(self) -> int:
        return sum(row.tokens_in + row.tokens_out for row in self.rows)


_SUMMARY = """
WITH taken AS (
    SELECT agent_id, generation_id, model, at, calls, tokens_in, tokens_cached, tokens_out, cost
    FROM publishing_usagerecord
    WHERE at >= %(since)s AND at < %(until)s
    UNION ALL
    SELECT agent_id, id, '', ended_at, 0, 0, 0, 0, 0
    FROM publishing_generation
    WHERE state = 'done' AND ended_at >= %(since)s AND ended_at < %(until)s
        AND NOT EXISTS (
            SELECT FROM publishing_usagerecord WHERE generation_id = publishing_generation.id
        )
), placed AS (
    SELECT taken.*, agent.name, date_trunc(%(period)s, at AT TIME ZONE agent.timezone)::date AS began,
        CASE WHEN generation.state = 'done' THEN generation.id END AS written
    FROM taken
    JOIN publishing_agent agent ON agent.id = taken.agent_id
    LEFT JOIN publishing_generation generation ON generation.id = taken.generation_id
    WHERE (%(agent)s::int IS NULL OR taken.agent_id = %(agent)s)
        AND (%(model)s::text IS NULL OR taken.model = %(model)s)
)
SELECT began, agent_id, name, model, coalesce(sum(calls), 0), coalesce(sum(tokens_in), 0),
    coalesce(sum(tokens_cached), 0), coalesce(sum(tokens_out), 0), coalesce(sum(cost), 0), count(DISTINCT written)
FROM placed
GROUP BY GROUPING SETS ((), (began, agent_id, name, model))
ORDER BY grouping(began) DESC, began DESC, name, model
"""


def summary(
    since: datetime, until: datetime, *, period: str, agent_id: int | None = None, model: str | None = None
) -> Summary:
    """What was used from `since` until before `until`, by period ("day" or "month"), agent and model."""
    with connection.cursor() as cursor:
        cursor.execute(
            _SUMMARY,
            {"since": since, "until": until, "period": period, "agent": agent_id, "model": model},
        )
        total, *rows = [_used(row) for row in cursor.fetchall()]
    return Summary(total=total, rows=rows)


def months(now: datetime, today: date) -> tuple[Month, Month]:
    """This month and the last; `today` is the day at the reader's place."""
    this = today.replace(day=1)
    last = (this - timedelta(days=1)).replace(day=1)
    # A day earlier: somewhere the month has begun already.
    since = datetime.combine(last - timedelta(days=1), time(), UTC)
    rows = summary(since, now, period="month").rows
    posts = written(since, now, period="month")
    this_month, last_month = (
        Month(first=first, rows=[row for row in rows if row.period == first], posts=posts.get(first, 0))
        for first in (this, last)
    )
    return this_month, last_month


_WRITTEN = """
SELECT date_trunc(%(period)s, ended_at AT TIME ZONE agent.timezone)::date, count(*)
FROM publishing_generation
JOIN publishing_agent agent ON agent.id = publishing_generation.agent_id
WHERE state = 'done' AND ended_at >= %(since)s AND ended_at < %(until)s
    AND (%(agent)s::int IS NULL OR agent_id = %(agent)s)
GROUP BY 1
"""


def written(since: datetime, until: datetime, *, period: str, agent_id: int | None = None) -> dict[date, int]:
    """How many posts were written in each period, whichever models had a part in them."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITTEN, {"since": since, "until": until, "period": period, "agent": agent_id})
        return dict(cursor.fetchall())


def _used(row: Sequence[Any]) -> Used:
    names = [field.name for field in fields(Used)]
    return Used(**dict(zip(names, row, strict=True)))
