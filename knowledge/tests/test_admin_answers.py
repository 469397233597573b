"""Asking in the admin: answers with citations that lead to passages, refusals, waiting, and who sees which question."""

import re
from typing import ClassVar

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.models import JobRun
from jobs.tests.staff import signed_in, staff
from jobs.tests.workers import execute
from knowledge.answers import Brief, Draft, Said, Writer, ask, registry
from knowledge.models import Answer, Citation, Feedback, Paper, Question
from knowledge.search.engine import forget_queries
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db

SEARCH = "/admin/knowledge/search/"
EVIL = "<img src=x onerror=alert(1)>"
ASKER = ("knowledge.view_paper", "knowledge.view_question", "knowledge.ask_question")
QUESTION = "Does aspirin prevent a second heart attack?"
TEXT = (
    "BACKGROUND: It is unclear whether aspirin helps after a first heart attack. "
    "RESULTS: Aspirin reduced the risk of a second heart attack by 21% compared with placebo. "
    "CONCLUSIONS: Daily low-dose aspirin prevents a second heart attack."
)


@pytest.fixture
def user():
    return staff(*ASKER, name="asker")


@pytest.fixture
def client(user):
    return signed_in(user)


@pytest.fixture
def paper() -> Paper:
    return shelve(
        "Aspirin after myocardial infarction",
        TEXT,
        journal="The Lancet",
        year=2024,
        doi="10.1000/x",
        pmid="7",
    )


def page_of(question: Question) -> str:
    return f"/admin/knowledge/question/{question.pk}/change/"


def shown(client, question: Question) -> str:
    answer = client.get(page_of(question))
    assert answer.status_code == 200
    return str(answer.content.decode())


def kept(paper: Paper, by: User, **fields) -> Question:
    """A question with an answer that cites the paper's first passage."""
    question = Question.objects.create(text=QUESTION, asked_by_id=by.pk)
    sentences = [{"text": "Aspirin prevents attacks.", "numbers": [1], "support": 0.9}]
    given = {"state": "answered", "writer": "extractive", "sentences": sentences, **fields}
    answer = Answer.objects.create(question=question, **given)
    passage = paper.parts.get().passages.order_by("position")[0]
    Citation.objects.create(
        answer=answer, number=1, passage=passage, paper=paper, title=paper.title, quote=passage.text
    )
    return question


class Slow(Writer):
    """Quotes the first sentence it gets, later."""

    kind, label, is_slow = "slow", "Slow", True
    roles: ClassVar = ("reader",)

    def write(self, brief: Brief, *, perspectives=False, on_step=None) -> Draft:
        found = brief.found[0]
        return Draft((Said(found.sentences[0].text, (found.id,)),))


@pytest.fixture
def slow():
    registry._writers["slow"] = Slow()
    yield
    del registry._writers["slow"]


def test_asking_gives_sentences_whose_numbers_open_the_passages(client, paper):
    answer = client.post(SEARCH, {"q": QUESTION, "_ask": "1"})
    question = Question.objects.get()
    assert answer.url == page_of(question)
    page = shown(client, question)
    assert "Aspirin reduced the risk of a second heart attack by 21% compared with placebo." in page
    link = re.search(r'class="know-cite" href="([^"#]+)#(passage-\d+)"[^>]*>\[1\]</a>', page)
    assert link
    assert f'id="{link[2]}"' in client.get(link[1].replace("&amp;", "&")).content.decode()
    for words in (
        "The Lancet",
        "2024",
        "https://doi.org/10.1000/x",
        "https://pubmed.ncbi.nlm.nih.gov/7/",
        "no medical advice",
    ):
        assert words in page


def test_a_question_keeps_the_filters_of_the_box(client, paper):
    client.post(SEARCH, {"q": QUESTION, "_ask": "1", "year_from": "2030", "retracted": "include"})
    question = Question.objects.get()
    assert question.filters == {"year_from": 2030, "retracted": "include"}
    page = shown(client, question)
    assert "No answer." in page
    assert "Take filters off and ask again." in page
    assert 'name="year_from" value="2030"' in page


