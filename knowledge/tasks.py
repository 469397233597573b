"""The jobs of knowledge."""

from typing import Annotated, Literal

from pydantic import Field

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, at_most, job
from knowledge import evaluation, processing
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
