import uuid
from datetime import timedelta
from datetime import timezone as offset

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs import ledger, log_lines
from jobs.ledger import Outcome, Progress
from jobs.log_lines import LogLine
from jobs.models import JobRun
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db


def address(name, *args, **query):
    from urllib.parse import urlencode

    return reverse(f"api:run-{name}", args=args) + (f"?{urlencode(query, doseq=True)}" if query else "")


def ids(response):
    assert response.status_code == 200, response.content
    return [row["id"] for row in response.json()["results"]]


def running(**parameters):
    run = tasks.count_slowly.enqueue(**parameters)
    assert ledger.claim(run.id, worker="w@h", pid=1) is not None
    run.refresh_from_db()
    return run


def test_a_page_of_runs_takes_three_queries_however_many(client, django_assert_num_queries):
    for _ in range(5):
        running()
    with django_assert_num_queries(3):  # the user, the page, typical durations of the running jobs
        assert len(ids(client.get(address("list")))) == 5


def test_pages_stay_whole_while_runs_are_added(client):
    made = [str(tasks.add_numbers.enqueue(left=number).id) for number in range(7)]
    page = client.get(address("list", page_size=3))
    seen = ids(page)
    while (following := page.json()["next"]) is not None:
        tasks.add_numbers.enqueue(left=100)
        page = client.get(following)
        seen += ids(page)
    assert seen == sorted(made, reverse=True)
    back = client.get(page.json()["previous"])
    assert set(ids(back)) < set(seen)


def test_runs_are_filtered_by_what_they_are(client):
    added = tasks.add_numbers.enqueue(left=1)
    failed = execute(tasks.fail_for_good.enqueue())
    assert ids(client.get(address("list", job="testing.add_numbers"))) == [str(added.id)]
    assert ids(client.get(address("list", status="failed"))) == [str(failed.id)]
    assert len(ids(client.get(address("list", status=["failed", "queued"])))) == 2
    assert ids(client.get(address("list", queue="nowhere"))) == []
    assert ids(client.get(address("list", trigger="admin"))) == []
    assert ids(client.get(address("list", requested_by="root"))) == []
    assert ids(client.get(address("list", schedule=1))) == []
    assert ids(client.get(address("list", error_fingerprint=failed.error_fingerprint))) == [str(failed.id)]


def test_runs_are_filtered_by_when_they_were_asked_for(client):
    run = tasks.add_numbers.enqueue(left=1)
    before, after = run.queued_at - timedelta(seconds=1), run.queued_at + timedelta(seconds=1)
    both = address("list", queued_after=before.isoformat(), queued_before=after.isoformat())
    assert ids(client.get(both)) == [str(run.id)]
    assert ids(client.get(address("list", queued_after=after.isoformat()))) == []
    assert ids(client.get(address("list", queued_before=before.isoformat()))) == []


def test_a_moment_may_have_any_offset_that_can_be_written(client):
    run = tasks.add_numbers.enqueue(left=1)
    then = run.queued_at.astimezone(offset(timedelta(hours=21, minutes=40)))  # too far for PostgreSQL
    assert ids(client.get(address("list", queued_after=then.isoformat()))) == [str(run.id)]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "x"},
        {"trigger": "x"},
        {"schedule": "x"},
        {"schedule": "9" * 30},
        {"schedule": "1e99999"},
        {"job": "\x00"},
        {"requested_by": "\x00"},
        {"queued_after": "x"},
        {"queued_after": "0001-01-01T00:00:00+14:00"},
        {"queued_before": "9999-12-31T23:59:59-14:00"},
        {"page_size": "0"},
        {"page_size": "x"},
        {"page_size": "501"},
        {"cursor": "x"},
        {"cursor": "cD14"},  # p=x
        {"cursor": "cD01"},  # p=5, as where keys are numbers
        {"cursor": "bz0x"},  # o=1
        {"cursor": "\x00"},
        {"cursor": "é"},
    ],
)
def test_what_a_list_cannot_be_asked_is_400(client, query):
    response = client.get(address("list", **query))
    assert response.status_code == 400
    assert list(response.json()["fields"]) == list(query)


def test_a_run_is_told_in_full(client):
    execute(tasks.count_slowly.enqueue(until=1, pause=0))
    run = running(until=10)
    ledger.renew(run.id, 1, Progress(percent=40, current=4, total=10, text="Counting"))
    told = client.get(address("detail", run.id)).json()
    assert told["id"] == str(run.id)
    assert (told["status"], told["celery_state"]) == ("running", "PROGRESS")
    assert told["progress"] == {"percent": 40, "current": 4, "total": 10, "text": "Counting"}
    assert told["parameters"]["until"] == 10
    assert told["wait_seconds"] >= 0
    assert told["duration_seconds"] >= 0
    assert told["eta"]["basis"] == "progress and history"
    assert (told["worker"], told["attempt"], told["error"], told["cancel"]) == ("w@h", 1, None, None)


def test_a_failed_run_tells_its_error_and_its_retries(client):
    run = execute(tasks.fail_for_good.enqueue(as_bug=True))
    response = client.post(address("retry", run.id))
    told = client.get(address("detail", run.id)).json()
    assert told["error"]["type"] == "builtins.ZeroDivisionError"
    assert "a bug" in told["error"]["traceback"]
    assert told["retries"] == [response.json()["id"]]
    again = client.get(response["Location"]).json()
    assert (again["retry_of"], again["trigger"], again["requested_by"]) == (str(run.id), "retry", "root")


