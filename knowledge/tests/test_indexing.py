"""Parts and passages follow papers and documents."""

import hashlib

import pytest
from django.db import IntegrityError, transaction

from knowledge import indexing
from knowledge.chunking import Mode
from knowledge.models import Document, Paper, Part, Passage, SparseSegment
from knowledge.search.engine import Mode as SearchMode
from knowledge.search.engine import search
from knowledge.tests.shelf import shelve

pytestmark = pytest.mark.django_db

LONG = " ".join(f"Sentence number {number} says something of note." for number in range(60))


def found(query, **options):
    return [hit.part.title for hit in search(query, mode=SearchMode.SPARSE, **options)]


def test_passages_are_spans_of_their_part():
    paper = shelve("Aspirin", LONG)
    part = paper.parts.get()
    passages = list(part.passages.order_by("position"))
    assert len(passages) > 3
    assert [passage.position for passage in passages] == list(range(len(passages)))
    assert all(part.text[passage.start : passage.end] == passage.text for passage in passages)


def test_sections_keep_their_labels():
    paper = Paper.objects.create(
        title="Aspirin",
        abstract=[{"label": "METHODS", "text": "We looked."}, {"label": "", "text": "It works."}],
    )
    indexing.index_papers([paper])
    assert paper.parts.get().text == "METHODS: We looked.\n\nIt works."


def test_a_paper_without_abstract_is_found_by_its_title():
    shelve("Aspirin alone")
    assert found("aspirin") == ["Aspirin alone"]
    assert Passage.objects.get().text == "Aspirin alone"


def test_a_paper_without_any_text_has_no_part():
    assert indexing.index_papers([Paper.objects.create(title=" ")]) == indexing.Indexed(0, 0)
    assert not Part.objects.exists()


def test_indexing_again_does_nothing():
    paper = shelve("Aspirin", LONG)
    before = set(Passage.objects.values_list("pk", flat=True)), SparseSegment.objects.count()
    assert indexing.index_papers([paper]) == indexing.Indexed(0, 0)
    assert (set(Passage.objects.values_list("pk", flat=True)), SparseSegment.objects.count()) == before


def test_cutting_otherwise_makes_new_passages():
    paper = shelve("Aspirin", LONG)
    few = Passage.objects.count()
    assert indexing.index_papers([paper], Mode.FAST).changed == 1
    assert Passage.objects.count() > few


def test_a_changed_paper_is_found_by_its_new_words_only():
    paper = shelve("Aspirin", "It helps against headache.")
    paper.abstract = [{"label": "", "text": "It helps against fever."}]
    paper.save()
    indexing.index_papers([paper])
    assert (found("headache"), found("fever")) == ([], ["Aspirin"])
    assert Part.objects.count() == 1


def test_a_deleted_paper_is_found_no_more():
    paper = shelve("Aspirin", "It helps against headache.")
    paper.delete()
    assert SparseSegment.objects.get().size == 1
    assert found("headache") == []


def test_an_error_leaves_everything_as_it_was():
    paper = shelve("Aspirin", "It helps against headache.")
    paper.abstract = [{"label": "", "text": "It helps against fever."}]
    with pytest.raises(RuntimeError), transaction.atomic():
        paper.save()
        indexing.index_papers([paper])
        raise RuntimeError
    assert (found("headache"), found("fever")) == (["Aspirin"], [])


def test_a_long_document_is_found_by_its_best_part():
    pages = [f"{LONG} The word of page {number} is xylograph{number}." for number in range(8)]
    text = "\n\n".join(pages)
    document = Document.objects.create(
        title="Manual", text=text, sha256=hashlib.sha256(text.encode()).hexdigest()
    )
    indexing.index_documents([document])
    assert document.parts.count() > 4
    (hit,) = search("xylograph5", mode=SearchMode.SPARSE)
    assert "xylograph5" in hit.part.text
    assert "".join("".join(part.text.split()) for part in document.parts.order_by("number")) == "".join(
        text.split()
    )


@pytest.mark.parametrize("name", ["doi", "pmid", "pmcid", "arxiv_id"])
def test_two_papers_cannot_have_one_identifier(name):
    Paper.objects.create(title="One", **{name: "10.1/x"})
    Paper.objects.create(title="Without")
    Paper.objects.create(title="Without, too")
    with pytest.raises(IntegrityError), transaction.atomic():
        Paper.objects.create(title="Two", **{name: "10.1/x"})


def test_a_part_belongs_to_exactly_one():
    with pytest.raises(IntegrityError), transaction.atomic():
        Part.objects.create(text="of nobody", text_hash="-")
