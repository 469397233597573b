"""Topics, sources and judged queries over the API: made, changed, tried, run; and every way of saying no."""

import pytest

from jobs.models import AuditEvent, JobRun, Schedule
from jobs.tests.workers import execute
from knowledge.models import Evaluation, Finding, JudgedQuery, ResearchJob, Source, Topic
from knowledge.tests.api_client import KNOWLEDGE, client_with, get, post, send
from knowledge.tests.shelf import shelve

pytestmark = pytest.mark.django_db

TOPICS, SOURCES = f"{KNOWLEDGE}topics/", f"{KNOWLEDGE}sources/"
QUERIES, RUNS = f"{KNOWLEDGE}evaluation/queries/", f"{KNOWLEDGE}evaluation/runs/"
UNKNOWN = 2**31 - 1


@pytest.fixture
def client():
    return client_with(is_superuser=True)


@pytest.fixture
def pubmed():
    return Source.objects.create(name="PubMed here", connector="pubmed")


# Topics


def test_a_topic_is_made_with_its_queries_and_its_schedule(client, pubmed):
    body = {
        "name": "Heart disease",
        "priority": "high",
        "papers_per_run": 7,
        "days_back": 14,
        "queries": [{"source": pubmed.pk, "text": "heart[Title]", "is_enabled": True}],
        "schedule_cron": "0 5 * * 1",
    }
    made = post(client, TOPICS, body, 201)
    assert made.items() >= body.items()
    assert made["is_enabled"] is True
    assert made["next_run_at"] is not None
    assert made["papers"] == 0
    row = Schedule.objects.get(pk=made["schedule"])
    assert row.task == "knowledge.update_knowledge_base"
    assert get(client, f"{TOPICS}{made['id']}/") == made


def test_a_change_leaves_alone_what_it_does_not_name(client, pubmed):
    made = post(client, TOPICS, {"name": "Hearts", "priority": "low", "schedule_cron": "@daily"}, 201)
    changed = send(client, "patch", f"{TOPICS}{made['id']}/", {"days_back": 30})
    assert (changed["days_back"], changed["priority"]) == (30, "low")
    assert changed["schedule"] == made["schedule"]
    told = send(client, "patch", f"{TOPICS}{made['id']}/", {"queries": [{"text": "x"}]}, 400)
    assert "queries.0.source" in told["fields"]
    changed = send(client, "patch", f"{TOPICS}{made['id']}/", {"schedule_cron": ""})
    assert (changed["schedule"], changed["schedule_cron"]) == (None, "")


def test_topics_are_listed_by_name_and_filtered(client, django_assert_max_num_queries):
    Topic.objects.all().delete()
    for name, priority in (("Beta", 1), ("Alpha", 3), ("Gamma", 3)):
        topic = Topic.objects.create(name=name, priority=priority, is_enabled=name != "Gamma")
        Finding.objects.create(topic=topic, paper=shelve(name))
    with django_assert_max_num_queries(12):
        found = get(client, TOPICS)["results"]
    assert [(topic["name"], topic["papers"]) for topic in found] == [("Alpha", 1), ("Beta", 1), ("Gamma", 1)]
    assert [topic["name"] for topic in get(client, TOPICS, {"priority": "low"})["results"]] == [
        "Alpha",
        "Gamma",
    ]
    assert [topic["name"] for topic in get(client, TOPICS, {"enabled": False})["results"]] == ["Gamma"]


def test_a_topic_is_switched_run_and_deleted(client):
    topic = Topic.objects.create(name="Hearts")
    address = f"{TOPICS}{topic.pk}/"
    assert post(client, f"{address}disable/")["is_enabled"] is False
    assert "disabled" in post(client, f"{address}run/", {}, 409)["message"]
    assert post(client, f"{address}enable/")["is_enabled"] is True
    begun = post(client, f"{address}run/", {"papers_per_topic": 3}, 202)
    run = JobRun.objects.get(pk=begun["id"])
    assert (run.parameters["topics"], run.parameters["papers_per_topic"]) == ([topic.pk], 3)
    send(client, "delete", address, status=204)
    assert not Topic.objects.filter(pk=topic.pk).exists()
    assert AuditEvent.objects.filter(action="deleted", user=client.user).exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "x", "papers_per_run": 21}, "papers_per_run"),
        ({"name": "x", "days_back": 91}, "days_back"),
        ({"name": "x", "priority": "urgent"}, "priority"),
        ({"name": "x", "schedule_cron": "at noon"}, "schedule_cron"),
        ({"name": "x", "queries": [{"source": UNKNOWN}]}, "queries.0.source"),
        ({"name": "x", "nmae": "y"}, "nmae"),
        ({"name": "taken"}, "name"),
    ],
)
def test_a_topic_that_does_not_fit_is_refused_by_name(client, body, field):
    Topic.objects.create(name="taken")
    assert field in post(client, TOPICS, body, 400)["fields"]


