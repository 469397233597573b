"""The search as a whole: both indexes, filters, highlights, and nothing that is gone."""

import hashlib

import numpy as np
import pytest

from knowledge import embedding, indexing
from knowledge.models import Document, Finding, Paper, Topic
from knowledge.search import sparse
from knowledge.search.engine import Mode, forget_queries, rank, search
from knowledge.search.filters import Filters, Retracted
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db


@pytest.fixture
def letters():
    forget_queries()
    with registered(embedder := Letters()):
        yield embedder
    forget_queries()


@pytest.fixture
def shelf(letters):
    """Two papers on heart attacks, one on tomatoes, one of them retracted."""
    shelve("Aspirin and the heart", "Aspirin prevents a second heart attack.", year=2020, sources=["pubmed"])
    shelve("Aspirin in doubt", "Aspirin prevents every heart attack.", year=2021, is_retracted=True)
    shelve(
        "Tomatoes",
        "Tomatoes grow in full sun.",
        year=2010,
        types=["Review"],
        languages=["fr"],
        categories=["horticulture"],
    )
    embed_all(letters)


def titles(query, *, mode=Mode.HYBRID, limit=10, **filters):
    return [hit.part.title for hit in search(query, filters=Filters(**filters), mode=mode, limit=limit)]


@pytest.mark.parametrize("mode", list(Mode))
def test_each_way_finds_the_paper(shelf, mode):
    assert titles("aspirin heart attack", mode=mode, limit=1) == ["Aspirin and the heart"]


@pytest.mark.parametrize("mode", list(Mode))
def test_retracted_papers_are_found_only_when_asked_for(shelf, mode):
    assert "Aspirin in doubt" not in titles("aspirin prevents every heart attack", mode=mode)
    assert "Aspirin in doubt" in titles(
        "aspirin prevents every heart attack", mode=mode, retracted=Retracted.INCLUDE
    )
    assert titles("aspirin prevents every heart attack", mode=mode, retracted=Retracted.ONLY) == [
        "Aspirin in doubt"
    ]


@pytest.mark.parametrize("mode", list(Mode))
def test_a_paper_that_is_retracted_disappears_at_once(shelf, mode):
    Paper.objects.filter(title="Aspirin and the heart").update(is_retracted=True)
    assert "Aspirin and the heart" not in titles("aspirin heart attack", mode=mode)


@pytest.mark.parametrize("mode", list(Mode))
def test_a_paper_that_is_deleted_disappears_at_once(shelf, mode):
    Paper.objects.get(title="Aspirin and the heart").delete()
    assert "Aspirin and the heart" not in titles("aspirin heart attack", mode=mode)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"year_from": 2015}, {"Aspirin and the heart"}),
        ({"year_to": 2015}, {"Tomatoes"}),
        ({"sources": ["pubmed", "arxiv"]}, {"Aspirin and the heart"}),
        ({"types": ["Review"]}, {"Tomatoes"}),
        ({"languages": ["fr"]}, {"Tomatoes"}),
        ({"categories": ["horticulture", "surgery"]}, {"Tomatoes"}),
        ({"papers": []}, set()),
        ({"year_from": 2015, "types": ["Review"]}, set()),
        ({"sources": ["'; DROP TABLE knowledge_paper; --", "%s", "{}"]}, set()),
    ],
)
def test_filters_hold_in_every_way_of_searching(shelf, mode, filters, expected):
    assert set(titles("aspirin heart tomatoes sun", mode=mode, **filters)) == expected


def test_a_topic_has_the_papers_that_were_found_for_it(shelf):
    topic = Topic.objects.create(name="Hearts")
    Finding.objects.create(topic=topic, paper=Paper.objects.get(title="Aspirin and the heart"))
    for mode in Mode:
        assert titles("aspirin tomatoes", mode=mode, topics=[topic.pk]) == ["Aspirin and the heart"]
        assert titles("aspirin tomatoes", mode=mode, topics=[topic.pk + 1]) == []


def test_the_share_of_meaning_decides_who_is_first(shelf):
    query = "nirips traeh dnoces kcatta stneverp tomatoes"  # the letters of one paper, a word of the other
    by_words = rank(query, mode=Mode.SPARSE)[0].part
    by_meaning = rank(query, mode=Mode.DENSE)[0].part
    assert by_words != by_meaning
    assert rank(query, share=0.0)[0].part == by_words
    assert rank(query, share=1.0)[0].part == by_meaning