def test_retry_takes_other_parameters_and_checks_them(client):
    run = execute(tasks.add_numbers.enqueue(left=1))
    good = client.post(address("retry", run.id), {"parameters": {"left": 9}}, format="json")
    assert good.status_code == 202
    assert ledger.get(uuid.UUID(good.json()["id"])).parameters == {"left": 9, "right": 1}
    bad = client.post(address("retry", run.id), {"parameters": {}}, format="json")
    assert (bad.status_code, list(bad.json()["fields"])) == (400, ["parameters.left"])


def test_an_active_run_is_not_retried(client):
    run = tasks.add_numbers.enqueue(left=1)
    response = client.post(address("retry", run.id))
    assert (response.status_code, response.json()["code"]) == (409, "illegal_state")


@pytest.mark.parametrize(
    ("name", "method"),
    [("detail", "get"), ("progress", "get"), ("logs", "get"), ("cancel", "post"), ("retry", "post")],
)
def test_a_run_that_does_not_exist_is_404(client, name, method):
    response = getattr(client, method)(address(name, uuid.uuid4()))
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_an_id_that_is_none_is_404_as_json(client):
    response = client.get("/api/v1/runs/not-a-run/")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_waiting_run_is_cancelled_at_once(client):
    run = tasks.add_numbers.enqueue(left=1)
    response = client.post(address("cancel", run.id))
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert response.json()["cancel"]["requested_by"] == "root"
    again = client.post(address("cancel", run.id))
    assert (again.status_code, again.json()["code"]) == (409, "illegal_state")


def test_a_running_run_is_asked_to_stop(client):
    run = running()
    for _ in range(2):  # asking twice is the same as asking once
        response = client.post(address("cancel", run.id))
        assert (response.status_code, response.json()["status"]) == (202, "running")
    assert response.json()["cancel"]["acknowledged_at"] is None


def test_progress_is_small_and_tells_the_time_left(client):
    run = running()
    ledger.renew(run.id, 1, Progress(percent=50, current=1, total=2, text="Half"))
    told = client.get(address("progress", run.id)).json()
    assert told["progress"]["percent"] == 50
    assert told["eta"]["basis"] == "progress"
    assert told["eta"]["seconds"] == pytest.approx(told["duration_seconds"], rel=0.5)


def test_logs_are_followed_by_the_id_of_the_last_line(client):
    run = running()
    log_lines.write(run.id, 1, [LogLine(at=timezone.now(), level=20, message=text) for text in "abc"])
    first = client.get(address("logs", run.id, limit=2)).json()
    assert [line["message"] for line in first["lines"]] == ["a", "b"]
    assert not first["has_ended"]
    ledger.finish(run.id, 1, Outcome(status=JobRun.Status.SUCCEEDED))
    rest = client.get(address("logs", run.id, after=first["last"])).json()
    assert [line["message"] for line in rest["lines"]] == ["c"]
    assert rest["has_ended"]
    end = client.get(address("logs", run.id, after=rest["last"])).json()
    assert end == {"lines": [], "last": rest["last"], "has_ended": True}


@pytest.mark.parametrize(
    "query", [{"after": "x"}, {"after": "9" * 30}, {"after": -1}, {"limit": 0}, {"limit": 1001}]
)
def test_what_a_log_cannot_be_asked_is_400(client, query):
    response = client.get(address("logs", running().id, **query))
    assert (response.status_code, list(response.json()["fields"])) == (400, list(query))


def test_active_runs_are_those_that_have_not_ended(client):
    waiting, held = tasks.add_numbers.enqueue(left=1), running()
    execute(tasks.add_numbers.enqueue(left=1))
    assert ids(client.get(address("active"))) == [str(held.id), str(waiting.id)]


def test_statistics_count_time_and_rate(client):
    for _ in range(3):
        execute(tasks.add_numbers.enqueue(left=1))
    execute(tasks.fail_for_good.enqueue())
    tasks.add_numbers.enqueue(left=1)
    told = client.get(address("stats", window="1h")).json()
    assert told["total"]["runs"] == 5
    assert told["total"]["by_status"]["succeeded"] == 3
    assert told["total"]["success_rate"] == 0.75
    assert told["total"]["per_hour"] == pytest.approx(4)
    assert 0 <= told["total"]["durations"]["p50"] <= told["total"]["durations"]["p99"]
    assert told["total"]["waits"]["p90"] >= 0
    assert [(figures["job"], figures["runs"]) for figures in told["by_job"]] == [
        ("testing.add_numbers", 4),
        ("testing.fail_for_good", 1),
    ]
    one = client.get(address("stats", job="testing.fail_for_good")).json()
    assert (one["total"]["runs"], one["total"]["success_rate"]) == (1, 0)


def test_percentiles_are_those_of_postgresql(client):
    now = timezone.now()
    for seconds in range(1, 101):
        run = execute(tasks.do_nothing.enqueue())
        JobRun.objects.filter(pk=run.pk).update(
            queued_at=now,
            started_at=now + timedelta(seconds=2),
            finished_at=now + timedelta(seconds=2 + seconds),
        )
    total = client.get(address("stats")).json()["total"]
    assert total["durations"] == pytest.approx({"p50": 50.5, "p90": 90.1, "p99": 99.01})
    assert total["waits"] == {"p50": 2, "p90": 2, "p99": 2}


def test_statistics_of_nothing_are_empty_not_wrong(client):
    told = client.get(address("stats")).json()
    assert (told["total"]["runs"], told["total"]["success_rate"], told["by_job"]) == (0, None, [])
    assert told["total"]["durations"] == {"p50": None, "p90": None, "p99": None}


@pytest.mark.parametrize("window", ["", "x", "0 s", "400 days", "9" * 40 + "d", "\x00"])
def test_a_window_that_makes_no_sense_is_400(client, window):
    response = client.get(address("stats", window=window))
    assert (response.status_code, list(response.json()["fields"])) == (400, ["window"])
