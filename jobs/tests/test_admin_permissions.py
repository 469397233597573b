"""Each control of the admin has a permission of its own, checked when it is used and not only when it is shown."""

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.forms.models import model_to_dict

from jobs import ledger, schedules
from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.schedules import Wish
from jobs.tests.staff import VIEWER, signed_in, staff
from jobs.when import When
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db

SCHEDULES = "/admin/jobs/schedule/"
RUNS = "/admin/jobs/jobrun/"
FORM = {
    "name": "Changed",
    "job": "testing.add_numbers",
    "parameters_of": "testing.add_numbers",
    "parameter-left": "9",
    "kind": "interval",
    "interval": "every 5 minutes",
    "timezone": "UTC",
    "catch_up": "last",
    "catch_up_window": "1 day",
}


@pytest.fixture
def schedule():
    wish = Wish(
        name="Sums",
        job="testing.add_numbers",
        when=When(cron="0 9 * * *"),
        parameters={"left": 1, "right": 1},
    )
    return schedules.create(wish, by=None)


@pytest.fixture
def paused(schedule):
    schedules.pause(schedule, by=None)
    return schedule


@pytest.fixture
def waiting():
    return tasks.add_numbers.enqueue(left=1)


@pytest.fixture
def ended():
    run = tasks.add_numbers.enqueue(left=1)
    return ledger.cancel(run.pk, by=None)


#: Fixture, permission, address, what is posted.
CONTROLS = [
    pytest.param(
        "schedule", "jobs.run_schedule", SCHEDULES + "{}/run/", {"parameter-left": "3"}, id="run now"
    ),
    pytest.param("schedule", "jobs.pause_schedule", SCHEDULES + "{}/pause/", {"note": "x"}, id="pause"),
    pytest.param("paused", "jobs.pause_schedule", SCHEDULES + "{}/resume/", {}, id="resume"),
    pytest.param("schedule", "jobs.change_schedule", SCHEDULES + "{}/disable/", {}, id="disable"),
    pytest.param("schedule", "jobs.change_schedule", SCHEDULES + "{}/change/", FORM, id="edit"),
    pytest.param("schedule", "jobs.delete_schedule", SCHEDULES + "{}/delete/", {"post": "yes"}, id="delete"),
    pytest.param("schedule", "jobs.add_schedule", SCHEDULES + "add/", FORM, id="add"),
    pytest.param("waiting", "jobs.cancel_run", RUNS + "{}/cancel/", {}, id="cancel"),
    pytest.param("ended", "jobs.run_job", RUNS + "{}/retry/", {}, id="run again"),
    pytest.param(
        "ended", "jobs.run_job", RUNS + "{}/edit/", {"parameter-left": "3"}, id="edit and run again"
    ),
    pytest.param(
        "ended",
        "jobs.run_job",
        RUNS + "run/?job=testing.add_numbers",
        {"parameter-left": "3"},
        id="run a job",
    ),
]
BULK = [
    pytest.param("schedule", "jobs.pause_schedule", SCHEDULES, "pause_selected", id="pause"),
    pytest.param("paused", "jobs.pause_schedule", SCHEDULES, "resume_selected", id="resume"),
    pytest.param("schedule", "jobs.change_schedule", SCHEDULES, "disable_selected", id="disable"),
    pytest.param("waiting", "jobs.cancel_run", RUNS, "cancel_selected", id="cancel"),
    pytest.param("ended", "jobs.run_job", RUNS, "retry_selected", id="run again"),
]
#: Django's own; it checks the permission for each object.
DELETE = pytest.param("schedule", "jobs.delete_schedule", SCHEDULES, "delete_selected", id="delete")


def state():
    """Everything that a control could change."""
    return (
        [model_to_dict(one) for one in Schedule.objects.order_by("pk")],
        [model_to_dict(one) for one in SchedulePolicy.objects.order_by("pk")],
        [(run.pk, run.status, run.cancel_requested_at) for run in JobRun.objects.order_by("pk")],
        LogEntry.objects.count(),
    )


@pytest.mark.parametrize(("fixture", "permission", "url", "data"), CONTROLS)
def test_who_may_only_look_is_refused_and_leaves_no_trace(request, fixture, permission, url, data):
    thing = request.getfixturevalue(fixture)
    before = state()
    answer = signed_in(staff(*VIEWER)).post(url.format(thing.pk), data)
    assert answer.status_code == 403
    assert state() == before


@pytest.mark.parametrize(("fixture", "permission", "url", "data"), CONTROLS)
def test_the_permission_of_the_control_is_enough(request, fixture, permission, url, data):
    thing = request.getfixturevalue(fixture)
    before = state()
    answer = signed_in(staff(*VIEWER, permission)).post(url.format(thing.pk), data)
    assert answer.status_code == 302, answer.content.decode()
    assert state() != before