def test_a_filter_that_hardly_anything_passes_still_finds_it(letters):
    for number in range(250):
        shelve(f"Common {number}", "Aspirin, aspirin and aspirin.", year=2000)
    shelve("Rare", "Some words on aspirin among many others in between.", year=2024)
    embed_all(letters)
    for mode in Mode:
        assert titles("aspirin", mode=mode, year_from=2020) == ["Rare"]


def test_a_paper_is_found_by_its_words_before_it_has_a_vector(shelf):
    shelve("Novelty", "Zolpidem brings sleep.")
    assert titles("zolpidem", limit=1) == ["Novelty"]


def test_without_any_vectors_words_are_searched():
    shelve("Aspirin", "Aspirin prevents.")
    assert titles("aspirin") == ["Aspirin"]
    assert titles("aspirin", mode=Mode.DENSE) == []


def test_scores_are_those_of_the_indexes(shelf, letters):
    query = "aspirin heart attack"
    (vector,) = letters.embed([query])
    for mode in Mode:
        for hit in search(query, mode=mode):
            own = np.array(hit.passage.embeddings.get().vector.to_numpy(), dtype=np.float32)
            cosine = float(own @ vector / np.linalg.norm(own))
            words = float(sparse.rank(query).of(np.array([hit.part.pk]))[0])
            assert hit.scored.similarity == (0 if mode is Mode.SPARSE else pytest.approx(cosine, abs=1e-3))
            assert hit.scored.words == (0 if mode is Mode.DENSE else pytest.approx(words))


@pytest.mark.parametrize("mode", list(Mode))
def test_nothing_and_one_paper_can_be_searched(letters, mode):
    assert titles("aspirin", mode=mode) == []
    shelve("Only one", "Aspirin.")
    embed_all(letters)
    assert titles("aspirin", mode=mode) == ["Only one"]


def test_highlights_mark_the_words_of_the_query_in_any_form(shelf):
    (hit, *_) = search("preventing heart attacks")
    marked = [span.of(hit.passage.text) for span in hit.highlights]
    assert marked == ["prevents", "heart attack"]


def test_the_passage_that_answers_is_shown(letters):
    filler = " ".join("Nothing of note was seen in this group." for _ in range(14))
    shelve("Long", f"{filler} Zzyzx qqq zzz zzyzx. {filler}")
    embed_all(letters)
    (hit,) = search("zzyzx qqq", limit=1)
    assert "Zzyzx" in hit.passage.text


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "\x00",
        "aspirin " * 1250,
        "OR 1=1; DROP TABLE knowledge_part",
        "\U0001f48a\u200f\u202e",
        "%s %(x)s {}",
        "'\"; --",
        "\ud800",
        "\u0627" * 5000,
        "the of",
    ],
)
def test_odd_queries_are_answered(shelf, query):
    assert len(search(query)) <= 3


def test_pages_of_the_same_query_are_the_beginning_of_longer_ones(letters):
    for number in range(30):
        shelve(f"Paper {number}", f"Aspirin {'and more ' * number}.")
    embed_all(letters)
    everything = [found.part for found in rank("aspirin and more", limit=25)]
    assert [found.part for found in rank("aspirin and more", limit=10)] == everything[:10]


def test_documents_are_found_beside_papers_and_are_never_retracted(shelf, letters):
    text = "A manual on aspirin and the heart."
    document = Document.objects.create(
        title="Manual", text=text, year=2022, sha256=hashlib.sha256(text.encode()).hexdigest()
    )
    indexing.index_documents([document])
    embed_all(letters)
    assert "Manual" in titles("manual aspirin heart", year_from=2022)
    assert "Manual" not in titles("manual aspirin heart", retracted=Retracted.ONLY)


def test_the_built_in_model_finds_what_shares_no_word():
    shelve("Cardiology", "Acetylsalicylic acid prevents a second myocardial infarction.")
    shelve("Gardening", "Tomatoes grow best in full sun and well-drained soil.")
    embed_all(embedding.get("minilm"))
    assert titles("aspirin after a heart attack", limit=1) == ["Cardiology"]


def test_found_by_words_the_passage_that_has_them_is_shown():
    shelve(
        "Long", "Nothing is said of it here. " * 40 + "Aspirin prevents attacks. " + "Nor here is it. " * 40
    )
    (hit,) = search("aspirin attacks", mode=Mode.SPARSE)
    assert "Aspirin prevents attacks." in hit.passage.text
    assert [hit.passage.text[span.start : span.end] for span in hit.highlights] == ["Aspirin", "attacks"]
