"""How posts do: all together, and those of each agent. Three statements, however many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Max, Q

from publishing.models import Agent, Generation, Post

Status = Post.Status

_WENT_OUT = (Status.PUBLISHED, Status.WITHDRAWN)
_CAME_TO_NOTHING = (Status.FAILED, Status.MISSED)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Some posts in figures."""

    posts: int
    by_status: Mapping[str, int]
    #: Of those whose publishing has ended, how many went out, 0 to 1; None without any.
    success_rate: float | None
    #: That went out then.
    posts_last_7_days: int
    posts_last_30_days: int
    #: That are scheduled, and when the first of them goes out.
    upcoming_posts: int
    next_post_at: datetime | None
    #: Of those that have a score, 0 to 100; None without any.
    mean_score: float | None


@dataclass(frozen=True, kw_only=True)
class AgentFigures:
    """What an agent has written."""

    id: int
    name: str
    is_enabled: bool
    figures: Figures
    #: How often it could not write one.
    failed_generations: int
    last_written_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Statistics:
    total: Figures
    #: Written by people.
    by_people: Figures
    by_agent: Sequence[AgentFigures]


_COUNTS = ", ".join(f"count(*) FILTER (WHERE status = '{status.value}')" for status in Status)
_FIGURES = f"""
SELECT grouping(agent_id) = 1, agent_id, count(*), {_COUNTS},
    count(*) FILTER (WHERE status = 'published' AND published_at >= %(now)s - interval '7 days'),
    count(*) FILTER (WHERE status = 'published' AND published_at >= %(now)s - interval '30 days'),
    min(scheduled_at) FILTER (WHERE status = 'scheduled'), avg(score)::float8
FROM publishing_post
GROUP BY GROUPING SETS ((), (agent_id))
"""  # noqa: S608 - the names of our own states


def figures(now: datetime) -> Statistics:
    """Everything at that moment."""
    total, by_agent = _nothing(), {}
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES, {"now": now})
        for is_total, agent_id, *row in cursor.fetchall():
            if is_total:
                total = _figures(row)
            else:
                by_agent[agent_id] = _figures(row)
    generations = {
        row["agent"]: row
        for row in Generation.objects.order_by()
        .values("agent")
        .annotate(
            failed=Count("pk", filter=Q(state=Generation.State.FAILED)),
            last=Max("ended_at", filter=Q(state=Generation.State.DONE)),
        )
    }
    return Statistics(
        total=total,
        by_people=by_agent.get(None, _nothing()),
        by_agent=[
            _of_agent(agent, by_agent.get(agent.pk, _nothing()), generations.get(agent.pk, {}))
            for agent in Agent.objects.only("name", "is_enabled")
        ],
    )


def _of_agent(agent: Agent, found: Figures, generations: Mapping[str, Any]) -> AgentFigures:
    return AgentFigures(
        id=agent.pk,
        name=agent.name,
        is_enabled=agent.is_enabled,
        figures=found,
        failed_generations=generations.get("failed", 0),
        last_written_at=generations.get("last"),
    )


def _figures(row: Sequence[Any]) -> Figures:
    posts, *counts = row
    states, (week, month, next_at, score) = counts[: len(Status)], counts[len(Status) :]
    by_status = {status.value: count for status, count in zip(Status, states, strict=True)}
    good, bad = (sum(by_status[status] for status in ends) for ends in (_WENT_OUT, _CAME_TO_NOTHING))
    return Figures(
        posts=posts,
        by_status=by_status,
        success_rate=good / (good + bad) if good + bad else None,
        posts_last_7_days=week,
        posts_last_30_days=month,
        upcoming_posts=by_status[Status.SCHEDULED],
        next_post_at=next_at,
        mean_score=None if score is None else round(score, 1),
    )


def _nothing() -> Figures:
    return _figures([0, *[0 for _ in Status], 0, 0, None, None])