def test_a_query_that_its_source_cannot_read_is_refused(client, pubmed):
    told = post(client, TOPICS, {"name": "x", "queries": [{"source": pubmed.pk, "text": "(heart"}]}, 400)
    assert "bracket" in str(told["fields"]["queries"])


@pytest.mark.parametrize("address", [TOPICS, SOURCES, QUERIES])
def test_unknown_ids_are_told_as_such(client, address):
    get(client, f"{address}{UNKNOWN}/", status=404)
    send(client, "patch", f"{address}{UNKNOWN}/", {}, 404)
    send(client, "delete", f"{address}{UNKNOWN}/", status=404)


@pytest.mark.django_db(transaction=True)
def test_a_preview_tells_hits_by_source_and_what_is_wrong(client, literature, ncbi):
    Source.objects.all().delete()
    Source.objects.create(name="PubMed", connector="pubmed")
    arxiv = Source.objects.create(name="arXiv", connector="gone")
    topic = Topic.objects.create(name="insulin", days_back=90)
    found = {one["source_name"]: one for one in post(client, f"{TOPICS}{topic.pk}/preview/")}
    assert found["PubMed"]["hits"] == 0
    assert found["PubMed"]["problem"] == ""
    assert (found["arXiv"]["hits"], "gone" in found["arXiv"]["problem"]) == (None, True)
    (only,) = post(client, f"{TOPICS}{topic.pk}/preview/", {"source": arxiv.pk})
    assert only["source"] == arxiv.pk
    told = post(client, f"{SOURCES}{arxiv.pk}/test/", {"query": "insulin"})
    assert "gone" in told["problem"]


# Sources


def test_a_source_is_made_changed_switched_and_deleted(client):
    made = post(client, SOURCES, {"name": "More PubMed", "connector": "pubmed"}, 201)
    address = f"{SOURCES}{made['id']}/"
    assert (made["is_enabled"], made["problem"], made["synced_at"]) == (True, "", None)
    assert send(client, "patch", address, {"name": "Less"})["name"] == "Less"
    assert post(client, f"{address}disable/")["is_enabled"] is False
    assert get(client, SOURCES, {"enabled": False, "connector": "pubmed"})["results"][0]["name"] == "Less"
    assert post(client, f"{address}enable/")["is_enabled"] is True
    send(client, "delete", address, status=204)
    get(client, address, status=404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "connector"),
        ({"name": "x", "connector": "gopher"}, "connector"),
        ({"name": "x", "connector": "pubmed", "addresses": ["https://example.org/feed"]}, "addresses"),
        ({"name": "x", "connector": "feeds", "addresses": ["http://127.0.0.1/feed"]}, "addresses"),
        ({"name": "x", "connector": "feeds", "addresses": ["file:///etc/passwd"]}, "addresses"),
    ],
)
def test_a_source_that_does_not_fit_is_refused_by_name(client, body, field):
    assert field in post(client, SOURCES, body, 400)["fields"]


def test_sources_are_synced_by_id_and_not_when_they_are_disabled(client, pubmed):
    begun = post(client, f"{SOURCES}sync/", {"sources": [pubmed.pk]}, 202)
    assert JobRun.objects.get(pk=begun["id"]).parameters["sources"] == [pubmed.pk]
    assert "sources" in post(client, f"{SOURCES}sync/", {"sources": [UNKNOWN]}, 400)["fields"]
    Source.objects.update(is_enabled=False)
    post(client, f"{SOURCES}sync/", {"sources": [pubmed.pk]}, 409)


