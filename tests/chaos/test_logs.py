"""Structured logs of real processes: every line is JSON and says which run or request it is about."""

import json
import sys

import pytest
from django.contrib.auth.models import User
from rest_framework_simplejwt.tokens import AccessToken

from jobs import schedules
from jobs.models import ProcessHeartbeat
from jobs.schedules import Wish
from jobs.when import When
from tests.chaos.world import eventually
from tests.drills.programs import fetch, free_port, program, until, web
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.chaos

CELERY = (sys.executable, "-m", "celery", "--app", "config.celery", "--quiet")
JSON = {"LOG_FORMAT": "json"}


@pytest.fixture
def worker(world, tmp_path):
    """A worker of its own that logs JSON, alone on its queue."""
    world.stop_workers()
    options = ["-n", "json@chaos", "-c", "1", "-l", "INFO", "--without-gossip", "--without-mingle"]
    with program(*CELERY, "worker", *options, log=tmp_path / "worker.log", **JSON) as running:
        eventually(lambda: ProcessHeartbeat.objects.filter(name="json@chaos").exists(), "the worker is ready")
        yield running


def about(records, run):
    return [record for record in records if record.get("run_id") == str(run.pk)]


def test_every_record_of_a_run_carries_the_run(world, worker):
    run = tasks.log_secrets.enqueue(text="password=hunter2hunter2", threads=2)
    failed = tasks.fail_for_good.enqueue(as_bug=True)
    world.settled()
    worker.stop()
    lines = worker.lines()
    assert {"event", "level", "logger", "timestamp"} <= set.intersection(*(set(line) for line in lines))
    mine = about(lines, run)
    said = [record["event"] for record in mine]
    assert "from the body" in said
    assert said.count("from a thread") == 2
    for record in mine:
        assert record["job"] == "testing.log_secrets"
    from_body = next(record for record in mine if record["event"] == "from the body")
    assert from_body["attempt"] == 1
    assert any("ZeroDivisionError" in record.get("exception", "") for record in about(lines, failed))


def test_secrets_do_not_get_into_the_logs_of_process_or_run(world, worker):
    run = tasks.log_secrets.enqueue(text="password=hunter2hunter2", threads=0)
    world.settled()
    worker.stop()
    assert "hunter2" not in worker.text
    assert "password=[hidden]" in worker.text
    kept = "\n".join(run.logs.values_list("message", flat=True))
    assert "password=[hidden]" in kept
    assert "hunter2" not in kept


def test_a_record_made_for_a_schedule_names_it(world, worker):
    world.beat()
    wish = Wish(
        name="Logs", job="testing.log_secrets", when=When(interval="every 1 second"), parameters={"text": "x"}
    )
    schedule = schedules.create(wish, by=None)
    number = schedule.pk
    until(lambda: '"from the body"' in worker.text, "a slot ran", worker)
    schedule.delete()
    world.settled()
    worker.stop()
    records = [record for record in worker.lines() if record["event"] == "from the body"]
    assert {record["schedule"] for record in records} == {number}


def test_the_scheduler_logs_json_too(world, tmp_path):
    with program(*CELERY, "beat", "-l", "INFO", log=tmp_path / "beat.log", **JSON) as running:
        until(lambda: running.text, "it says something", running)
        world.stack.stop_database()
        until(lambda: "The database does not answer" in running.text, "it complains", running)
        world.stack.start_database()
    events = running.lines()
    assert any(line["level"] == "error" and line["logger"] == "jobs.scheduler" for line in events)


def test_requests_carry_their_id_and_user(world, tmp_path):
    user = User.objects.create_superuser("logs", "logs@example.org", "a long enough password")
    user_id, token = user.pk, str(AccessToken.for_user(user))
    port = free_port()
    try:
        with web(port, log=tmp_path / "web.log", **JSON) as running:
            at = f"http://127.0.0.1:{port}/api/v1/"
            headers = {"Authorization": f"Bearer {token}", "X-Request-ID": "from-the-proxy.1"}
            fetch(f"{at}runs/", headers)
            body = json.dumps({"parameters": {"left": 1}}).encode()
            fetch(
                f"{at}jobs/testing.add_numbers/trigger/",
                headers | {"X-Request-ID": "bad id\t!", "Content-Type": "application/json"},
                post=body,
            )
        lines = running.lines()
    finally:
        user.delete()
    assert token not in running.text
    answers = [line for line in lines if line["logger"] == "almanac.request"]
    first = next(line for line in answers if "/api/v1/runs/" in line["event"])
    assert (first["request_id"], first["user_id"]) == ("from-the-proxy.1", user_id)
    second = next(line for line in answers if "trigger" in line["event"])
    assert len(second["request_id"]) == 32
    assert any(line["logger"].startswith("gunicorn") for line in lines)
