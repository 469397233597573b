"""Searching over the API: what is found, with its citation; filters; every way of saying no; and trying out."""

import hashlib

import pytest
from django.utils import timezone

from knowledge import indexing
from knowledge.embedding import EmbedderUnavailable
from knowledge.models import Document, Evaluation, Finding, KnowledgePolicy, Paper, Question, Topic
from knowledge.search.engine import forget_queries
from knowledge.tests.api_client import KNOWLEDGE, client_with, get, post
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db

SEARCH, EVALUATE = f"{KNOWLEDGE}search/", f"{KNOWLEDGE}search/evaluate/"


@pytest.fixture
def client():
    return client_with("view_paper", "view_document", "run_evaluation")


@pytest.fixture
def letters():
    forget_queries()
    with registered(embedder := Letters()):
        yield embedder
    forget_queries()


@pytest.fixture
def shelf(letters):
    shelve(
        "Aspirin and the heart",
        year=2020,
        sources=["pubmed"],
        pmid="31",
        categories=["cardiology", "drugs"],
        types=["Journal Article"],
        languages=["en"],
        authors=[{"family": "Curie", "given": "Marie"}, {"collective": "The Study Group"}],
        url="https://pubmed.ncbi.nlm.nih.gov/31/",
        abstract=[
            {"label": "AIM", "text": "To prevent a second heart attack."},
            {"label": "RESULTS", "text": "Aspirin prevented a second heart attack."},
        ],
    )
    shelve("Aspirin in doubt", "Aspirin prevents every heart attack.", year=2021, is_retracted=True)
    shelve("Tomatoes", "Tomatoes grow in full sun.", year=2001, types=["Review"], languages=["fr"])
    text = "A manual on aspirin and the heart."
    document = Document.objects.create(
        title="Manual",
        filename="manual.pdf",
        text=text,
        pages=[0],
        year=2022,
        category="manuals",
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    indexing.index_documents([document])
    embed_all(letters)


def titles(found):
    return [result["title"] for result in found["results"]]


def test_a_result_says_what_where_by_whom_and_whether_it_holds(client, shelf):
    found = post(client, SEARCH, {"query": "aspirin heart attack", "top_k": 1})
    (result,) = found["results"]
    paper = Paper.objects.get(pmid="31")
    assert result["citation"] == {
        "document_id": "pubmed_31",
        "filename": "",
        "page": None,
        "chunk_index": 0,
        "section": "AIM",
        "category": "cardiology",
        "year": 2020,
    }
    assert (result["paper"], result["document"], result["rank"]) == (paper.pk, None, 1)
    assert result["authors"] == ["Marie Curie", "The Study Group"]
    (mark, *_) = result["highlights"]
    assert result["text"][mark["start"] : mark["end"]] == "heart attack"
    assert 0 < result["similarity"] <= 1
    assert result["word_score"] > 0
    assert (result["is_retracted"], result["is_outdated"]) == (False, False)
    assert (found["searched_by"], found["model"], found["alpha"]) == ("hybrid", "letters:26", 0.6)
    assert "not medical advice" in found["disclaimer"]


def test_the_query_string_says_the_same_as_the_body(client, shelf):
    in_body = post(
        client,
        SEARCH,
        {
            "query": "aspirin",
            "top_k": 3,
            "filters": {"type": ["Review", "Journal Article"], "min_year": 2010},
        },
    )
    in_query = get(
        client,
        SEARCH,
        {"query": "aspirin", "top_k": 3, "type": ["Review", "Journal Article"], "min_year": 2010},
    )
    assert in_query == in_body
    assert titles(in_query) == ["Aspirin and the heart"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"Aspirin and the heart", "Tomatoes", "Manual"}),
        ({"category": "drugs"}, {"Aspirin and the heart"}),
        ({"category": ["manuals", "nothing"]}, {"Manual"}),
        ({"source": "pubmed"}, {"Aspirin and the heart"}),
        ({"type": "Review"}, {"Tomatoes"}),
        ({"language": ["fr", "de"]}, {"Tomatoes"}),
        ({"min_year": 2021}, {"Manual"}),
        ({"max_year": 2010}, {"Tomatoes"}),
        ({"retracted": "only"}, {"Aspirin in doubt"}),
        ({"allow_outdated": False}, {"Aspirin and the heart", "Manual"}),
        ({"allow_outdated": False, "min_year": 2021}, {"Manual"}),
    ],
)
def test_filters_hold(client, shelf, filters, expected):
    KnowledgePolicy.objects.update_or_create(
        pk=1, defaults={"outdated_after_years": timezone.now().year - 2015}
    )
    found = post(client, SEARCH, {"query": "aspirin tomatoes manual", "filters": filters})
    assert set(titles(found)) == expected
    assert set(titles(get(client, SEARCH, {"query": "aspirin tomatoes manual", **filters}))) == expected


