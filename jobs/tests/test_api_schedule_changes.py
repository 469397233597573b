"""What a change of a schedule would do, and switching it on again, through the API."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs import schedules
from jobs.models import JobRun, SchedulePolicy
from jobs.schedules import Wish
from jobs.tests.schedules_for_tests import every_ten_minutes, tick
from jobs.tests.schedules_for_tests import schedule as stock_schedule
from jobs.when import When


class TestSwitching:
    def address(self, name, schedule):
        return reverse(f"api:schedule-{name}", args=[schedule.pk])

    @pytest.fixture
    def paused(self, db):
        now = timezone.now()
        task = stock_schedule(every_ten_minutes(now), made_at=now - timedelta(minutes=35))
        tick(now - timedelta(minutes=35))
        SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=now - timedelta(minutes=35))
        tick(now)
        return task

    def test_the_slots_that_passed_are_listed(self, client, paused):
        body = client.get(self.address("passed", paused)).json()
        assert body["while_paused"]["count"] == len(body["while_paused"]["slots"]) >= 3
        assert body["while_off"]["count"] == 0

    @pytest.mark.parametrize(
        ("body", "made"), [({}, 0), ({"catch_up": "skip"}, 0), ({"catch_up": "last"}, 1)]
    )
    def test_resuming_makes_up_for_what_is_asked(self, client, paused, body, made):
        answer = client.post(self.address("resume", paused), body, format="json")
        assert answer.status_code == 200, answer.json()
        assert len(answer.json()["made_up"]) == made
        assert JobRun.objects.filter(schedule=paused, status="queued").count() == made
        assert client.post(self.address("resume", paused)).status_code == 409

    def test_making_up_needs_the_permission_to_run(self, make_client, paused):
        client = make_client("pause_schedule", "change_schedule")
        answer = client.post(self.address("resume", paused), {"catch_up": "all"}, format="json")
        assert answer.status_code == 403
        assert "jobs.run_schedule" in answer.json()["message"]
        assert client.post(self.address("resume", paused)).status_code == 200

    def test_another_word_is_refused(self, client, paused):
        answer = client.post(self.address("resume", paused), {"catch_up": "some"}, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["catch_up"])

    def test_a_schedule_is_switched_off_and_on(self, client, paused):
        assert client.post(self.address("disable", paused)).json()["enabled"] is False
        answer = client.post(self.address("enable", paused), {"catch_up": "all"}, format="json").json()
        assert (answer["enabled"], answer["made_up"]) == (True, [])


class TestPreviewOfAChange:
    def test_before_and_after_stand_side_by_side(self, client, db):
        wish = Wish(
            name="Sums", job="testing.add_numbers", when=When(cron="0 9 * * *"), parameters={"left": 1}
        )
        schedule = schedules.create(wish, by=None)
        address = reverse("api:schedule-preview", args=[schedule.pk])
        body = client.post(address, {"cron": "0 9,10 * * *", "count": 4}, format="json").json()
        assert [slot["mark"] for slot in body["before"]] == ["stays"] * 4
        assert sorted(slot["mark"] for slot in body["after"]) == ["new", "new", "stays", "stays"]
        assert body["words_before"] == "At 09:00 every day (UTC)"
        assert body["collisions"]["most"] == 0
        assert JobRun.objects.count() == 0
        assert client.get(address).json()["collisions"]["slots"] == 1

    def test_bad_input_is_refused(self, client, db):
        wish = Wish(
            name="Sums", job="testing.add_numbers", when=When(cron="0 9 * * *"), parameters={"left": 1}
        )
        address = reverse("api:schedule-preview", args=[schedules.create(wish, by=None).pk])
        answer = client.post(address, {"cron": "99 * * * *"}, format="json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["minute"])
