"""From items to a post: outline, text, title and keywords, checks, draft; then what the agent's workflow says.

Each step that may cost something is stored when it is done (`publishing.generations`), so an attempt that follows a
crash goes on where the last one stopped. Post, sources, states of items and workflow are one transaction: there is
never half a post, and never a second one.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.errors import InvalidInput
from jobs.models import JobRun
from publishing import assessment, generations, posts, writers
from publishing.assessment import Assessment
from publishing.generations import Order
from publishing.models import Agent, FeedItem, Generation, Post, PostSource
from publishing.seo.score import PUBLISH_FROM
from publishing.seo.words import shortened
from publishing.words import mentions
from publishing.writers import Body, Brief, Meta, Progress, TooLittle, WriterRefused

#: The parts of the work with their shares of the time, as far as a model is asked.
STEPS = {"Choosing items": 1, "Outline": 15, "Text": 60, "Title and keywords": 20, "Draft and checks": 4}

_MOST_TAGS = 5
_LONGEST_TITLE = 300

Workflow = Agent.Workflow
_GOES_OUT = {Workflow.SCHEDULED, Workflow.AUTO}


@dataclass(frozen=True, kw_only=True)
class Written:
    """What came of letting an agent write."""

    #: False when there was nothing new to write of.
    is_written: bool
    post_id: int | None = None
    generation_id: int | None = None
    title: str = ""
    word_count: int = 0
    status: str = ""
    score: int | None = None
    tokens: int = 0
    cost: Decimal = Decimal(0)
    notes: tuple[str, ...] = ()


def write_post(run: ActiveRun, order: Order) -> Written:
    """Let an agent write a post, and do with it what the agent's workflow says.

    Raises what stops it: WriterUnavailable to go on later, WriterRefused, QuotaExceeded and PermanentError for good.
    """
    run.step("Choosing items")
    generation = generations.begin(order, run_id=run.id)
    if generation is None:
        run.log("There is nothing new to write of.")
        return Written(is_written=False)
    try:
        body, meta = _compose(run, generation)
        run.step("Draft and checks")
        held = [] if generation.state == Generation.State.DONE else _draft(generation, body, meta)
    except (WriterRefused, InvalidInput) as error:
        generations.fail(generation, str(error), frees_items=isinstance(error, TooLittle))
        raise
    run.unit_succeeded()
    if held:
        run.unit_failed("Publishing", f"The post was held back for a review: {' '.join(held)}")
    return _told(generation)


def _compose(run: ActiveRun, generation: Generation) -> tuple[Body, Meta]:
    writer, brief = writers.get(generation.writer), generations.brief_of(generation)

    def follow(progress: Progress) -> None:
        """Only of the text it is known how many words it will have."""
        run.report(progress.words)

    def follow_text(progress: Progress) -> None:
        run.report(progress.words, brief.words[1])

    run.step("Outline")
    outline = generations.make(generation, "outline", lambda: writer.outline(brief), on_progress=follow)
    run.step("Text")
    body = generations.make(generation, "body", lambda: writer.body(brief, outline), on_progress=follow_text)
    run.step("Title and keywords")
    meta = generations.make(generation, "meta", lambda: writer.meta(brief, body), on_progress=follow)
    return body, meta


def _draft(generation: Generation, body: Body, meta: Meta) -> list[str]:
    """Make the post, all of it or nothing; gives the reasons why it does not go out although it should."""
    brief, agent = generations.brief_of(generation), generation.agent
    with transaction.atomic():
        if not generations.hold(generation):
            return []
        post = posts.write(Post(agent=agent), _content(brief, body, meta), by=None)
        _list_sources(post, brief, body["item_ids"])
        found = assessment.assess(post, url=posts.address_of(post))
        doubts = _doubts(post, found, brief)
        post.notes = [note[:500] for note in (*body["notes"], *doubts)]
        post.save(update_fields=["notes"])
        held = _follow_workflow(agent, post, doubts)
        generations.finish(generation, post, body["item_ids"])
    return held


def _content(brief: Brief, body: Body, meta: Meta) -> dict[str, object]:
    return {
        "title": shortened(meta["title"], _LONGEST_TITLE),
        "body_html": body["html"],
        "excerpt": meta["excerpt"],
        "language": brief.language,
        "tags": _tags(body["item_ids"], meta["keywords"]),
        "keywords": meta["keywords"],
        "meta_title": meta["meta_title"],
        "meta_description": meta["meta_description"],
    }


def _tags(item_ids: list[int], keywords: list[str]) -> list[str]:
    """What the items are filed under, the commonest first; the first keywords when they are filed under nothing."""
    filed = FeedItem.objects.filter(pk__in=item_ids).values_list("categories", flat=True)
    counted = Counter(category.strip()[:100] for categories in filed for category in categories)
    names = [name for name, _ in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])) if name]
    return names[:_MOST_TAGS] or [keyword[:100] for keyword in keywords[:3]]


def _list_sources(post: Post, brief: Brief, item_ids: list[int]) -> None:
    items = {item.id: item for item in brief.items}
    known = set(FeedItem.objects.filter(pk__in=item_ids).values_list("pk", flat=True))
    PostSource.objects.bulk_create(
        PostSource(
            post=post,
            position=position,
            item_id=pk if pk in known else None,
            title=items[pk].title,
            url=items[pk].url,
            source_name=items[pk].source_name,
        )
        for position, pk in enumerate(item_ids, start=1)
    )


def _doubts(post: Post, found: Assessment, brief: Brief) -> list[str]:
    """Why nobody should publish it unseen. Raises WriterRefused for what is no post at all."""
    if not found.score.word_count:
        raise WriterRefused("The writer gave a text without words.")
    doubts = [f"The structured data is not valid: {problem}." for problem in found.problems]
    if found.score.total < PUBLISH_FROM:
        doubts.append(f"Its score is {found.score.total}; below {PUBLISH_FROM} no post goes out unseen.")
    if found.duplicate is not None:
        doubts.append(str(found.duplicate))
    seen = f"{post.title}\n{post.excerpt}\n{post.meta_description}\n{assessment.read(post.body_html).text}"
    doubts += [
        f"It mentions “{phrase}”, which is to be avoided." for phrase in brief.avoid if mentions(seen, phrase)
    ]
    return doubts


def _follow_workflow(agent: Agent, post: Post, doubts: list[str]) -> list[str]:
    """Do with the post what the agent's workflow says; gives why it does not go out although it should."""
    if agent.workflow == Workflow.DRAFT:
        return []
    held = list(doubts) if agent.workflow in _GOES_OUT else []
    if agent.workflow in _GOES_OUT and not held:
        try:
            with transaction.atomic():
                _send_out(agent, post)
        except InvalidInput as error:
            held.append(str(error))
    if held or agent.workflow == Workflow.REVIEW:
        posts.decide(post, Post.Status.IN_REVIEW, by=None, note=" ".join(held))
    return held


