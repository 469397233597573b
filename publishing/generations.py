"""The ledger of posts in the making: what one is made of, which steps are done, what they cost.

Whoever begins one holds the lock of the agent's row: so its quotas are never overdrawn, and no item is taken twice.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from pydantic import TypeAdapter

from jobs.errors import PermanentError
from jobs.models import JobRun
from publishing import quotas, writers
from publishing.models import Agent, FeedItem, Generation, GenerationStep, ItemUse, Post, UsageRecord
from publishing.models.item import FeedItemQuerySet
from publishing.writers import Brief, Item, Length, Progress, Step, Usage, WriterError, WriterRefused
from publishing.writers.progress import Listener

State = Generation.State
R = TypeVar("R")

_BRIEF = TypeAdapter(Brief)


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody asked an agent for."""

    agent_id: int
    #: "": the agent's own, or whatever its sources bring.
    topic: str = ""
    #: The main keyword; "": the agent's first.
    keyword: str = ""
    #: An item that the post must be made of, with others beside it.
    item_id: int | None = None


def begin(order: Order, *, run_id: uuid.UUID) -> Generation | None:
    """Begin a post, or go on with the one that this run began, or a run that it repeats. None: there is nothing new to write of.

    Raises PermanentError for an agent that may not write, QuotaExceeded, WriterRefused for a writer that cannot.
    """
    with transaction.atomic():
        agent = _agent(order.agent_id)
        settle_abandoned(agent)
        return _begun_before(agent, order, run_id) or _begin_new(agent, order, run_id)


def brief_of(generation: Generation) -> Brief:
    """What the writer was told when the post was begun."""
    return _BRIEF.validate_python(generation.brief)


def make(
    generation: Generation, name: str, step: Callable[[], Step[R]], *, on_progress: Listener | None = None
) -> R:
    """The result of a step: the stored one, or that of making it, which is stored at once with what it cost.

    What a step cost that gave nothing is written down, too, and its error goes on; also when it is ended in the middle,
    as by a cancel.
    """
    done: R | None = generation.steps.filter(name=name).values_list("result", flat=True).first()
    if done is not None:
        return done
    reached: Progress | None = None

    def follow(progress: Progress) -> None:
        nonlocal reached
        reached = progress
        if on_progress is not None:
            on_progress(progress)

    try:
        with writers.listening(follow):
            made = step()
    except WriterError as error:
        _record_loss(generation, name, error.usage)
        raise
    except BaseException:
        _record_loss(generation, name, reached.usage if reached is not None else None)
        raise
    with transaction.atomic():
        _record(generation, name, made.usage)
        return _store(generation, name, made.result)


def hold(generation: Generation) -> bool:
    """Lock it for making its post; False when another attempt has made it. Raises PermanentError when it was given up."""
    state = Generation.objects.select_for_update().values_list("state", flat=True).get(pk=generation.pk)
    if state == State.FAILED:
        raise PermanentError("The post was given up meanwhile: its run was taken for dead.")
    return bool(state == State.RUNNING)


def finish(generation: Generation, post: Post, used: list[int]) -> None:
    """The post is there, made of these items; the others are free again. Part of the transaction that makes the post."""
    generation.state, generation.post, generation.ended_at = State.DONE, post, timezone.now()
    generation.reserved_tokens, generation.reserved_cost = 0, 0
    generation.save()
    taken = set(generation.item_uses.values_list("item_id", flat=True))
    _free(generation, taken - set(used))
    FeedItem.objects.filter(pk__in=taken & set(used)).update(state=FeedItem.State.GENERATED, state_reason="")


def fail(generation: Generation, reason: str, *, frees_items: bool) -> None:
    """It could not be written. Its items are free again, or have failed with it until somebody replays them."""
    with transaction.atomic():
        generation.state, generation.reason, generation.ended_at = State.FAILED, reason[:500], timezone.now()
        generation.reserved_tokens, generation.reserved_cost = 0, 0
        generation.save()
        taken = set(generation.item_uses.values_list("item_id", flat=True))
        if frees_items:
            _free(generation, taken)
        else:
            queued = FeedItem.objects.filter(pk__in=taken, state=FeedItem.State.QUEUED)
            queued.update(state=FeedItem.State.FAILED, state_reason=reason[:200])


