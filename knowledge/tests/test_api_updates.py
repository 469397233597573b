"""Updating over the API, against a service that stands in for PubMed; and asking it for the latest."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from jobs import ledger
from jobs.errors import TransientError
from jobs.models import JobRun
from jobs.tests.workers import execute, give_body, worker_thread
from knowledge import online, rates, tasks
from knowledge.connectors import Query
from knowledge.errors import ConnectorUnavailable
from knowledge.models import KnowledgePolicy, Paper, Source, Topic
from knowledge.rates import Pace
from knowledge.tests.api_client import KNOWLEDGE, client_with, get, post
from knowledge.tests.papers import numbered
from knowledge.tests.shelf import Letters, registered

pytestmark = pytest.mark.django_db(transaction=True)

UPDATE, LATEST = f"{KNOWLEDGE}pubmed-auto-update/", f"{KNOWLEDGE}pubmed-latest/"
ONLINE = f"{KNOWLEDGE}online/"


@pytest.fixture
def client(flush_broker):
    return client_with("run_topic", "view_source", "view_servicepace", "view_jobrun")


@pytest.fixture
def library(literature, ncbi, settings):
    """PubMed with five papers on insulin, and nobody else to ask."""
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    Source.objects.all().delete()
    Source.objects.create(name="PubMed", connector="pubmed")
    Topic.objects.all().delete()
    Topic.objects.create(name="Insulin", papers_per_run=5)
    literature.today = today = timezone.now().date()
    literature.add(
        *(numbered(number, entered=today - timedelta(days=1), published=today) for number in range(1, 6))
    )
    with registered(Letters()):
        yield literature


def test_an_update_that_is_waited_for_tells_what_it_brought(client, library):
    with worker_thread():
        told = post(client, f"{UPDATE}?wait=true", {"topics": ["insulin"], "papers_per_topic": 3})
    assert told["status"] == "success"
    assert (told["result"]["topics_searched"], told["result"]["papers_indexed"]) == (1, 3)
    assert (told["result"]["errors"], told["error"]) == ([], None)
    assert Paper.objects.count() == 3
    run = JobRun.objects.get(pk=told["task_id"])
    assert (run.status, run.requested_by) == ("succeeded", client.user)
    assert run.parameters["papers_per_topic"] == 3


def test_without_waiting_the_answer_is_where_to_look(client, library):
    told = post(client, UPDATE, {"topics": ["Insulin"]}, 202)
    assert told["status"] == "PENDING"
    assert "Insulin" in told["message"]
    state = get(client, f"/api/v1/tasks/{told['task_id']}/")
    assert (state["status"], state["progress"], state["result"], state["error"]) == ("PENDING", 0, None, None)
    execute(JobRun.objects.get(pk=told["task_id"]))
    state = get(client, f"/api/v1/tasks/{told['task_id']}/")
    assert (state["status"], state["progress"], state["result"]["papers_indexed"]) == ("SUCCESS", 100, 5)


def test_without_topics_the_nightly_ones_are_updated(client, library):
    with worker_thread():
        told = post(client, UPDATE, {"wait": True})
    assert told["result"]["papers_indexed"] == 5


def test_an_update_that_takes_longer_goes_on_by_itself(client, library, monkeypatch):
    monkeypatch.setattr("knowledge.api.updates.LONGEST_WAIT", 0.1)
    told = post(client, UPDATE, {"wait": True}, 202)
    assert JobRun.objects.get(pk=told["task_id"]).is_active


def test_an_update_that_failed_is_no_success(client, library, monkeypatch):
    def fail(run, **parameters):
        raise ValueError("PubMed has moved.")

    give_body(monkeypatch, "knowledge.update_knowledge_base", fail)
    with worker_thread():
        told = post(client, UPDATE, {"wait": True}, 502)
    assert (told["status"], told["code"], told["result"]) == ("failed", "update_failed", None)
    assert "PubMed has moved." in told["error"] == told["message"]
    state = get(client, f"/api/v1/tasks/{told['task_id']}/")
    assert (state["status"], state["run_status"]) == ("FAILURE", "failed")
    assert "PubMed has moved." in state["error"]


def test_a_service_that_is_away_keeps_the_update_waiting_instead_of_succeeding(client, library, monkeypatch):
    def unavailable(run, **parameters):
        raise TransientError("PubMed is away.")

    give_body(monkeypatch, "knowledge.update_knowledge_base", unavailable)
    monkeypatch.setattr("knowledge.api.updates.LONGEST_WAIT", 1)
    with worker_thread():
        told = post(client, UPDATE, {"wait": True}, 202)
    assert told["status"] == "RETRY"


def test_an_update_that_partly_failed_says_so(client, library, monkeypatch):
    def halve(run, **parameters):
        run.unit_succeeded()
        run.unit_failed("WHO", "It is away.")
        return {"topics_searched": 1, "papers_found": 1, "papers_indexed": 1, "errors": [{"source": "WHO"}]}

    give_body(monkeypatch, "knowledge.update_knowledge_base", halve)
    with worker_thread():
        told = post(client, UPDATE, {"wait": True})
    assert (told["status"], told["result"]["errors"]) == ("partial", [{"source": "WHO"}])
    assert "WHO" in told["error"]


def test_an_update_that_is_cancelled_meanwhile_is_told_as_such(client, library, monkeypatch):
    def cancelled(run_id, *, timeout):
        return ledger.cancel(run_id, by=None)

    monkeypatch.setattr("knowledge.api.updates.follow.wait", cancelled)
    told = post(client, UPDATE, {"wait": True}, 409)
    assert (told["status"], told["code"]) == ("cancelled", "illegal_state")


def test_asking_again_with_the_same_key_gives_the_same_task(client, library):
    answers = [
        client.post(UPDATE, {"days_back": 3}, format="json", headers={"Idempotency-Key": "x"}).json()
        for _ in range(2)
    ]
    assert answers[0]["task_id"] == answers[1]["task_id"]
    other = client.post(UPDATE, {"days_back": 4}, format="json", headers={"Idempotency-Key": "x"})
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"papers_per_topic": 0}, "papers_per_topic"),
        ({"papers_per_topic": 21}, "papers_per_topic"),
        ({"days_back": 0}, "days_back"),
        ({"days_back": 91}, "days_back"),
        ({"topics": "Insulin"}, "topics"),
        ({"topic": ["Insulin"]}, "topic"),
        ({"wait": "perhaps"}, "wait"),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(client, library, body, field):
    assert field in post(client, UPDATE, body, 400)["fields"]
    assert not JobRun.objects.exists()


def test_unknown_topics_are_named(client, library):
    told = post(client, UPDATE, {"topics": ["Insulin", "Astrology", "Alchemy"]}, 400)
    assert told["fields"] == {
        "topics": ["There is no topic named “Astrology”.", "There is no topic named “Alchemy”."]
    }
    assert not JobRun.objects.exists()


def test_a_disabled_topic_is_not_updated(client, library):
    Topic.objects.update(is_enabled=False)
    assert "disabled" in post(client, UPDATE, {"topics": ["Insulin"]}, 409)["message"]


def test_updating_needs_its_permission(library):
    post(client_with("view_topic"), UPDATE, {}, 403)
    get(client_with("view_topic"), LATEST, {"topic": "insulin"}, 403)
    get(client_with("run_topic"), f"/api/v1/tasks/{uuid.uuid4()}/", status=403)


def test_unknown_tasks_are_unknown_and_not_pending(client):
    get(client, f"/api/v1/tasks/{uuid.uuid4()}/", status=404)


# The latest


def test_the_latest_papers_come_with_their_abstracts_and_are_not_stored(client, library):
    told = get(client, LATEST, {"topic": "insulin", "max_results": 2, "days_back": 5})
    assert (told["topic"], told["count"], told["days_back"]) == ("insulin", 2, 5)
    paper = told["papers"][0]
    assert paper["title"].startswith("Insulin and outcome")
    assert "Insulin was given" in paper["abstract"]
    assert paper["pubmed_id"].startswith("3000000")
    assert paper["url"] and paper["publication_date"] and paper["fetched_at"]
    assert not Paper.objects.exists()


def test_searching_pubmed_tells_how_it_was_understood_and_how_many_there_are(client, library):
    told = get(client, f"{ONLINE}search-pubmed/", {"query": "insulin", "max_results": 2})
    assert (told["count"], told["total"]) == (2, 5)
    assert "insulin" in told["translated"].lower()


def test_a_service_that_does_not_answer_is_told_as_such(client, library, ncbi, settings):
    settings.PUBMED_URL = "http://127.0.0.1:9/entrez/eutils"
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:9", *settings.OUTBOUND_ALLOWED_HOSTS]
    answer = client.get(LATEST, {"topic": "insulin"})
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_nobody_waits_longer_than_is_bearable(library):
    with rates.turn(Pace("pubmed", 0.001)):
        pass
    rates.hold("pubmed", 60, "too many requests")
    try:
        with pytest.raises(ConnectorUnavailable, match=r"within 0.5 seconds"):
            online.fetch("pubmed", Query("insulin"), patience=0.5)
    finally:
        rates.release("pubmed")


def test_a_query_that_makes_no_sense_is_refused_by_name(client, library):
    told = get(client, LATEST, {"topic": '"insulin'}, 400)
    assert "quotation mark" in str(told["fields"]["query"])
    assert "topic" in get(client, LATEST, status=400)["fields"]
    assert "max_results" in get(client, LATEST, {"topic": "x", "max_results": 51}, 400)["fields"]
    assert "days_back" in get(client, LATEST, {"topic": "x", "days_back": 91}, 400)["fields"]


def test_asking_services_has_a_ceiling_of_its_own(client, library, settings):
    settings.API_USER_RATE = 1000
    answers = {client.get(f"{LATEST}?topic=").status_code for _ in range(10)}
    assert answers == {400}
    assert client.get(f"{LATEST}?topic=insulin").status_code == 429
    assert get(client, f"{ONLINE}status/")


def test_the_state_of_services_is_told_without_asking_them(client, library):
    Source.objects.update(problem="It was away.", synced_at=timezone.now())
    rates.hold("pubmed", 60, "too many requests")
    try:
        states = {state["connector"]: state for state in get(client, f"{ONLINE}status/")}
    finally:
        rates.release("pubmed")
    assert states["pubmed"]["is_enabled"] is True
    assert states["pubmed"]["problems"] == ["PubMed: It was away."]
    assert states["pubmed"]["hold_reason"] == "too many requests"
    assert states["arxiv"]["is_enabled"] is False
    assert states["arxiv"]["held_until"] is None


def test_the_jobs_behind_it_are_registered():
    assert tasks.update_knowledge_base.name == "knowledge.update_knowledge_base"
