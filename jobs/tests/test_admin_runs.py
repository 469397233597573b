"""Runs in the admin: the list, the live page, and what one can do with them."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import ledger, log_lines
from jobs.admin import run_filters
from jobs.admin.run_page import milestones
from jobs.definitions import retry_run
from jobs.ledger import Outcome, Progress
from jobs.log_lines import LogLine
from jobs.models import JobRun, first_run_id
from jobs.models.run import new_run_id
from jobs.tests.staff import signed_in
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/jobrun/"
Status = JobRun.Status


@pytest.fixture
def operator():
    return User.objects.create_superuser("operator")


@pytest.fixture
def client(operator):
    return signed_in(operator)


def running(**parameters):
    run = tasks.add_numbers.enqueue(**{"left": 1, **parameters})
    assert ledger.claim(run.pk, worker="celery@here", pid=1)
    return run


def ended(status=Status.SUCCEEDED, **outcome):
    run = running()
    assert ledger.finish(run.pk, 1, Outcome(status=status, **outcome))
    run.refresh_from_db()
    return run


def page(run, part="change"):
    return f"{LIST}{run.pk}/{part}/"


def test_the_list_costs_the_same_queries_however_many_runs(client):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(LIST).status_code == 200
        return len(captured)

    tasks.add_numbers.enqueue(left=1)
    client.get(LIST)
    few = queries()
    for _ in range(20):
        ended()
    assert queries() == few
    assert few <= 6


def test_the_list_never_counts_more_than_its_bound(client, monkeypatch):
    monkeypatch.setattr(run_filters, "FURTHEST", 5)
    for _ in range(8):
        tasks.add_numbers.enqueue(left=1)
    with CaptureQueriesContext(connection) as captured:
        listed = client.get(LIST).context["cl"]
    assert listed.result_count == 5
    counts = [sql for query in captured if "COUNT(*)" in (sql := query["sql"]) and "jobs_jobrun" in sql]
    assert len(counts) == 1
    assert "LIMIT 5" in counts[0]


def test_the_list_leaves_heavy_columns_in_the_database(client):
    ended(result={"large": "x" * 100})
    with CaptureQueriesContext(connection) as captured:
        client.get(LIST)
    listing = next(query["sql"] for query in captured if '"jobs_jobrun"."progress_text"' in query["sql"])
    for column in ("result", "traceback", "parameters"):
        assert f'"jobs_jobrun"."{column}"' not in listing


def test_a_status_is_told_by_symbol_and_word(client):
    ended(Status.FAILED, error_type="ValueError", error_message="No such place")
    text = client.get(LIST).content.decode()
    assert 'aria-hidden="true">error</span>Failed' in text
    assert "No such place" in text


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("{id}", 1),
        ("numbers", 2),
        ("Add numbers", 2),
        ("testing.add_numbers", 2),
        ("no such place", 1),
        ("xyzzy", 0),
    ],
)
def test_search_goes_by_id_job_and_error(client, term, found):
    failed = ended(Status.FAILED, error_type="ValueError", error_message="No such place")
    ended()
    listed = client.get(LIST, {"q": term.format(id=failed.pk)}).context["cl"].result_list
    assert len(listed) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "active"}, 1),
        ({"status": "succeeded"}, 1),
        ({"job": "testing.add_numbers"}, 2),
        ({"job": "testing.do_nothing"}, 0),
        ({"trigger": "code"}, 2),
        ({"trigger": "api"}, 0),
        ({"queued": "hour"}, 2),
    ],
)
def test_filters_find_runs(client, query, found):
    ended()
    tasks.add_numbers.enqueue(left=1)
    assert len(client.get(LIST, query).context["cl"].result_list) == found


def test_the_age_filter_goes_by_the_primary_key():
    now = timezone.now()
    assert first_run_id(now - timedelta(seconds=1)) < new_run_id() < first_run_id(now + timedelta(minutes=1))


def test_the_page_of_a_running_run_shows_progress_and_asks_for_news(client):
    run = running()
    ledger.renew(run.pk, 1, Progress(percent=40, current=4, total=10, text="Reading"))
    text = client.get(page(run)).content.decode()
    assert 'value="40.0"' in text
    assert "4 of 10" in text
    assert "Reading" in text
    assert 'data-active="yes"' in text
    assert page(run, "live") in text


def test_news_hold_the_new_lines_only_and_stop_when_the_run_ended(client):
    run = running()
    now = timezone.now()
    log_lines.write(run.pk, 1, [LogLine(at=now, level=20, message="one")])
    first = client.get(page(run, "live")).json()
    assert first["is_active"]
    assert [line["message"] for line in first["lines"]] == ["one"]
    log_lines.write(run.pk, 1, [LogLine(at=now, level=30, message="<b>two</b>")])
    ledger.finish(run.pk, 1, Outcome(status=Status.SUCCEEDED, result={"sum": 3}))
    second = client.get(page(run, "live"), {"after": first["lines"][-1]["id"]}).json()
    assert not second["is_active"]
    assert [(line["level"], line["message"]) for line in second["lines"]] == [("Warning", "<b>two</b>")]
    assert "&quot;sum&quot;: 3" in second["parts"]["outcome"]


def test_the_page_escapes_what_a_run_wrote(client):
    run = running()
    log_lines.write(run.pk, 1, [LogLine(at=timezone.now(), level=20, message="<script>alert(1)</script>")])
    ledger.finish(run.pk, 1, Outcome(status=Status.FAILED, error_type="E", error_message="<img onerror=x>"))
    text = client.get(page(run)).content.decode()
    assert "<script>alert" not in text
    assert "<img onerror" not in text


def test_the_page_of_a_failed_run_shows_error_and_traceback(client):
    run = ended(Status.FAILED, error_type="ValueError", error_message="Bad", traceback="Traceback: here")
    text = client.get(page(run)).content.decode()
    assert "Traceback: here" in text
    assert "Run again" in text


def test_the_log_is_there_as_plain_text(client):
    run = running()
    log_lines.write(run.pk, 1, [LogLine(at=timezone.now(), level=20, message="one")])
    answer = client.get(page(run, "log"))
    assert answer["Content-Type"].startswith("text/plain")
    assert b"".join(answer.streaming_content).decode().endswith("Info one\n")


def test_the_timeline_tells_each_step_and_the_wait_before_it():
    run = ended()
    steps = milestones(run)
    assert [step.title for step in steps] == ["Queued", "Sent to the queue", "Started", "Succeeded"]
    assert steps[0].after is None
    assert steps[3].after == run.finished_at - run.started_at


def test_cancelling_asks_first_then_shows_the_proof(client, operator):
    run = running()
    assert "Cancel this run?" in client.get(page(run, "cancel")).content.decode()
    assert JobRun.objects.get(pk=run.pk).cancel_requested_at is None
    client.post(page(run, "cancel"))
    run.refresh_from_db()
    assert run.cancel_requested_by == operator
    assert "not acknowledged yet" in client.get(page(run)).content.decode()
    assert LogEntry.objects.count() == 1
    ledger.renew(run.pk, 1, Progress())
    assert "acknowledged by the worker" in client.get(page(run)).content.decode()


def test_cancelling_an_ended_run_is_explained(client):
    text = client.post(page(ended(), "cancel"), follow=True).content.decode()
    assert "has already ended" in text


def test_running_again_keeps_the_parameters_and_links_both_ways(client, operator):
    run = ended()
    answer = client.post(page(run, "retry"))
    again = JobRun.objects.get(retry_of=run)
    assert answer["Location"] == page(again)
    assert (again.parameters, again.requested_by) == (run.parameters, operator)
    assert page(again) in client.get(page(run)).content.decode()
    assert page(run) in client.get(page(again)).content.decode()


def test_running_again_with_edited_parameters(client):
    run = ended()
    assert client.get(page(run, "edit")).context["parameters"]["left"].value() == 1
    refused = client.post(page(run, "edit"), {"parameter-left": "x"})
    assert "Enter a whole number." in refused.content.decode()
    client.post(page(run, "edit"), {"parameter-left": "41"})
    assert JobRun.objects.get(retry_of=run).parameters == {"left": 41, "right": 1}


def test_a_run_whose_parameters_do_not_fit_any_more_is_edited_first(client):
    run = ended()
    JobRun.objects.filter(pk=run.pk).update(parameters={"gone": 1})
    answer = client.post(page(run, "retry"), follow=True)
    assert "do not fit the job any more" in answer.content.decode()
    assert not JobRun.objects.filter(retry_of=run).exists()


def test_a_run_of_a_vanished_job_is_shown_without_controls(client):
    run = ended()
    JobRun.objects.filter(pk=run.pk).update(job="gone.job")
    assert "Run again" not in client.get(page(run)).content.decode()
    assert client.post(page(run, "retry")).status_code == 302
    assert not JobRun.objects.filter(retry_of=run).exists()


def test_running_a_job_lands_on_its_live_page(client, operator):
    assert "Add two numbers." in client.get(f"{LIST}run/").content.decode()
    answer = client.post(f"{LIST}run/?job=testing.add_numbers", {"parameter-left": "2"})
    run = JobRun.objects.get()
    assert answer["Location"] == page(run)
    assert (run.trigger, run.requested_by) == (JobRun.Trigger.ADMIN, operator)
    assert run.parameters == {"left": 2, "right": 1}


def test_running_a_job_with_a_mistake_is_said_at_its_field(client):
    answer = client.post(f"{LIST}run/?job=testing.add_numbers", {"parameter-left": ""})
    assert answer.context["parameters"].errors["left"] == ["This field is required."]
    assert not JobRun.objects.exists()


@pytest.mark.parametrize("action", ["cancel_selected", "retry_selected"])
def test_actions_on_many_runs_ask_before_they_act(client, action):
    waiting, over = tasks.add_numbers.enqueue(left=1), ended()
    data = {"action": action, "_selected_action": [waiting.pk, over.pk]}
    asked = client.post(LIST, data)
    chosen = waiting if action == "cancel_selected" else over
    assert asked.context["selected"] == [chosen.pk]
    assert JobRun.objects.count() == 2
    client.post(LIST, data | {"confirmed": "yes"})
    waiting.refresh_from_db()
    assert (waiting.status == Status.CANCELLED) == (action == "cancel_selected")
    assert JobRun.objects.filter(retry_of=over).exists() == (action == "retry_selected")


def test_retries_of_retries_are_linked_one_by_one(client):
    first = ended()
    second = retry_run(first, by=None)
    assert page(second) in client.get(page(first)).content.decode()


def test_an_unknown_run_is_not_found(client):
    assert client.get(f"{LIST}{new_run_id()}/change/").status_code == 404
    assert client.get(f"{LIST}what/change/").status_code == 404
