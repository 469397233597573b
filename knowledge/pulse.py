"""Whether knowledge works: the database, both indexes, the embedder; and which sources are in trouble."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.errors import PermanentError
from knowledge import documents, embedding, spaces
from knowledge.errors import KnowledgeError
from knowledge.models import Document, EmbeddingModel, Passage, Source, SparseSegment
from knowledge.search import sparse

#: What the embedder is asked to make a vector of.
_WORD = "aspirin"


class NotAlive(KnowledgeError, PermanentError):
    """Something that searches and updates need does not work."""


@dataclass(frozen=True)
class Trouble:
    """A source that could not be asked the last time."""

    source: str
    problem: str


@dataclass(frozen=True)
class Pulse:
    """What a heartbeat found."""

    status: str
    timestamp: str
    #: What was looked at, and what it said.
    checks: dict[str, str]
    sources: list[Trouble]


def beat(run: ActiveRun) -> Pulse:
    """Look at everything that searches and updates need. Raises NotAlive, naming all that does not work."""
    said, wrong = {}, []
    for name, check in _CHECKS.items():
        run.check()
        try:
            said[name] = check()
        except (KnowledgeError, embedding.EmbeddingError) as error:
            said[name] = str(error)
            wrong.append(f"{name}: {error}")
        run.log(f"{name}: {said[name]}")
    if wrong:
        raise NotAlive("; ".join(wrong))
    broken = Source.objects.enabled().exclude(problem="").order_by("name")
    return Pulse(
        status="alive",
        timestamp=timezone.now().isoformat(),
        checks=said,
        sources=[Trouble(source.name, source.problem) for source in broken],
    )


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")
        if cursor.fetchone() != (1,):
            raise NotAlive("It has no pgvector.")
    return "answers"


def _word_index() -> str:
    """One that names nothing although there are texts would find nothing."""
    sparse.rank(_WORD)
    segments = SparseSegment.objects.count()
    if not segments and Passage.objects.exists():
        raise NotAlive("It is empty, although there are passages.")
    return f"{segments:,} segments"


def _vector_index() -> str:
    model = spaces.live()
    if model is None:
        if Passage.objects.exists():
            raise NotAlive("There are passages and no model that the search asks.")
        return "no passages yet"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relname = %s",
            [spaces.index_name(model)],
        )
        if cursor.fetchone() != (True,):
            raise NotAlive(f"The index of {model} is not there.")
    lacking = spaces.missing(model)
    return f"{model}, {lacking:,} passages wait for their vectors" if lacking else str(model)


def _embedder() -> str:
    """It makes a vector, in the space of those that are stored."""
    embedder = spaces.current_embedder()
    if reason := embedder.why_not():
        raise NotAlive(reason)
    space = embedder.space()
    stored = EmbeddingModel.objects.filter(name=space.name).values_list("dimension", flat=True).first()
    vector = embedder.embed([_WORD])
    if vector.shape != (1, stored or space.dimension):
        raise NotAlive(f"A vector of {space.name} has the shape {vector.shape}.")
    return f"{space.name} makes vectors"


def _documents() -> str:
    """Uploads whose runs ended without a word are told so here."""
    settled = documents.settle()
    waiting = Document.objects.waiting().count()
    return f"{waiting:,} wait" + (f"; {settled:,} were given up" if settled else "")


_CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "word index": _word_index,
    "vector index": _vector_index,
    "embedder": _embedder,
    "uploads": _documents,
}