def test_papers_of_a_topic_are_found_by_its_id(client, shelf):
    topic = Topic.objects.create(name="Hearts")
    Finding.objects.create(topic=topic, paper=Paper.objects.get(pmid="31"))
    found = get(client, SEARCH, {"query": "aspirin", "topic": topic.pk})
    assert titles(found) == ["Aspirin and the heart"]
    told = get(client, SEARCH, {"query": "aspirin", "topic": topic.pk + 1}, 400)
    assert told["fields"] == {"topic": [f"There is no topic {topic.pk + 1}."]}


def test_old_papers_are_marked_as_outdated(client, shelf):
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"outdated_after_years": 10})
    (result,) = get(client, SEARCH, {"query": "tomatoes", "top_k": 1})["results"]
    assert result["is_outdated"] is True


def test_results_below_the_least_similarity_are_left_out(client, shelf):
    everything = get(client, SEARCH, {"query": "aspirin", "top_k": 10})["results"]
    similarities = sorted(result["similarity"] for result in everything)
    some = get(client, SEARCH, {"query": "aspirin", "top_k": 10, "min_score": similarities[1]})
    assert sorted(result["similarity"] for result in some["results"]) == similarities[1:]
    assert get(client, SEARCH, {"query": "aspirin", "search_mode": "sparse", "min_score": 0.1})["count"] == 0


def test_a_page_of_a_document_is_cited(client, shelf):
    (result,) = get(client, SEARCH, {"query": "manual", "category": "manuals"})["results"]
    document = Document.objects.get()
    assert result["citation"] == {
        "document_id": f"document_{document.pk}", "filename": "manual.pdf", "page": 1, "chunk_index": 0, "section": "",
        "category": "manuals", "year": 2022,
    }  # fmt: skip
    assert (result["paper"], result["document"]) == (None, document.pk)


# Modes


@pytest.mark.parametrize(
    ("mode", "searched_by", "model"),
    [
        ("hybrid", "hybrid", "letters:26"),
        ("dense", "dense", "letters:26"),
        ("sparse", "sparse", ""),
        ("local", "hybrid", "letters:26"),
    ],
)
def test_the_answer_says_how_it_was_searched(client, shelf, mode, searched_by, model):
    found = get(client, SEARCH, {"query": "aspirin", "search_mode": mode})
    assert (found["search_mode"], found["searched_by"], found["model"]) == (mode, searched_by, model)


def test_openais_vectors_are_asked_only_when_there_are_any(client, shelf):
    told = get(client, SEARCH, {"query": "aspirin", "search_mode": "openai"}, 409)
    assert "letters:26" in told["message"]


def test_with_openais_vectors_a_local_search_sends_the_query_nowhere(client):
    shelve("Aspirin and the heart", "Aspirin prevents.")
    with registered(remote := Letters("openai")):
        embed_all(remote)
        asked = len(remote.asked)
        found = get(client, SEARCH, {"query": "local words on aspirin", "search_mode": "local"})
        assert (found["searched_by"], found["model"], found["count"]) == ("sparse", "", 1)
        assert len(remote.asked) == asked
        found = get(client, SEARCH, {"query": "openai on aspirin", "search_mode": "openai"})
        assert (found["searched_by"], found["model"], found["count"]) == ("dense", "openai:26", 1)


def test_without_vectors_a_hybrid_search_is_by_words_and_says_so(client):
    shelve("Aspirin and the heart", "Aspirin prevents.")
    found = get(client, SEARCH, {"query": "aspirin"})
    assert (found["searched_by"], found["model"], found["alpha"], found["count"]) == ("sparse", "", None, 1)


def test_alpha_weighs_meaning_against_words(client, shelf):
    query = "nirips traeh dnoces kcatta detneverp tomatoes"
    by_words = get(client, SEARCH, {"query": query, "alpha": 0})["results"][0]
    by_meaning = get(client, SEARCH, {"query": query, "alpha": 1})["results"][0]
    assert (by_words["title"], by_meaning["title"]) == ("Tomatoes", "Aspirin and the heart")


def test_a_model_that_does_not_answer_is_told_as_such(client, shelf, letters):
    def down(texts):
        raise EmbedderUnavailable("The endpoint does not answer.", retry_after=7)

    letters.answer = down
    told = client.get(SEARCH, {"query": "a query nobody has asked"})
    assert (told.status_code, told.json()["code"], told.headers["Retry-After"]) == (503, "unavailable", "7")


