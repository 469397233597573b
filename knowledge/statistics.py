"""What is in the index, and how well it is looked after: figures for the admin, the API and commands."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from django.db import connection
from django.db.models import Count, F, Max, Q
from django.db.models.functions import TruncDate

from knowledge.models import (
    Document,
    Embedding,
    EmbeddingModel,
    Finding,
    Paper,
    Passage,
    SparseSegment,
    Topic,
)
from knowledge.search.engine import Mode

Counts = Sequence[tuple[str, int]]

_TEXTS = (
    "knowledge_paper",
    "knowledge_document",
    "knowledge_documentfile",
    "knowledge_part",
    "knowledge_passage",
)
_WORDS = ("knowledge_sparsesegment", "knowledge_sparseposting")
_VECTORS = ("knowledge_embedding",)


class Level(StrEnum):
    """How much is known, in one word: by the number of passages."""

    NONE = "none"
    BASIC = "basic"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"
    EXPERT = "expert"

    @classmethod
    def of(cls, passages: int) -> "Level":
        for least, level in ((20_000, cls.EXPERT), (10_000, cls.ADVANCED), (1_000, cls.INTERMEDIATE)):
            if passages >= least:
                return level
        return cls.BASIC if passages else cls.NONE


@dataclass(frozen=True)
class ModelFigures:
    """How far the vectors of one model have come."""

    name: str
    dimension: int
    state: str
    #: Of passages as they are now; those of earlier texts do not count.
    vectors: int
    #: Passages without one.
    missing: int

    @property
    def share(self) -> float:
        """From 0 to 1; 1 when there is nothing to embed."""
        whole = self.vectors + self.missing
        return self.vectors / whole if whole else 1.0


@dataclass(frozen=True)
class Queue:
    """Uploaded documents by their state."""

    queued: int
    processing: int
    ready: int
    failed: int

    @property
    def total(self) -> int:
        return self.queued + self.processing + self.ready + self.failed


@dataclass(frozen=True)
class Size:
    """What the index takes on disk, in bytes, indexes included."""

    texts: int
    words: int
    vectors: int

    @property
    def total(self) -> int:
        return self.texts + self.words + self.vectors


@dataclass(frozen=True)
class IndexFigures:
    """All of it at one moment."""

    papers: int
    retracted: int
    documents: int
    passages: int
    #: The live model first; empty before there are vectors.
    models: Sequence[ModelFigures]
    size: Size
    queue: Queue
    topics: int
    #: Topics with a paper at least.
    topics_covered: int
    #: When an update of a topic last ended well.
    updated_at: datetime | None
    #: When a connector last gave a paper.
    fetched_at: datetime | None
    #: When words were last indexed.
    indexed_at: datetime | None

    @property
    def level(self) -> Level:
        return Level.of(self.passages)

    @property
    def has_live_model(self) -> bool:
        """Whether searches ask vectors."""
        return any(model.state == EmbeddingModel.State.LIVE for model in self.models)


def index_figures() -> IndexFigures:
    """The figures now. Counts every passage: some tenths of a second with a hundred thousand of them."""
    papers = Paper.objects.aggregate(
        all=Count("pk"), retracted=Count("pk", filter=Q(is_retracted=True)), fetched=Max("fetched_at")
    )
    passages = Passage.objects.count()
    states = dict(Document.objects.order_by().values_list("state").annotate(Count("pk")))
    topics = Topic.objects.aggregate(all=Count("pk"), updated=Max("updated_at"))
    return IndexFigures(
        papers=papers["all"],
        retracted=papers["retracted"],
        documents=sum(states.values()),
        passages=passages,
        models=_models(passages),
        size=Size(*(_size(tables) for tables in (_TEXTS, _WORDS, _VECTORS))),
        queue=Queue(**{state.value: states.get(state.value, 0) for state in Document.State}),
        topics=topics["all"],
        topics_covered=Finding.objects.exclude(topic=None).aggregate(n=Count("topic", distinct=True))["n"],
        updated_at=topics["updated"],
        fetched_at=papers["fetched"],
        indexed_at=SparseSegment.objects.aggregate(at=Max("created_at"))["at"],
    )


def _models(passages: int) -> list[ModelFigures]:
    current = Embedding.objects.filter(text_hash=F("passage__text_hash"))
    counts = dict(current.order_by().values_list("model").annotate(Count("pk")))
    order = [
        state.value
        for state in (EmbeddingModel.State.LIVE, EmbeddingModel.State.BUILDING, EmbeddingModel.State.RETIRED)
    ]
    found = [
        ModelFigures(model.name, model.dimension, model.state, made, passages - made)
        for model in EmbeddingModel.objects.order_by("pk")
        for made in [counts.get(model.pk, 0)]
    ]
    return sorted(found, key=lambda model: order.index(model.state))


def _size(tables: Iterable[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(pg_total_relation_size(name::regclass)), 0) FROM unnest(%s::text[]) AS name",
            [list(tables)],
        )
        return int(cursor.fetchone()[0])


# What the index is made of


def papers_by_source() -> Counts:
    """Papers that each connector gave, the most first; one that several gave counts for each."""
    return _of_array("sources")


def papers_by_language(limit: int = 12) -> Counts:
    return _of_array("languages", limit)


def papers_by_type(limit: int = 12) -> Counts:
    """By kind of publication; a paper has several."""
    return _of_array("types", limit)


def documents_by_category() -> Counts:
    rows = (
        Document.objects.order_by().values_list("category").annotate(n=Count("pk")).order_by("-n", "category")
    )
    return list(rows)


def papers_by_year() -> dict[int, int]:
    """By year of publication, the earliest first; those without a date are left out."""
    rows = Paper.objects.exclude(year=None).order_by().values_list("year").annotate(Count("pk"))
    return dict(sorted(rows))


def new_papers(since: datetime) -> dict[date, int]:
    """How many papers came in on each day, by the clock of the current time zone."""
    rows = Paper.objects.filter(first_seen_at__gte=since).order_by()
    return dict(rows.values_list(TruncDate("first_seen_at")).annotate(Count("pk")))


def by_week(days: dict[date, int], last: date, weeks: int) -> dict[date, int]:
    """So many weeks of seven days, named by their first day; the last one ends with `last`."""
    first = last - timedelta(days=7 * weeks - 1)
    found = {first + timedelta(days=7 * number): 0 for number in range(weeks)}
    for day, number in days.items():
        if first <= day <= last:
            found[first + timedelta(days=(day - first).days // 7 * 7)] += number
    return found


def _of_array(column: Literal["sources", "languages", "types"], limit: int | None = None) -> Counts:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT name, count(*) FROM knowledge_paper, unnest({column}) AS name "  # noqa: S608 - one of ours
            "GROUP BY name ORDER BY count(*) DESC, name LIMIT %s",
            [limit],
        )
        return [(str(name), int(number)) for name, number in cursor.fetchall()]


def summary() -> dict[str, Any]:
    """The figures by the names that API and command give them."""
    figures = index_figures()
    queue = figures.queue
    by_source = dict(papers_by_source())
    return {
        "total_documents": figures.papers + figures.documents,
        "total_papers": figures.papers,
        "retracted_papers": figures.retracted,
        "total_chunks": figures.passages,
        "indexed_date": figures.indexed_at,
        "topics_covered": figures.topics_covered,
        "total_topics": figures.topics,
        "last_update": figures.updated_at,
        "index_size_mb": round(figures.size.total / 1e6, 3),
        "documents_by_source": by_source | ({"upload": figures.documents} if figures.documents else {}),
        "categories": dict(documents_by_category()),
        "knowledge_level": figures.level.value,
        "search_mode": (Mode.HYBRID if figures.has_live_model else Mode.SPARSE).value,
        "vectors": figures.models,
        "processing_queue": {
            "queued": queue.queued,
            "processing": queue.processing,
            "completed": queue.ready,
            "failed": queue.failed,
            "total": queue.total,
        },
    }
