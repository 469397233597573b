"""Where passages stand: pages of documents, sections of papers, and their numbers in the whole."""

import hashlib

import pytest

from knowledge import indexing, places
from knowledge.models import Document, Paper, Passage
from knowledge.tests.shelf import shelve

pytestmark = pytest.mark.django_db


def passages_of(**owner):
    return list(
        Passage.objects.filter(**owner)
        .select_related("part__paper", "part__document")
        .order_by("part__number", "position")
    )


def test_every_passage_of_a_long_document_has_its_page_and_number():
    # Many passages and parts, with sentences that come again; no page ends where a part does.
    pages = [f"Page {number}. " + "The same sentence on every page. " * 70 for number in range(1, 13)]
    text = "\n\n".join(pages)
    begins = [text.index(f"Page {number}. ") for number in range(1, 13)]
    document = Document.objects.create(
        title="Long", text=text, pages=begins, sha256=hashlib.sha256(text.encode()).hexdigest()
    )
    indexing.index_documents([document])
    found = passages_of(part__document=document)
    assert len({passage.part_id for passage in found}) > 3
    placed = places.places(found)
    assert [placed[passage.pk].number for passage in found] == list(range(len(found)))
    along = [placed[passage.pk].page or 0 for passage in found]
    assert along == sorted(along)
    for passage in found:
        if passage.text.startswith("Page "):
            assert placed[passage.pk].page == int(passage.text.split(".")[0].removeprefix("Page "))
    assert placed[found[-1].pk].page == 12


def test_a_document_without_pages_has_none():
    document = Document.objects.create(title="Note", text="One sentence.", sha256="0" * 64)
    indexing.index_documents([document])
    (passage,) = passages_of(part__document=document)
    assert places.places([passage])[passage.pk] == places.Place(0)


def test_a_passage_of_a_paper_has_the_section_it_begins_in():
    shelve("Unlabelled", "One sentence.")
    paper = Paper.objects.create(
        title="Labelled",
        abstract=[
            {"label": "BACKGROUND", "text": "Much is known. " * 40},
            {"label": "", "text": ""},
            {"label": "RESULTS", "text": "Little was found. " * 40},
        ],
    )
    indexing.index_papers([paper])
    found = passages_of(part__paper=paper)
    placed = places.places(found)
    for passage in found:
        expected = "BACKGROUND" if "Much" in passage.text[:20] or "BACK" in passage.text else "RESULTS"
        assert placed[passage.pk].section == expected, passage.text
    assert {place.section for place in placed.values()} == {"BACKGROUND", "RESULTS"}
    (plain,) = passages_of(part__paper__title="Unlabelled")
    assert places.places([plain])[plain.pk].section == ""
