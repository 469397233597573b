"""Figures of the index: counted from the rows as they are now."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from knowledge import statistics
from knowledge.models import Document, Finding, Paper, Passage, Topic
from knowledge.statistics import Level
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db


def test_an_empty_index_has_figures_too():
    figures = statistics.index_figures()
    assert (figures.papers, figures.passages, figures.documents, figures.queue.total) == (0, 0, 0, 0)
    assert figures.models == []
    assert figures.level == Level.NONE
    assert figures.updated_at is None
    assert figures.size.total > 0  # tables without rows have indexes


def test_papers_passages_documents_and_topics_are_counted():
    paper = shelve("Insulin", "Insulin lowers glucose. " * 60, sources=["pubmed"])
    shelve("Retracted", "It was wrong.", is_retracted=True)
    Document.objects.create(title="A", sha256="a")
    Document.objects.create(title="B", sha256="b", state="queued")
    Document.objects.create(title="C", sha256="c", state="failed", problem="No text.")
    topics = [Topic.objects.create(name=name) for name in ("Diabetes", "Hypertension")]
    Finding.objects.create(paper=paper, topic=topics[0])
    updated = timezone.now()
    Topic.objects.filter(pk=topics[0].pk).update(updated_at=updated)
    figures = statistics.index_figures()
    assert (figures.papers, figures.retracted, figures.documents) == (2, 1, 3)
    assert figures.passages == Passage.objects.count() > 2
    assert (figures.queue.queued, figures.queue.ready, figures.queue.failed) == (1, 1, 1)
    assert (figures.topics, figures.topics_covered, figures.updated_at) == (2, 1, updated)
    assert figures.level == Level.BASIC


def test_a_vector_of_an_earlier_text_does_not_count():
    with registered(letters := Letters()):
        shelve("Insulin", "Insulin lowers glucose.")
        changed = shelve("Aspirin", "Aspirin thins blood.")
        assert embed_all(letters) == 2
        assert statistics.index_figures().models[0].share == 1.0
        Passage.objects.filter(part__paper=changed).update(text_hash="another")
        (model,) = statistics.index_figures().models
    assert (model.vectors, model.missing, model.share) == (1, 1, 0.5)


def test_a_paper_counts_for_each_of_its_sources_types_and_languages():
    shelve("One", sources=["pubmed", "europepmc"], types=["Review"], languages=["en"], year=2020)
    shelve("Two", sources=["pubmed"], types=["Review", "Meta-Analysis"], languages=["fr"], year=1999)
    shelve("Three", sources=["arxiv"])
    assert statistics.papers_by_source() == [("pubmed", 2), ("arxiv", 1), ("europepmc", 1)]
    assert statistics.papers_by_type() == [("Review", 2), ("Meta-Analysis", 1)]
    assert statistics.papers_by_type(limit=1) == [("Review", 2)]
    assert statistics.papers_by_language() == [("en", 1), ("fr", 1)]
    assert statistics.papers_by_year() == {1999: 1, 2020: 1}


def test_new_papers_are_counted_by_day_and_by_week():
    now = timezone.now()
    for days in (0, 0, 3, 8, 40):
        paper = shelve(f"{days} days ago")
        Paper.objects.filter(pk=paper.pk).update(first_seen_at=now - timedelta(days=days))
    found = statistics.new_papers(now - timedelta(days=30))
    assert sum(found.values()) == 4
    weeks = statistics.by_week(found, timezone.localdate(now), 4)
    assert list(weeks.values()) == [0, 0, 1, 3]


def test_weeks_are_named_by_their_first_day_and_end_with_the_last_one():
    days = {date(2026, 11, 1): 5, date(2026, 11, 8): 2, date(2026, 10, 25): 9}
    assert statistics.by_week(days, date(2026, 11, 8), 2) == {date(2026, 10, 26): 5, date(2026, 11, 2): 2}


@pytest.mark.parametrize(
    ("passages", "level"),
    [
        (0, "none"),
        (1, "basic"),
        (999, "basic"),
        (1000, "intermediate"),
        (10_000, "advanced"),
        (20_000, "expert"),
    ],
)
def test_the_level_of_knowledge_goes_by_passages(passages, level):
    assert Level.of(passages) == level
