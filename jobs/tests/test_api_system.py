import threading
import time
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from jobs import health, outbox
from jobs.health import Monitor, Status
from jobs.models import JobRun, ProcessHeartbeat
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

Kind = ProcessHeartbeat.Kind


def heartbeat(kind, name, *, age=0.0, **info):
    now = timezone.now()
    seen = now - timedelta(seconds=age)
    return ProcessHeartbeat.objects.create(
        kind=kind, name=name, pid=1, started_at=seen, seen_at=seen, info=info
    )


@pytest.fixture
def everything_runs(transactional_db, settings):
    heartbeat(Kind.WORKER, "w@h", queues=settings.JOBS_QUEUES, concurrency=2, prefetch=4)
    heartbeat(Kind.BEAT, "beat@h:1", lag_seconds=0.1)


@pytest.fixture
def monitor(monkeypatch):
    """A monitor that remembers nothing of other tests, and has time for its probes on a busy machine."""
    monkeypatch.setattr(health, "PROBE_SECONDS", 20.0)
    fresh = Monitor()
    monkeypatch.setattr(health, "monitor", fresh)
    return fresh


@pytest.fixture
def no_broker(monkeypatch):
    """The broker is at an address where nobody listens."""
    from celery import current_app

    original = current_app.connection_for_read
    monkeypatch.setattr(
        current_app, "connection_for_read", lambda **options: original("redis://127.0.0.1:1/0", **options)
    )


def parts(found):
    return {check.name: check.status.value for check in found.checks}


def test_everything_that_runs_is_healthy(everything_runs, monitor, client):
    response = client.get(reverse("api:health"))
    assert (response.status_code, response.json()["status"]) == (200, "healthy")
    assert {check["name"] for check in response.json()["checks"]} == {
        "database",
        "broker",
        "workers",
        "scheduler",
    }


def test_strangers_see_only_the_whole(everything_runs, monitor, nobody, make_client):
    for client in (nobody, make_client()):
        assert set(client.get(reverse("api:health")).json()) == {"status", "checked_at"}
    assert "checks" in make_client("view_system", username="bea").get(reverse("api:health")).json()


def test_without_worker_or_scheduler_it_is_503(transactional_db, monitor, client):
    response = client.get(reverse("api:health"))
    assert (response.status_code, response.json()["status"]) == (503, "unhealthy")
    found = {check["name"]: check for check in response.json()["checks"]}
    assert found["workers"]["message"] == "No worker is running: no job can run."
    assert found["scheduler"]["message"] == "No scheduler is running: no schedule fires."


def test_a_queue_without_a_worker_is_a_degradation(transactional_db, monitor):
    heartbeat(Kind.WORKER, "w@h", queues=["default"])
    heartbeat(Kind.BEAT, "beat@h:1")
    found = monitor.look()
    assert found.status == Status.DEGRADED
    assert parts(found)["workers"] == "degraded"


def test_a_scheduler_that_is_late_is_a_degradation(everything_runs, monitor):
    ProcessHeartbeat.objects.filter(kind=Kind.BEAT).update(info={"lag_seconds": 60})
    assert parts(monitor.look())["scheduler"] == "degraded"


def test_a_scheduler_that_cannot_do_a_part_of_its_work_is_a_degradation_and_the_part_is_named(
    everything_runs, monitor
):
    ProcessHeartbeat.objects.filter(kind=Kind.BEAT).update(info={"refused": ["firing"]})
    found = monitor.look()
    assert parts(found)["scheduler"] == "degraded"
    assert "firing" in next(check.message for check in found.checks if check.name == "scheduler")


def test_a_process_that_fell_silent_does_not_count(transactional_db, monitor):
    heartbeat(Kind.WORKER, "w@h", age=60)
    assert parts(monitor.look())["workers"] == "unhealthy"


def test_a_broker_that_is_down_is_told_long_before_time_is_up(everything_runs, monitor, no_broker):
    started = time.monotonic()
    found = monitor.look()
    assert time.monotonic() - started < health.PROBE_SECONDS / 2
    assert parts(found) | {"broker": ""} == {
        "database": "healthy",
        "workers": "healthy",
        "scheduler": "healthy",
        "broker": "",
    }
    assert parts(found)["broker"] == "unhealthy"


