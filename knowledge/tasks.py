"""The jobs of knowledge."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, at_most, cron, every, job
from knowledge import cleanup, evaluation, processing, pulse, reembedding
from knowledge.search.engine import Mode


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
