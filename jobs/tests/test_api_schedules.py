import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from jobs import slots, sync
from jobs.models import JobRun, Schedule
from tests.jobs_for_tests import tasks  # noqa: F401 - registers the jobs

pytestmark = pytest.mark.django_db

WISH = {
    "name": "Every morning",
    "job": "testing.add_numbers",
    "cron": "0 9 * * mon-fri",
    "timezone": "Europe/London",
    "parameters": {"left": 1},
}


def address(name, *args):
    return reverse(f"api:schedule-{name}", args=args)


def make(client, **changes):
    response = client.post(address("list"), {**WISH, **changes}, format="json")
    assert response.status_code == 201, response.content
    return response.json()


def without(*names):
    return {name: value for name, value in WISH.items() if name not in names}


def test_a_schedule_is_made_told_and_fires(client):
    told = make(client)
    assert told["words"] == "At 09:00 on Monday through Friday (Europe/London)"
    assert (told["cron"], told["timezone"]) == ("0 9 * * mon-fri", "Europe/London")
    assert told["parameters"] == {"left": 1, "right": 1}
    assert len(told["next_slots"]) == 5
    assert (told["origin"], told["is_orphan"], told["pause"]) == ("admin", False, None)
    slots.plan_stale(timezone.now())
    planned = client.get(address("detail", told["id"])).json()
    assert planned["next_slot_at"] == planned["next_slots"][0]
    assert LogEntry.objects.get().change_message.startswith("Made schedule Every morning")


@pytest.mark.parametrize(
    ("timing", "words"),
    [
        ({"interval": "15 min"}, "Every 15 minutes"),
        ({"interval": "500 ms"}, "Every 500 milliseconds"),
        ({"clock": "2031-02-03T04:05:00Z"}, "Once, on"),
        ({"solar": {"event": "sunrise", "latitude": 52.5, "longitude": 13.4}}, "sunrise"),
        ({"cron": "@daily"}, "At 00:00"),
    ],
)
def test_every_kind_of_timing_goes_in_and_comes_out(client, timing, words):
    told = make(client, **{"cron": None, **timing})
    assert words.lower() in told["words"].lower()
    again = make(
        client,
        name="Copy",
        **{name: told[name] for name in ("cron", "interval", "clock", "solar", "timezone")},
    )
    assert again["words"] == told["words"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "job"}),
        (without("cron"), {"when"}),
        ({**WISH, "interval": "2h"}, {"when"}),
        ({**WISH, "cron": "61 * * * *"}, {"minute"}),
        ({**WISH, "cron": "x"}, {"cron"}),
        ({**WISH, "cron": "1," * 90 + "1 * * * *"}, None),
        ({**WISH, "timezone": "Mars/Base"}, {"timezone"}),
        ({**WISH, "job": "testing.nothing"}, {"job"}),
        ({**WISH, "job": "foreign.gone"}, {"job"}),
        ({**WISH, "parameters": {}}, {"parameters.left"}),
        ({**WISH, "parameters": "x"}, {"parameters"}),
        ({**WISH, "name": " "}, {"name"}),
        ({**WISH, "name": "x" * 201}, {"name"}),
        ({**WISH, "name": "\x00"}, {"name"}),
        ({**WISH, "typo": 1}, {"typo"}),
        ({**WISH, "catch_up": "x"}, {"catch_up"}),
        ({**WISH, "catch_up_window_seconds": 10**30}, {"catch_up_window_seconds"}),
        ({**without("cron"), "interval": "1 ms"}, {"interval"}),
        ({**without("cron"), "interval": "9999999 years"}, {"interval"}),
        ({**without("cron"), "clock": "x"}, {"clock"}),
        ({**without("cron"), "clock": "9999-12-31T23:59:59Z"}, {"clock"}),
        ({**without("cron"), "solar": {"event": "x", "latitude": 0, "longitude": 0}}, {"solar.event"}),
        (
            {**without("cron"), "solar": {"event": "sunset", "latitude": 91, "longitude": 0}},
            {"solar.latitude"},
        ),
        (
            {**without("cron"), "solar": {"event": "sunset", "latitude": "nan", "longitude": 0}},
            {"solar.latitude"},
        ),
        (
            {**WISH, "start_time": "2031-01-02T00:00:00Z", "expires": "2031-01-01T00:00:00Z"},
            {"expires"},
        ),
    ],
)
def test_what_a_schedule_cannot_be_is_400_with_the_fields(client, body, fields):
    response = client.post(address("list"), body, format="json")
    if fields is None:  # long but valid
        assert response.status_code in {201, 400}
        return
    assert response.status_code == 400
    assert set(response.json()["fields"]) == fields
    assert not Schedule.objects.exists()


