"""The word index: true BM25, however it came about."""

import math
from collections import Counter

import numpy as np
import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import settings as property_settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from knowledge.models import Paper, Part, SparseSegment
from knowledge.search import sparse
from knowledge.search.words import terms
from knowledge.tests.shelf import shelve

WORDS = st.sampled_from(["aspirin", "heart", "fever", "lung", "cell", "virus", "dose", "trial"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=12).map(" ".join), min_size=1, max_size=16)


def parts_of(texts):
    papers = Paper.objects.bulk_create(Paper(title="") for _ in texts)
    return Part.objects.bulk_create(
        Part(paper=paper, text=text, text_hash="-") for paper, text in zip(papers, texts, strict=True)
    )


def bm25(query, parts):
    """As the textbook has it, for the parts that there are."""
    counts = {part.pk: sparse.count(part.title, part.text) for part in parts}
    mean = sum(found.total() for found in counts.values()) / len(counts)
    result = {}
    for pk, found in counts.items():
        score = 0.0
        for term, times in Counter(terms(query)).items():
            having = sum(1 for other in counts.values() if term in other)
            weight = math.log(1 + (len(counts) - having + 0.5) / (having + 0.5))
            often = found[term]
            norm = sparse.SATURATION * (1 - sparse.LENGTH + sparse.LENGTH * found.total() / mean)
            score += times * weight * often * (sparse.SATURATION + 1) / (often + norm)
        result[pk] = score
    return result


def assert_scores(query, expected):
    ids = np.array(sorted(expected))
    np.testing.assert_allclose(sparse.rank(query).of(ids), [expected[pk] for pk in ids], rtol=1e-4, atol=1e-6)


class TestAgainstTheTextbook(TestCase):
    @property_settings(max_examples=15)
    @given(texts=TEXTS, query=st.lists(WORDS, min_size=1, max_size=4).map(" ".join), step=st.integers(1, 5))
    def test_scores_are_those_of_bm25_however_many_segments_there_are(self, texts, query, step):
        parts = parts_of(texts)
        for first in range(0, len(parts), step):
            sparse.add(parts[first : first + step])
        assert_scores(query, bm25(query, parts))

    @property_settings(max_examples=15)
    @given(texts=TEXTS, query=WORDS, gone=st.sets(st.integers(0, 15)))
    def test_after_a_rebuild_nothing_is_left_of_what_was_deleted(self, texts, query, gone):
        parts = parts_of(texts)
        sparse.add(parts)
        left = [part for place, part in enumerate(parts) if place not in gone]
        Part.objects.filter(pk__in=[part.pk for place, part in enumerate(parts) if place in gone]).delete()
        sparse.rebuild()
        if not left:
            assert not SparseSegment.objects.exists()
            return
        assert SparseSegment.objects.count() == 1
        assert_scores(query, bm25(query, left))


@pytest.mark.django_db
def test_the_best_come_first_and_equals_in_the_order_of_their_ids():
    parts = parts_of(["fever", "aspirin", "fever fever cell cell", "fever"])
    sparse.add(parts)
    ids, scores = sparse.rank("fever").top(2)
    assert ids.tolist() == [parts[0].pk, parts[3].pk]
    assert scores[0] == scores[1]


@pytest.mark.django_db
def test_segments_stay_few_when_papers_come_one_by_one():
    for part in parts_of([f"fever {number}" for number in range(100)]):
        sparse.add([part])
    assert SparseSegment.objects.count() < 3 * sparse.FANOUT
    assert sum(SparseSegment.objects.values_list("size", flat=True)) == 100


@pytest.mark.django_db
def test_what_was_rolled_back_is_not_found():
    kept = parts_of(["fever"])
    sparse.add(kept)
    with pytest.raises(RuntimeError), transaction.atomic():
        sparse.add(parts_of(["fever heart"]))
        assert len(sparse.rank("heart").top(5)[0]) == 1
        raise RuntimeError
    assert len(sparse.rank("heart").top(5)[0]) == 0
    assert_scores("fever", bm25("fever", kept))


@pytest.mark.django_db
def test_a_word_that_stands_very_often_is_counted_as_255_times():
    parts = parts_of(["fever " * 1000, "heart"])
    sparse.add(parts)
    assert sparse.rank("fever").top(5)[0].tolist() == [parts[0].pk]


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["", "the of and", "…?!", "\x00", "'; DROP TABLE knowledge_part; --"])
def test_queries_without_a_known_word_find_nothing(query):
    shelve("Aspirin", "Aspirin helps.")
    assert sparse.rank(query).top(5)[0].tolist() == []


@pytest.mark.django_db
def test_a_word_in_the_title_counts_twice():
    assert sparse.count("Aspirin", "aspirin helps") == {"aspirin": 3, "help": 1}
