"""Updates: what the sources have that is new on the topics, stored and put into both indexes.

**What is asked.** Each enabled source is asked for each topic, once a run, for the newest papers that it has listed
within the last `days_back` days, and a little before: sources list late (`Connector.overlap`). At most `papers_per_topic`
are asked for. Papers that are here already count: an update that is run twice on sources with nothing new brings nothing,
and a larger number brings more of what is older. What is given is stored whether it is new or not, so that a window that
overlaps yesterday's brings corrections and costs nothing.

**What fails.** Each topic at each source is a unit. Some failed: the run has partly succeeded, and tomorrow's window brings
what was missed. All failed, and one may go well later: the run is tried again, for hours if need be. See docs/knowledge.md.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from uuid import UUID

from django.utils import timezone

from jobs.context import ActiveRun
from jobs.errors import PermanentError
from knowledge import completing, harvests, reports, troubles
from knowledge.connectors import Query, Window
from knowledge.harvests import Gathered, Order, Plan
from knowledge.models import Harvest, Outcome, Source, Topic, TopicQuery
from knowledge.reports import Updated
from knowledge.search import sparse

Result = Outcome.Result

#: What each step weighs in the progress.
STEPS = {"Fetching": 40, "Making vectors": 55, "Indexing": 5}
#: Errors of single papers that a result shows; all of them are in the outcomes.
MOST_ERRORS = 20


class NothingToAsk(PermanentError):
    """There is no enabled source."""


class UnknownTopic(PermanentError):
    """There is no topic of that name or id."""


def update(
    run: ActiveRun,
    topics: Sequence[int | str],
    *,
    papers_per_topic: int | None = None,
    days_back: int | None = None,
) -> Updated:
    """Update the named topics, else all enabled ones without a schedule of their own."""
    run.step("Fetching")
    begun = Harvest.objects.of_run(run.id).exists()
    plans = [] if begun else plan(chosen(topics), papers_per_topic=papers_per_topic, days_back=days_back)
    return carry_out(run, plans)


def carry_out(run: ActiveRun, plans: Sequence[Plan]) -> Updated:
    """Fetch what is planned, or what an earlier attempt has planned; make it findable; and say how it went.

    The caller has begun the first step. Raises ConnectorUnavailable when no source could be asked.
    """
    gathered = harvests.gather(run, harvests.begin(run.id, plans))
    run.step("Making vectors")
    fresh = _fresh(run.id)
    completed = completing.hand_over(run, fresh) if fresh else completing.Completed()
    run.step("Indexing")
    sparse.merge()
    result = _result(run.id, gathered)
    result.papers_indexed = completed.papers
    result.errors += [{"topic": "", "source": "", **error} for error in completed.errors]
    troubles.note(gathered)
    if (later := gathered.later) is not None:
        raise later
    for harvest in gathered.harvests:
        if harvest.state == Harvest.State.FAILED:
            run.unit_failed(str(harvest), harvest.problem)
        else:
            run.unit_succeeded()
    reports.tell(run, result)
    run.log(f"{result.new:,} new, {result.updated:,} updated, {result.known:,} known papers.")
    return result


def chosen(names: Sequence[int | str]) -> list[Topic]:
    """The topics of these ids or names, most urgent first; without any, those of the nightly run. Raises UnknownTopic."""
    if not names:
        return list(Topic.objects.enabled().filter(schedule=None).most_urgent_first())
    found = {}
    for name in names:
        wanted = {"pk": name} if isinstance(name, int) else {"name__iexact": name.strip()}
        topic = Topic.objects.filter(**wanted).first()
        if topic is None:
            raise UnknownTopic(f"There is no topic {name!r}.")
        found[topic.pk] = topic
    return list(Topic.objects.filter(pk__in=found).most_urgent_first())


def plan(
    topics: Iterable[Topic], *, papers_per_topic: int | None = None, days_back: int | None = None
) -> list[Plan]:
    """A harvest for each topic at each enabled source. Raises NothingToAsk when there is no such source."""
    sources = list(Source.objects.enabled().order_by("pk"))
    if not sources:
        raise NothingToAsk("No source is enabled: there is nobody to ask.")
    queries = {(query.topic_id, query.source_id): query for query in TopicQuery.objects.all()}
    plans = []
    for topic in topics:
        for source in sources:
            query = queries.get((topic.pk, source.pk))
            if query is None or query.is_enabled:
                text = query.text.strip() if query else ""
                asked = Query(
                    text or topic.name,
                    window=_window(days_back or topic.days_back),
                    max_results=papers_per_topic or topic.papers_per_run,
                    addresses=tuple(source.addresses),
                )
                plans.append(Plan(source, Order((asked,)), topic=topic))
    return plans


def _window(days_back: int) -> Window:
    return Window(today() - timedelta(days=days_back))


def today() -> date:
    """In UTC, as all windows are."""
    return timezone.now().date()


def _fresh(run_id: UUID) -> set[int]:
    """Papers that this run, in all its attempts, has brought or changed."""
    changed = Outcome.objects.filter(harvest__run_id=run_id, result__in=[Result.NEW, Result.UPDATED])
    return set(changed.exclude(paper=None).values_list("paper_id", flat=True))


def _result(run_id: UUID, gathered: Gathered) -> Updated:
    outcomes = Outcome.objects.filter(harvest__run_id=run_id)
    counts = Counter(outcomes.values_list("result", flat=True))
    result = Updated(
        topics_searched=len({harvest.topic_id for harvest in gathered.harvests if harvest.topic_id}),
        papers_found=counts.total(),
        new=counts[Result.NEW],
        updated=counts[Result.UPDATED],
        known=counts[Result.KNOWN],
        skipped=counts[Result.SKIPPED],
        failed=counts[Result.FAILED],
    )
    for harvest in gathered.failed:
        result.errors.append(_error(harvest, "", harvest.problem))
    failed = outcomes.filter(result=Result.FAILED).select_related("harvest__topic", "harvest__source")
    for outcome in failed.order_by("pk")[:MOST_ERRORS]:
        result.errors.append(_error(outcome.harvest, outcome.source_id_there, outcome.reason))
    return result


def _error(harvest: Harvest, paper: str, reason: str) -> dict[str, str]:
    about = harvest.topic or harvest.research_job
    return {"topic": str(about or ""), "source": str(harvest.source), "paper": paper, "reason": reason}
