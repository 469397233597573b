"""Asking arXiv when too little is found here: only in a run, with honest scores."""

import pytest

from jobs.context import ActiveRun
from knowledge import embedding, tasks
from knowledge.answers import ask, asking, run_of
from knowledge.models import Answer, Paper
from knowledge.search.engine import forget_queries
from knowledge.tests.literature import Paper as Published
from knowledge.tests.papers import numbered
from knowledge.tests.shelf import embed_all, shelve

pytestmark = pytest.mark.django_db

QUESTION = "Does metformin lower the risk of dementia?"
FINDING = "Metformin lowered the risk of dementia in older adults with diabetes."


def published(number: int, text: str, title: str = "Metformin and dementia") -> Published:
    return numbered(number, title=title, abstract=(("", text),))


@pytest.fixture
def shelf():
    forget_queries()
    shelve("Tomatoes", "Tomatoes grow best in full sun.")
    embed_all(embedding.get("minilm"))
    yield
    forget_queries()


def answered(**given) -> Answer:
    question = ask(QUESTION, by=None, arxiv=True, **given)
    run = run_of(question)
    assert run is not None
    assert not Answer.objects.exists()
    tasks.answer_question(ActiveRun(run.pk, attempt=1, steps=asking.STEPS), **run.parameters)
    return Answer.objects.get(question=question)


def test_what_arxiv_gives_is_stored_and_cited_with_its_real_similarity(shelf, literature, arxiv):
    literature.add(published(1, FINDING))
    answer = answered()
    assert answer.state == Answer.State.ANSWERED, answer.reason
    assert (answer.details["arxiv"], answer.details["arxiv_new"], answer.details["arxiv_problem"]) == (
        1,
        1,
        "",
    )
    (citation,) = answer.citations.all()
    assert citation.paper == Paper.objects.get(arxiv_id="2611.00001")
    (found,) = answer.retrieved
    assert 0.42 <= found["similarity"] < 1 and found["similarity"] != 0.8


def test_what_arxiv_gives_has_to_be_similar_enough_too(shelf, literature, arxiv):
    literature.add(published(1, "Dark matter lowers the density of halos.", title="Halos"))
    answer = answered()
    assert answer.details["refusal"] == "nothing_similar"
    assert not answer.citations.exists()


def test_an_arxiv_that_does_not_answer_is_told_and_no_reason_to_fail(shelf, literature, arxiv, settings):
    settings.ARXIV_URL = "http://127.0.0.1:1/api"
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:1"]
    answer = answered()
    assert answer.details["refusal"] == "nothing_similar" and answer.details["arxiv_problem"]


def test_arxiv_is_not_asked_when_enough_is_found_here(shelf, arxiv):
    shelve("Metformin and dementia", FINDING)
    shelve("Dementia on metformin", "Metformin did not lower the risk of dementia in a trial.")
    embed_all(embedding.get("minilm"))
    question = ask(QUESTION, by=None, arxiv=True)
    assert question.answer.state == Answer.State.ANSWERED and run_of(question) is None
    assert "arxiv" not in question.answer.details
