"""Nightly updates, against services that stand in for the real ones."""

import pytest

from knowledge.models import (
    Embedding,
    Finding,
    Harvest,
    KnowledgePolicy,
    Paper,
    Passage,
)
from knowledge.tests.nights import TOPICS, fill, set_up, update
from knowledge.tests.shelf import Letters, registered

pytestmark = pytest.mark.django_db


@pytest.fixture
def letters(settings):
    """What embeds here; it knows what it was asked."""
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    with registered(embedder := Letters()):
        yield embedder


@pytest.fixture
def night(literature, ncbi, arxiv, europepmc, letters):
    """Eight topics, three sources, six papers on each topic."""
    fill(literature)
    set_up()
    return literature


def test_a_night_brings_the_papers_of_all_topics_into_both_indexes(night):
    result = update(papers_per_topic=20)
    assert result.topics_searched == 8
    assert result.papers_found == result.new + result.updated + result.known > 48
    assert result.new == Paper.objects.count() == 48
    assert result.papers_indexed == 48
    assert result.errors == []
    assert Passage.objects.count() == Embedding.objects.count() > 48
    assert set(Finding.objects.values_list("topic__name", flat=True)) == set(TOPICS)
    assert not Harvest.objects.exclude(state="done").exists()


def test_the_same_night_again_brings_nothing_and_embeds_nothing(night, letters):
    update()
    before = set(Embedding.objects.values_list("pk", flat=True))
    letters.asked.clear()
    result = update()
    assert (result.new, result.updated, result.papers_indexed) == (0, 0, 0)
    assert result.known == result.papers_found > 0
    assert letters.asked == []
    assert set(Embedding.objects.values_list("pk", flat=True)) == before