@pytest.mark.parametrize(("fixture", "permission", "url", "data"), CONTROLS)
def test_every_other_permission_is_not_enough(request, fixture, permission, url, data):
    others = {
        "jobs.run_schedule",
        "jobs.pause_schedule",
        "jobs.change_schedule",
        "jobs.delete_schedule",
        "jobs.add_schedule",
        "jobs.cancel_run",
        "jobs.run_job",
        "jobs.change_jobrun",
        "jobs.delete_jobrun",
    } - {permission}
    thing = request.getfixturevalue(fixture)
    before = state()
    assert signed_in(staff(*VIEWER, *others)).post(url.format(thing.pk), data).status_code == 403
    assert state() == before


@pytest.mark.parametrize(("fixture", "permission", "url", "action"), [*BULK, DELETE])
def test_an_action_on_many_that_one_may_not_do_does_nothing(request, fixture, permission, url, action):
    thing = request.getfixturevalue(fixture)
    before = state()
    data = {"action": action, "_selected_action": thing.pk, "confirmed": "yes", "post": "yes"}
    signed_in(staff(*VIEWER)).post(url, data)
    assert state() == before


@pytest.mark.parametrize(("fixture", "permission", "url", "action"), [*BULK, DELETE])
def test_an_action_on_many_that_one_may_do_is_done(request, fixture, permission, url, action):
    thing = request.getfixturevalue(fixture)
    before = state()
    data = {"action": action, "_selected_action": thing.pk, "confirmed": "yes", "post": "yes"}
    assert signed_in(staff(*VIEWER, permission)).post(url, data).status_code == 302
    assert state() != before


@pytest.mark.parametrize(("fixture", "permission", "url", "action"), BULK)
def test_an_action_checks_by_itself_and_does_not_rely_on_the_list_of_choices(
    request, rf, fixture, permission, url, action
):
    """Django hides actions that are not permitted; whoever calls one all the same is refused by the action."""
    thing = request.getfixturevalue(fixture)
    model_admin = admin.site._registry[Schedule if url == SCHEDULES else JobRun]
    asked = rf.post(url, {"confirmed": "yes"})
    asked.user = staff(*VIEWER)
    with pytest.raises(PermissionDenied):
        getattr(model_admin, action)(asked, type(thing).objects.filter(pk=thing.pk))


@pytest.mark.parametrize("url", [SCHEDULES, RUNS])
def test_who_may_not_look_sees_nothing(url, schedule):
    assert signed_in(staff()).get(url).status_code == 403


@pytest.mark.parametrize("path", ["preview/", "parameters/"])
def test_the_small_views_of_the_form_are_for_editors(path, schedule):
    assert signed_in(staff(*VIEWER)).post(SCHEDULES + path, {}).status_code == 403


@pytest.mark.parametrize("path", ["", "live/", "log/", "cancel/", "change/"])
def test_a_run_is_hidden_from_who_may_not_see_runs(path, waiting):
    client = signed_in(staff("jobs.cancel_run", "jobs.run_job"))
    assert client.get(f"{RUNS}{waiting.pk}/{path or 'history/'}").status_code == 403


def test_who_may_only_look_finds_no_control_on_the_pages(schedule, waiting):
    client = signed_in(staff(*VIEWER))
    page = client.get(f"{SCHEDULES}{schedule.pk}/change/").content.decode()
    assert "<fieldset" in page
    for word in ("Run now", "Pause …", "/disable/", ">Save<", "/delete/"):
        assert word not in page
    assert "Cancel" not in client.get(f"{RUNS}{waiting.pk}/change/").content.decode()


def test_runs_are_read_only_even_for_superusers(ended):
    root = User.objects.create_superuser("root")
    client = signed_in(root)
    assert client.get(f"{RUNS}add/").status_code == 403
    assert client.post(f"{RUNS}{ended.pk}/delete/", {"post": "yes"}).status_code == 403
    answer = client.post(RUNS, {"action": "delete_selected", "_selected_action": ended.pk, "post": "yes"})
    assert answer.status_code == 302
    assert JobRun.objects.filter(pk=ended.pk).exists()


@pytest.mark.parametrize(("path", "status"), [("resume", 200), ("enable", 200), ("disable", 405)])
def test_a_link_changes_nothing(path, status, paused):
    """Pages that act do so when they are posted only: a link from elsewhere cannot trigger them."""
    before = state()
    root = User.objects.create_superuser("root")
    assert signed_in(root).get(f"{SCHEDULES}{paused.pk}/{path}/").status_code == status
    assert state() == before


@pytest.mark.parametrize(
    "path", ["periodictask", "crontabschedule", "intervalschedule", "solarschedule", "clockedschedule"]
)
def test_the_stock_pages_of_django_celery_beat_are_gone(path):
    root = User.objects.create_superuser("root")
    assert signed_in(root).get(f"/admin/django_celery_beat/{path}/").status_code == 404
