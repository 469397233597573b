"""Failures in the admin: the list, one cause, and what can be done."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs.admin.failure_pages import bars_of
from jobs.models import FailureDecision, JobRun
from jobs.tests.staff import signed_in, staff
from jobs.tests.test_deadletters import failed
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
PAGE = "/admin/jobs/jobrun/failures/"


@pytest.fixture
def operator():
    return signed_in(staff("jobs.view_jobrun", "jobs.run_job", "jobs.mute_failure"))


def retries():
    return JobRun.objects.filter(trigger="retry")


def said(answer):
    return [str(message) for message in answer.context["messages"]]


def test_open_causes_are_listed_and_others_by_filter(operator):
    failed(error_message="No such place")
    failed("bbbb", error_message="Something else", job="testing.echo_text")
    FailureDecision.objects.create(fingerprint="bbbb", action="muted", decided_at=timezone.now())
    text = operator.get(PAGE).content.decode()
    assert "No such place" in text
    assert "Something else" not in text
    assert "Something else" in operator.get(f"{PAGE}?state=muted").content.decode()
    assert "No such place" not in operator.get(f"{PAGE}?state=all&job=testing.echo_text").content.decode()
    assert "No failures like that" in operator.get(f"{PAGE}?state=archived").content.decode()


def test_a_long_list_goes_on(operator, monkeypatch):
    monkeypatch.setattr("jobs.admin.failure_pages._CAUSES", 2)
    for number in range(3):
        failed(f"cause{number}", error_message=f"Cause number {number}", ago=100 + number)
    first = operator.get(PAGE)
    assert "Cause number 2" not in first.content.decode()
    assert "Cause number 2" in operator.get(PAGE + first.context["next"]).content.decode()


@pytest.mark.parametrize(
    "after", ["nonsense", "0001-01-01T00:00:00+23:59 aaaa", "2100-01-01T00:00:00+23:59 aaaa"]
)
def test_an_odd_address_shows_the_list(operator, after):
    failed(error_message="No such place")
    assert "No such place" in operator.get(PAGE, {"after": after}).content.decode()


def test_a_fingerprint_that_none_can_be_is_not_found(operator):
    assert operator.get(f"{PAGE}%00/", follow=True).status_code == 404


def test_one_cause_shows_traceback_runs_and_figures(operator):
    run = execute(tasks.fail_for_good.enqueue(as_bug=True))
    text = operator.get(f"{PAGE}{run.error_fingerprint}/").content.decode()
    assert "Traceback (most recent call last)" in text
    assert f"/admin/jobs/jobrun/{run.pk}/change/" in text
    assert "1: 1 open, 0 made again" in text


def test_an_unknown_cause_is_404(operator):
    for part in ("", "retry/", "mute/", "archive/"):
        assert operator.get(f"{PAGE}ffff/{part}").status_code == 404


def test_a_dry_run_tells_what_would_happen(operator):
    failed(parameters={"left": "many"})
    failed(parameters={"left": 3, "right": 1})
    data = {"parameter-left": "3", "parameter-right": "5", "per_minute": "30", "_plan": "1"}
    answer = operator.post(f"{PAGE}aaaa/retry/", data)
    plan = answer.context["plan"]
    assert (len(plan.again), len(plan.refused)) == (1, 1)
    assert plan.again[0].parameters == {"left": 3, "right": 5}
    assert answer.context["changed"] == ["right"]
    assert not retries().exists()


def test_failures_are_made_again_with_what_was_changed(operator):
    failed(parameters={"left": 1, "right": 1})
    failed(parameters={"left": 2, "right": 1})
    data = {"parameter-left": "2", "parameter-right": "9", "per_minute": "", "_confirmed": "1"}
    answer = operator.post(f"{PAGE}aaaa/retry/", data, follow=True)
    assert said(answer)[0].startswith("2 runs made again.")
    assert sorted(run.parameters["left"] for run in retries()) == [1, 2]
    assert {run.parameters["right"] for run in retries()} == {9}
    again = operator.post(f"{PAGE}aaaa/retry/", data, follow=True)
    assert said(again) == ["Nothing was made again."]
    assert retries().count() == 2


def test_wrong_parameters_and_rates_are_told_at_their_fields(operator):
    failed(parameters={"left": 1, "right": 1})
    data = {"parameter-left": "1", "parameter-right": "5000", "per_minute": "0", "_confirmed": "1"}
    answer = operator.post(f"{PAGE}aaaa/retry/", data)
    assert "right" in answer.context["parameters"].errors or "per_minute" in answer.context["rate"].errors
    assert not retries().exists()


def test_a_cause_is_muted_and_opened_again(operator):
    failed()
    assert operator.get(f"{PAGE}aaaa/mute/").status_code == 200
    tomorrow = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M}"
    answer = operator.post(f"{PAGE}aaaa/mute/", {"until": tomorrow, "note": "Known."}, follow=True)
    assert "Known." in answer.content.decode()
    assert FailureDecision.objects.get().action == "muted"
    operator.post(f"{PAGE}aaaa/reopen/")
    assert not FailureDecision.objects.exists()
    operator.post(f"{PAGE}aaaa/archive/", {})
    assert FailureDecision.objects.get().action == "archived"


def test_a_moment_that_has_passed_is_refused(operator):
    failed()
    answer = operator.post(f"{PAGE}aaaa/mute/", {"until": "2020-01-01T00:00"})
    assert "This moment has passed." in answer.content.decode()
    assert not FailureDecision.objects.exists()


@pytest.mark.parametrize(
    ("part", "permission"),
    [
        ("retry/", "jobs.run_job"),
        ("mute/", "jobs.mute_failure"),
        ("archive/", "jobs.mute_failure"),
        ("reopen/", "jobs.mute_failure"),
    ],
)
def test_each_control_needs_its_own_permission(part, permission):
    failed()
    others = {"jobs.run_job", "jobs.mute_failure"} - {permission}
    client = signed_in(staff("jobs.view_jobrun", *others))
    for method in (client.get, client.post):
        assert method(f"{PAGE}aaaa/{part}").status_code == 403
    assert client.get(f"{PAGE}aaaa/").status_code == 200
    assert f"/aaaa/{part}" not in client.get(f"{PAGE}aaaa/").content.decode()
    assert not retries().exists()


def test_seeing_needs_a_permission():
    failed()
    client = signed_in(staff("jobs.view_schedule", "jobs.run_job", "jobs.mute_failure"))
    for part in ("", "aaaa/", "aaaa/retry/", "aaaa/mute/"):
        assert client.get(PAGE + part).status_code == 403


def test_those_of_other_groups_are_not_shown(operator):
    failed(owner_group=Group.objects.create(name="theirs"), error_message="Secret")
    assert "Secret" not in operator.get(PAGE).content.decode()
    assert operator.get(f"{PAGE}aaaa/").status_code == 404


def test_bars_are_as_high_as_their_count():
    assert bars_of([0, 5, 10, 1000]) == [(10.0, 18.0, 2.0), (20.0, 18.0, 2.0), (30.0, 0.0, 20.0)]
    assert bars_of([]) == bars_of([0, 0]) == []
