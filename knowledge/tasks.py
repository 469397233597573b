"""The jobs of knowledge."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, at_most, cron, every, job
from knowledge import (
    cleanup,
    completing,
    evaluation,
    processing,
    pulse,
    reembedding,
    research_runs,
    syncing,
    updates,
)
from knowledge.answers import asking
from knowledge.reports import Updated
from knowledge.search.engine import Mode

#: A night is long: when no source can be asked, and whenever a machine dies, the work goes on where it was.
_ALL_NIGHT = RetryPolicy(max_attempts=12, base_seconds=60, cap_seconds=1800)


@job(
    "knowledge.update_knowledge_base",
    title="Update the knowledge base",
    queue="knowledge",
    retry=_ALL_NIGHT,
    soft_time_limit=7000,
    time_limit=7200,
    schedule=cron("0 2 * * *"),
    steps=updates.STEPS,
)
def update_knowledge_base(
    run: ActiveRun,
    *,
    topics: list[int | str] = [],  # noqa: B006 - never changed; the parameters' form shows it
    papers_per_topic: Annotated[int, Field(ge=1, le=20)] | None = None,
    days_back: Annotated[int, Field(ge=1, le=90)] | None = None,
) -> Updated:
    """Bring in what the sources have that is new on the topics (ids or names), and make it findable.

    Without topics, all enabled ones that have no schedule of their own. Each topic at each source is a unit: if some fail
    the run has partly succeeded; if all fail it is tried again.
    """
    return updates.update(run, topics, papers_per_topic=papers_per_topic, days_back=days_back)


@job(
    "knowledge.execute_research_job",
    title="Carry out a research job",
    queue="knowledge",
    retry=_ALL_NIGHT,
    soft_time_limit=7000,
    time_limit=7200,
    concurrency=at_most(1, per="research_job_id"),
    steps=updates.STEPS,
)
def execute_research_job(run: ActiveRun, *, research_job_id: int, force_reprocess: bool = False) -> Updated:
    """Search the job's sources for its keywords: the newest papers of a week, and the most relevant of its days.

    With `force_reprocess` papers that are here already get new passages and vectors, too.
    """
    return research_runs.execute(run, research_job_id, force_reprocess=force_reprocess)


@job(
    "knowledge.sync_sources",
    title="Look for news of known papers",
    queue="knowledge",
    retry=_ALL_NIGHT,
    soft_time_limit=7000,
    time_limit=7200,
    schedule=cron("0 3 * * *"),
    steps=updates.STEPS,
)
def sync_sources(run: ActiveRun, *, sources: list[int] = []) -> Updated:  # noqa: B006 - never changed
    """Find corrections, new versions and retractions of papers that are here, and read feeds of guidelines.

    Without sources (ids), all enabled ones.
    """
    return syncing.sync(run, sources)


@job(
    "knowledge.process_papers",
    title="Complete papers",
    queue="processing",
    retry=_ALL_NIGHT,
    soft_time_limit=6 * 3600 - 60,
    time_limit=6 * 3600,
    schedule=cron("30 4 * * *"),
    steps=completing.STEPS,
)
def process_papers(run: ActiveRun, *, paper_ids: list[int] = []) -> completing.Completed:  # noqa: B006 - never changed
    """Make the passages and vectors that papers lack; without ids, those of all papers.

    Can be killed anywhere and run again: what is made is not made again.
    """
    return completing.process(run, paper_ids)


@job(
    "knowledge.evaluate_search",
    title="Evaluate the search",
    queue="knowledge",
    retry=RetryPolicy(max_attempts=3, base_seconds=60),
    soft_time_limit=1740,
    time_limit=1800,
)
def evaluate_search(
    run: ActiveRun,
    *,
    top_k: Annotated[int, Field(ge=1, le=evaluation.MOST_RESULTS)] = 10,
    mode: Literal["hybrid", "dense", "sparse"] = "hybrid",
) -> evaluation.Evaluated:
    """Ask all enabled judged queries, and keep how the search did on them."""
    return evaluation.carry_out(run, top_k=top_k, mode=Mode(mode))


@job(
    "knowledge.process_document",
    title="Read a document",
    queue="processing",
    retry=RetryPolicy(max_attempts=4, base_seconds=60),
    soft_time_limit=3300,
    time_limit=3600,
    concurrency=at_most(1, per="document_id"),
    steps=processing.STEPS,
)
def process_document(run: ActiveRun, *, document_id: int) -> processing.Processed:
    """Read an uploaded file, cut its text into passages and put them into both indexes."""
    return processing.process(run, document_id)


@job(
    "knowledge.cleanup_documents",
    title="Delete old documents, papers and outcomes",
    queue="maintenance",
    schedule=cron("45 3 * * *"),
    concurrency=at_most(1),
)
def cleanup_documents(
    run: ActiveRun,
    *,
    days: Annotated[int, Field(ge=1, le=36_500)] | None = None,
    dry_run: bool = False,
) -> cleanup.Cleaned:
    """Delete what is older than the policy says and no kept answer cites; `days` instead of its age of documents.

    With `dry_run` nothing is deleted: the result says what would be.
    """
    return cleanup.clean(run, days=days, dry_run=dry_run)


@job(
    "knowledge.reembed",
    title="Make all vectors with another model",
    queue="processing",
    soft_time_limit=86_000,
    time_limit=86_400,
    concurrency=at_most(1),
)
def reembed(
    run: ActiveRun,
    *,
    embedder: Annotated[str, AfterValidator(reembedding.known)],
    go_live: bool = True,
    drop_retired: bool = False,
) -> reembedding.Reembedded:
    """Make the vectors that an embedder's model lacks; the search asks the old model until all are there.

    Without `go_live` it goes on asking the old one. With `drop_retired` models that it does not ask are forgotten.
    """
    return reembedding.reembed(run, embedder, should_go_live=go_live, drop_retired=drop_retired)


@job(
    "knowledge.heartbeat",
    title="See whether knowledge works",
    queue="knowledge",
    schedule=every(minutes=5),
    retry=RetryPolicy(max_attempts=1),
    soft_time_limit=100,
    time_limit=120,
)
def heartbeat(run: ActiveRun) -> pulse.Pulse:
    """Look at the database, both indexes, the embedder and the uploads; fails when one of them does not work."""
    return pulse.beat(run)


@job(
    asking.JOB,
    title="Answer a question",
    queue="knowledge",
    retry=RetryPolicy(max_attempts=3, base_seconds=30),
    soft_time_limit=1740,
    time_limit=1800,
    steps=asking.STEPS,
)
def answer_question(
    run: ActiveRun,
    *,
    question_id: int,
    writer: str = "extractive",
    perspectives: bool = False,
    max_papers: Annotated[int, Field(ge=1, le=asking.MOST_PAPERS)] = asking.PAPERS,
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None,
    arxiv: bool = False,
) -> asking.Answered:
    """Answer a question that somebody has asked, when a language model or arXiv is needed for it."""
    wish = asking.Wish(
        writer=writer, perspectives=perspectives, max_papers=max_papers, threshold=threshold, arxiv=arxiv
    )
    return asking.answer(run, question_id, wish)
