import threading
import time

import pytest
from celery import current_app
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from kombu import Connection
from kombu.pools import ProducerPool

from jobs.models import JobRun
from jobs.tests.workers import execute, worker_thread
from tests.jobs_for_tests import tasks

ADD = "testing.add_numbers"


def trigger(client, body=None, *, job=ADD, query="", **headers):
    address = reverse("api:job-trigger", args=[job]) + query
    return client.post(address, body or {}, format="json", headers=headers)


def test_the_list_of_jobs_shows_schema_limits_and_typical_durations(client, django_assert_num_queries):
    execute(tasks.add_numbers.enqueue(left=1))
    with django_assert_num_queries(2):  # the user, the durations of all jobs
        jobs = client.get(reverse("api:job-list")).json()
    job = next(job for job in jobs if job["name"] == ADD)
    assert job["title"] == "Add numbers"
    assert job["help"] == "Add two numbers."
    assert job["parameters_schema"]["required"] == ["left"]
    assert job["parameters_schema"]["properties"]["right"]["maximum"] == 1000
    assert job["durations"]["runs"] == 1
    assert 0 <= job["durations"]["p50"] <= job["durations"]["p90"]
    hourly = next(job for job in jobs if job["name"] == "testing.do_nothing")
    assert hourly["default_schedule"] == {"cron": None, "timezone": None, "interval_seconds": 3600}
    assert hourly["durations"] is None


def test_an_unknown_job_is_404(client):
    for response in (
        client.get(reverse("api:job-detail", args=["testing.nothing"])),
        trigger(client, job="testing.nothing"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_trigger_answers_202_with_the_run_and_its_address(client, django_capture_on_commit_callbacks):
    response = trigger(client, {"parameters": {"left": 2}})
    run = JobRun.objects.get()
    assert response.status_code == 202
    assert response.json()["id"] == str(run.id)
    assert response["Location"].endswith(f"/api/v1/runs/{run.id}/")
    assert (run.trigger, run.parameters, run.requested_by) == ("api", {"left": 2, "right": 1}, client.user)
    assert client.get(response["Location"]).json()["status"] == "queued"


def test_trigger_costs_one_query_for_the_user_with_all_permissions_and_one_statement_for_run_and_audit(
    make_client,
):
    client = make_client("run_job")
    with CaptureQueriesContext(connection) as queries:
        assert trigger(client, {"parameters": {"left": 2}}).status_code == 202
    assert [query["sql"].split()[0] for query in queries] == ["SELECT", "WITH"]


@pytest.mark.django_db(transaction=True)
def test_trigger_answers_at_once_while_the_broker_is_down(client, monkeypatch):
    pool = Connection("redis://127.0.0.1:1/0").Pool(2)
    monkeypatch.setattr(current_app.amqp, "_producer_pool", ProducerPool(pool, limit=2), raising=False)
    started = time.monotonic()
    response = trigger(client, {"parameters": {"left": 2}})
    assert time.monotonic() - started < 10
    assert response.status_code == 202
    run = JobRun.objects.get()
    assert (run.status, run.published_at) == ("queued", None)  # the scheduler will send it


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "parameters.left"),
        ({"parameters": {"left": "x"}}, "parameters.left"),
        ({"parameters": {"left": 1, "right": -1}}, "parameters.right"),
        ({"parameters": {"left": 1, "up": 1}}, "parameters.up"),
        ({"parameters": [1]}, "parameters"),
        ({"left": 1}, "left"),
        ([1], "request"),
        ({"parameters": {"left": "\x00"}}, "parameters.left"),
    ],
)
def test_bad_parameters_are_400_and_name_the_field(client, body, field):
    response = trigger(client, body)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_input"
    assert field in response.json()["fields"]
    assert not JobRun.objects.exists()


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"parameters": {"left": NaN}}', 400),
        (b'{"parameters": {"left": 1e999}}', 400),
        (b'{"parameters": {"left": ' + b"9" * 5000 + b"}}", 400),
        (b'{"parameters": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"parameters": {"left": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}}", 400),
        (b'{"parameters": {"left": "\\ud800"}}', 400),
        (b'{"x": "' + b"a" * 1_000_001 + b'"}', 413),
    ],
    ids=["cut", "not utf-8", "nan", "infinite", "long number", "deep", "deep object", "surrogate", "large"],
)
def test_malformed_bodies_are_refused(client, content, status):
    response = client.post(reverse("api:job-trigger", args=[ADD]), content, content_type="application/json")
    assert response.status_code == status, response.content[:300]
    assert set(response.json()) <= {"code", "message", "fields"}


def test_a_body_that_is_not_json_is_415(client):
    response = client.post(reverse("api:job-trigger", args=[ADD]), "a=b", content_type="text/plain")
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.django_db(transaction=True)
def test_wait_answers_200_with_the_result_when_the_run_ends_in_time(client):
    with worker_thread():
        response = trigger(client, {"parameters": {"left": 2, "right": 3}}, query="?wait=20")
    assert response.status_code == 200
    assert response.json()["status"] == "succeeded"
    assert response.json()["celery_state"] == "SUCCESS"
    assert response.json()["result"] == 5


@pytest.mark.django_db(transaction=True)
def test_wait_answers_202_when_the_run_is_not_done_in_time(client):
    response = trigger(client, {"parameters": {"left": 2}}, query="?wait=0.2")
    assert (response.status_code, response.json()["status"]) == (202, "queued")


@pytest.mark.parametrize("wait", ["-1", "31", "x", "nan", "inf", "1e400", ""])
def test_a_wait_that_makes_no_sense_is_400(client, wait):
    response = trigger(client, {"parameters": {"left": 1}}, query=f"?wait={wait}")
    assert (response.status_code, list(response.json()["fields"])) == (400, ["wait"])


def test_the_same_idempotency_key_gives_the_same_run(client):
    first, second = (trigger(client, {"parameters": {"left": 2}}, **{"Idempotency-Key": "k"}) for _ in "12")
    assert first.json()["id"] == second.json()["id"]
    assert second.status_code == 202
    assert JobRun.objects.count() == 1


def test_a_key_with_other_parameters_is_409(client):
    trigger(client, {"parameters": {"left": 2}}, **{"Idempotency-Key": "k"})
    response = trigger(client, {"parameters": {"left": 3}}, **{"Idempotency-Key": "k"})
    assert (response.status_code, response.json()["code"]) == (409, "illegal_state")
    assert JobRun.objects.count() == 1


def test_different_jobs_may_use_the_same_key(client):
    trigger(client, {"parameters": {"left": 2}}, **{"Idempotency-Key": "k"})
    assert trigger(client, job="testing.do_nothing", **{"Idempotency-Key": "k"}).status_code == 202
    assert JobRun.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 201, "tab\there"])
def test_an_unusable_key_is_400(client, key):
    response = trigger(client, {"parameters": {"left": 2}}, **{"Idempotency-Key": key})
    assert (response.status_code, list(response.json()["fields"])) == (400, ["Idempotency-Key"])


@pytest.mark.django_db(transaction=True)
def test_requests_with_one_key_side_by_side_make_one_run(client):
    answers = []

    def ask():
        answers.append(trigger(client, {"parameters": {"left": 2}}, **{"Idempotency-Key": "k"}))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert JobRun.objects.count() == 1