def test_the_only_source_of_a_research_job_stays(client, pubmed):
    ResearchJob.objects.create(name="Hearts", keywords=["heart"]).sources.add(pubmed)
    told = send(client, "delete", f"{SOURCES}{pubmed.pk}/", status=409)
    assert "Hearts" in told["message"]


# Judged queries and evaluations


def test_a_query_is_judged_changed_and_deleted(client):
    first, second = shelve("Aspirin"), shelve("Heparin")
    body = {
        "query": "what thins blood",
        "expected_terms": ["aspirin"],
        "judgements": [{"paper": first.pk, "grade": 2}, {"paper": second.pk, "grade": 1}],
    }
    made = post(client, QUERIES, body, 201)
    assert [(one["title"], one["grade"]) for one in made["judgements"]] == [("Aspirin", 2), ("Heparin", 1)]
    address = f"{QUERIES}{made['id']}/"
    changed = send(client, "patch", address, {"judgements": [{"paper": second.pk}], "is_enabled": False})
    assert [(one["paper"], one["grade"]) for one in changed["judgements"]] == [(second.pk, 2)]
    assert changed["expected_terms"] == ["aspirin"]
    assert get(client, QUERIES, {"enabled": False})["results"] == [changed]
    told = send(client, "patch", address, {"judgements": [{"grade": 1}]}, 400)
    assert "judgements.0.paper" in told["fields"]
    send(client, "delete", address, status=204)
    assert not JudgedQuery.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": "taken"}, "query"),
        ({"query": "x", "judgements": [{"paper": UNKNOWN}]}, "judgements.0.paper"),
        ({"query": "x", "judgements": [{"paper": "me", "grade": 1}]}, "judgements.0.paper"),
        ({"query": "x", "expected_terms": [""]}, "expected_terms.0"),
    ],
)
def test_a_judged_query_that_does_not_fit_is_refused_by_name(client, body, field):
    JudgedQuery.objects.create(text="taken")
    assert field in post(client, QUERIES, body, 400)["fields"]


def test_a_paper_is_judged_once_and_by_a_grade_that_there_is(client):
    paper = shelve("Aspirin").pk
    told = post(client, QUERIES, {"query": "x", "judgements": [{"paper": paper}, {"paper": paper}]}, 400)
    assert "judged twice" in str(told["fields"]["judgements"])
    told = post(client, QUERIES, {"query": "x", "judgements": [{"paper": paper, "grade": 3}]}, 400)
    assert "judgements.0.grade" in told["fields"]


def test_an_evaluation_is_begun_and_kept(client):
    paper = shelve("Aspirin")
    post(client, QUERIES, {"query": "aspirin", "judgements": [{"paper": paper.pk}]}, 201)
    begun = post(client, RUNS, {"top_k": 3, "search_mode": "sparse"}, 202)
    execute(JobRun.objects.get(pk=begun["id"]))
    (listed,) = get(client, RUNS)["results"]
    assert (listed["run_id"], listed["ndcg"], listed["recall"], listed["hit_rate"]) == (begun["id"], 1, 1, 1)
    told = get(client, f"{RUNS}{listed['id']}/")
    assert told["details"][0]["found"][0]["paper"] == paper.pk
    assert Evaluation.objects.count() == 1


def test_each_action_has_its_own_permission(pubmed):
    topic = Topic.objects.create(name="Hearts")
    viewer = client_with("view_topic", "view_source", "view_judgedquery", "view_evaluation")
    for address in (TOPICS, SOURCES, QUERIES, RUNS):
        get(viewer, address)
        post(viewer, address, {}, 403)
        get(client_with(), address, status=403)
    for action in ("run", "preview", "enable", "disable"):
        post(viewer, f"{TOPICS}{topic.pk}/{action}/", {}, 403)
    for action in ("test", "enable", "disable"):
        post(viewer, f"{SOURCES}{pubmed.pk}/{action}/", {}, 403)
    post(viewer, f"{SOURCES}sync/", {}, 403)
    post(client_with("run_topic"), f"{TOPICS}{topic.pk}/run/", {}, 202)
