"""`failures/`: causes, decisions, bulk retries."""

import base64
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs.models import FailureDecision, JobRun
from jobs.tests.test_deadletters import failed
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
FAILURES = "/api/v1/failures/"


def retries():
    return JobRun.objects.filter(trigger="retry")


def test_causes_are_listed_with_their_figures(client):
    failed(ago=100)
    latest = failed()
    (cause,) = client.get(FAILURES).json()["results"]
    assert (cause["fingerprint"], cause["failures"], cause["open"], cause["state"]) == ("aaaa", 2, 2, "open")
    assert cause["latest_run"] == str(latest.pk)
    assert sum(cause["over_time"]) == 2
    assert (cause["schedules"], cause["decision"], cause["is_lost"]) == ([], None, False)


def test_pages_follow_each_other(client):
    for number in range(5):
        failed(f"cause{number}", ago=100 + number)
    seen, address = [], f"{FAILURES}?page_size=2"
    while address:
        page = client.get(address).json()
        seen += [cause["fingerprint"] for cause in page["results"]]
        address = page["next"]
    assert seen == [f"cause{number}" for number in range(5)]


def test_they_are_filtered_by_state_job_and_age(client):
    failed(ago=3 * 3600)
    failed("bbbb", job="testing.echo_text")
    FailureDecision.objects.create(fingerprint="bbbb", action="muted", decided_at=timezone.now())

    def found(**query):
        return [cause["fingerprint"] for cause in client.get(FAILURES, query).json()["results"]]

    assert found() == ["bbbb", "aaaa"]
    assert found(state="open") == ["aaaa"]
    assert found(state="muted") == ["bbbb"]
    assert found(job="testing.echo_text") == ["bbbb"]
    assert found(window="1h") == ["bbbb"]


def test_one_cause_shows_its_runs_and_traceback(client):
    run = execute(tasks.fail_for_good.enqueue(as_bug=True))
    told = client.get(f"{FAILURES}{run.error_fingerprint}/").json()
    assert told["cause"]["error_type"] == "builtins.ZeroDivisionError"
    assert "ZeroDivisionError: a bug" in told["traceback"]
    assert [one["id"] for one in told["runs"]] == [str(run.pk)]


def test_a_dry_run_tells_and_changes_nothing(client):
    failed(parameters={"left": 1})
    failed(parameters={"left": "x"})
    response = client.post(
        f"{FAILURES}aaaa/retry/",
        {"dry_run": True, "parameters": {"right": 3}, "per_minute": 30},
        format="json",
    )
    assert response.status_code == 200
    told = response.json()
    assert (told["runs"], told["refused"], told["already"], told["has_more"]) == (1, 1, 0, False)
    assert told["sample"][0]["parameters"] == {"left": 1, "right": 3}
    assert list(told["refusals"][0]["fields"]) == ["left"]
    assert not retries().exists()


def test_failures_are_made_again_once(client):
    failed()
    failed()
    response = client.post(f"{FAILURES}aaaa/retry/", {"per_minute": 1}, format="json")
    assert response.status_code == 202
    assert (response.json()["runs"], response.json()["spread_seconds"]) == (2, 60)
    assert retries().count() == 2
    assert client.post(f"{FAILURES}aaaa/retry/", {}, format="json").json()["runs"] == 0
    assert retries().count() == 2


def test_some_of_them_can_be_chosen(client):
    one, _ = failed(), failed()
    client.post(f"{FAILURES}aaaa/retry/", {"run_ids": [str(one.pk)]}, format="json")
    assert [run.retry_of_id for run in retries()] == [one.pk]


def test_a_cause_is_muted_archived_and_opened_again(client):
    failed()
    until = (timezone.now() + timedelta(days=1)).isoformat()
    told = client.post(f"{FAILURES}aaaa/mute/", {"until": until, "note": "Known."}, format="json").json()
    assert (told["action"], told["note"], told["decided_by"]) == ("muted", "Known.", "root")
    assert client.post(f"{FAILURES}aaaa/archive/", {}, format="json").json()["action"] == "archived"
    assert client.get(FAILURES).json()["results"][0]["state"] == "archived"
    assert client.post(f"{FAILURES}aaaa/reopen/").status_code == 204
    assert client.post(f"{FAILURES}aaaa/reopen/").status_code == 409


@pytest.mark.parametrize("action", ["", "retry/", "mute/", "archive/", "reopen/"])
def test_an_unknown_cause_is_404(client, action):
    call = client.post if action else client.get
    assert call(f"{FAILURES}ffff/{action}").status_code == 404


@pytest.mark.parametrize(
    ("action", "body", "field"),
    [
        ("retry", {"per_minute": 0}, "per_minute"),
        ("retry", {"parameters": [1]}, "parameters"),
        ("retry", {"run_ids": ["x"]}, "run_ids.0"),
        ("retry", {"dryrun": True}, "dryrun"),
        ("mute", {"until": "2020-01-01T00:00:00Z"}, "until"),
        ("mute", {"note": "x" * 301}, "note"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(client, action, body, field):
    failed()
    response = client.post(f"{FAILURES}aaaa/{action}/", body, format="json")
    assert response.status_code == 400
    assert list(response.json()["fields"]) == [field]


def cursor(place):
    return base64.urlsafe_b64encode(place.encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "x"},
        {"cursor": "eA=="},
        {"cursor": "ü"},
        {"cursor": cursor("2026-01-01T00:00:00 aaaa")},
        {"cursor": cursor("0001-01-01T00:00:00+23:59 aaaa")},
        {"cursor": cursor("2026-01-01T00:00:00+00:00 a\x00")},
        {"state": "sad"},
        {"window": "x"},
        {"page_size": 0},
    ],
)
def test_a_question_that_makes_no_sense_is_refused(client, query):
    response = client.get(FAILURES, query)
    assert response.status_code == 400
    assert list(response.json()["fields"]) == list(query)


def test_those_of_other_groups_are_unknown(make_client):
    failed(owner_group=Group.objects.create(name="theirs"))
    client = make_client("view_jobrun", "run_job", "mute_failure")
    assert client.get(FAILURES).json()["results"] == []
    for action in ("retry", "mute", "archive", "reopen"):
        assert client.post(f"{FAILURES}aaaa/{action}/", {}, format="json").status_code == 404
    assert not retries().exists()


def test_seeing_retrying_and_muting_are_three_permissions(make_client):
    failed()
    viewer = make_client("view_jobrun")
    assert viewer.get(FAILURES).status_code == 200
    for action in ("retry", "mute", "archive", "reopen"):
        assert viewer.post(f"{FAILURES}aaaa/{action}/", {}, format="json").status_code == 403
