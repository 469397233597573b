"""Whether everything is there that a research job needs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from jobs import heartbeats
from jobs.errors import InvalidSchedule
from jobs.models import ProcessHeartbeat
from jobs.when import When, timing_of_when
from knowledge import embedding, previews, timetables
from knowledge.embedding import EmbeddingError
from knowledge.models import KnowledgePolicy, Source
from knowledge.previews import QueryPreview
from knowledge.research_runs import either


@dataclass(frozen=True)
class Check:
    """One thing that was tried."""

    name: str
    is_good: bool
    message: str


def checks(
    *,
    keywords: Sequence[str],
    sources: Sequence[Source],
    days_back: int,
    cron: str | None = None,
    interval_hours: int | None = None,
) -> list[Check]:
    """Each source, the maker of vectors, their store, the timing if one is given, and a worker. Stores nothing."""
    asked = [(source, either(list(keywords))) for source in sources]
    found = [_source(preview) for preview in previews.preview(asked, days_back=days_back)]
    if not found:
        found = [Check("sources", False, "There is no enabled source.")]
    if cron or interval_hours:
        found.append(_timing(cron, interval_hours))
    return [*found, _embedder(), _vector_store(), _worker()]


def _source(found: QueryPreview) -> Check:
    name = f"source {found.source}"
    if found.problem:
        return Check(name, False, found.problem)
    warnings = " ".join(found.warnings)
    return Check(name, True, f"It has {found.hits:,} papers for {found.translated}. {warnings}".strip())


def _timing(cron: str | None, interval_hours: int | None) -> Check:
    if cron and interval_hours:
        return Check("timing", False, "Give a cron expression or an interval, not both.")
    when = When(cron=cron) if cron else timetables.every(interval_hours or 1)
    now = timezone.now()
    try:
        following = next(timing_of_when(when, anchor=now.replace(microsecond=0)).slots(now, limit=1), None)
    except InvalidSchedule as error:
        return Check("timing", False, str(error))
    if following is None:
        return Check("timing", False, "It would never run.")
    return Check("timing", True, f"It would run first at {following:%Y-%m-%d %H:%M} UTC.")


def _embedder() -> Check:
    kind = KnowledgePolicy.current().embedder
    try:
        embedder = embedding.get(kind)
        if reason := embedder.why_not():
            return Check("embedding", False, f"{embedder.label}: {reason}")
        (vector,) = embedder.embed(["A trial of a text."])
        return Check("embedding", True, f"{embedder.space().name} made a vector of {len(vector)} numbers.")
    except EmbeddingError as error:
        return Check("embedding", False, str(error))


def _vector_store() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
        row = cursor.fetchone()
    if row is None:
        return Check("vector store", False, "PostgreSQL lacks the extension vector.")
    return Check("vector store", True, f"pgvector {row[0]}.")


def _worker() -> Check:
    alive = heartbeats.alive(ProcessHeartbeat.Kind.WORKER, timezone.now())
    if not any("knowledge" in worker.info.get("queues", []) for worker in alive):
        return Check("worker", False, "No worker takes runs of the queue knowledge now.")
    return Check("worker", True, "A worker takes runs of the queue knowledge.")
