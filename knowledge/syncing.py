"""Keeping up with the sources themselves: what became of papers that are here, and what feeds say.

Services are asked in two ways. What they list as changed since the last time is looked through for each topic, which
finds corrections and retractions soon. And papers that a service has given are looked up again by their identifiers,
those first that were not looked at for the longest time, which finds whatever else has changed. Feeds are simply read.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.db.models import F

from jobs.context import ActiveRun
from jobs.errors import PermanentError
from knowledge import connectors, updates
from knowledge.connectors import Query, Window
from knowledge.connectors.feeds import EVERYTHING
from knowledge.harvests import Order, Plan
from knowledge.models import Harvest, PaperRecord, Source, Topic, TopicQuery
from knowledge.reports import Updated

#: Papers that a service is asked about in one run by their identifiers.
LOOKED_UP = 1_000
#: Changed papers that are looked through for one topic.
LOOKED_THROUGH = 200
#: Of entries of a feed.
READ = 500
#: How far the first look for changes goes back, and no later one further.
FIRST_LOOK, LONGEST_LOOK = timedelta(days=7), timedelta(days=90)


class UnknownSource(PermanentError):
    """There is no source of that id."""


def sync(run: ActiveRun, source_ids: Sequence[int]) -> Updated:
    """Bring what is here up to date with these sources, else with all enabled ones."""
    run.step("Fetching")
    plans = [] if Harvest.objects.of_run(run.id).exists() else [_plan(one) for one in _chosen(source_ids)]
    try:
        return updates.carry_out(run, plans)
    finally:
        for harvest in Harvest.objects.of_run(run.id).filter(state=Harvest.State.DONE):
            # It has asked since it began, perhaps in an earlier attempt.
            Source.objects.filter(pk=harvest.source_id).update(
                synced_at=harvest.ended_at, revised_until=harvest.began_at.date()
            )


def _chosen(source_ids: Sequence[int]) -> list[Source]:
    if not source_ids:
        return list(Source.objects.enabled().order_by("pk"))
    found = list(Source.objects.filter(pk__in=source_ids).order_by("pk"))
    if lost := sorted(set(source_ids) - {source.pk for source in found}):
        raise UnknownSource(f"There is no source {lost[0]}.")
    return found


def _plan(source: Source) -> Plan:
    if source.connector not in connectors.kinds():  # the harvest says so
        return Plan(source, Order())
    connector = connectors.get(source.connector)
    since = max(source.revised_until or updates.today() - FIRST_LOOK, updates.today() - LONGEST_LOOK)
    addresses = tuple(source.addresses)
    if connector.looks_up is None:
        read = Query(EVERYTHING, Window(since), max_results=READ, addresses=addresses)
        return Plan(source, Order((read,)))
    changed = tuple(
        Query(text, Window(since, by="revised"), max_results=LOOKED_THROUGH, addresses=addresses)
        for text in _texts(source)
    )
    return Plan(source, Order(changed, lookups=_in_turn(source, connector.looks_up), only_known=True))


def _texts(source: Source) -> Iterable[str]:
    """What the source is asked for all enabled topics, each once."""
    own = {query.topic_id: query for query in TopicQuery.objects.filter(source=source)}
    texts = []
    for topic in Topic.objects.enabled().most_urgent_first():
        query = own.get(topic.pk)
        if query is None or query.is_enabled:
            texts.append((query.text.strip() if query else "") or topic.name)
    return dict.fromkeys(texts)


def _in_turn(source: Source, identifier: str) -> tuple[str, ...]:
    """Names of papers that the source has given, those first that it was not asked about for the longest time."""
    given = PaperRecord.objects.filter(source=source.connector).exclude(**{f"paper__{identifier}": ""})
    names = given.order_by("fetched_at", "pk").values_list(F(f"paper__{identifier}"), flat=True)
    return tuple(dict.fromkeys(names[:LOOKED_UP]))
