"""Models and their vectors: one is asked while the next is built."""

import pytest
from django.db import IntegrityError, connection, transaction

from knowledge import spaces
from knowledge.embedding import EmbedderRefused
from knowledge.models import Embedding, EmbeddingModel
from knowledge.search.engine import Mode, search
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db


@pytest.fixture
def old():
    with registered(embedder := Letters("old", 26)):
        yield embedder


@pytest.fixture
def new():
    with registered(embedder := Letters("new", 13)):
        yield embedder


def indexes():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexname FROM pg_indexes WHERE tablename = 'knowledge_embedding' AND indexname LIKE %s",
            ["knowledge_near_%"],
        )
        return {name for (name,) in cursor.fetchall()}


def test_the_first_model_is_live_at_once_and_the_second_is_built(old, new):
    assert spaces.of(old).state == EmbeddingModel.State.LIVE
    assert spaces.of(new).state == EmbeddingModel.State.BUILDING
    assert spaces.of(old) == spaces.live()


def test_the_search_asks_the_old_model_until_the_new_one_is_complete(old, new):
    shelve("Aaa bbb", "Aaa bbb ccc.")
    shelve("Xxx yyy", "Xxx yyy zzz.")
    embed_all(old)
    model = spaces.of(new)
    with pytest.raises(spaces.NotComplete, match="2 passages have no vector"):
        spaces.go_live(model)
    assert [hit.part.title for hit in search("aaab", mode=Mode.DENSE, limit=1)] == ["Aaa bbb"]
    assert new.asked == []

    embed_all(new)
    spaces.go_live(model)
    old.asked.clear()
    assert [hit.part.title for hit in search("xxyz", mode=Mode.DENSE, limit=1)] == ["Xxx yyy"]
    assert (old.asked, new.asked[-1]) == ([], "xxyz")
    assert EmbeddingModel.objects.get(name="old:26").state == EmbeddingModel.State.RETIRED


def test_both_models_have_an_index_of_their_own_until_one_is_dropped(old, new):
    shelve("Aaa bbb", "Aaa bbb ccc.")
    embed_all(old)
    embed_all(new)
    first, second = spaces.of(old), spaces.of(new)
    assert indexes() == {f"knowledge_near_{first.pk}", f"knowledge_near_{second.pk}"}
    spaces.go_live(second)
    spaces.drop(first)
    assert indexes() == {f"knowledge_near_{second.pk}"}
    assert set(Embedding.objects.values_list("model", flat=True)) == {second.pk}


def test_the_live_model_is_not_dropped(old):
    model = spaces.of(old)
    with pytest.raises(ValueError, match="let another model go live first"):
        spaces.drop(model)
    assert spaces.live() == model


def test_the_database_knows_one_live_model_only(old, new):
    spaces.of(old)
    with pytest.raises(IntegrityError), transaction.atomic():
        EmbeddingModel.objects.filter(pk=spaces.of(new).pk).update(state=EmbeddingModel.State.LIVE)


def test_another_length_under_the_same_name_is_refused(old):
    model = spaces.of(old)
    EmbeddingModel.objects.filter(pk=model.pk).update(dimension=5)
    with pytest.raises(EmbedderRefused, match="have 5 numbers here, not 26"):
        spaces.of(old)


def test_queries_are_never_embedded_by_another_model_than_the_stored_vectors(old):
    spaces.of(old)
    old.width = 20
    with pytest.raises(EmbedderRefused, match="vectors are of old:26, but old:20 is set up"):
        search("aaa")
