"""Asking: what is answered, what is refused and why, and what is kept of it."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from knowledge import embedding
from knowledge.answers import ask
from knowledge.answers.reading import plain
from knowledge.models import Answer
from knowledge.search.engine import forget_queries
from knowledge.tests.shelf import embed_all, shelve

pytestmark = pytest.mark.django_db

ASPIRIN = (
    "BACKGROUND: It is unclear whether aspirin helps after a first heart attack. "
    "METHODS: We randomly assigned 4,012 patients to aspirin or placebo. "
    "RESULTS: Aspirin reduced the risk of a second heart attack by 21% compared with placebo. "
    "CONCLUSIONS: Daily low-dose aspirin prevents a second heart attack."
)
DOUBT = (
    "We followed 900 patients over five years. "
    "Aspirin did not reduce the risk of a second heart attack in patients older than 80 years. "
    "Bleeding was more frequent with aspirin."
)
TOMATOES = "Tomatoes grow best in full sun. They need water twice a week."


@pytest.fixture
def shelf():
    """Three papers, with the vectors of the built-in model."""
    forget_queries()
    shelve("Aspirin after myocardial infarction", ASPIRIN, year=timezone.now().year, pmid="1")
    shelve("Aspirin in old age", DOUBT, year=2001, pmid="2")
    shelve("Gardening", TOMATOES, year=2020, pmid="3")
    embed_all(embedding.get("minilm"))
    yield
    forget_queries()


@pytest.fixture
def reader():
    return User.objects.create_user("reader")


def asked(text="Does aspirin prevent a second heart attack?", **given):
    return ask(text, by=given.pop("by", None), **given)


def test_an_answer_is_made_of_sentences_that_stand_in_the_passages_that_they_cite(shelf):
    answer = asked().answer
    assert answer.state == Answer.State.ANSWERED
    citations = {citation.number: citation for citation in answer.citations.all()}
    assert answer.sentences
    for sentence in answer.sentences:
        assert sentence["support"] == 1
        for number in sentence["numbers"]:
            assert sentence["text"] in plain(citations[number].passage.text)
            assert citations[number].quote == citations[number].passage.text
            assert citations[number].paper.title == citations[number].title


def test_what_was_found_is_said_rather_than_what_was_to_be_found_out(shelf):
    texts = [sentence["text"] for sentence in asked().answer.sentences]
    assert "Daily low-dose aspirin prevents a second heart attack." in texts
    assert not any("unclear" in text or "randomly assigned" in text for text in texts)


def test_what_contradicts_is_not_hidden(shelf):
    texts = [sentence["text"] for sentence in asked().answer.sentences]
    assert (
        "Aspirin did not reduce the risk of a second heart attack in patients older than 80 years." in texts
    )


def test_what_has_nothing_to_do_with_the_question_is_left_out(shelf):
    assert {citation.paper.title for citation in asked().answer.citations.all()} == {
        "Aspirin after myocardial infarction",
        "Aspirin in old age",
    }
