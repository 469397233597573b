"""Asking over the API: what is answered, by whom it can be read, and every way of saying no."""

import pytest

from jobs.models import AuditEvent, JobRun
from knowledge import embedding
from knowledge.answers import ask, run_of
from knowledge.models import Answer, Paper, Passage, Question
from knowledge.search.engine import forget_queries
from knowledge.tests.api_client import client_with, get, post, send
from knowledge.tests.shelf import embed_all, shelve

pytestmark = pytest.mark.django_db

RESEARCH, CHAT = "/api/v1/research/", "/api/v1/medical/chat/"
QUESTION = "Does aspirin prevent a second heart attack?"
FINDING = "Aspirin reduced the risk of a second heart attack by 21% compared with placebo."


@pytest.fixture
def shelf():
    forget_queries()
    shelve(
        "Aspirin after infarction",
        f"We gave aspirin to 4,012 patients. {FINDING}",
        pmid="31",
        year=2024,
        sources=["pubmed"],
        authors=[{"family": "Curie", "given": "Marie"}],
    )
    shelve("Tomatoes", "Tomatoes grow best in full sun.", sources=["arxiv"])
    embed_all(embedding.get("minilm"))
    yield
    forget_queries()


@pytest.fixture
def client():
    return client_with("view_question", "ask_question")


def chat(client, status=200, **body):
    return post(client, f"{RESEARCH}chat/", {"query": QUESTION, **body}, status)


def test_an_answer_has_the_fields_of_research_chat(shelf, client):
    answer = chat(client)
    assert answer["success"] is True and answer["state"] == "answered"
    assert f"{FINDING} [1]" in answer["response"]
    (paper,) = answer["relevant_papers"]
    assert paper["title"] == "Aspirin after infarction" and paper["authors"] == ["Marie Curie"]
    assert paper["source"] == "pubmed" and 0.5 < paper["similarity_score"] <= 1
    assert paper["relevant_text"] == Passage.objects.get(text__contains="4,012").text
    assert answer["agent_discussions"] is None
    assert answer["search_strategy"] == "hybrid" and answer["expanded_queries"] == [QUESTION]
    assert (answer["vector_results_count"], answer["arxiv_results_count"]) == (1, 0)
    assert answer["processing_time_ms"] > 0 and "no medical advice" in answer["disclaimer"]


def test_every_number_in_an_answer_is_a_citation_of_a_stored_passage(shelf, client):
    answer = chat(client)
    cited = {citation["number"]: citation for citation in answer["citations"]}
    assert answer["sentences"]
    for sentence in answer["sentences"]:
        for number in sentence["numbers"]:
            passage = Passage.objects.get(pk=cited[number]["passage_id"])
            assert sentence["text"] in passage.text and passage.part.paper_id == cited[number]["paper_id"]


def test_a_refusal_says_why_and_has_no_text(shelf, client):
    answer = chat(client, query="Who won the 1998 world cup?")
    assert (answer["success"], answer["state"], answer["refusal"]) == (False, "refused", "nothing_similar")
    assert answer["response"] == "" and answer["citations"] == [] and "is needed" in answer["reason"]


def test_questions_of_one_session_stay_together(shelf, client):
    session = chat(client)["session_id"]
    assert chat(client, session_id=session)["session_id"] == session
    other = client_with("view_question", "ask_question")
    wrong = chat(other, 400, session_id=session)
    assert list(wrong["fields"]) == ["session_id"]


def test_filters_and_the_threshold_hold(shelf, client):
    assert chat(client, filters={"max_year": 2000})["refusal"] == "nothing_passes_filters"
    assert chat(client, similarity_threshold=0.999)["refusal"] == "nothing_similar"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": ""}, "query"),
        ({"query": "  "}, "query"),
        ({"query": "?!"}, "query"),
        ({"query": "a" * 1001}, "query"),
        ({"query": ["a"]}, "query"),
        ({"max_papers": 0}, "max_papers"),
        ({"max_papers": 101}, "max_papers"),
        ({"similarity_threshold": 1.1}, "similarity_threshold"),
        ({"similarity_threshold": "nan"}, "similarity_threshold"),
        ({"session_id": "me"}, "session_id"),
        ({"writer": "nobody"}, "writer"),
        ({"perspectives": True}, "perspectives"),
        ({"filters": {"nonsense": 1}}, "filters.nonsense"),
        ({"nonsense": 1}, "nonsense"),
    ],
)
def test_bad_input_names_its_field(shelf, client, body, field):
    assert list(chat(client, 400, **body)["fields"]) == [field]
    assert not Question.objects.exists()


def test_a_model_is_asked_by_a_worker_and_the_answer_waits_at_its_address(shelf, client, settings):
    settings.CHAT_BASE_URL, settings.CHAT_MODEL = "http://127.0.0.1:1/v1", "big"
    answer = client.post(f"{RESEARCH}chat/", {"query": QUESTION, "writer": "openai"}, format="json")
    assert answer.status_code == 202 and answer.json()["state"] == "waiting"
    run = JobRun.objects.get(job="knowledge.answer_question")
    assert answer.json()["run"].endswith(f"/runs/{run.pk}/")
    assert (run.trigger, run.requested_by) == (JobRun.Trigger.API, client.user)
    waiting = get(client, answer["Location"])
    assert waiting["state"] == "waiting" and waiting["answer_id"] is None


