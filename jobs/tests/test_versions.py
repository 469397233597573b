"""Versions: every change of a schedule makes one, whoever makes the change and by whatever means."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from jobs import schedules, versions
from jobs.models import JobRun, Schedule, SchedulePolicy, ScheduleVersion
from jobs.schedules import Wish
from jobs.tests.schedules_for_tests import at, crontab_row, schedule, tick
from jobs.when import When

pytestmark = pytest.mark.django_db

WISH = Wish(name="Sums", job="testing.add_numbers", when=When(cron="0 9 * * *"), parameters={"left": 1})


def commit():
    """What the database does at the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def numbers(task):
    return list(task.versions.order_by("number").values_list("number", "note"))


@pytest.fixture
def task():
    row = CrontabSchedule.objects.create(minute="0", hour="9")
    task = PeriodicTask.objects.create(name="Stock", task="testing.add_numbers", crontab=row)
    commit()
    return task


def test_a_row_that_a_stock_tool_makes_begins_with_version_1(task):
    assert numbers(task) == [(1, "")]
    assert SchedulePolicy.objects.get(pk=task.pk).version == 1


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE django_celery_beat_periodictask SET enabled = false",
        "UPDATE django_celery_beat_periodictask SET kwargs = '{\"left\": 2}'",
        "UPDATE django_celery_beat_crontabschedule SET hour = '10'",
        "UPDATE jobs_schedulepolicy SET catch_up = 'all'",
    ],
)
def test_a_change_by_sql_makes_a_version(task, sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
    commit()
    assert numbers(task) == [(1, ""), (2, "")]


STATE = {
    "task",
    "next_slot_at",
    "is_stale",
    "anchor_at",
    "planning_error",
    "paused_at",
    "paused_until",
    "pause_note",
    "origin",
    "declared",
    "declined",
    "version",
    "failures_count_from",
}
SETTINGS = [field for field in SchedulePolicy._meta.concrete_fields if field.name not in STATE]


def another(field, value):
    """Some other value that a column of the policy can have."""
    if isinstance(field, models.ForeignKey):
        return field.related_model._default_manager.create(
            **{"username" if field.related_model is User else "name": "x"}
        )
    if isinstance(field, models.BooleanField):
        return not value
    if isinstance(field, (models.IntegerField, models.FloatField)):
        return (value or 0) + 1
    if field.choices:
        return next(choice for choice, _ in field.choices if choice != value)
    return "Europe/Paris"


@pytest.mark.parametrize("field", SETTINGS, ids=lambda field: field.name)
def test_each_setting_of_the_policy_is_versioned(task, field):
    value = getattr(SchedulePolicy.objects.get(pk=task.pk), field.attname)
    SchedulePolicy.objects.filter(pk=task.pk).update(**{field.name: another(field, value)})
    commit()
    assert len(numbers(task)) == 2


def test_what_the_scheduler_notes_makes_no_version(task):
    SchedulePolicy.objects.filter(pk=task.pk).update(is_stale=False, next_slot_at="2031-01-01T00:00Z")
    PeriodicTask.objects.filter(pk=task.pk).update(total_run_count=5, last_run_at="2031-01-01T00:00Z")
    schedules.pause(Schedule.objects.get(pk=task.pk), note="A while", by=None)
    commit()
    assert numbers(task) == [(1, "")]


def test_a_change_and_its_author_make_one_version(django_user_model):
    ada = django_user_model.objects.create(username="ada")
    schedule = schedules.create(WISH, by=ada)
    schedules.change(schedule, replace(WISH, when=When(cron="0 10 * * *")), by=ada)
    commit()
    first, second = schedule.versions.order_by("number")
    assert (first.by, second.by) == (ada, ada)
    assert versions.differences(first, second) == [
        versions.Difference("when", "0 9 * * * (UTC)", "0 10 * * * (UTC)")
    ]


def test_saving_without_a_change_makes_no_version():
    schedule = schedules.create(WISH, by=None)
    schedules.change(schedule, WISH, by=None)
    commit()
    assert numbers(schedule) == [(1, "Made.")]


def test_a_shared_timing_that_is_edited_makes_a_version_of_each_of_its_schedules(task):
    other = PeriodicTask.objects.create(name="Other", task="testing.add_numbers", crontab=task.crontab)
    CrontabSchedule.objects.filter(pk=task.crontab_id).update(hour="11")
    commit()
    assert (len(numbers(task)), len(numbers(other))) == (2, 1)
    assert versions.get(other, 1).snapshot["crontab"]["hour"] == "11"


def test_a_version_that_is_not_there_is_not_found(task):
    with pytest.raises(versions.VersionNotFound, match="no version 7"):
        versions.get(task, 7)


def test_a_deleted_schedule_leaves_no_version_behind(task):
    with transaction.atomic():
        PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
        PeriodicTask.objects.get(pk=task.pk).delete()
    commit()
    assert not ScheduleVersion.objects.exists()


def test_each_run_keeps_the_version_that_fired_it():
    task = schedule(crontab_row("0 9 * * *"), made_at=at("2026-03-01 08:00"))
    commit()
    tick(at("2026-03-01 08:00"))
    PeriodicTask.objects.filter(pk=task.pk).update(kwargs='{"left": 2}')
    commit()
    tick(at("2026-03-01 09:00"))
    PeriodicTask.objects.filter(pk=task.pk).update(description="Two and one")
    commit()
    tick(at("2026-03-02 09:00"))
    runs = JobRun.objects.order_by("scheduled_for").values_list("schedule_version", "parameters")
    assert list(runs) == [(2, {"left": 2}), (3, {"left": 2})]


def test_the_version_costs_a_tick_no_query():
    for number in range(3):
        schedule(crontab_row("0 9 * * *"), made_at=at("2026-03-01 08:00"), name=f"number {number}")
    commit()
    tick(at("2026-03-01 08:00"))
    with CaptureQueriesContext(connection) as queries:
        tick(at("2026-03-01 09:00"))
    assert not [query for query in queries if 'WHERE "jobs_schedulepolicy"."task_id" =' in query["sql"]]
    assert JobRun.objects.filter(schedule_version=1).count() == 3


def test_a_run_beside_the_slots_keeps_the_version_too():
    schedule = schedules.create(WISH, by=None)
    run = schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    run.refresh_from_db()
    assert run.schedule_version == 1