def settle_abandoned(agent: Agent) -> None:
    """End what the agent was writing in runs that have ended: cancelled, lost, out of attempts."""
    alive = quotas.alive(agent)
    for left in agent.generations.filter(state=State.RUNNING).exclude(pk__in=alive):
        fail(left, "Its run ended before the post was written.", frees_items=True)


def _agent(agent_id: int) -> Agent:
    agent = Agent.objects.select_for_update(of=("self",)).filter(pk=agent_id).first()
    if agent is None:
        raise PermanentError(f"There is no agent {agent_id} any more.")
    if not agent.is_enabled:
        raise PermanentError(f"{agent} is disabled.")
    return agent


def _begun_before(agent: Agent, order: Order, run_id: uuid.UUID) -> Generation | None:
    """What this run, or one that it repeats with the same order, has begun; its paid steps are not paid again."""
    wanted = agent.generations.filter(
        run_id__in=_lineage(run_id), topic=_topic(agent, order), keyword=_keyword(agent, order)
    )
    generation = wanted.order_by("-pk").first()
    if generation is None or (generation.state == State.DONE and generation.run_id != run_id):
        return None
    if generation.state == State.FAILED:
        if not _take_again(generation):
            return None
        _reserve(agent, generation, brief_of(generation))
        generation.state, generation.reason, generation.ended_at = State.RUNNING, "", None
    generation.run_id = run_id
    generation.save()
    return generation


def _begin_new(agent: Agent, order: Order, run_id: uuid.UUID) -> Generation | None:
    writer = writers.get(agent.writer)
    if reason := writer.why_not():
        raise WriterRefused(reason)
    items = _choose(agent, order.item_id)
    if not items and order.item_id is not None:
        return None
    if not order.topic and agent.sources.exists() and len(items) < max(writer.fewest_items, 1):
        return None
    brief = _brief(agent, order, items)
    generation = Generation(
        agent=agent,
        run_id=run_id,
        writer=agent.writer,
        topic=_topic(agent, order),
        keyword=_keyword(agent, order),
        brief=_BRIEF.dump_python(brief, mode="json"),
        began_at=timezone.now(),
    )
    _reserve(agent, generation, brief)
    generation.save()
    ItemUse.objects.bulk_create(ItemUse(agent=agent, item=item, generation=generation) for item in items)
    _queue([item.pk for item in items])
    return generation


def _lineage(run_id: uuid.UUID) -> list[uuid.UUID]:
    """The run and those that it repeats."""
    found: list[uuid.UUID] = []
    following: uuid.UUID | None = run_id
    while following is not None and following not in found:
        found.append(following)
        following = JobRun.objects.filter(pk=following).values_list("retry_of", flat=True).first()
    return found


def _take_again(generation: Generation) -> bool:
    """Take the items of a failed one again; False when another post is made of one by now."""
    ids = [item.id for item in brief_of(generation).items]
    known = list(FeedItem.objects.kept().filter(pk__in=ids).values_list("pk", flat=True))
    ItemUse.objects.bulk_create(
        [ItemUse(agent_id=generation.agent_id, item_id=pk, generation=generation) for pk in known],
        ignore_conflicts=True,
    )
    if generation.item_uses.count() < len(ids):
        _free(generation, set(ids))
        return False
    _queue(ids)
    return True


def _reserve(agent: Agent, generation: Generation, brief: Brief) -> None:
    estimate = writers.get(generation.writer).estimate(brief)
    quotas.require(agent, estimate, timezone.now())
    generation.reserved_tokens = estimate.tokens_in + estimate.tokens_out
    generation.reserved_cost = estimate.cost


def _choose(agent: Agent, item_id: int | None) -> list[FeedItem]:
    """The newest items that the agent has not used; the one that was asked for, if it can be used, is the first."""
    usable = _usable(agent, timezone.now())
    if item_id is None:
        return list(usable[: agent.max_items])
    wanted = usable.filter(pk=item_id).first()
    return [] if wanted is None else [wanted, *usable.exclude(pk=item_id)[: agent.max_items - 1]]