def test_a_model_that_is_not_set_up_is_said_at_once(shelf, client, settings):
    settings.CHAT_BASE_URL = ""
    answer = chat(client, writer="openai", perspectives=True)
    assert answer["refusal"] == "writer_not_set_up" and "CHAT_BASE_URL" in answer["reason"]


def test_a_message_is_a_question(shelf, client):
    answer = post(client, f"{CHAT}message/", {"message": QUESTION})
    assert answer["success"] and answer["query"] == QUESTION
    assert list(post(client, f"{CHAT}message/", {"message": ""}, 400)["fields"]) == ["message"]


def test_the_history_has_own_questions_only(shelf, client):
    own = chat(client)["question_id"]
    other = client_with("view_question", "ask_question")
    (row,) = get(client, f"{CHAT}history/")["results"]
    assert (row["id"], row["text"], row["state"]) == (own, QUESTION, "answered")
    assert get(other, f"{CHAT}history/")["results"] == []
    get(other, f"{CHAT}history/{own}/", status=404)
    send(other, "delete", f"{CHAT}history/{own}/", status=404)
    post(other, f"/api/v1/answers/{Answer.objects.get().pk}/feedback/", {"is_helpful": True}, 404)


def test_who_may_see_everybodys_questions_may_not_delete_them(shelf, client):
    own = chat(client)["question_id"]
    overseer = client_with("view_question", "ask_question", "view_all_questions")
    assert get(overseer, f"{CHAT}history/{own}/")["query"] == QUESTION
    refused = send(overseer, "delete", f"{CHAT}history/{own}/", status=403)
    assert "knowledge.delete_question" in refused["message"]
    editor = client_with("view_question", "view_all_questions", "delete_question")
    send(editor, "delete", f"{CHAT}history/{own}/", status=204)
    assert not Question.objects.exists() and not Answer.objects.exists()


def test_a_deleted_question_stops_its_run_and_leaves_a_trace(shelf, client, settings):
    settings.CHAT_BASE_URL, settings.CHAT_MODEL = "http://127.0.0.1:1/v1", "big"
    question = ask(QUESTION, writer="openai", by=client.user)
    run = run_of(question)
    assert run is not None
    send(client, "delete", f"{CHAT}history/{question.pk}/", status=204)
    run.refresh_from_db()
    assert run.status == JobRun.Status.CANCELLED
    assert AuditEvent.objects.filter(subject_type="knowledge.question").exists()


def test_a_retraction_since_is_shown_in_the_history(shelf, client):
    own = chat(client)["question_id"]
    Paper.objects.filter(pmid="31").update(is_retracted=True)
    seen = get(client, f"{CHAT}history/{own}/")
    assert seen["citations"][0]["is_retracted_since"] is True
    assert "Retracted since this answer was given." in seen["warnings"][0]


def test_feedback_is_kept_once_for_each_reader(shelf, client):
    address = f"/api/v1/answers/{chat(client)['answer_id']}/feedback/"
    post(client, address, {"is_helpful": False})
    given = post(client, address, {"is_helpful": True, "comment": "Good."})
    assert (given["is_helpful"], given["comment"]) == (True, "Good.")
    assert Answer.objects.get().feedback.count() == 1
    assert list(post(client, address, {}, 400)["fields"]) == ["is_helpful"]
    assert list(post(client, address, {"is_helpful": True, "comment": "x" * 2001}, 400)["fields"]) == [
        "comment"
    ]
    post(client, "/api/v1/answers/999999/feedback/", {"is_helpful": True}, 404)


def test_config_health_and_figures(shelf, client):
    config = get(client, f"{RESEARCH}config/")
    assert {writer["kind"] for writer in config["writers"]} == {"extractive", "openai"}
    assert config["default_writer"] == "extractive" and config["model"].startswith("minilm")
    assert get(client, f"{RESEARCH}health/")["is_ready"] is True
    chat(client)
    chat(client, query="Who won the 1998 world cup?")
    figures = get(client, f"{RESEARCH}stats/")
    assert (figures["questions"], figures["answered"], figures["refused"], figures["waiting"]) == (2, 1, 1, 0)
    assert figures["answered_share"] == 0.5 and figures["refusals"] == {"nothing_similar": 1}
    assert figures["writers"] == {"extractive": 2}
    assert get(client_with("view_question"), f"{RESEARCH}stats/")["questions"] == 0


def test_health_says_what_is_lacking(client):
    health = get(client, f"{RESEARCH}health/")
    assert health["is_ready"] is False and health["problems"][0] == "Nothing is indexed yet."


@pytest.mark.parametrize(
    ("permissions", "status"), [((), 403), (("view_question",), 403), (("ask_question",), 403)]
)
def test_asking_needs_its_permissions(shelf, permissions, status):
    chat(client_with(*permissions), status)


def test_an_unknown_question_is_404(client):
    get(client, f"{CHAT}history/999999/", status=404)
