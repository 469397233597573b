"""What agents may write and spend: counted in the ledger of generations, so that there is nothing to reset.

A day and a month begin at midnight in the agent's time zone. What is being written counts with what it will probably
take; so two posts in the making can never share the last place.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db.models import Case, Count, DateTimeField, F, Q, Sum, Value, When

from jobs.models import JobRun
from publishing.errors import QuotaExceeded
from publishing.models import Agent, Generation, UsageRecord
from publishing.writers import Usage

State = Generation.State

PERIODS = ("day", "month")


@dataclass(frozen=True, kw_only=True)
class Used:
    """What an agent has taken since a moment, reservations included."""

    posts: int
    tokens: int
    cost: Decimal


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One limit of an agent, and how much of it is used."""

    #: "day" or "month".
    period: str
    #: "posts", "tokens" or "cost".
    what: str
    used: Decimal
    #: None: there is none.
    limit: Decimal | None

    @property
    def left(self) -> Decimal | None:
        return None if self.limit is None else max(self.limit - self.used, Decimal(0))

    @property
    def percent(self) -> int | None:
        """How much of it is used, 0 to 100; a limit of nothing is always used up."""
        if self.limit is None:
            return None
        return min(round(100 * self.used / self.limit), 100) if self.limit else 100

    def has_room(self, wanted: Decimal) -> bool:
        return self.limit is None or self.used + wanted <= self.limit


def used(agent: Agent, since: datetime) -> Used:
    """What the agent has taken since then. What is being written counts as long as its run is alive."""
    return _used({agent.pk: since}, alive(agent))[agent.pk]


def alive(*agents: Agent) -> list[int]:
    """The generations of the agents whose runs have not ended."""
    running = Generation.objects.filter(agent__in=agents, state=State.RUNNING).order_by()
    runs = dict(running.values_list("run_id", "pk"))
    active = JobRun.objects.active().filter(pk__in=runs).values_list("pk", flat=True)
    return [runs[run_id] for run_id in active]


def quotas(agent: Agent, at: datetime) -> list[Quota]:
    """All six limits of the agent, those of the day first."""
    return of_each([agent], at)[agent.pk]


def of_each(agents: Sequence[Agent], at: datetime) -> dict[int, list[Quota]]:
    """The limits of each of these agents; six statements, however many there are."""
    writing = alive(*agents)
    today = _used({agent.pk: agent.day_began(at) for agent in agents}, writing)
    this_month = _used({agent.pk: agent.month_began(at) for agent in agents}, writing)
    return {
        agent.pk: [*_limits(agent, "day", today[agent.pk]), *_limits(agent, "month", this_month[agent.pk])]
        for agent in agents
    }


def _limits(agent: Agent, period: str, taken: Used) -> Iterator[Quota]:
    for what in ("posts", "tokens", "cost"):
        limit = getattr(agent, f"{'daily' if period == 'day' else 'monthly'}_{what}")
        yield Quota(
            period=period,
            what=what,
            used=Decimal(getattr(taken, what)),
            limit=None if limit is None else Decimal(limit),
        )


def _used(since: Mapping[int, datetime], writing: list[int]) -> dict[int, Used]:
    """What each agent has taken since its own moment; `writing` are the generations that are alive."""
    if not since:
        return {}
    is_alive = Q(pk__in=writing)
    recent = Generation.objects.filter(agent__in=since, began_at__gte=min(since.values())).order_by()
    counted = {
        row["agent"]: row
        for row in recent.filter(began_at__gte=_moment_of(since))
        .values("agent")
        .annotate(
            done=Count("pk", filter=Q(state=State.DONE)),
            writing=Count("pk", filter=is_alive),
            tokens=Sum("reserved_tokens", filter=is_alive, default=0),
            cost=Sum("reserved_cost", filter=is_alive, default=Decimal(0)),
        )
    }
    records = UsageRecord.objects.filter(agent__in=since, at__gte=min(since.values())).order_by()
    spent = {
        row["agent"]: row
        for row in records.filter(at__gte=_moment_of(since))
        .values("agent")
        .annotate(tokens=Sum(F("tokens_in") + F("tokens_out")), money=Sum("cost"))
    }
    nothing = {"done": 0, "writing": 0, "tokens": 0, "cost": Decimal(0), "money": Decimal(0)}
    return {pk: _sum(counted.get(pk, nothing), spent.get(pk, nothing)) for pk in since}


def _sum(made: Mapping[str, Any], spent: Mapping[str, Any]) -> Used:
    return Used(
        posts=made["done"] + made["writing"],
        tokens=made["tokens"] + spent["tokens"],
        cost=made["cost"] + spent["money"],
    )


def _moment_of(since: Mapping[int, datetime]) -> Case:
    """Of a row with an agent: the moment of that agent."""
    moments = groupby(sorted(since, key=since.__getitem__), key=since.__getitem__)
    return Case(
        *(When(agent__in=list(pks), then=Value(moment)) for moment, pks in moments),
        output_field=DateTimeField(),
    )


def require(agent: Agent, estimate: Usage, at: datetime) -> None:
    """Check that there is room for one more post that takes so much. Raises QuotaExceeded with the limit that is in the way.

    Only the caller who holds the lock of the agent's row can rely on it.
    """
    wanted = {
        "posts": Decimal(1),
        "tokens": Decimal(estimate.tokens_in + estimate.tokens_out),
        "cost": estimate.cost,
    }
    for quota in quotas(agent, at):
        if not quota.has_room(wanted[quota.what]):
            raise QuotaExceeded(_told(agent, quota, wanted[quota.what]))


def _told(agent: Agent, quota: Quota, wanted: Decimal) -> str:
    def amount(number: Decimal) -> str:
        return f"${number:,.2f}" if quota.what == "cost" else f"{number:,.0f} {quota.what}"

    reached = f"{agent} may use {amount(quota.limit or Decimal(0))} a {quota.period}, and has used {amount(quota.used)}"
    return f"{reached}." if quota.what == "posts" else f"{reached}; the next post may take {amount(wanted)}."