def _send_out(agent: Agent, post: Post) -> None:
    publishers = list(agent.publishers.all())
    if agent.workflow == Workflow.AUTO:
        posts.publish_now(post, publishers, by=None, trigger=JobRun.Trigger.CODE)
    else:
        posts.schedule(post, next_free_day(agent, timezone.now()), publishers, by=None)


def next_free_day(agent: Agent, now: datetime) -> datetime:
    """The agent's hour of publishing on the next day on which nothing of it is scheduled yet."""
    waiting = agent.posts.filter(status=Post.Status.SCHEDULED).values_list("scheduled_at", flat=True)
    taken = {at.astimezone(agent.zone).date() for at in waiting if at is not None}
    today = now.astimezone(agent.zone).date()
    days = (today + timedelta(days=number) for number in count())
    free = (datetime.combine(day, agent.publish_at, agent.zone) for day in days if day not in taken)
    return next(at for at in free if at > now)


def _told(generation: Generation) -> Written:
    post = Post.objects.get(generation=generation)
    cost = generation.usage.aggregate(
        cost=Sum("cost"), tokens_in=Sum("tokens_in"), tokens_out=Sum("tokens_out")
    )
    return Written(
        is_written=True,
        post_id=post.pk,
        generation_id=generation.pk,
        title=post.title,
        word_count=post.word_count,
        status=post.status,
        score=post.score,
        tokens=(cost["tokens_in"] or 0) + (cost["tokens_out"] or 0),
        cost=cost["cost"] or Decimal(0),
        notes=tuple(post.notes),
    )
