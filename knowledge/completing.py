"""Making papers complete: those that are stored get their words into the index, and their passages vectors.

What is there is not made again, so any of this can be broken off anywhere and begun again, by several at once too.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from jobs.context import ActiveRun
from jobs.definitions import enqueue, get_job
from jobs.models import JobRun
from knowledge import indexing, spaces, vectors
from knowledge.chunking import Mode
from knowledge.embedding import Embedder, EmbedderRefused
from knowledge.models import EmbeddingModel, KnowledgePolicy, Paper, Passage

#: Passages whose vectors are stored together: so many are lost at most when a worker is killed.
BATCH = 64
#: Errors that a result shows.
MOST_ERRORS = 10
#: How often a run looks how far another one is, in seconds.
_LOOK_SECONDS = 0.5

STEPS = {"Indexing": 1, "Making vectors": 9}


@dataclass
class Completed:
    """What was made."""

    #: Papers that are complete now, of those that were asked for.
    papers: int = 0
    #: Papers whose words were missing.
    indexed: int = 0
    #: Vectors made.
    passages: int = 0
    #: Papers with a passage that could not be embedded.
    failed: int = 0
    #: The first of them, and why.
    errors: list[dict[str, str]] = field(default_factory=list)


def process(run: ActiveRun, paper_ids: Sequence[int]) -> Completed:
    """Complete these papers, or without any all that lack something."""
    ids = set(paper_ids) or None
    run.step("Indexing")
    result = Completed(indexed=_index(run, ids))
    run.step("Making vectors")
    return embed(run, ids, result)


def hand_over(run: ActiveRun, paper_ids: Collection[int]) -> Completed:
    """Let a worker of the queue `processing` make the vectors of these papers, and wait for them.

    When no worker takes the work, or it is not finished there, the rest is done here: at the end the papers are
    complete, or what is raised says why not.
    """
    ids = set(paper_ids)
    model = spaces.of(spaces.current_embedder())
    waiting = without_vectors(model, ids)
    total = waiting.count()
    if total:
        other = enqueue(
            get_job("knowledge.process_papers"),
            {"paper_ids": sorted(ids)},
            trigger=JobRun.Trigger.CODE,
            idempotency_key=f"{run.id}-{run.attempt}",
            owner_group_id=JobRun.objects.filter(pk=run.id).values_list("owner_group", flat=True).first(),
        )
        idle_since = time.monotonic()
        while True:
            left = waiting.count()
            run.report(total - left, total, "Making vectors")
            status = JobRun.objects.filter(pk=other.pk).values_list("status", flat=True).first()
            if status == JobRun.Status.RUNNING:
                idle_since = time.monotonic()
            elif left == 0 or status not in JobRun.Status.active():
                break
            elif time.monotonic() - idle_since >= settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS:
                run.log("No worker has taken the making of vectors: it is done here.")
                break
            run.sleep(_LOOK_SECONDS)
    return embed(run, ids, Completed())


def embed(run: ActiveRun, ids: set[int] | None, result: Completed) -> Completed:
    """Make the vectors that are missing, and complete the result.

    A text that the embedder refuses fails its paper alone. Raises EmbedderUnavailable, and EmbedderRefused when no text
    at all is taken.
    """
    embedder = spaces.current_embedder()
    model = spaces.of(embedder)
    waiting = without_vectors(model, ids)
    total = waiting.count()
    run.report(0, total, "Making vectors")
    after, looked = 0, 0
    refused: dict[int, str] = {}
    while batch := list(waiting.filter(pk__gt=after).select_related("part")[:BATCH]):
        after = batch[-1].pk
        looked += len(batch)
        result.passages += _embed(batch, embedder, model, refused)
        run.report(min(looked, total), total, "Making vectors")
    for paper_id, reason in refused.items():
        run.unit_failed(f"Paper {paper_id}", reason)
    result.failed = len(refused)
    result.errors = [
        {"paper": str(paper_id), "reason": reason} for paper_id, reason in list(refused.items())[:MOST_ERRORS]
    ]
    result.papers = complete(model, ids).count()
    return result


def complete(model: EmbeddingModel, ids: set[int] | None) -> QuerySet[Paper]:
    """Papers with passages, each of which has its vector."""
    passages = Passage.objects.filter(part__paper=OuterRef("pk"))
    lacking = without_vectors(model, None).filter(part__paper=OuterRef("pk"))
    papers = Paper.objects.filter(Exists(passages), ~Exists(lacking))
    return papers if ids is None else papers.filter(pk__in=ids)


def without_vectors(model: EmbeddingModel, ids: set[int] | None) -> QuerySet[Passage]:
    """Passages of papers that wait for their vectors, in the order in which they were made."""
    waiting = spaces.without_vector(model).filter(part__paper__isnull=False)
    return waiting if ids is None else waiting.filter(part__paper__in=ids)


def _index(run: ActiveRun, ids: set[int] | None) -> int:
    """Make the passages of papers that have none; how many papers that were."""
    mode = Mode(KnowledgePolicy.current().mode)
    papers = Paper.objects.filter(parts=None).exclude(title="", abstract=[])
    wanted = list((papers if ids is None else papers.filter(pk__in=ids)).values_list("pk", flat=True))
    indexed = 0
    for start in range(0, len(wanted), BATCH):
        run.report(start, len(wanted), "Indexing")
        some = Paper.objects.filter(pk__in=wanted[start : start + BATCH]).order_by("pk")
        indexed += indexing.index_papers(some, mode).changed
    return indexed


def _embed(
    passages: Sequence[Passage], embedder: Embedder, model: EmbeddingModel, refused: dict[int, str]
) -> int:
    """Embed all together; when the embedder refuses, each half by itself, down to the text that it does not take."""
    try:
        return vectors.embed(passages, embedder, model)
    except EmbedderRefused as error:
        _check_that_it_works(embedder, error)
        if len(passages) == 1:
            refused[passages[0].part.paper_id or 0] = str(error)
            return 0
    middle = len(passages) // 2
    return _embed(passages[:middle], embedder, model, refused) + _embed(
        passages[middle:], embedder, model, refused
    )


def _check_that_it_works(embedder: Embedder, error: EmbedderRefused) -> None:
    """Raise the error if the embedder refuses every text, such as for a wrong key."""
    try:
        embedder.embed(["Insulin."])
    except EmbedderRefused:
        raise error from None
