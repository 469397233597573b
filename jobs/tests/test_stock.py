"""Rows made for stock beat: what behaves otherwise is told, and what can be kept is rewritten."""

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from jobs import stock
from jobs.models import Schedule
from jobs.tests.schedules_for_tests import JOB, crontab_row
from jobs.tests.staff import signed_in, staff
from jobs.timing import Crontab

pytestmark = pytest.mark.django_db

PAGE = "/admin/jobs/schedule/import/"


def row(expression="0 9 * * *", zone="UTC", **values):
    values = {"name": "Stock", "task": JOB, "kwargs": '{"left": 1}', **values}
    if "interval" not in values:
        values["crontab"] = crontab_row(expression, zone)
    return PeriodicTask.objects.create(**values)


def report():
    (found,) = stock.report(stock.stock_schedules(), timezone.now())
    return found


def kinds():
    return {(finding.kind, finding.weight) for finding in report().findings}


def test_a_plain_row_behaves_as_before():
    row()
    assert (report().findings, report().rewrite) == ([], "")


@pytest.mark.parametrize(
    ("values", "kind", "weight"),
    [
        ({"expression": "0 9 1,15 * mon"}, "days", "attention"),
        ({"expression": "30 1 * * *", "zone": "Europe/London"}, "clocks", "note"),
        ({"start_time": "2031-01-01T00:00Z"}, "start", "note"),
        ({"expires": "2031-01-01T00:00Z"}, "expires", "note"),
        ({"expire_seconds": 60}, "expires", "note"),
        ({"one_off": True}, "once", "note"),
        ({"priority": 3}, "priority", "note"),
        ({"priority": 200}, "priority", "attention"),
        ({"exchange": "topics"}, "routing", "attention"),
        ({"routing_key": "a.b"}, "routing", "attention"),
        ({"headers": '{"x": 1}'}, "routing", "attention"),
        ({"enabled": False}, "enabling", "note"),
        ({"task": "gone.away"}, "orphan", "attention"),
        ({"kwargs": '{"centre": 1}'}, "parameters", "attention"),
        ({"kwargs": "{"}, "parameters", "attention"),
    ],
)
def test_what_behaves_otherwise_is_told(values, kind, weight):
    row(**values)
    assert kinds() == {(kind, weight)}


@pytest.mark.parametrize("expression", ["0 9 1-7 * 5L", "0 9 1-7 * 1#2", "0 9 L * mon"])
def test_days_in_words_that_celery_does_not_know_never_meant_anything_else(expression):
    row(expression)
    assert (report().findings, report().rewrite) == ([], "")


def test_an_interval_is_told_not_to_drift():
    row(interval=IntervalSchedule.objects.create(every=5, period="minutes"))
    assert kinds() == {("interval", "note")}


def test_a_timing_that_cannot_be_read_is_told():
    task = row()
    CrontabSchedule.objects.filter(pk=task.crontab_id).update(minute="every")
    assert kinds() == {("timing", "attention")}


@pytest.mark.parametrize(
    ("expression", "rewrite"),
    [
        ("0 9 1-7 * mon", "0 9 * * mon#1"),
        ("0 9 15-21 6 2,4", "0 9 * 6 2#3,4#3"),
        ("0 9 1-8 * mon", ""),
        ("0 9 1-7 * mon-fri", ""),
        ("0 9 1-7 * *", ""),
    ],
)
def test_the_old_meaning_is_kept_where_it_can_be_said(expression, rewrite):
    row(expression)
    assert report().rewrite == rewrite
    if rewrite:
        _ = Crontab.of(rewrite).next_after(timezone.now())


def test_a_rewrite_has_the_days_that_celery_had():
    row("0 9 1-7 * mon")
    rewritten = Crontab.of(report().rewrite).slots(timezone.now(), limit=24)
    assert {(at.weekday(), at.day <= 7) for at in rewritten} == {(0, True)}


def test_adopting_makes_a_version_to_go_back_to():
    task = row("0 9 1-7 * mon")
    found = report()
    assert stock.adopt(found, by=None)
    assert not stock.adopt(found, by=None)
    task.refresh_from_db()
    assert (task.crontab.day_of_month, task.crontab.day_of_week) == ("*", "mon#1")
    assert task.versions.order_by("-number").first().note.startswith("Imported: 0 9 * * mon#1")


def test_declared_schedules_are_not_among_them():
    task = row()
    Schedule.objects.get(pk=task.pk).policy.__class__.objects.filter(pk=task.pk).update(origin="code")
    assert not stock.stock_schedules()


def run(*arguments):
    out, err = StringIO(), StringIO()
    call_command("schedules", "import", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_reports_and_changes_nothing_when_dry():
    task = row("0 9 1-7 * mon")
    out, _ = run("--dry-run")
    assert "Stock\n  ! It names days of the month (1-7) and of the week (mon)" in out
    assert "1 schedules that no job declares, 1 need attention" in out
    assert json.loads(run("--dry-run", "--json")[0])[0]["rewrite"] == "0 9 * * mon#1"
    task.refresh_from_db()
    assert task.crontab.day_of_month == "1-7"


def test_the_command_rewrites():
    row("0 9 1-7 * mon")
    assert "1 of 1 schedules rewritten" in run()[1]
    assert report().rewrite == ""


def test_the_page_reports_and_one_click_rewrites():
    task = row("0 9 1-7 * mon")
    client = signed_in(staff("jobs.view_schedule", "jobs.change_schedule"))
    assert "Rewrite as 0 9 * * mon#1" in client.get(PAGE).content.decode()
    client.post(PAGE, {"schedule": task.pk})
    task.refresh_from_db()
    assert task.crontab.day_of_week == "mon#1"


def test_a_viewer_may_read_the_report_only():
    task = row("0 9 1-7 * mon")
    client = signed_in(staff("jobs.view_schedule"))
    assert "Rewrite as" not in client.get(PAGE).content.decode()
    assert client.post(PAGE, {"schedule": task.pk}).status_code == 403
