"""Vectors: each is of its passage's text, whatever happens in between."""

import numpy as np
import pytest
from django.db import connection

from knowledge import indexing, spaces, vectors
from knowledge.embedding import EmbedderUnavailable
from knowledge.models import Embedding, Paper, Passage
from knowledge.tests.shelf import Letters, embed_all, registered, shelve
from knowledge.texts import embedded_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def letters():
    with registered(embedder := Letters()):
        yield embedder


def assert_each_vector_is_of_its_text(embedder):
    stored = Embedding.objects.select_related("passage__part")
    assert stored
    for one in stored:
        text = embedded_text(one.passage.part.title, one.passage.text)
        np.testing.assert_allclose(np.array(one.vector), embedder.embed([text])[0], atol=1e-3)
        assert one.text_hash == one.passage.text_hash


def fill(count):
    for number in range(count):
        shelve(f"Paper {chr(97 + number)}", f"{chr(97 + number) * 40}. It ends here.")


def test_every_passage_gets_the_vector_of_its_title_and_text(letters):
    fill(7)
    assert embed_all(letters) == Passage.objects.count() == 7
    assert_each_vector_is_of_its_text(letters)


def test_nothing_is_embedded_twice(letters):
    fill(3)
    embed_all(letters)
    letters.asked.clear()
    assert embed_all(letters) == 0
    assert letters.asked == []


def test_it_goes_on_where_it_was_broken_off(letters):
    fill(7)
    going = vectors.embed_missing(letters, batch=3)
    assert next(going) == 3
    going.close()
    letters.asked.clear()
    assert list(vectors.embed_missing(letters, batch=3)) == [3, 1]
    assert len(letters.asked) == 4
    assert_each_vector_is_of_its_text(letters)


def test_a_batch_that_fails_stores_nothing_and_shifts_nothing(letters):
    fill(5)
    calls = []

    def failing(texts):
        calls.append(texts)
        if len(calls) == 2:
            raise EmbedderUnavailable("No.")
        return letters.count(texts)

    letters.answer = failing
    with pytest.raises(EmbedderUnavailable):
        list(vectors.embed_missing(letters, batch=2))
    assert Embedding.objects.count() == 2
    letters.answer = letters.count
    assert embed_all(letters) == 3
    assert_each_vector_is_of_its_text(letters)


def test_too_few_vectors_are_an_error_not_a_shift(letters):
    fill(3)
    letters.answer = lambda texts: letters.count(texts)[:-1]
    with pytest.raises(ValueError, match="3 texts gave vectors of shape"):
        embed_all(letters)
    assert not Embedding.objects.exists()


def test_a_passage_that_went_away_meanwhile_gets_no_vector(letters):
    fill(2)

    def deleting(texts):
        Passage.objects.earliest("pk").part.delete()
        return letters.count(texts)

    letters.answer = deleting
    assert sum(vectors.embed_missing(letters)) == 1
    letters.answer = letters.count
    assert_each_vector_is_of_its_text(letters)


def test_a_changed_text_is_embedded_again_and_only_it(letters):
    fill(3)
    embed_all(letters)
    paper = Paper.objects.earliest("pk")
    paper.abstract = [{"label": "", "text": "Something else entirely."}]
    paper.save()
    indexing.index_papers([paper])
    assert spaces.missing(spaces.of(letters)) == 1
    letters.asked.clear()
    assert embed_all(letters) == 1
    assert letters.asked == ["Paper a\nSomething else entirely."]
    assert_each_vector_is_of_its_text(letters)


def test_a_vector_of_another_text_is_replaced(letters):
    fill(1)
    embed_all(letters)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE knowledge_embedding SET text_hash = 'of something else'")
    assert embed_all(letters) == 1
    assert_each_vector_is_of_its_text(letters)
