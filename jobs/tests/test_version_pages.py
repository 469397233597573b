"""Versions in the admin and the API: listed, compared, gone back to."""

from dataclasses import replace

import pytest
from django.urls import reverse

from jobs import schedules
from jobs.models import JobRun, Schedule
from jobs.schedules import Wish
from jobs.tests.staff import signed_in, staff
from jobs.when import When

pytestmark = pytest.mark.django_db

WISH = Wish(name="Sums", job="testing.add_numbers", when=When(cron="0 9 * * *"), parameters={"left": 1})


@pytest.fixture
def editor():
    return staff("jobs.view_schedule", "jobs.change_schedule", "jobs.view_jobrun")


@pytest.fixture
def schedule(editor):
    made = schedules.create(WISH, by=editor)
    return schedules.change(made, replace(WISH, when=When(cron="0 10 * * *")), by=editor)


def page(name, schedule, *numbers):
    return reverse(f"admin:jobs_schedule_{name}", args=[schedule.pk, *numbers])


def test_the_list_tells_who_changed_what(editor, schedule):
    answer = signed_in(editor).get(page("versions", schedule)).content.decode()
    assert "Version 2 (present)" in answer
    assert "0 9 * * * (UTC) → 0 10 * * * (UTC)" in answer
    assert "· staff" in answer


def test_a_version_shows_the_way_back_and_one_click_takes_it(editor, schedule):
    client = signed_in(editor)
    answer = client.get(page("version", schedule, 1))
    assert [(one.before, one.after) for one in answer.context["way_back"]] == [
        ("0 10 * * * (UTC)", "0 9 * * * (UTC)")
    ]
    answer = client.post(page("restore", schedule, 1), follow=True)
    assert "this is version 3" in answer.content.decode()
    assert Schedule.objects.get(pk=schedule.pk).crontab.hour == "9"


def test_the_present_version_has_no_way_back(editor, schedule):
    client = signed_in(editor)
    assert "Go back" not in client.get(page("version", schedule, 2)).content.decode()
    answer = client.post(page("restore", schedule, 2), follow=True).content.decode()
    assert "as it was in version 2" in answer


def test_going_back_needs_the_permission_to_change(schedule):
    client = signed_in(staff("jobs.view_schedule", name="viewer"))
    assert client.get(page("version", schedule, 1)).status_code == 200
    assert client.post(page("restore", schedule, 1)).status_code == 403
    assert Schedule.objects.get(pk=schedule.pk).policy.version == 2


def test_a_link_takes_nobody_back(editor, schedule):
    assert signed_in(editor).get(page("restore", schedule, 1)).status_code == 405


def test_a_version_that_is_not_there_is_404(editor, schedule):
    assert signed_in(editor).get(page("version", schedule, 9)).status_code == 404


def test_a_run_names_the_version_that_fired_it(editor, schedule):
    run = schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    answer = signed_in(editor).get(reverse("admin:jobs_jobrun_change", args=[run.pk])).content.decode()
    assert page("version", schedule, 2) in answer


class TestApi:
    def address(self, name, schedule, *numbers):
        return reverse(f"api:schedule-{name}", args=[schedule.pk, *numbers])

    def test_versions_are_listed_newest_first(self, client, schedule):
        body = client.get(self.address("versions", schedule)).json()
        assert [(one["number"], one["by"]) for one in body["results"]] == [(2, "staff"), (1, "staff")]

    def test_one_version_tells_what_it_changed(self, client, schedule):
        body = client.get(self.address("version", schedule, 2)).json()
        assert body["changed"] == [{"name": "when", "before": "0 9 * * * (UTC)", "after": "0 10 * * * (UTC)"}]
        assert body["snapshot"]["crontab"]["hour"] == "10"

    def test_going_back_makes_a_new_version(self, client, schedule):
        answer = client.post(self.address("restore", schedule, 1))
        assert (answer.status_code, answer.json()["version"], answer.json()["cron"]) == (200, 3, "0 9 * * *")
        assert client.post(self.address("restore", schedule, 3)).status_code == 409
        assert client.post(self.address("restore", schedule, 9)).status_code == 404
