"""Storing records: each paper once, as its sources say it now."""

from datetime import date
from typing import Any

import pytest

from knowledge.ingest import store
from knowledge.models import Paper, Part, Passage, SparseSegment
from knowledge.records import Author, PartialDate, Record, Section

pytestmark = pytest.mark.django_db


def record(source="pubmed", **fields):
    """A record that says enough to be known by its title."""
    given = {
        "source_id": fields.get("pmid") or fields.get("doi") or fields.get("arxiv_id") or "1",
        "title": "Insulin and the outcome of long stays",
        "authors": (Author("Lovelace", "Ada"),),
        "abstract": (Section("Insulin was given. It helped."),),
        "published": PartialDate(date(2026, 10, 1)),
        "revised": PartialDate(date(2026, 11, 1)),
    }
    return Record(source=source, **{**given, **fields})


def store_one(*args, **fields):
    (stored,) = store([record(*args, **fields)])
    return stored


def test_a_new_paper_is_stored_with_its_words():
    stored = store_one(pmid="1", doi="10.1000/a")
    assert (stored.result, stored.reason) == ("new", "")
    paper = Paper.objects.get()
    assert (paper.pmid, paper.doi, paper.year, paper.sources) == ("1", "10.1000/a", 2026, ["pubmed"])
    assert paper.provenance["abstract"] == "pubmed"
    assert Part.objects.get().paper == paper
    assert Passage.objects.exists()


def _row_of_the_paper() -> dict[str, Any]:
    return dict(Paper.objects.values().get())


def test_the_same_again_writes_nothing_but_that_it_was_seen():
    store_one(pmid="1")
    before = _row_of_the_paper()
    passages = set(Passage.objects.values_list("pk", flat=True)), SparseSegment.objects.count()
    assert store_one(pmid="1").result == "known"
    after = _row_of_the_paper()
    assert after.pop("fetched_at") > before.pop("fetched_at")
    assert after == before
    assert (set(Passage.objects.values_list("pk", flat=True)), SparseSegment.objects.count()) == passages
