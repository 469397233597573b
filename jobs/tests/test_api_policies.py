"""Policies, limits, windows and calendars in the API."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs import limits
from jobs.limits import Limits
from jobs.models import Calendar, JobLimit, MaintenanceWindow, Schedule, SchedulePolicy
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
JOB = "testing.add_numbers"
BODY = {"name": "nightly", "job": JOB, "cron": "0 3 * * *", "parameters": {"left": 1}}


def make_schedule(client: Any, **values: Any) -> dict[str, Any]:
    response = client.post(reverse("api:schedule-list"), {**BODY, **values}, format="json")
    assert response.status_code == 201, response.json()
    body: dict[str, Any] = response.json()
    return body


def refused(response: Any) -> dict[str, Any]:
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_input"
    fields: dict[str, Any] = response.json()["fields"]
    return fields


class TestPoliciesOfSchedules:
    def test_a_schedule_says_and_takes_its_policies(self, client: Any) -> None:
        calendar = Calendar.objects.create(name="Holidays")
        policies = {
            "overlap": "buffer_all",
            "buffer_limit": 7,
            "jitter_seconds": 300,
            "pause_on_failure": True,
            "calendars": [calendar.pk],
        }
        made = make_schedule(client, **policies)
        assert {name: made[name] for name in policies} == policies
        assert SchedulePolicy.objects.get(pk=made["id"]).failures_count_from is not None

    def test_left_out_the_rule_is_the_jobs_own(self, client: Any) -> None:
        assert make_schedule(client)["overlap"] == "skip"

    def test_a_change_of_one_thing_leaves_the_policies(self, client: Any) -> None:
        made = make_schedule(client, overlap="cancel_other", jitter_seconds=60)
        address = reverse("api:schedule-detail", args=[made["id"]])
        assert client.patch(address, {"description": "x"}, format="json").json()["overlap"] == "cancel_other"
        changed = client.patch(address, {"jitter_seconds": 5}, format="json").json()
        assert (changed["overlap"], changed["jitter_seconds"]) == ("cancel_other", 5)

    def test_an_interval_keeps_the_zone_that_calendars_mean(self, client: Any) -> None:
        made = make_schedule(client, cron=None, interval="2h", timezone="Asia/Tokyo")
        assert made["timezone"] == "Asia/Tokyo"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("overlap", "nonsense"),
            ("buffer_limit", 0),
            ("buffer_limit", 1001),
            ("jitter_seconds", -1),
            ("jitter_seconds", 86_401),
            ("pause_on_failure", "perhaps"),
            ("calendars", [999]),
            ("calendars", "all"),
        ],
    )
    def test_what_does_not_fit_is_refused_by_field(self, client: Any, name: str, value: Any) -> None:
        response = client.post(reverse("api:schedule-list"), {**BODY, name: value}, format="json")
        assert list(refused(response)) == [name]
        assert not Schedule.objects.exists()


class TestLimits:
    def put(self, client: Any, body: dict[str, Any], job: str = JOB) -> Any:
        return client.put(reverse("api:limit-detail", args=[job]), body, format="json")

    def test_limits_are_set_shown_and_lifted(self, client: Any) -> None:
        body = {"max_running": 5, "key_by": ["left"], "max_running_per_key": 1, "rate": "10/m"}
        shown = self.put(client, body).json()
        assert shown == {
            "job": JOB,
            **body,
            "words": "5 at a time; 1 at a time for each left; 10/m started",
            "origin": "admin",
            "waiting": 0,
        }
        assert client.get(reverse("api:limit-list")).json()["results"] == [shown]
        assert client.get(reverse("api:limit-detail", args=[JOB])).json() == shown
        assert client.delete(reverse("api:limit-detail", args=[JOB])).status_code == 204
        assert client.get(reverse("api:limit-detail", args=[JOB])).status_code == 404

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"max_running": 0}, "max_running"),
            ({"rate": "fast"}, "rate"),
            ({"rate": "0/m"}, "rate"),
            ({"key_by": ["left"]}, "key_by"),
            ({"key_by": ["up"], "max_running_per_key": 1}, "key_by"),
            ({"most": 1}, "most"),
        ],
    )
    def test_what_does_not_fit_is_refused_by_field(
        self, client: Any, body: dict[str, Any], field: str
    ) -> None:
        assert list(refused(self.put(client, body))) == [field]

    def test_the_list_asks_the_same_few_questions_however_long_it_is(self, client: Any) -> None:
        tasks.add_numbers.enqueue(left=1)
        self.put(client, {"max_running": 1})
        tasks.add_numbers.enqueue(left=2)
        with CaptureQueriesContext(connection) as few:
            (told,) = client.get(reverse("api:limit-list")).json()["results"]
        assert told["waiting"] == 1
        self.put(client, {"max_running": 1}, job="testing.handle_units")
        with CaptureQueriesContext(connection) as many:
            assert len(client.get(reverse("api:limit-list")).json()["results"]) == 2
        assert len(many) == len(few)

    def test_limits_of_an_unknown_job_are_refused(self, client: Any) -> None:
        assert "job" in refused(self.put(client, {"max_running": 1}, job="nobodys.job"))

    def test_declared_limits_cannot_be_lifted(self, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        JobLimit.objects.update(origin="code")
        monkeypatch.setattr(limits, "_declared_by", lambda job: Limits(max_running=1))
        assert client.delete(reverse("api:limit-detail", args=[JOB])).status_code == 409


class TestWindows:
    ONCE = {
        "name": "upgrade",
        "starts_at": "2027-01-01T00:00:00Z",
        "ends_at": "2027-01-01T02:00:00Z",
        "covers_all": True,
    }

    def post(self, client: Any, **values: Any) -> Any:
        return client.post(reverse("api:maintenance-window-list"), {**self.ONCE, **values}, format="json")

    def test_a_window_is_made_changed_and_deleted(self, client: Any) -> None:
        made = self.post(client, note="disks").json()
        assert (made["mode"], made["ends_at"], made["note"]) == ("hold", "2027-01-01T02:00:00Z", "disks")
        address = reverse("api:maintenance-window-detail", args=[made["id"]])
        changes = {"mode": "skip", "covers_all": False, "queues": ["default", "default"]}
        changed = client.patch(address, changes, format="json").json()
        assert (changed["mode"], changed["queues"], changed["name"]) == ("skip", ["default"], "upgrade")
        assert client.get(reverse("api:maintenance-window-list")).json()["results"] == [changed]
        assert client.delete(address).status_code == 204
        assert not MaintenanceWindow.objects.exists()

    def test_one_may_come_again_and_again_for_some_schedules(self, client: Any) -> None:
        schedule = make_schedule(client)
        made = self.post(
            client,
            starts_at=None,
            ends_at=None,
            cron="0 2 * * sun",
            timezone="Europe/London",
            duration_minutes=120,
            covers_all=False,
            schedules=[schedule["id"]],
        ).json()
        assert (made["cron"], made["schedules"]) == ("0 2 * * sun", [schedule["id"]])

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"ends_at": "2026-01-01T00:00:00Z"}, "ends_at"),
            ({"ends_at": None}, "starts_at"),
            ({"cron": "0 2 * * *", "duration_minutes": 5}, "starts_at"),
            ({"starts_at": None, "ends_at": None, "cron": "0 2 * * *"}, "duration_minutes"),
            ({"starts_at": None, "ends_at": None, "cron": "x", "duration_minutes": 5}, "cron"),
            ({"timezone": "Mars/Base"}, "timezone"),
            ({"covers_all": False}, "covers_all"),
            ({"jobs": ["nobodys.job"]}, "jobs"),
            ({"queues": ["nowhere"]}, "queues"),
            ({"schedules": [999]}, "schedules"),
            ({"mode": "stop"}, "mode"),
            ({"name": " "}, "name"),
        ],
        ids=str,
    )
    def test_what_does_not_fit_is_refused_by_field(
        self, client: Any, values: dict[str, Any], field: str
    ) -> None:
        assert list(refused(self.post(client, **values))) == [field]

    def test_a_name_is_taken_once(self, client: Any) -> None:
        self.post(client)
        assert list(refused(self.post(client))) == ["name"]


class TestCalendars:
    DAYS = [{"first_day": "2026-12-25", "last_day": "2026-12-26", "is_yearly": True, "note": "Christmas"}]

    def test_a_calendar_is_made_replaced_and_deleted(self, client: Any) -> None:
        body = {"name": "Holidays", "description": "of England", "days": self.DAYS}
        made = client.post(reverse("api:calendar-list"), body, format="json").json()
        assert made == {"id": made["id"], **body, "schedules": []}
        address = reverse("api:calendar-detail", args=[made["id"]])
        assert client.put(address, {"name": "Holidays"}, format="json").json()["days"] == []
        assert client.get(reverse("api:calendar-list")).json()["results"][0]["name"] == "Holidays"
        assert client.delete(address).status_code == 204
        assert client.get(address).status_code == 404

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"name": " "}, "name"),
            ({"name": "x", "days": [{"first_day": "2026-12-25", "last_day": "2026-12-24"}]}, "days"),
            ({"name": "x", "days": [{"first_day": "soon", "last_day": "2026-12-24"}]}, "days"),
            ({"name": "x", "schedules": []}, "schedules"),
        ],
    )
    def test_what_does_not_fit_is_refused_by_field(
        self, client: Any, body: dict[str, Any], field: str
    ) -> None:
        response = client.post(reverse("api:calendar-list"), body, format="json")
        assert next(iter(refused(response))).partition(".")[0] == field
