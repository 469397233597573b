"""The jobs of knowledge."""

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, at_most, job
from knowledge import processing


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
