"""The timeline: every slot with its outcome, the coming ones, and the load, at a cost that does not grow."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs import ownership, timeline
from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.tests.schedules_for_tests import at, crontab_row, schedule, tick
from jobs.tests.staff import VIEWER, signed_in, staff
from jobs.timeline import Filter, View, span_of

pytestmark = pytest.mark.django_db

UTC = ZoneInfo("UTC")
DAY = date(2026, 3, 2)
SPAN = span_of(View.DAY, DAY, UTC)
NOON = at("2026-03-02 12:00")
PAGE = "/admin/jobs/schedule/timeline/"


def lane_of(task, span=SPAN, now=NOON):
    rows = Schedule.objects.select_related("policy", "crontab", "interval", "solar", "clocked")
    return timeline.lanes([rows.get(pk=task.pk)], span, now)[0]


@pytest.fixture
def hourly():
    """Runs at the full hour; at 10 it failed, at 11 it was paused."""
    task = schedule(crontab_row("0 * * * *"), made_at=at("2026-03-02 08:30"), name="Hourly")
    tick(at("2026-03-02 08:30"))
    tick(at("2026-03-02 09:00"))
    tick(at("2026-03-02 10:00"))
    SchedulePolicy.objects.filter(pk=task.pk).update(
        paused_at=at("2026-03-02 10:30"), paused_until=at("2026-03-02 11:30"), pause_note="moving"
    )
    tick(at("2026-03-02 11:00"))
    JobRun.objects.filter(scheduled_for=at("2026-03-02 09:00")).update(status="succeeded")
    JobRun.objects.filter(scheduled_for=at("2026-03-02 10:00")).update(status="failed", reason="It broke.")
    return task


def test_each_hour_tells_what_became_of_its_slots_and_what_is_to_come(hourly):
    cells = lane_of(hourly).cells
    assert [cell.outcome for cell in cells[8:12]] == ["", "succeeded", "failed", "skipped"]
    assert cells[10].reason == "It broke."
    assert cells[11].reason == "The schedule was paused: moving."
    assert cells[10].run_id == JobRun.objects.get(status="failed").pk
    assert [cell.coming for cell in cells] == [0] * 13 + [1] * 11


def test_the_gravest_outcome_of_a_cell_is_the_one_that_shows(hourly):
    cell = lane_of(hourly, span_of(View.WEEK, DAY, UTC)).cells[1]
    assert cell.counts == {"succeeded": 1, "failed": 1, "skipped": 1}
    assert (cell.outcome, cell.reason) == ("failed", "It broke.")


def test_a_day_with_a_change_of_the_clocks_has_23_or_25_hours():
    assert span_of(View.DAY, date(2026, 3, 29), ZoneInfo("Europe/London")).cells == 23
    assert span_of(View.DAY, date(2026, 10, 25), ZoneInfo("Europe/London")).cells == 25


def test_dense_schedules_show_that_there_is_more_without_counting_it_all(monkeypatch):
    monkeypatch.setattr(timeline, "COUNTED", 90)
    task = schedule(crontab_row("* * * * *"), made_at=NOON)
    cells = lane_of(task).cells
    assert [cell.coming for cell in cells[12:16]] == [59, 31, 1, 1]
    assert [cell.is_dense for cell in cells[12:16]] == [False, True, True, True]


def test_slots_that_a_pause_will_skip_are_not_to_come(hourly):
    SchedulePolicy.objects.filter(pk=hourly.pk).update(paused_until=at("2026-03-02 20:30"))
    assert sum(cell.coming for cell in lane_of(hourly).cells) == 3


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Filter(), ["Hourly", "Other"]),
        (Filter(job="testing.handle_units"), ["Other"]),
        (Filter(queue="elsewhere"), ["Other"]),
        (Filter(schedule="hour"), ["Hourly"]),
        (Filter(outcome="failed"), ["Hourly"]),
        (Filter(outcome="missed"), []),
    ],
)
def test_filters_choose_schedules(hourly, wanted, names):
    row = crontab_row("0 0 * * *")
    PeriodicTask.objects.create(name="Other", task="testing.handle_units", crontab=row, queue="elsewhere")
    JobRun.objects.filter(schedule=hourly).update(scheduled_for=None)
    newest = JobRun.objects.filter(status="failed").get()
    made_at = datetime.fromtimestamp((newest.pk.int >> 80) / 1000, UTC)  # rows are looked for by their ids
    JobRun.objects.filter(pk=newest.pk).update(scheduled_for=made_at)
    span = span_of(View.DAY, made_at.date(), UTC)
    assert [one.name for one in timeline.chosen(Schedule.objects.all(), wanted, span)] == names


def test_the_load_is_counted_until_now_and_expected_from_then_on():
    now = timezone.now().replace(second=30, microsecond=0)
    every = IntervalSchedule.objects.create(every=1, period="minutes")
    task = PeriodicTask.objects.create(name="Minutely", task="testing.add_numbers", interval=every)
    SchedulePolicy.objects.filter(pk=task.pk).update(anchor_at=now.replace(second=0))
    span = span_of(View.DAY, now.date(), UTC)
    found = timeline.minutes(span, now)
    passed = (now - span.start) // timedelta(minutes=1)
    assert found.runs[: passed + 1] == [0] * (passed + 1)
    assert set(found.runs[passed + 1 :]) <= {1}
    assert len(found.runs) == 1440


class TestPages:
    @pytest.fixture
    def client(self):
        return signed_in(staff(*VIEWER))

    def test_marks_have_a_symbol_words_and_a_link_to_the_run(self, client, hourly):
        answer = client.get(PAGE, {"date": "2026-03-02"}).content.decode()
        run = JobRun.objects.get(status="failed")
        assert reverse("admin:jobs_jobrun_change", args=[run.pk]) in answer
        assert "Hourly, Mon 2 Mar, 10:00 to 11:00: 1 failed. It broke." in answer
        assert "style=" not in answer.partition("jobs-lane")[2]

    def test_the_page_of_one_schedule_lists_the_slots_of_a_day(self, client, hourly):
        address = reverse("admin:jobs_schedule_timeline_of_one", args=[hourly.pk])
        answer = client.get(address, {"date": "2026-03-02"})
        assert [run.status for run in answer.context["slots"]] == ["succeeded", "failed", "skipped"]
        assert "The schedule was paused: moving." in answer.content.decode()

    @pytest.mark.parametrize(
        "query",
        [
            {"date": "soon"},
            {"date": "0001-01-01"},
            {"date": "9999-12-31", "view": "week"},
            {"view": "year"},
            {"page": "x"},
            {"outcome": "odd"},
        ],
    )
    def test_an_old_address_shows_what_it_can(self, client, hourly, query):
        of_one = reverse("admin:jobs_schedule_timeline_of_one", args=[hourly.pk])
        assert [client.get(page, query).status_code for page in (PAGE, of_one)] == [200, 200]

    def test_more_schedules_cost_no_more_queries(self, client, hourly):
        client.get(PAGE)
        with CaptureQueriesContext(connection) as few:
            client.get(PAGE)
        row = crontab_row("*/5 * * * *")
        PeriodicTask.objects.bulk_create(
            PeriodicTask(name=f"number {number}", task="testing.add_numbers", crontab=row)
            for number in range(20)
        )
        client.get(PAGE)
        with CaptureQueriesContext(connection) as many:
            client.get(PAGE)
        assert len(many) == len(few)

    @pytest.mark.parametrize("permissions", [("jobs.view_schedule",), ("jobs.view_jobrun",)])
    def test_it_takes_both_permissions(self, hourly, permissions):
        client = signed_in(staff(*permissions))
        assert client.get(PAGE).status_code == 403
        assert PAGE not in client.get("/admin/").content.decode()

    def test_the_sidebar_leads_to_it(self, client):
        assert PAGE in client.get("/admin/").content.decode()


class TestApi:
    def get(self, client, **query):
        return client.get(reverse("api:schedule-timeline"), query)

    def test_it_gives_the_same(self, client, hourly):
        body = self.get(client, date="2026-03-02").json()
        (lane,) = body["lanes"]
        assert [cell["outcome"] for cell in lane["cells"]] == ["succeeded", "failed", "skipped"]
        assert (body["cell_seconds"], len(body["load"]["runs"]), body["next"]) == (3600, 1440, None)

    @pytest.mark.parametrize(
        "query", [{"view": "year"}, {"date": "0001-01-01"}, {"timezone": "Mars"}, {"outcome": "odd"}]
    )
    def test_bad_input_is_refused(self, client, query):
        answer = self.get(client, **query)
        assert (answer.status_code, list(answer.json()["fields"])) == (400, list(query))

    def test_schedules_of_other_groups_are_left_out(self, make_client, hourly):
        theirs = Group.objects.create(name="theirs")
        member = make_client("view_schedule", "view_jobrun", username="member")
        member.user.groups.add(theirs)
        stranger = make_client("view_schedule", "view_jobrun", username="stranger")
        ownership.give(Schedule.objects.get(pk=hourly.pk), theirs, by=None)
        assert [lane["name"] for lane in self.get(member, date="2026-03-02").json()["lanes"]] == ["Hourly"]
        assert self.get(stranger, date="2026-03-02").json()["lanes"] == []
        assert self.get(stranger, date="2026-03-02", outcome="failed").json()["lanes"] == []

    @pytest.mark.parametrize("permission", ["view_schedule", "view_jobrun"])
    def test_it_takes_both_permissions_as_the_page_does(self, make_client, hourly, permission):
        assert self.get(make_client(permission)).status_code == 403

    def test_pages_go_by_name(self, client, hourly):
        PeriodicTask.objects.create(name="Another", task="testing.add_numbers", crontab=hourly.crontab)
        body = self.get(client, page_size=1).json()
        assert [lane["name"] for lane in body["lanes"]] == ["Another"]
        assert [lane["name"] for lane in client.get(body["next"]).json()["lanes"]] == ["Hourly"]