def test_a_refusal_says_why_and_what_to_try(client):
    client.post(SEARCH, {"q": QUESTION, "_ask": "1"})
    page = shown(client, Question.objects.get())
    assert "No answer." in page
    assert "There are no papers here yet" in page
    assert "no medical advice" in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [("  ", "Ask something."), ("?!", "There is no word in it."), ("why " * 300, "at most 1000 characters")],
)
def test_what_is_no_question_is_refused_on_the_page_with_what_was_typed(client, typed, said):
    page = client.post(SEARCH, {"q": typed, "_ask": "1"}).content.decode()
    assert said in page
    assert typed.strip() in page
    assert not Question.objects.exists()


def test_when_the_model_of_the_vectors_is_gone_the_page_says_so(client):
    forget_queries()
    with registered(letters := Letters()):
        shelve("Aspirin", TEXT)
        embed_all(letters)
    page = client.post(SEARCH, {"q": QUESTION, "_ask": "1"}).content.decode()
    assert "Questions cannot be answered now." in page
    assert not Question.objects.exists()


def test_slow_writers_are_waited_for_by_a_page_that_looks_again(client, paper, slow):
    page = client.get(SEARCH).content.decode()
    assert '<option value="slow">Slow</option>' in page
    assert "Let experts discuss it first" in page
    client.post(SEARCH, {"q": QUESTION, "_ask": "1", "writer": "slow"})
    question, run = Question.objects.get(), JobRun.objects.get()
    page = shown(client, question)
    assert '<meta http-equiv="refresh"' in page
    assert "Waiting for a worker of the queue <strong>knowledge</strong>" in page
    assert str(run.pk) not in page  # may not see runs
    execute(run)
    page = shown(client, question)
    assert '<meta http-equiv="refresh"' not in page
    assert 'class="know-cite"' in page


def test_a_run_that_failed_is_told_and_not_waited_for(client, paper, slow):
    client.post(SEARCH, {"q": QUESTION, "_ask": "1", "writer": "slow"})
    JobRun.objects.update(
        status="cancelled", reason="Somebody did not want it.", finished_at="2026-01-01T00:00Z"
    )
    page = shown(client, Question.objects.get())
    assert "Somebody did not want it." in page
    assert "ended without an answer" in page
    assert '<meta http-equiv="refresh"' not in page


def test_an_unknown_writer_is_refused(client, paper):
    page = client.post(SEARCH, {"q": QUESTION, "_ask": "1", "writer": "nobody"}).content.decode()
    assert "There is no writer named" in page


def test_papers_that_were_retracted_since_are_told_above_the_answer(client, user, paper):
    question = kept(paper, user)
    assert "know-cite--bad" not in shown(client, question)
    Paper.objects.filter(pk=paper.pk).update(is_retracted=True)
    page = shown(client, question)
    assert page.index("<strong>Retracted:</strong>") < page.index("Aspirin prevents attacks.")
    assert 'class="know-cite know-cite--bad"' in page
    assert "This paper was retracted: do not rely on it." in page


def test_a_passage_that_was_cut_anew_is_still_quoted_and_leads_to_the_paper(client, user, paper):
    question = kept(paper, user)
    paper.parts.all().delete()
    page = shown(client, question)
    assert "these are the words that were read" in page
    assert f'href="/admin/knowledge/paper/{paper.pk}/read/"' in page


def test_rejected_sentences_are_behind_a_disclosure_with_the_reason(client, user, paper):
    rejected = [{"text": "It cures all.", "passages": [1], "reason": "No passage says so."}]
    page = shown(client, kept(paper, user, rejected=rejected))
    summary = page.index("1 sentence rejected by the check")
    assert page.rindex("<details", 0, summary) < summary < page.index("It cures all.")
    assert "No passage says so." in page


def test_experts_are_shown_with_their_rounds(client, user, paper):
    said = [{"text": "I agree.", "numbers": [1], "support": 1}]
    statements = [
        {"role": "mit_researcher", "round": 1, "sentences": said},
        {"role": "synthesis", "round": 0, "sentences": []},
    ]
    page = shown(client, kept(paper, user, perspectives=statements))
    assert "Mit researcher" in page
    assert "round 1" in page
    assert "I agree." in page
    assert "Nothing that stood up to the check." in page