def test_a_probe_that_hangs_is_not_waited_for(everything_runs, monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(outbox, "ping", lambda timeout: released.wait(60))
    monitor = Monitor()
    try:
        for _ in range(2):  # the second finds the first still hanging
            started = time.monotonic()
            found = monitor.look(fresh=True)
            assert time.monotonic() - started < 15
            assert parts(found)["broker"] == "unhealthy"
    finally:
        released.set()
        for probe in monitor._probes.values():  # their threads end before the database of the test goes
            probe._pool.shutdown()


def test_health_is_asked_once_and_told_to_all_for_a_moment(everything_runs, monitor):
    first = monitor.look()
    assert monitor.look() is first
    assert monitor.look(fresh=True) is not first


@pytest.mark.django_db(databases=[])
def test_liveness_asks_nobody(nobody):
    response = nobody.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


def test_workers_are_told_with_what_they_hold(everything_runs, client, django_assert_num_queries):
    heartbeat(Kind.WORKER, "dead@h", age=100)
    run = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=run.pk).update(status="running", worker="w@h")
    with django_assert_num_queries(3):
        dead, living = client.get(reverse("api:worker-list")).json()
    assert (dead["is_alive"], dead["concurrency"], dead["running"]) == (False, None, 0)
    assert (living["is_alive"], living["concurrency"], living["running"]) == (True, 2, 1)


@pytest.mark.django_db(transaction=True)
def test_queues_are_told_with_depth_runs_and_workers(everything_runs, client, flush_broker):
    for _ in range(3):
        tasks.add_numbers.enqueue(left=1)
    held = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=held.pk).update(status="running")
    default, *others = client.get(reverse("api:queue-list")).json()
    oldest = JobRun.objects.filter(status="queued").earliest("pk")
    assert default == {
        "oldest_at": oldest.queued_at.isoformat().replace("+00:00", "Z"),
        "name": "default",
        "depth": 4,
        "waiting": 3,
        "retrying": 0,
        "running": 1,
        "consumers": 1,
    }
    assert len(others) == 10


def test_queues_are_told_without_depth_while_the_broker_is_down(everything_runs, client, no_broker):
    response = client.get(reverse("api:queue-list"))
    assert response.status_code == 200
    assert {queue["depth"] for queue in response.json()} == {None}


@pytest.mark.django_db(transaction=True)
def test_a_purge_cancels_what_waits_and_empties_the_queue_for_good(client, flush_broker):
    waiting = [tasks.add_numbers.enqueue(left=1) for _ in range(3)]
    retrying = tasks.add_numbers.enqueue(left=1)
    running = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=retrying.pk).update(status="retrying", next_attempt_at=timezone.now())
    JobRun.objects.filter(pk=running.pk).update(status="running")
    done = execute(tasks.add_numbers.enqueue(left=1))

    response = client.post(
        reverse("api:queue-purge", args=["default"]), {"confirm": "default"}, format="json"
    )

    assert response.json() == {"queue": "default", "cancelled": 4, "messages": 6}
    statuses = dict(JobRun.objects.values_list("pk", "status"))
    assert {statuses[run.pk] for run in [*waiting, retrying]} == {"cancelled"}
    assert (statuses[running.pk], statuses[done.pk]) == ("running", "succeeded")
    assert outbox.sweep() == 0
    assert outbox.depths(["default"]) == {"default": 0}
    assert LogEntry.objects.get().object_repr == "queue default"


@pytest.mark.django_db(transaction=True)
def test_a_purge_holds_while_the_broker_is_down(client, no_broker):
    run = tasks.add_numbers.enqueue(left=1)
    response = client.post(
        reverse("api:queue-purge", args=["default"]), {"confirm": "default"}, format="json"
    )
    assert response.json() == {"queue": "default", "cancelled": 1, "messages": None}
    run.refresh_from_db()
    assert (run.status, run.reason) == ("cancelled", "Cancelled by root, who purged the queue.")


@pytest.mark.parametrize(
    "body", [{}, {"confirm": "other"}, {"confirm": ""}, {"confirm": "\x00"}, {"yes": True}]
)
def test_a_purge_must_be_confirmed_by_name(client, body):
    run = tasks.add_numbers.enqueue(left=1)
    response = client.post(reverse("api:queue-purge", args=["default"]), body, format="json")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_input")
    run.refresh_from_db()
    assert run.status == "queued"


def test_a_queue_that_does_not_exist_is_404(client):
    response = client.post(
        reverse("api:queue-purge", args=["nothing"]), {"confirm": "nothing"}, format="json"
    )
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