def test_vectors_of_a_model_that_is_not_set_up_any_more_are_told_as_such(client, shelf, letters):
    letters.width = 7
    told = get(client, SEARCH, {"query": "another query nobody has asked"}, 409)
    assert "letters:26" in told["message"]


# Saying no


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x" * 1001}, "query"),
        ({"query": "x", "top_k": 0}, "top_k"),
        ({"query": "x", "top_k": 101}, "top_k"),
        ({"query": "x", "min_score": -0.1}, "min_score"),
        ({"query": "x", "min_score": "nan"}, "min_score"),
        ({"query": "x", "alpha": 2}, "alpha"),
        ({"query": "x", "search_mode": "magic"}, "search_mode"),
        ({"query": "x", "filter": {}}, "filter"),
        ({"query": "x", "filters": {"section": "AIM"}}, "filters.section"),
        ({"query": "x", "filters": {"source": "gopher"}}, "filters.source"),
        ({"query": "x", "filters": {"topic": "many"}}, "filters.topic.0"),
        ({"query": "x", "filters": {"min_year": 2020, "max_year": 2010}}, "filters.min_year"),
        ({"query": "x", "filters": {"retracted": "maybe"}}, "filters.retracted"),
        ({"query": "x", "filters": {"category": ["x"] * 51}}, "filters.category"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(client, body, field):
    assert field in post(client, SEARCH, body, 400)["fields"]


def test_searching_needs_the_permissions_to_see_papers_and_documents(shelf):
    get(client_with("view_paper"), SEARCH, {"query": "aspirin"}, 403)
    get(client_with("view_document"), SEARCH, {"query": "aspirin"}, 403)


# Answers


def test_an_answer_is_given_on_top_when_it_is_asked_for(letters):
    shelve("Aspirin and the heart", "Aspirin prevents a second heart attack in most people.", pmid="31")
    embed_all(letters)
    asker = client_with("view_paper", "view_document", "view_question", "ask_question")
    body = {"query": "Does aspirin prevent a second heart attack?"}
    assert post(asker, SEARCH, body)["answer"] is None
    assert not Question.objects.exists()
    answer = post(asker, SEARCH, {**body, "synthesize_answer": True})["answer"]
    assert (answer["success"], answer["citations"][0]["pmid"]) == (True, "31")
    assert "[1]" in answer["response"]
    assert Question.objects.get().asked_by == asker.user
    answer = post(asker, SEARCH, {**body, "synthesize_answer": True, "filters": {"min_year": 2030}})["answer"]
    assert (answer["success"], bool(answer["reason"])) == (False, True)
    told = post(asker, SEARCH, {"query": "???", "synthesize_answer": True}, 400)
    assert told["fields"]["query"] == ["There is no word in it."]


def test_an_answer_needs_its_own_permissions_and_is_never_given_to_a_mere_look(client, shelf):
    body = {"query": "aspirin", "synthesize_answer": True}
    assert "ask_question" in post(client, SEARCH, body, 403)["message"]
    assert "synthesize_answer" in get(client, SEARCH, body, 400)["fields"]


# Trying out


def test_a_trial_tells_the_share_of_runs_that_hit(client, shelf):
    runs = [
        {"query": "aspirin heart", "expected_terms": ["heart attacks"], "top_k": 3},
        {"query": "aspirin heart", "expected_terms": ["sunlight"]},
        {"query": "tomatoes"},
    ]
    told = post(client, EVALUATE, {"runs": runs})
    assert told["hit_rate"] == 0.5
    assert [(run["query"], run["hit"]) for run in told["runs"]] == [
        ("aspirin heart", True),
        ("aspirin heart", False),
        ("tomatoes", None),
    ]
    first = told["runs"][0]
    assert first["results"][first["first_hit"] - 1]["term"] == "heart attacks"
    assert not Evaluation.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "runs"),
        ({"runs": []}, "runs"),
        ({"runs": [{"query": "x"}] * 51}, "runs"),
        ({"runs": [{"query": "x"}, {"expected_terms": ["y"]}]}, "runs.1.query"),
        ({"runs": [{"query": "x", "top_k": 1000}]}, "runs.0.top_k"),
    ],
)
def test_a_trial_that_does_not_fit_is_refused_by_name(client, body, field):
    assert field in post(client, EVALUATE, body, 400)["fields"]


def test_trying_out_needs_its_permission(shelf):
    post(client_with("view_paper", "view_document"), EVALUATE, {"runs": [{"query": "x"}]}, 403)
