"""Asking: what is answered, what is refused and why, and what is kept of it."""

import pytest
from django.contrib.auth.models import User
from django.db.models import ProtectedError
from django.utils import timezone

from knowledge import embedding, indexing
from knowledge.answers import InvalidQuestion, ask, filters_of, give_feedback, shown
from knowledge.answers.reading import plain
from knowledge.models import Answer, Citation, KnowledgePolicy, Paper, Question
from knowledge.search.engine import forget_queries
from knowledge.search.filters import Filters, Retracted
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


@pytest.mark.parametrize(
    "question",
    ["Who won the 1998 world cup?", "best pizza in Naples", "How do I fix a bike tyre?"],
)
def test_what_nothing_here_speaks_of_is_refused_with_the_figures(shelf, question):
    answer = asked(question).answer
    assert answer.state == Answer.State.REFUSED
    assert not answer.sentences and not answer.citations.exists()
    assert answer.details["refusal"] == "nothing_similar"
    assert f"{answer.details['best']:.2f}, and {answer.details['threshold']:.2f} is needed" in answer.reason


def test_a_refusal_says_that_nothing_is_indexed():
    answer = asked().answer
    assert answer.details["refusal"] == "nothing_indexed"
    assert answer.reason == "Nothing is indexed here yet."


def test_retracted_papers_are_no_evidence_and_are_named_when_there_is_no_other(shelf):
    Paper.objects.exclude(title="Gardening").update(is_retracted=True)
    answer = asked().answer
    assert answer.details["refusal"] == "only_retracted"
    assert "“Aspirin after myocardial infarction”" in answer.reason
    assert not Citation.objects.exists()


def test_retracted_papers_are_cited_only_when_they_are_asked_for_and_are_marked(shelf):
    Paper.objects.exclude(title="Gardening").update(is_retracted=True)
    answer = asked(filters=Filters(retracted=Retracted.INCLUDE)).answer
    assert answer.state == Answer.State.ANSWERED
    assert all(citation.warnings[0] == "Retracted." for citation in shown(answer).citations)


def test_a_refusal_says_that_the_filters_let_nothing_through(shelf):
    answer = asked(filters=Filters(year_from=2090)).answer
    assert answer.details["refusal"] == "nothing_passes_filters"


def test_filters_are_kept_with_the_question_and_hold(shelf):
    question = asked(filters=Filters(year_to=2010, types=()))
    question.refresh_from_db()
    assert question.filters == {"year_to": 2010}
    assert filters_of(question) == Filters(year_to=2010)
    assert {citation.paper.year for citation in question.answer.citations.all()} == {2001}


def test_the_policy_says_how_similar_is_similar_enough(shelf):
    policy = KnowledgePolicy.current()
    policy.answer_threshold = 0.99
    policy.save()
    assert asked().answer.details["refusal"] == "nothing_similar"
    assert asked(threshold=0.2).answer.state == Answer.State.ANSWERED


def test_without_vectors_the_words_decide():
    shelve("Aspirin after myocardial infarction", ASPIRIN)
    assert asked().answer.state == Answer.State.ANSWERED
    assert asked("Does aspirin cure baldness in cats?").answer.details["refusal"] == "nothing_similar"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": " \n "}, "text"),
        ({"text": "?!"}, "text"),
        ({"text": "a" * 1001}, "text"),
        ({"max_papers": 0}, "max_papers"),
        ({"max_papers": 101}, "max_papers"),
        ({"threshold": 1.5}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"writer": "nobody"}, "writer"),
        ({"perspectives": True}, "perspectives"),
    ],
)
def test_what_cannot_be_asked_is_said_by_field_and_nothing_is_kept(given, field):
    with pytest.raises(InvalidQuestion) as caught:
        asked(**given)
    assert list(caught.value.fields) == [field]
    assert not Question.objects.exists()


@pytest.mark.parametrize(
    "question", ["a", "a" * 1000, "aspirin \x00 attack", "aspirin \ud800?", "'; DROP TABLE x; --"]
)
def test_odd_questions_are_answered_or_refused_and_kept(shelf, question):
    kept = asked(question)
    kept.refresh_from_db()
    assert kept.answer.state in Answer.State.values


def test_who_asked_and_the_session_are_kept(shelf, reader):
    first = asked(by=reader)
    second = asked("And for whom does it not help?", by=reader, session=first.session)
    assert (second.asked_by, second.session) == (reader, first.session)
    assert asked().session != first.session


def test_an_answer_shows_that_a_paper_was_retracted_after_it_was_given(shelf):
    answer = asked().answer
    assert not shown(answer).warnings
    Paper.objects.filter(pmid="1").update(is_retracted=True)
    seen = shown(Answer.objects.get(pk=answer.pk))
    (warning,) = seen.warnings
    assert "Aspirin after myocardial infarction: Retracted since this answer was given." in warning
    warned = {
        sentence.text
        for sentence in seen.sentences
        if sentence.warnings[:1] == ("Retracted since this answer was given.",)
    }
    assert "Daily low-dose aspirin prevents a second heart attack." in warned


def test_corrections_concerns_and_age_are_shown(shelf):
    Paper.objects.filter(pmid="1").update(is_corrected=True, is_doubted=True)
    by_title = {citation.title: citation for citation in shown(asked().answer).citations}
    assert by_title["Aspirin after myocardial infarction"].warnings == [
        "Its journal has published an expression of concern.",
        "Corrected: read the notice, too.",
    ]
    assert by_title["Aspirin in old age"].warnings == ["Outdated: it is of 2001."]


def test_every_answer_says_that_it_is_no_medical_advice(shelf):
    assert "no medical advice" in shown(asked().answer).disclaimer
    assert "no medical advice" in shown(asked("Who painted the Mona Lisa?").answer).disclaimer


def test_a_kept_answer_says_what_was_read_after_the_text_was_cut_anew(shelf):
    answer = asked().answer
    paper = Paper.objects.get(pmid="1")
    quotes = {citation.quote for citation in answer.citations.all()}
    paper.abstract = [{"label": "", "text": "Something else altogether."}]
    paper.save()
    indexing.index_papers([paper])
    seen = shown(Answer.objects.get(pk=answer.pk))
    assert {citation.quote for citation in seen.citations} == quotes
    assert [citation.passage_id for citation in seen.citations if citation.paper_id == paper.pk] == [None]


def test_a_cited_paper_cannot_be_deleted(shelf):
    asked()
    with pytest.raises(ProtectedError):
        Paper.objects.get(pmid="1").delete()


def test_a_reader_has_one_word_on_an_answer(shelf, reader):
    answer = asked().answer
    give_feedback(answer, False, "Too short.", by=reader)
    given = give_feedback(answer, True, " Good after all. ", by=reader)
    assert answer.feedback.get() == given
    assert (given.is_helpful, given.comment) == (True, "Good after all.")
    with pytest.raises(InvalidQuestion):
        give_feedback(answer, True, "x" * 2001, by=reader)
