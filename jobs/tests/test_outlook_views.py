"""Predictions in the admin, in the API, and as alerts."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.alerts import deadlines
from jobs.models import Alert, JobRun, ProcessHeartbeat
from jobs.tests.staff import signed_in, staff
from jobs.tests.test_prediction import a_run, nightly, took, worker

pytestmark = pytest.mark.django_db
PAGE = "/admin/jobs/jobrun/outlook/"
Status = JobRun.Status


@pytest.fixture(autouse=True)
def fresh_memory():
    deadlines._memory.at = None


def running(policy, since):
    start = timezone.now() - timedelta(seconds=since)
    return a_run(
        schedule_id=policy.pk,
        scheduled_for=start,
        status=Status.RUNNING,
        attempt=1,
        worker="w",
        started_at=start,
    )


class TestPage:
    def test_it_lists_what_will_be_late_first(self):
        worker()
        took(3600)
        nightly(deadline=1800, name="late one")
        nightly(deadline=86_400, name="easy one")
        text = signed_in(staff("jobs.view_jobrun")).get(PAGE).content.decode()
        assert "1 of 2 will be late, as things stand" in text
        assert text.index("late one") < text.index("easy one")
        assert "It usually runs for 1 h" in text

    def test_without_deadlines_it_says_how_to_have_some(self):
        answer = signed_in(staff("jobs.view_jobrun")).get(f"{PAGE}?hours=x")
        assert "Give a schedule a deadline" in answer.content.decode()

    def test_it_needs_the_permission_to_see_runs(self):
        assert signed_in(staff("jobs.view_schedule")).get(PAGE).status_code == 403

    def test_the_page_of_a_run_says_it_too(self):
        worker()
        took(3600)
        run = running(nightly(deadline=600), since=60)
        text = (
            signed_in(staff("jobs.view_jobrun")).get(f"/admin/jobs/jobrun/{run.pk}/change/").content.decode()
        )
        assert "Will be late" in text


class TestApi:
    ADDRESS = "/api/v1/predictions/"

    def test_it_tells_chances_and_reasons(self, client):
        worker()
        took(3600)
        policy = nightly(deadline=1800)
        nightly(deadline=86_400, name="easy one")
        first, second = client.get(self.ADDRESS).json()
        assert (first["schedule"], first["run"], first["due"]) == (policy.pk, None, "deadline")
        assert (first["will_be_late"], second["will_be_late"]) == (True, False)
        assert len(client.get(self.ADDRESS, {"late_only": "true"}).json()) == 1
        assert client.get(self.ADDRESS, {"hours": "0.2"}).json() == []

    def test_one_run(self, client):
        worker()
        took(3600)
        run = running(nightly(deadline=600), since=60)
        told = client.get(f"/api/v1/runs/{run.pk}/prediction/").json()
        assert (told["run"], told["will_be_late"]) == (str(run.pk), True)
        JobRun.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED)
        assert client.get(f"/api/v1/runs/{run.pk}/prediction/").status_code == 404

    @pytest.mark.parametrize("hours", ["0", "49", "nan", "soon"])
    def test_a_horizon_that_makes_no_sense_is_refused(self, client, hours):
        response = client.get(self.ADDRESS, {"hours": hours})
        assert (response.status_code, list(response.json()["fields"])) == (400, ["hours"])


class TestAlerts:
    def look(self, times=1):
        for _ in range(times):
            deadlines._memory.at = None
            deadlines.watch(timezone.now())

    def test_it_is_raised_before_the_miss_after_two_looks(self):
        worker()
        took(3600)
        nightly(deadline=1800)
        self.look()
        assert not Alert.objects.live().filter(state="open").exists()
        self.look()
        alert = Alert.objects.get()
        assert (alert.kind, alert.state) == ("jobs.deadline_at_risk", "open")
        assert alert.title == "nightly will miss its deadline"
        assert "It usually runs for 1 h" in alert.message

    def test_once_open_it_stays_until_the_chance_is_clearly_lower(self, monkeypatch):
        worker()
        took(60, times=24)
        took(7200, times=16)  # 40 %: too little to open, enough to stay
        nightly(deadline=1800)
        self.look(2)
        assert not Alert.objects.exists()
        monkeypatch.setattr("jobs.prediction.LATE", 0.2)
        self.look(2)
        before = Alert.objects.get().count
        monkeypatch.setattr("jobs.prediction.LATE", 0.5)
        self.look()
        assert Alert.objects.get().count == before + 1

    def test_a_run_that_missed_it_says_so_and_one_that_ended_is_not_seen_any_more(self):
        worker()
        took(60)
        run = running(nightly(deadline=600), since=900)
        self.look(2)
        alert = Alert.objects.get()
        assert alert.title == "nightly has missed its deadline"
        JobRun.objects.filter(pk=run.pk).update(status=Status.SUCCEEDED, finished_at=timezone.now())
        self.look()
        assert Alert.objects.get().last_seen_at == alert.last_seen_at

    def test_looks_in_quick_succession_ask_once(self, django_assert_max_num_queries):
        worker()
        took(60)
        nightly(deadline=1800)
        deadlines.watch(timezone.now())
        with django_assert_max_num_queries(1):
            deadlines.watch(timezone.now())

    def test_a_worker_that_comes_back_makes_it_good(self):
        took(60)
        nightly(deadline=1800)
        self.look(2)
        seen = Alert.objects.get().last_seen_at
        ProcessHeartbeat.objects.all().delete()
        worker()
        self.look()
        assert Alert.objects.get().last_seen_at == seen