def test_a_name_that_is_taken_is_400(client):
    make(client)
    response = client.post(address("list"), WISH, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, ["name"])


@pytest.mark.django_db(transaction=True)
def test_of_two_schedules_with_one_name_made_at_once_one_is_400(client):
    answers = []

    def ask():
        answers.append(client.post(address("list"), WISH, format="json").status_code)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 400, 400, 400, 400, 400]


def test_patch_changes_what_it_names_and_leaves_the_rest(client):
    made = make(client, description="Old", catch_up="skip")
    told = client.patch(address("detail", made["id"]), {"description": "New"}, format="json").json()
    assert (told["description"], told["cron"], told["catch_up"]) == ("New", made["cron"], "skip")
    told = client.patch(address("detail", made["id"]), {"interval": "2 hours"}, format="json").json()
    assert (told["cron"], told["interval"]) == (None, "2 hours")
    assert told["parameters"] == made["parameters"]


def test_patch_of_the_zone_alone_keeps_the_expression(client):
    made = make(client)
    told = client.patch(address("detail", made["id"]), {"timezone": "Asia/Tokyo"}, format="json").json()
    assert (told["cron"], told["timezone"]) == (made["cron"], "Asia/Tokyo")


def test_put_replaces_and_gives_defaults_to_what_is_left_out(client):
    made = make(client, description="Old", enabled=False)
    told = client.put(address("detail", made["id"]), WISH, format="json").json()
    assert (told["description"], told["enabled"]) == ("", True)
    assert "Old" in LogEntry.objects.latest("action_time").change_message


def test_a_deleted_schedule_leaves_its_runs(client):
    made = make(client)
    run = client.post(address("run-now", made["id"])).json()
    assert client.delete(address("detail", made["id"])).status_code == 204
    assert client.get(address("detail", made["id"])).status_code == 404
    assert JobRun.objects.get(pk=run["id"]).schedule is None


def test_a_schedule_that_a_job_declares_is_not_deleted(client):
    sync.sync_schedules()
    declared = Schedule.objects.get(name="testing.do_nothing")
    response = client.delete(address("detail", declared.pk))
    assert (response.status_code, response.json()["code"]) == (409, "illegal_state")


def test_pause_and_resume(client):
    made = make(client)
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    told = client.post(
        address("pause", made["id"]), {"until": until, "note": "Holiday"}, format="json"
    ).json()
    assert told["pause"]["note"] == "Holiday"
    assert told["pause"]["until"] is not None
    assert client.post(address("resume", made["id"])).json()["pause"] is None
    again = client.post(address("resume", made["id"]))
    assert (again.status_code, again.json()["code"]) == (409, "illegal_state")


@pytest.mark.parametrize("until", ["2001-01-01T00:00:00Z", "x", "9999-12-31T23:59:59Z", 5])
def test_a_pause_until_a_moment_that_makes_no_sense_is_400(client, until):
    response = client.post(address("pause", make(client)["id"]), {"until": until}, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, ["until"])


def test_a_schedule_whose_parameters_cannot_be_read_is_not_run(client):
    made = make(client)
    PeriodicTask.objects.filter(pk=made["id"]).update(kwargs="[1]")
    response = client.post(address("run-now", made["id"]))
    assert (response.status_code, list(response.json()["fields"])) == (400, ["parameters"])
    assert not JobRun.objects.exists()


def test_run_now_makes_a_run_of_the_schedule(client):
    made = make(client)
    response = client.post(address("run-now", made["id"]))
    assert response.status_code == 202
    told = client.get(response["Location"]).json()
    assert told["schedule"] == {"id": made["id"], "name": "Every morning"}
    assert (told["trigger"], told["parameters"], told["scheduled_for"]) == ("api", made["parameters"], None)
    other = client.post(address("run-now", made["id"]), {"parameters": {"left": 8}}, format="json")
    assert JobRun.objects.get(pk=other.json()["id"]).parameters == {"left": 8, "right": 1}


def test_run_now_of_a_schedule_whose_parameters_cannot_be_read_is_400(client):
    made = make(client)
    PeriodicTask.objects.filter(pk=made["id"]).update(kwargs="[1]")
    response = client.post(address("run-now", made["id"]))
    assert (response.status_code, list(response.json()["fields"])) == (400, ["parameters"])