def test_whatever_was_asked_and_answered_is_shown_as_text(client, user):
    paper = shelve(EVIL, EVIL, journal=EVIL)
    question = kept(
        paper,
        user,
        sentences=[{"text": EVIL, "numbers": [1], "support": 1}],
        rejected=[{"text": EVIL, "reason": EVIL}],
        perspectives=[{"role": EVIL, "round": 1, "sentences": [{"text": EVIL, "numbers": [], "support": 1}]}],
        retrieved=[{"passage": 0, "title": EVIL, "similarity": 0.5}],
    )
    Question.objects.update(text=EVIL)
    question.refresh_from_db()
    assert "<img" not in shown(client, question)
    assert "<img" not in client.get("/admin/knowledge/question/").content.decode()


def test_everybody_sees_their_own_questions_and_some_see_all(client, user, paper):
    own, other = kept(paper, user), kept(paper, User.objects.create_user("other"))
    Question.objects.filter(pk=other.pk).update(text="What do others ask?")
    listed = client.get("/admin/knowledge/question/").content.decode()
    assert QUESTION in listed
    assert "What do others ask?" not in listed
    assert "What do others ask?" not in shown(client, own)
    assert client.get(page_of(other)).status_code in (302, 404)
    assert (
        client.post(f"/admin/knowledge/question/{other.pk}/feedback/", {"helpful": "yes"}).status_code == 404
    )
    overseer = signed_in(staff(*ASKER, "knowledge.view_all_questions", name="overseer"))
    assert "What do others ask?" in overseer.get("/admin/knowledge/question/").content.decode()
    assert "asked by other" in shown(overseer, other)


def test_feedback_is_kept_once_for_each_reader(client, user, paper):
    question = kept(paper, user)
    address = f"/admin/knowledge/question/{question.pk}/feedback/"
    for helpful in ("yes", "no"):
        answer = client.post(address, {"helpful": helpful, "comment": f"I say {helpful}."})
        assert answer.url == f"{page_of(question)}#feedback"
    (feedback,) = Feedback.objects.all()
    assert (feedback.is_helpful, feedback.comment, feedback.given_by) == (False, "I say no.", user)
    assert "You said: Not helpful" in shown(client, question)


@pytest.mark.parametrize("given", [{}, {"helpful": "perhaps"}, {"helpful": "yes", "comment": "x" * 2001}])
def test_feedback_that_says_nothing_is_refused(client, user, paper, given):
    question = kept(paper, user)
    address = f"/admin/knowledge/question/{question.pk}/feedback/"
    assert client.post(address, given).status_code == 302
    assert client.get(address).status_code == 405
    assert not Feedback.objects.exists()


def test_only_those_who_may_ask_ask():
    searcher = signed_in(staff("knowledge.view_paper", "knowledge.view_question", name="searcher"))
    assert searcher.post(SEARCH, {"q": QUESTION, "_ask": "1"}).status_code == 403
    assert 'name="_ask"' not in searcher.get(SEARCH).content.decode()
    assert not Question.objects.exists()


def test_nobody_changes_a_question_and_only_some_delete_one(client, user, paper):
    question = kept(paper, user)
    client.post(page_of(question), {"text": "Another"})
    assert Question.objects.get().text == QUESTION
    delete = f"/admin/knowledge/question/{question.pk}/delete/"
    assert client.post(delete, {"post": "yes"}).status_code == 403
    editor = signed_in(
        staff(*ASKER, "knowledge.view_all_questions", "knowledge.delete_question", name="editor")
    )
    assert editor.post(delete, {"post": "yes"}).status_code == 302
    assert not Question.objects.exists()


def test_what_an_answer_costs_does_not_grow_with_its_citations(client, user, paper):
    question = kept(paper, user)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            shown(client, question)
        return len(found)

    queries()
    before = queries()
    for number in range(2, 8):
        other = shelve(f"Paper {number}", "Aspirin.")
        passage = other.parts.get().passages.get()
        Citation.objects.create(
            answer=question.answer, number=number, passage=passage, paper=other, title="", quote="x"
        )
        ask(f"Question {number} about nothing?", by=user)
    assert queries() == before
    assert before < 25
