"""Schedules in the admin: the list, the form with its preview, saving and deleting."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from jobs import schedules
from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.schedules import Wish
from jobs.tests.staff import signed_in, staff
from jobs.when import When

LIST = "/admin/jobs/schedule/"
ADD = "/admin/jobs/schedule/add/"
PREVIEW = "/admin/jobs/schedule/preview/"
FORM = {
    "name": "Nightly sums",
    "job": "testing.add_numbers",
    "parameters_of": "testing.add_numbers",
    "parameter-left": "4",
    "parameter-right": "5",
    "kind": "cron",
    "cron": "30 2 * * *",
    "timezone": "Europe/London",
    "enabled": "on",
    "catch_up": "last",
    "catch_up_window": "2 hours",
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(db):
    return staff("jobs.view_schedule", "jobs.add_schedule", "jobs.change_schedule", "jobs.delete_schedule")


@pytest.fixture
def client(editor):
    return signed_in(editor)


def make(name="Sums", **changes):
    wish = {"job": "testing.add_numbers", "when": When(cron="0 9 * * *"), "parameters": {"left": 1}}
    return schedules.create(Wish(name=name, **{**wish, **changes}), by=None)


def change_url(schedule):
    return reverse("admin:jobs_schedule_change", args=[schedule.pk])


def test_the_form_makes_a_schedule_and_one_audit_row(client, editor):
    answer = client.post(ADD, FORM)
    assert answer.status_code == 302, answer.context["form"].errors
    made = Schedule.objects.get(name="Nightly sums")
    assert json.loads(made.kwargs) == {"left": 4, "right": 5}
    assert (made.crontab.minute, made.crontab.hour, str(made.crontab.timezone)) == (
        "30",
        "2",
        "Europe/London",
    )
    assert made.policy.catch_up_window_seconds == 7200
    assert [entry.user for entry in LogEntry.objects.all()] == [editor]


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ({"cron": "@daily"}, ("crontab", "0 0 * * *")),
        ({"kind": "interval", "interval": "every 90 seconds"}, ("interval", "every 90 seconds")),
        ({"kind": "clock", "clock": "2031-07-01T12:00"}, ("clocked", "2031-07-01 11:00:00+00:00")),
        (
            {"kind": "solar", "solar_event": "sunset", "latitude": "52.5", "longitude": "13.4"},
            ("solar", "Sunset"),
        ),
    ],
)
def test_every_kind_of_timing_can_be_typed(client, typed, stored):
    answer = client.post(ADD, FORM | typed)
    assert answer.status_code == 302, answer.context["form"].errors
    column, text = stored
    assert text in str(getattr(Schedule.objects.get(name="Nightly sums"), column))


@pytest.mark.parametrize(
    ("typed", "field", "message"),
    [
        ({"name": ""}, "name", "required"),
        ({"name": "Taken"}, "name", "a schedule of this name already"),
        ({"job": "nobody.knows_it", "parameters_of": "nobody.knows_it"}, "job", "not one of the available"),
        ({"cron": "61 * * * *"}, "cron", "61"),
        ({"cron": "often"}, "cron", "Expected 5 fields"),
        ({"cron": ""}, "cron", "needed"),
        ({"timezone": "Mars/Olympus"}, "timezone", "not the name of a time zone"),
        ({"kind": "interval", "interval": "now and then"}, "interval", "not an interval"),
        ({"kind": "interval", "interval": ""}, "interval", "needed"),
        ({"kind": "clock", "clock": "soon"}, "clock", "Write a date"),
        ({"kind": "clock", "clock": "2031-03-30T01:30"}, "clock", "does not exist in Europe/London"),
        ({"kind": "solar", "latitude": "91", "longitude": "1"}, "latitude", "90"),
        ({"kind": "solar", "latitude": "1"}, "longitude", "needed"),
        ({"start_time": "2031-01-02T00:00", "expires": "2031-01-01T00:00"}, "expires", "later"),
        ({"catch_up_window": "a while"}, "catch_up_window", "not an interval"),
        ({"catch_up_window": "2 s"}, "catch_up_window", "10 seconds to 366 days"),
    ],
)
def test_a_mistake_is_said_at_its_field_and_nothing_is_saved(client, typed, field, message):
    make("Taken")
    answer = client.post(ADD, FORM | typed)
    assert answer.status_code == 200
    assert message in " ".join(answer.context["form"].errors[field])
    assert not Schedule.objects.filter(name="Nightly sums").exists()


def test_a_wrong_parameter_is_said_at_its_field(client):
    answer = client.post(ADD, FORM | {"parameter-right": "2000"})
    assert "less than or equal to 1000" in str(answer.context["parameters"].errors["right"])
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("stored", ["{", "[1]", "5"])
def test_parameters_that_other_tools_left_unreadable_can_be_mended(client, editor, stored):
    editor.user_permissions.add(Permission.objects.get(codename="run_schedule"))
    schedule = make()
    PeriodicTask.objects.filter(pk=schedule.pk).update(kwargs=stored)
    for page in (change_url(schedule), reverse("admin:jobs_schedule_run", args=[schedule.pk])):
        answer = client.get(page)
        assert "not a JSON object" in answer.content.decode()
        assert answer.context["parameters"]["right"].value() == 1
    assert client.post(change_url(schedule), FORM).status_code == 302
    assert json.loads(Schedule.objects.get(pk=schedule.pk).kwargs) == {"left": 4, "right": 5}


def test_a_change_is_saved_with_one_audit_row_that_tells_what_changed(client):
    schedule = make()
    answer = client.post(change_url(schedule), FORM | {"name": "Sums"})
    assert answer.status_code == 302, answer.context["form"].errors
    entry = LogEntry.objects.get()
    assert "parameters:" in entry.change_message
    assert "when:" in entry.change_message


def test_the_form_of_a_schedule_shows_what_is_stored(client):
    schedule = make(when=When(interval="every 90 minutes"), parameters={"left": 7})
    page = client.get(change_url(schedule))
    assert page.context["form"]["interval"].value() == "every 90 minutes"
    assert page.context["parameters"]["left"].value() == 7
    assert page.context["preview"].words == "Every 90 minutes"


def test_saving_an_unchanged_form_moves_no_slot(client):
    schedule = make(when=When(interval="every 90 minutes"))
    anchor = datetime(2026, 1, 1, 0, 7, tzinfo=UTC)
    SchedulePolicy.objects.filter(pk=schedule.pk).update(anchor_at=anchor, is_stale=False)
    form = client.get(change_url(schedule)).context["form"]
    typed = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    parameters = {"parameters_of": schedule.task, "parameter-left": 1, "parameter-right": 1}
    assert client.post(change_url(schedule), typed | parameters).status_code == 302
    policy = SchedulePolicy.objects.get(pk=schedule.pk)
    assert (policy.anchor_at, policy.is_stale) == (anchor, False)
    assert LogEntry.objects.get().change_message == "Saved without changes."


def test_a_chosen_job_whose_fields_were_not_shown_is_not_saved(client):
    answer = client.post(ADD, FORM | {"job": "testing.count_slowly"})
    assert "check its parameters" in str(answer.context["form"].errors["job"])
    assert "until" in answer.context["parameters"].fields
    assert not Schedule.objects.exists()


def test_the_fields_of_another_job_come_with_what_was_typed(client):
    typed = {
        "job": "testing.handle_units",
        "parameters_of": "testing.add_numbers",
        "parameter-good": "kept from before",
    }
    answer = client.post("/admin/jobs/schedule/parameters/", typed)
    assert "kept from before" in answer.content.decode()
    assert "Handle units of which some fail." in answer.content.decode()


def test_the_preview_tells_words_ten_slots_and_the_clocks(client):
    answer = client.get(PREVIEW, FORM | {"catch_up": "skip"}).json()
    assert answer["errors"] == {}
    assert "At 02:30 every day (Europe/London)" in answer["html"]
    assert len(re.findall(r"<td>\w{3} \d+ \w{3} \d{4}, 02:30</td>\s*<td>0[12]:30</td>", answer["html"])) == 10
    assert "recorded as missed and never run" in answer["catch_up"]


def test_the_preview_warns_of_a_time_that_the_clocks_leave_out(client):
    html = client.get(PREVIEW, FORM | {"cron": "30 1 * * *"}).json()["html"]
    assert "clocks go forward" in html
    assert "clocks go back" in html


def test_the_preview_explains_what_cannot_be_read(client):
    answer = client.get(PREVIEW, FORM | {"cron": "99 * * * *"}).json()
    assert list(answer["errors"]) == ["cron"]
    assert "99" in answer["html"]


def test_the_preview_says_when_a_schedule_never_fires(client):
    html = client.get(PREVIEW, FORM | {"kind": "clock", "clock": "2001-01-01T00:00"}).json()["html"]
    assert "never fires" in html


def test_the_preview_names_the_day_in_utc_where_it_is_another(client):
    html = client.get(PREVIEW, FORM | {"timezone": "Asia/Tokyo", "cron": "30 2 1 1 *"}).json()["html"]
    assert re.search(r"<td>\w+ 1 Jan \d{4}, 02:30</td>\s*<td>\w+ 31 Dec \d{4}, 17:30</td>", html)


def test_a_new_interval_starts_at_its_start_time(client):
    typed = FORM | {
        "kind": "interval",
        "interval": "1 day",
        "timezone": "UTC",
        "start_time": "2099-01-31T06:07",
    }
    assert "Sat 31 Jan 2099, 06:07" in client.get(PREVIEW, typed).json()["html"]


def test_without_scripts_the_preview_button_shows_slots_and_saves_nothing(client):
    answer = client.post(ADD, FORM | {"_preview": "1"})
    assert len(answer.context["preview"].rows) == 10
    assert not Schedule.objects.exists()


def test_the_list_costs_the_same_queries_however_many_schedules(client):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(LIST).status_code == 200
        return len(captured)

    make("first")
    client.get(LIST)
    few = queries()
    for number in range(25):
        schedule = make(f"schedule {number}", when=When(interval=f"every {number + 1} minutes"))
        schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    assert queries() == few
    assert few <= 9


def test_the_list_tells_state_next_slot_and_last_run(client):
    now = timezone.now()
    due = make("Due")
    SchedulePolicy.objects.filter(pk=due.pk).update(
        next_slot_at=now + timedelta(hours=3, seconds=30), is_stale=False
    )
    schedules.run_now(due, by=None, trigger=JobRun.Trigger.CODE)
    schedules.pause(make("Paused"), note="Moving house", by=None)
    schedules.set_enabled(make("Disabled"), False, by=None)
    broken = make("Broken")
    SchedulePolicy.objects.filter(pk=broken.pk).update(planning_error="no such day")
    PeriodicTask.objects.filter(pk=make("Orphan").pk).update(task="gone.job")
    page = client.get(LIST).content.decode()
    for text in (
        "in 3 h",
        "Queued",
        "Moving house",
        "Disabled",
        "Cannot be planned",
        "no such day",
        "Orphaned",
    ):
        assert text in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=paused", {"Paused"}),
        ("state=disabled", {"Disabled"}),
        ("state=problem", {"Orphan"}),
        ("state=enabled", {"Plain", "Orphan"}),
        ("kind=interval", {"Disabled"}),
        ("job=testing.count_slowly", {"Plain"}),
        ("origin=code", {"Paused"}),
        ("q=ldwide", {"Plain"}),
    ],
)
def test_filters_and_search_find_schedules(client, query, found):
    make("Plain", job="testing.count_slowly", parameters={}, description="worldwide")
    paused = make("Paused")
    schedules.pause(paused, by=None)
    SchedulePolicy.objects.filter(pk=paused.pk).update(origin="code")
    schedules.set_enabled(make("Disabled", when=When(interval="1 h")), False, by=None)
    PeriodicTask.objects.filter(pk=make("Orphan").pk).update(task="gone.job")
    listed = client.get(f"{LIST}?{query}").context["cl"].result_list
    assert {schedule.name for schedule in listed} == found


def test_a_schedule_of_another_celery_task_keeps_its_task_and_arguments(client):
    schedule = make()
    PeriodicTask.objects.filter(pk=schedule.pk).update(task="foreign.add", args="[1, 2]", kwargs="{}")
    page = client.get(change_url(schedule))
    assert "its arguments stay as they are" in page.content.decode()
    typed = FORM | {"name": "Foreign", "job": "foreign.add", "parameters_of": ""}
    assert client.post(change_url(schedule), typed).status_code == 302
    changed = Schedule.objects.get(name="Foreign")
    assert (changed.task, changed.args, changed.kwargs) == ("foreign.add", "[1, 2]", "{}")
    assert changed.crontab.hour == "2"


def test_an_orphan_explains_itself_and_can_be_given_another_job(client):
    schedule = make()
    PeriodicTask.objects.filter(pk=schedule.pk).update(task="gone.job")
    assert "No code is left for" in client.get(change_url(schedule)).content.decode()
    assert client.post(change_url(schedule), FORM).status_code == 302
    assert Schedule.objects.get(pk=schedule.pk).task == "testing.add_numbers"


def test_a_schedule_made_by_a_person_can_be_deleted_and_its_runs_stay(client):
    schedule = make()
    run = schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    answer = client.post(f"{LIST}{schedule.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert not Schedule.objects.exists()
    assert JobRun.objects.get(pk=run.pk).schedule is None
    assert LogEntry.objects.get().change_message == "Deleted schedule Sums."


@pytest.mark.parametrize("in_bulk", [False, True])
def test_a_schedule_that_a_job_declares_is_not_deleted_but_explained(client, in_bulk):
    schedule = make()
    SchedulePolicy.objects.filter(pk=schedule.pk).update(origin="code")
    if in_bulk:
        chosen = {"action": "delete_selected", "_selected_action": schedule.pk, "post": "yes"}
        answer = client.post(LIST, chosen, follow=True)
    else:
        answer = client.post(f"{LIST}{schedule.pk}/delete/", {"post": "yes"}, follow=True)
    assert "Disable it instead" in answer.content.decode()
    assert Schedule.objects.exists()
    assert not LogEntry.objects.exists()


def test_with_a_schedule_that_cannot_be_deleted_none_of_those_chosen_is(client):
    mine, declared = make(), make("Declared")
    SchedulePolicy.objects.filter(pk=declared.pk).update(origin="code")
    chosen = {"action": "delete_selected", "_selected_action": [mine.pk, declared.pk]}
    for data in (chosen, {**chosen, "post": "yes"}):
        page = client.post(LIST, data, follow=True).content.decode()
        assert "Declared: A job declares this schedule" in page
        assert "Successfully deleted" not in page
    assert Schedule.objects.count() == 2


def test_an_unknown_schedule_is_not_found(client):
    assert client.get(f"{LIST}999/change/").status_code == 404
    assert client.get(f"{LIST}what/change/").status_code == 404
