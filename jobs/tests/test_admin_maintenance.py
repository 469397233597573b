"""Admin pages of policies, maintenance windows, calendars and limits."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from jobs import admission, limits, ownership, schedules
from jobs.limits import Limits
from jobs.models import AuditEvent, Calendar, JobLimit, JobRun, MaintenanceWindow, Schedule, SchedulePolicy
from jobs.schedules import Wish
from jobs.tests.staff import signed_in, staff
from jobs.when import When
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db

JOB = "testing.add_numbers"
WINDOWS = "/admin/jobs/maintenancewindow/"
CALENDARS = "/admin/jobs/calendar/"
LIMITS = "/admin/jobs/joblimit/"
SCHEDULE = {
    "name": "Nightly sums",
    "job": JOB,
    "parameters_of": JOB,
    "parameter-left": "4",
    "parameter-right": "5",
    "kind": "cron",
    "cron": "30 2 * * *",
    "timezone": "Europe/London",
    "enabled": "on",
    "catch_up": "last",
    "catch_up_window": "2 hours",
}
ONCE = {
    "name": "Upgrade",
    "enabled": "on",
    "mode": "hold",
    "starts_at_0": "2027-01-01",
    "starts_at_1": "00:00",
    "ends_at_0": "2027-01-01",
    "ends_at_1": "02:00",
    "timezone": "UTC",
    "covers_all": "on",
}
DAYS = {
    "days-TOTAL_FORMS": "1",
    "days-INITIAL_FORMS": "0",
    "days-0-first_day": "2026-12-25",
    "days-0-last_day": "2026-12-26",
    "days-0-note": "Christmas",
}


def of(thing: str, *more: str) -> Client:
    verbs = ("view", "add", "change", "delete")
    return signed_in(staff(*(f"jobs.{verb}_{thing}" for verb in verbs), *more))


def errors(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200
    form = response.context.get("adminform") or response.context["form"]
    return dict(getattr(form, "form", form).errors)


class TestPoliciesOfASchedule:
    def test_they_are_typed_in_the_form_and_shown_again(self) -> None:
        client = of("schedule", "jobs.view_calendar")
        calendar = Calendar.objects.create(name="Holidays")
        typed = {
            "overlap": "buffer_all",
            "buffer_limit": "5",
            "jitter": "5 minutes",
            "pause_on_failure": "on",
            "calendars": [calendar.pk],
        }
        assert client.post("/admin/jobs/schedule/add/", {**SCHEDULE, **typed}).status_code == 302
        policy = SchedulePolicy.objects.get()
        assert (policy.overlap, policy.buffer_limit, policy.jitter_seconds) == ("buffer_all", 5, 300)
        assert policy.pause_on_failure
        assert list(calendar.schedules.values_list("name", flat=True)) == ["Nightly sums"]
        page = client.get(f"/admin/jobs/schedule/{policy.pk}/change/").content.decode()
        assert 'value="5 minutes"' in page
        assert "Holidays" in page

    def test_left_alone_they_are_those_of_the_job(self) -> None:
        of("schedule").post("/admin/jobs/schedule/add/", SCHEDULE)
        assert SchedulePolicy.objects.get().overlap == tasks.add_numbers.overlap == "skip"

    @pytest.mark.parametrize(
        ("name", "value"),
        [("jitter", "soon"), ("jitter", "2 days"), ("buffer_limit", "0"), ("overlap", "nonsense")],
    )
    def test_what_does_not_fit_is_said_at_its_field(self, name: str, value: str) -> None:
        response = of("schedule").post("/admin/jobs/schedule/add/", {**SCHEDULE, name: value})
        assert list(errors(response)) == [name]
        assert not Schedule.objects.exists()


class TestWindows:
    def test_one_is_made_listed_changed_and_deleted(self) -> None:
        client = of("maintenancewindow", "jobs.view_schedule")
        assert client.post(f"{WINDOWS}add/", ONCE).status_code == 302
        window = MaintenanceWindow.objects.get()
        page = client.get(WINDOWS).content.decode()
        assert "2027-01-01 00:00 UTC to 2027-01-01 02:00 UTC" in page
        assert "everything" in page
        changed = {**ONCE, "covers_all": "", "queues": ["default"], "jobs": [JOB]}
        assert client.post(f"{WINDOWS}{window.pk}/change/", changed).status_code == 302
        window.refresh_from_db()
        assert (window.queues, window.jobs, window.covers_all) == (["default"], [JOB], False)
        assert client.post(f"{WINDOWS}{window.pk}/delete/", {"post": "yes"}).status_code == 302
        assert AuditEvent.objects.filter(subject__contains="Upgrade").count() >= 3

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"covers_all": ""}, "covers_all"),
            (
                {"cron": "nonsense", "starts_at_0": "", "starts_at_1": "", "ends_at_0": "", "ends_at_1": ""},
                "cron",
            ),
            ({"ends_at_0": "2026-01-01"}, "ends_at"),
            ({"timezone": "Mars/Base", "cron": "@daily"}, "timezone"),
        ],
        ids=str,
    )
    def test_what_does_not_fit_is_said_at_its_field(self, change: dict[str, str], field: str) -> None:
        assert field in errors(of("maintenancewindow").post(f"{WINDOWS}add/", {**ONCE, **change}))
        assert not MaintenanceWindow.objects.exists()


class TestCalendars:
    def test_one_is_made_with_its_days(self) -> None:
        client = of("calendar", *(f"jobs.{verb}_calendardays" for verb in ("view", "add", "change")))
        assert client.post(f"{CALENDARS}add/", {"name": "Holidays", **DAYS}).status_code == 302
        assert str(Calendar.objects.get().days.get()) == "2026-12-25 to 2026-12-26 Christmas"
        assert "Holidays" in client.get(CALENDARS).content.decode()

    def test_the_list_counts_the_schedules_that_one_may_see(self) -> None:
        calendar = Calendar.objects.create(name="Holidays")
        for name in ("Mine", "Theirs"):
            wish = Wish(name=name, job=JOB, when=When(cron="@daily"), parameters={"left": 1})
            calendar.schedules.add(schedules.create(wish, by=None))
        theirs = Group.objects.create(name="theirs")
        ownership.give(Schedule.objects.get(name="Theirs"), theirs, by=None)

        def counted(client: Client) -> int:
            (row,) = client.get(CALENDARS).context["cl"].result_list
            return int(row.count_of_schedules)

        assert counted(of("calendar")) == 1
        assert counted(signed_in(User.objects.create_superuser("root"))) == 2

    def test_days_in_the_wrong_order_are_refused(self) -> None:
        client = of("calendar", *(f"jobs.{verb}_calendardays" for verb in ("view", "add", "change")))
        wrong = {"name": "Holidays", **DAYS, "days-0-last_day": "2026-12-24"}
        assert client.post(f"{CALENDARS}add/", wrong).status_code == 200
        assert not Calendar.objects.exists()


class TestLimits:
    FORM = {
        "job": JOB,
        "max_running": "2",
        "key_by": "left, right",
        "max_running_per_key": "1",
        "rate": "10/m",
    }

    def test_limits_are_made_listed_changed_and_deleted(self) -> None:
        client = of("joblimit")
        assert client.post(f"{LIMITS}add/", self.FORM).status_code == 302
        row = JobLimit.objects.get()
        words = "2 at a time; 1 at a time for each left, right; 10/m started"
        assert str(limits.of_row(row)) == words
        assert words in client.get(LIMITS).content.decode()
        page = client.get(f"{LIMITS}{row.pk}/change/").content.decode()
        assert 'value="left, right"' in page
        assert 'value="10/m"' in page
        assert client.post(f"{LIMITS}{row.pk}/change/", {"max_running": "3"}).status_code == 302
        assert str(limits.of_row(limits.get(JOB))) == "3 at a time"
        assert client.post(f"{LIMITS}{row.pk}/delete/", {"post": "yes"}).status_code == 302
        assert not JobLimit.objects.exists()

    def test_the_list_counts_who_holds_a_place_and_who_waits(self) -> None:
        limits.put(JOB, Limits(max_running=2), by=None)
        limits.put("testing.handle_units", Limits(max_running=1), by=None)
        for _ in range(5):
            tasks.add_numbers.enqueue(left=1)
        admission.admit_job(JOB)
        rows = {row.job: row for row in of("joblimit").get(LIMITS).context["cl"].result_list}
        mine, other = rows[JOB], rows["testing.handle_units"]
        assert (mine.holding, mine.waiting) == (2, 3)
        assert (other.holding, other.waiting) == (0, 0)

    def test_a_raised_limit_lets_those_through_that_wait(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        for _ in range(2):
            tasks.add_numbers.enqueue(left=1)
        client = of("joblimit")
        client.post(f"{LIMITS}{JobLimit.objects.get().pk}/change/", {"max_running": "2"})
        assert JobRun.objects.filter(status="queued").count() == 2

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"rate": "fast"}, "rate"),
            ({"key_by": "colour"}, "key_by"),
            ({"key_by": ""}, "key_by"),
            ({"max_running": "0"}, "max_running"),
        ],
    )
    def test_what_does_not_fit_is_said_at_its_field(self, change: dict[str, str], field: str) -> None:
        assert field in errors(of("joblimit").post(f"{LIMITS}add/", {**self.FORM, **change}))

    def test_declared_ones_cannot_be_deleted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        JobLimit.objects.update(origin="code")
        monkeypatch.setattr(limits, "_declared_by", lambda job: Limits(max_running=1))
        row = JobLimit.objects.get()
        client = of("joblimit")
        assert client.post(f"{LIMITS}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        data = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
        client.post(LIMITS, data)
        assert JobLimit.objects.exists()


@pytest.mark.parametrize(
    ("url", "thing"), [(WINDOWS, "maintenancewindow"), (CALENDARS, "calendar"), (LIMITS, "joblimit")]
)
def test_who_may_only_look_changes_nothing(url: str, thing: str) -> None:
    window = MaintenanceWindow.objects.create(name="w", cron="@daily", duration_minutes=1, covers_all=True)
    calendar = Calendar.objects.create(name="c")
    limits.put(JOB, Limits(max_running=1), by=None)
    rows = {"maintenancewindow": window, "calendar": calendar, "joblimit": JobLimit.objects.get()}
    client = signed_in(staff(f"jobs.view_{thing}"))
    assert client.get(url).status_code == 200
    assert client.get(f"{url}{rows[thing].pk}/change/").status_code == 200
    for address in (f"{url}add/", f"{url}{rows[thing].pk}/change/", f"{url}{rows[thing].pk}/delete/"):
        assert client.post(address, {"post": "yes", **ONCE, **DAYS, **TestLimits.FORM}).status_code == 403