def _usable(agent: Agent, now: datetime) -> FeedItemQuerySet:
    used = ItemUse.objects.filter(agent=agent, item=OuterRef("pk"))
    items: FeedItemQuerySet = (
        FeedItem.objects.kept()
        .filter(~Exists(used), source__in=agent.sources.all())
        .exclude(state__in=[FeedItem.State.SKIPPED, FeedItem.State.FAILED])
        .annotate(appeared_at=Coalesce("published_at", "fetched_at"))
        .filter(appeared_at__gte=now - agent.max_age)
        .select_related("source")
        .order_by("-appeared_at", "-pk")
    )
    return items


def _brief(agent: Agent, order: Order, items: list[FeedItem]) -> Brief:
    main = _keyword(agent, order)
    return Brief(
        language=agent.language,
        tone=agent.tone,
        audience=agent.audience,
        persona=agent.persona,
        expertise=agent.expertise,
        length=Length(agent.length),
        keyword=main,
        further_keywords=tuple(keyword for keyword in agent.keywords if keyword != main),
        avoid=tuple(agent.avoid),
        topic=_topic(agent, order) or None,
        items=tuple(_item(item) for item in items),
    )


def _item(item: FeedItem) -> Item:
    return Item(
        id=item.pk,
        title=item.title,
        url=item.url,
        source_name=item.source.name,
        published_at=item.published_at,
        html=item.content_html or item.summary_html,
    )


def _topic(agent: Agent, order: Order) -> str:
    trends = f"Latest trends in {agent.expertise}" if agent.expertise and not agent.sources.exists() else ""
    return (order.topic or agent.topic or trends)[:300]


def _keyword(agent: Agent, order: Order) -> str:
    return (order.keyword or next(iter(agent.keywords), ""))[:100]


def _queue(ids: list[int]) -> None:
    seen = FeedItem.objects.filter(pk__in=ids, state__in=[FeedItem.State.SEEN, FeedItem.State.FAILED])
    seen.update(state=FeedItem.State.QUEUED, state_reason="")


def _free(generation: Generation, ids: set[int]) -> None:
    generation.item_uses.filter(item__in=ids).delete()
    used_elsewhere = ItemUse.objects.filter(item=OuterRef("pk"))
    queued = FeedItem.objects.filter(~Exists(used_elsewhere), pk__in=ids, state=FeedItem.State.QUEUED)
    queued.update(state=FeedItem.State.SEEN, state_reason="")


def _store(generation: Generation, name: str, result: R) -> R:
    try:
        with transaction.atomic():
            GenerationStep.objects.create(
                generation=generation, name=name, result=result, ended_at=timezone.now()
            )
    except IntegrityError:  # an attempt that was taken for dead has made it as well: the first result counts
        return cast(R, generation.steps.get(name=name).result)
    return result


def _record_loss(generation: Generation, step: str, usage: Usage | None) -> None:
    """Write down what was paid for nothing, as far as it is known."""
    if usage is not None:
        with transaction.atomic():
            _record(generation, step, usage, has_result=False)


def _record(generation: Generation, step: str, usage: Usage, *, has_result: bool = True) -> None:
    if not any((usage.calls, usage.tokens_in, usage.tokens_out, usage.cost)):
        return
    price = usage.price
    UsageRecord.objects.create(
        agent_id=generation.agent_id,
        generation=generation,
        step=step,
        model=usage.model[:200],
        tokens_in=usage.tokens_in,
        tokens_cached=usage.tokens_cached,
        tokens_out=usage.tokens_out,
        calls=usage.calls,
        is_estimated=usage.is_estimated,
        is_doubtful=usage.is_doubtful,
        price_in=price.tokens_in if price else None,
        price_cached=price.tokens_cached if price else None,
        price_out=price.tokens_out if price else None,
        cost=usage.cost,
        seconds=usage.seconds,
        has_result=has_result,
        at=timezone.now(),
    )
    Generation.objects.filter(pk=generation.pk).update(
        reserved_tokens=Greatest(F("reserved_tokens") - usage.tokens_in - usage.tokens_out, 0),
        reserved_cost=Greatest(F("reserved_cost") - usage.cost, 0),
    )