def test_preview_tells_slots_in_local_time_and_utc(client):
    made = make(client)
    told = client.get(address("preview", made["id"]) + "?count=3&show_in=Asia/Tokyo").json()
    assert len(told["slots"]) == 3
    utc, local = (datetime.fromisoformat(told["slots"][0][name]) for name in ("utc", "local"))
    assert utc == local
    assert local.utcoffset() == timedelta(hours=9)


def test_preview_of_what_is_not_saved_warns_of_changes_of_the_clocks(client):
    body = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "count": 4}
    told = client.post(address("preview-unsaved"), body, format="json").json()
    assert told["words"] == "At 02:30 every day (Europe/Berlin)" or "02:30" in told["words"]
    assert len(told["slots"]) == 4
    assert any("clocks go forward" in warning["text"] for warning in told["warnings"])
    assert not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "when"),
        ({"cron": "x"}, "cron"),
        ({"cron": "@daily", "count": 101}, "count"),
        ({"cron": "@daily", "show_in": "Mars/Base"}, "show_in"),
        ({"cron": "@daily", "timezone": "../etc/passwd"}, "timezone"),
    ],
)
def test_a_preview_of_nonsense_is_400(client, body, field):
    response = client.post(address("preview-unsaved"), body, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, [field])


def test_a_schedule_that_never_fires_has_an_empty_preview(client):
    told = client.post(address("preview-unsaved"), {"clock": "2001-01-01T00:00:00Z"}, format="json").json()
    assert told["slots"] == []


def test_the_list_takes_three_queries_however_many(client, django_assert_num_queries):
    for number in range(4):
        make(client, name=f"Number {number}")
    with django_assert_num_queries(3):  # the user, the page, the calendars
        page = client.get(address("list")).json()
    assert [row["name"] for row in page["results"]] == [f"Number {number}" for number in range(4)]


def test_pages_of_schedules_go_by_name(client):
    for name in ("c", "a", "e", "b", "d"):
        make(client, name=name)
    page = client.get(address("list") + "?page_size=2").json()
    names = [row["name"] for row in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        names += [row["name"] for row in page["results"]]
    assert names == ["a", "b", "c", "d", "e"]


def test_schedules_are_filtered(client):
    made = make(client)
    make(client, name="Off", job="testing.do_nothing", parameters={}, enabled=False)
    client.post(address("pause", made["id"]), {}, format="json")

    def names(query):
        return [row["name"] for row in client.get(address("list") + query).json()["results"]]

    assert names("?job=testing.do_nothing") == ["Off"]
    assert names("?enabled=true") == ["Every morning"]
    assert names("?paused=true") == ["Every morning"]
    assert names("?paused=false") == ["Off"]
    assert names("?origin=code") == []


def test_schedules_that_other_tools_made_are_told_as_they_are(client):
    hourly = CrontabSchedule.objects.create(minute="0")
    PeriodicTask.objects.create(name="stock", task="foreign.gone", crontab=hourly, kwargs="[not json")
    row = client.get(address("list")).json()["results"][0]
    assert (row["job"], row["is_orphan"], row["parameters"]) == ("foreign.gone", True, None)
    response = client.patch(address("detail", row["id"]), {"description": "x"}, format="json")
    assert (response.status_code, list(response.json()["fields"])) == (400, ["parameters"])
    assert client.post(address("run-now", row["id"])).status_code in {400, 404}


def test_schedules_of_other_celery_tasks_are_edited_with_the_parameters_they_have(client):
    hourly = CrontabSchedule.objects.create(minute="0")
    task = PeriodicTask.objects.create(
        name="stock", task="foreign.add", crontab=hourly, kwargs=json.dumps({"left": 1})
    )
    told = client.patch(address("detail", task.pk), {"description": "x"}, format="json").json()
    assert (told["description"], told["parameters"], told["is_orphan"]) == ("x", {"left": 1}, False)


@pytest.mark.parametrize("pk", [2**31 - 1, 2**31, 2**63, "9" * 300])
def test_a_schedule_that_does_not_exist_is_404(client, pk):
    assert client.get(f"/api/v1/schedules/{pk}/").status_code == 404
    assert client.post(f"/api/v1/schedules/{pk}/run-now/").status_code == 404


def test_times_are_utc(client):
    told = make(client, start_time="2031-01-01T00:00:00+02:00")
    assert datetime.fromisoformat(told["start_time"]) == datetime(2030, 12, 31, 22, tzinfo=UTC)
