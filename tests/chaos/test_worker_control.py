"""Real workers, looked at and controlled from the admin and the API."""

import os
import re
import signal
import time

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from jobs import heartbeats
from jobs.models import JobRun, ProcessHeartbeat
from jobs.remote.inspection import inspect
from tests.chaos.world import eventually
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.chaos

PAGES = "/admin/jobs/processheartbeat/"


@pytest.fixture
def root(world):
    user = User.objects.create_superuser("controller", "c@example.org", "a long enough password")
    yield user
    user.delete()


@pytest.fixture
def admin(root):
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def api(root):
    client = APIClient()
    client.force_authenticate(root)
    return client


@pytest.fixture
def worker(world):
    return world.worker()


def control(admin, worker, what, **data):
    """Use a control of the admin; gives the text that the page shows afterwards."""
    answer = admin.post(f"{PAGES}workers/{worker.name}/{what}/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def report(worker):
    """What the worker tells about itself; a busy one may need to be asked again."""
    return eventually(lambda: inspect([worker.name]).reports.get(worker.name), f"{worker.name} answers")


def page_with(admin, address, words):
    """The page, once it has these words: a page does not wait long for a worker that is slow to answer."""
    return eventually(
        lambda: page if words in (page := admin.get(address).content.decode()) else None,
        f"{words} on {address}",
    )


def test_a_worker_tells_what_it_holds_and_the_pages_show_it(world, worker, admin, api):
    run = tasks.count_slowly.enqueue(until=1000, pause=0.05)
    world.until_marked(run)
    told = report(worker)
    assert [held.id for held in told.active] == [str(run.id)]
    assert told.size == 2
    assert len(told.processes) == 2
    assert told.main_memory > 10_000_000
    assert told.children_memory > 10_000_000
    assert "default" in told.queues
    assert told.tasks["testing.take_too_long"].soft_seconds == 1
    assert told.processed["testing.count_slowly"] >= 1
    page = page_with(admin, f"{PAGES}workers/{worker.name}/", str(run.id))
    assert "Count slowly" in page
    page_with(admin, f"{PAGES}workers/", worker.name)
    page_with(admin, f"{PAGES}tasks/", str(run.id))
    for kind in ("reserved", "scheduled", "revoked", "registered"):
        assert admin.get(f"{PAGES}tasks/?show={kind}").status_code == 200
    address = f"/api/v1/workers/{worker.name}/"
    body = eventually(
        lambda: found if (found := api.get(address).json()).get("active") else None, "it answers"
    )
    assert body["active"][0]["id"] == str(run.id)
    api.post(f"/api/v1/runs/{run.id}/cancel/", {}, format="json")
    world.settled()


def test_the_pool_grows_and_shrinks(worker, admin, api):
    assert "2 processes added" in control(admin, worker, "grow", count="2")
    eventually(lambda: report(worker).size == 4, "the pool has four processes")
    assert (
        api.post(f"/api/v1/workers/{worker.name}/pool/shrink/", {"count": 2}, format="json").status_code
        == 200
    )
    eventually(lambda: report(worker).size == 2, "the pool has two processes")
    entry = LogEntry.objects.filter(object_repr=f"worker {worker.name}").latest("pk")
    assert entry.change_message == "2 processes taken from its pool."


def test_a_pool_is_replaced_without_losing_a_run(world, worker, admin):
    run = tasks.count_slowly.enqueue(until=40, pause=0.05)
    world.until_marked(run)
    before = set(report(worker).processes)
    assert "Replace every process" in admin.get(f"{PAGES}workers/{worker.name}/restart/").content.decode()
    assert set(report(worker).processes) == before
    control(admin, worker, "restart", confirmed="yes")
    eventually(lambda: not set(report(worker).processes) & before, "every process is a new one")
    (only,) = world.settled()
    assert (only.status, only.attempt) == ("succeeded", 1)


def test_queues_are_left_and_taken_from_again(world, worker, admin, api):
    control(admin, worker, "cancel-queue", queue="default")
    eventually(lambda: "default" not in report(worker).queues, "it has left the queue")
    eventually(
        lambda: "default" not in ProcessHeartbeat.objects.get(name=worker.name).info["queues"],
        "its heartbeat says so",
        timeout=heartbeats.EVERY + 5,
    )
    run = tasks.add_numbers.enqueue(left=1)
    time.sleep(1)
    run.refresh_from_db()
    assert run.status == JobRun.Status.QUEUED
    assert (
        api.post(
            f"/api/v1/workers/{worker.name}/queues/add/", {"queue": "default"}, format="json"
        ).status_code
        == 200
    )
    world.settled()


def test_rate_and_time_limits_hold(world, worker, admin, api):
    assert "starts 1/m at most" in control(admin, worker, "rate", task="testing.echo_text", rate="1/m")
    assert report(worker).tasks["testing.echo_text"].rate == "1/m"
    answer = api.post(
        f"/api/v1/workers/{worker.name}/rate-limit/", {"task": "testing.echo_text", "rate": ""}, format="json"
    )
    assert answer.status_code == 200
    assert report(worker).tasks["testing.echo_text"].rate is None
    control(admin, worker, "time", task="testing.sleep_deaf", soft="1", hard="3")
    try:
        run = tasks.sleep_deaf.enqueue(seconds=10)
        world.settled()
        run.refresh_from_db()
        assert run.reason == "The run took longer than its soft time limit."
    finally:
        control(admin, worker, "time", task="testing.sleep_deaf", soft="3300", hard="3600")


def test_a_worker_shuts_down_after_what_it_runs(world, admin, api):
    worker = world.worker()
    run = tasks.count_slowly.enqueue(until=20, pause=0.05)
    world.until_marked(run)
    answer = api.post(f"/api/v1/workers/{worker.name}/shutdown/", {"confirm": "other"}, format="json")
    assert answer.status_code == 400
    control(admin, worker, "shutdown", confirmed="yes")
    assert worker.process.wait(timeout=60) == 0
    run.refresh_from_db()
    assert (run.status, run.attempt) == ("succeeded", 1)
    assert api.get(f"/api/v1/workers/{worker.name}/").status_code == 404


def test_wrong_input_and_refusals_are_told(worker, admin, api):
    address = f"/api/v1/workers/{worker.name}"
    for path, body, field in (
        ("pool/grow", {"count": 0}, "count"),
        ("queues/add", {"queue": "nowhere"}, "queue"),
        ("rate-limit", {"task": "testing.echo_text", "rate": "often"}, "rate"),
        ("rate-limit", {"task": "no.such", "rate": "1/m"}, "task"),
        ("time-limit", {"task": "testing.echo_text", "soft": 5, "hard": 4}, "soft"),
    ):
        answer = api.post(f"{address}/{path}/", body, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    answer = api.post(f"{address}/pool/autoscale/", {"fewest": 1, "most": 3}, format="json")
    assert (answer.status_code, "Autoscale not enabled" in answer.json()["message"]) == (409, True)
    assert "Write a whole number" in control(admin, worker, "grow", count="many")
    assert api.post("/api/v1/workers/nobody@here/ping/", {}, format="json").status_code == 404


def test_a_stuck_worker_is_named_and_the_page_comes_all_the_same(worker, admin, api):
    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        page = admin.get(f"{PAGES}workers/").content.decode()
        took = time.monotonic() - began
        # Workers that an earlier test has killed just now count as alive for a while, and are named too.
        silent = re.search(r"No answer in time from ([^:]+):", page)
        assert silent, page
        assert worker.name in silent[1].split(", ")
        assert took < 10
        assert api.post(f"/api/v1/workers/{worker.name}/ping/", {}, format="json").status_code == 409
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)


def test_pages_without_a_broker_say_so_quickly(world, worker, admin, api):
    world.stack.stop_broker()
    try:
        for path in ("workers/", f"workers/{worker.name}/", "tasks/", "queues/"):
            began = time.monotonic()
            answer = admin.get(PAGES + path)
            assert answer.status_code == 200
            assert "The broker does not answer" in answer.content.decode()
            assert time.monotonic() - began < 10
        assert "The broker does not answer" in control(admin, worker, "ping")
        assert api.post(f"/api/v1/workers/{worker.name}/ping/", {}, format="json").status_code == 503
        assert api.get(f"/api/v1/workers/{worker.name}/").status_code == 503
    finally:
        world.stack.start_broker()


def test_a_queue_is_purged_after_a_question(world, admin):
    world.stop_workers()
    run = tasks.add_numbers.enqueue(left=1)
    assert "Nobody" in admin.get(f"{PAGES}queues/").content.decode()
    question = admin.get(f"{PAGES}queues/default/purge/").content.decode()
    assert "default: 1 waiting" in question
    run.refresh_from_db()
    assert run.status == JobRun.Status.QUEUED
    admin.post(f"{PAGES}queues/default/purge/", {"confirmed": "yes"})
    run.refresh_from_db()
    assert run.status == JobRun.Status.CANCELLED
