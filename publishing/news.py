"""Posts of what has just come in: for sources whose items are written about at once."""

from dataclasses import replace

from jobs.context import ActiveRun
from jobs.definitions import enqueue, get_job
from jobs.models import JobRun
from publishing import polling
from publishing.keywords import keyword
from publishing.models import FeedItem, Source

#: So many posts are begun after one poll; the rest of its items wait for the agents' schedules.
MOST_POSTS = 3


def follow(
    run: ActiveRun, source_id: int, *, force: bool = False, auto_generate: bool | None = None
) -> polling.PollResult:
    """Poll one source, and begin posts of what it brought; `auto_generate` None: if the source says so."""
    polled = polling.poll_source(run, source_id, force=force)
    wanted = Source.objects.get(pk=source_id).auto_generate if auto_generate is None else auto_generate
    if not (wanted and polled.new):
        return polled
    return replace(polled, posts_triggered=write_of_news(source_id))


def follow_due(run: ActiveRun) -> polling.RoundResult:
    """Poll every source that is due, and begin posts of what those brought that are to be written about at once."""
    result = polling.poll_due(run)
    followed = Source.objects.filter(auto_generate=True, last_run_id=run.id)
    for source_id in followed.order_by("pk").values_list("pk", flat=True):
        result.posts_triggered += write_of_news(source_id)
    return result


def write_of_news(source_id: int) -> int:
    """Begin a post of each item that the last poll of the source brought, three at most; gives how many.

    Every enabled agent that uses the source writes. An item is never begun twice, unless somebody replays it.
    """
    source = Source.objects.get(pk=source_id)
    agents = list(source.agents.enabled().order_by("pk"))
    new = source.items.waiting().filter(fetched_at__gte=source.last_polled_at or source.created_at)
    newest = list(new.order_by("-published_at", "-pk")[:MOST_POSTS])
    orders = [(agent.pk, item) for item in newest for agent in agents][:MOST_POSTS]
    for agent_id, item in orders:
        enqueue(
            get_job("publishing.generate_post"),
            {
                "agent_id": agent_id,
                "topic": item.title[:300],
                "keyword": keyword_of(item),
                "item_id": item.pk,
            },
            trigger=JobRun.Trigger.CODE,
            idempotency_key=f"item-{item.pk}-{item.replays}-agent-{agent_id}",
        )
    return len(orders)


def keyword_of(item: FeedItem) -> str:
    """The most telling phrase of the item's title among the other titles of its source."""
    others = item.source.items.kept().exclude(pk=item.pk).order_by("-pk").values_list("title", flat=True)[:50]
    return keyword(item.title, list(others), language=item.language or item.source.language or "en")
