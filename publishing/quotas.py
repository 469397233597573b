"""What agents may write and spend: counted in the ledger of generations, so that there is nothing to reset.

A day and a month begin at midnight in the agent's time zone. What is being written counts with what it will probably
take; so two posts in the making can never share the last place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Sum

from jobs.models import JobRun
from publishing.errors import QuotaExceeded
from publishing.models import Agent, Generation
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
    recent = agent.generations.filter(began_at__gte=since)
    writing = recent.filter(pk__in=alive(agent))
    reserved = writing.aggregate(tokens=Sum("reserved_tokens"), cost=Sum("reserved_cost"))
    spent = agent.usage.filter(at__gte=since).aggregate(
        tokens=Sum(F("tokens_in") + F("tokens_out")), cost=Sum("cost")
    )
    return Used(
        posts=recent.filter(state=State.DONE).count() + writing.count(),
        tokens=(spent["tokens"] or 0) + (reserved["tokens"] or 0),
        cost=(spent["cost"] or Decimal(0)) + (reserved["cost"] or Decimal(0)),
    )


def alive(agent: Agent) -> list[int]:
    """The generations of the agent whose runs have not ended."""
    runs = dict(agent.generations.filter(state=State.RUNNING).values_list("run_id", "pk"))
    active = JobRun.objects.active().filter(pk__in=runs).values_list("pk", flat=True)
    return [runs[run_id] for run_id in active]


def quotas(agent: Agent, at: datetime) -> Iterator[Quota]:
    """All six limits of the agent, those of the day first."""
    for period, since in (("day", agent.day_began(at)), ("month", agent.month_began(at))):
        taken = used(agent, since)
        for what in ("posts", "tokens", "cost"):
            limit = getattr(agent, f"{'daily' if period == 'day' else 'monthly'}_{what}")
            yield Quota(
                period=period,
                what=what,
                used=Decimal(getattr(taken, what)),
                limit=None if limit is None else Decimal(limit),
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
