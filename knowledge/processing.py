"""The run that reads a document: its text, its passages, their vectors. What is done already is not done again."""

from dataclasses import dataclass

from django.db import transaction

from jobs.context import ActiveRun
from jobs.definitions import get_job
from jobs.errors import PermanentError, RunCancelled
from jobs.models import JobRun
from knowledge import documents, indexing, reading, spaces, vectors
from knowledge.chunking import Mode
from knowledge.errors import KnowledgeError
from knowledge.models import Document, DocumentFile, KnowledgePolicy, Passage
from knowledge.readers import reader_for
from knowledge.reading import Reading

#: What each step weighs in the progress.
STEPS = {"Reading": 3, "Indexing": 1, "Making vectors": 6}
#: Passages of one transaction. Small, since people wait for their upload and watch it.
BATCH = 64

State = Document.State


class DocumentGone(KnowledgeError, PermanentError):
    """Somebody has deleted the document."""


@dataclass(frozen=True)
class Processed:
    """What a document became."""

    document_id: int
    title: str
    pages: int
    characters: int
    passages: int
    #: Vectors that were made now; the others were there.
    embedded: int


def process(run: ActiveRun, document_id: int) -> Processed:
    """Read a document and put it into both indexes.

    Can be killed anywhere and run again. Whatever goes wrong stands in the document: for good, or until the next attempt.
    """
    document = _begin(run, document_id)
    try:
        return _process(run, document)
    except RunCancelled:
        documents.fail(document, "Reading it was cancelled.")
        raise
    except Exception as error:
        _say_why(run, document, error)
        raise


def _begin(run: ActiveRun, document_id: int) -> Document:
    begun = Document.objects.filter(pk=document_id).update(state=State.PROCESSING, problem="", run_id=run.id)
    if not begun:
        raise DocumentGone(f"There is no document {document_id}.")
    return Document.objects.get(pk=document_id)


def _process(run: ActiveRun, document: Document) -> Processed:
    run.step("Reading")
    found = _read(run, document)
    run.step("Indexing")
    passages = _index(document, found)
    run.step("Making vectors")
    embedded = _embed(run, document, passages)
    documents.now_ready(document)
    run.log(f"{passages:,} passages, {embedded:,} vectors made.")
    return Processed(document.pk, document.title, len(found.pages), len(found.text), passages, embedded)


def _read(run: ActiveRun, document: Document) -> Reading:
    file = DocumentFile.objects.filter(document=document).first()
    if file is None:
        raise DocumentGone("Its file is not here.")
    content = bytes(file.content)
    reader = reader_for(document.filename, content)
    found = reading.read(
        reader.kind, content, tell=lambda page, count: run.report(page, count, _words(page, count))
    )
    if found.empty_pages:
        numbers = ", ".join(map(str, found.empty_pages[:50]))
        run.log(f"Pages without text, perhaps pictures: {numbers}{' …' * (len(found.empty_pages) > 50)}.")
    return found


def _words(page: int, count: int | None) -> str:
    return "Reading" if count is None else f"Reading page {min(page + 1, count):,} of {count:,}"


@transaction.atomic
def _index(document: Document, found: Reading) -> int:
    """Store the text and make its passages, all or nothing; how many it has."""
    row = Document.objects.select_for_update().filter(pk=document.pk).first()
    if row is None:
        raise DocumentGone("It was deleted while it was read.")
    if found.title and row.title == documents.title_of(row.filename):
        row.title = found.title
    row.language = row.language or found.language
    row.text, row.pages = found.text, found.pages
    row.save(update_fields=["title", "language", "text", "pages"])
    indexing.index_documents([row], Mode(KnowledgePolicy.current().mode))
    document.title = row.title
    return Passage.objects.filter(part__document=row).count()


def _embed(run: ActiveRun, document: Document, total: int) -> int:
    """Make the vectors that it lacks; how many that were."""
    embedder = spaces.current_embedder()
    model = spaces.of(embedder)
    lacking = spaces.without_vector(model).filter(part__document=document).select_related("part")
    there = total - lacking.count()
    made, after = 0, 0
    run.report(there, total, "Making vectors")
    while batch := list(lacking.filter(pk__gt=after)[:BATCH]):
        after = batch[-1].pk
        made += vectors.embed(batch, embedder, model)
        run.report(min(there + made, total), total, "Making vectors")
    return made


def _say_why(run: ActiveRun, document: Document, error: Exception) -> None:
    """In the document, what the run will say: that it failed, or waits for its next attempt."""
    attempts = JobRun.objects.filter(pk=run.id).values_list("max_attempts", flat=True).first() or 0
    problem = str(error) or type(error).__name__
    if get_job(documents.READ).retry.is_transient(error) and run.attempt < attempts:
        Document.objects.waiting().filter(pk=document.pk, run_id=run.id).update(
            state=State.QUEUED, problem=f"It is tried again: {problem}"
        )
    else:
        documents.fail(Document(pk=document.pk, run_id=run.id), problem)
