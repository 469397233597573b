"""An upload ends in both indexes, whole and once, although the workers that read it are killed."""

from collections.abc import Iterator

import pytest

from jobs.models import JobRun, RunAttempt
from knowledge import documents, spaces
from knowledge.models import Document, Embedding, EmbeddingModel, Part, Passage
from knowledge.tests.pdf_files import pdf
from tests.chaos.world import Worker, World, eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos]

#: So much that two workers die before it is done, and little enough for a test.
PAGES = [
    "\n".join(f"Line {line} of page {page} says that walking keeps people well." for line in range(30))
    for page in range(40)
]


@pytest.fixture
def bare(world: World) -> Iterator[World]:
    """Without documents and models; nothing of them is left behind."""
    yield world
    world.stop_workers()
    Document.objects.all().delete()
    for model in EmbeddingModel.objects.all():
        EmbeddingModel.objects.update(state=EmbeddingModel.State.RETIRED)
        spaces.drop(model)


@pytest.mark.timeout(240)
def test_a_document_is_read_once_whole_whatever_dies(bare: World) -> None:
    def worker() -> Worker:
        return bare.new_worker("-Q", "processing", "-c", "1")

    bare.beat()
    first = worker()
    document = documents.receive("walking.pdf", pdf(PAGES), by=None).document
    eventually(Embedding.objects.exists, "some vectors are made", timeout=60, tell=bare.tell)
    first.kill()
    before = Embedding.objects.count()
    second = worker()
    eventually(
        lambda: Embedding.objects.count() > before, "more vectors are made", timeout=60, tell=bare.tell
    )
    kept = set(Embedding.objects.values_list("pk", flat=True))
    second.kill()
    worker()
    (run,) = bare.settled(timeout=120)

    document.refresh_from_db()
    assert (run.status, run.attempt, document.state) == (JobRun.Status.SUCCEEDED, 3, "ready"), bare.tell()
    assert list(RunAttempt.objects.filter(run=run).order_by("attempt").values_list("ended", flat=True))[:2] == [
        "lost", "lost",
    ]  # fmt: skip
    passages, result = Passage.objects.filter(part__document=document), run.result or {}
    assert Embedding.objects.count() == passages.count() == result["passages"]
    assert kept <= set(Embedding.objects.values_list("pk", flat=True))
    assert result["embedded"] <= passages.count() - len(kept)
    text = "".join(Part.objects.order_by("number").values_list("text", flat=True))
    assert "".join(text.split()) == "".join("".join(PAGES).split())
    assert len(document.pages) == len(PAGES)
