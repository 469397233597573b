"""Schedules that jobs declare come into the database; what operators changed stays."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from jobs import definitions
from jobs.definitions import Cron, Every, cron, every
from jobs.models import SchedulePolicy
from jobs.sync import drift, sync_schedules
from jobs.tests.test_slots import in_threads
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
JOB = "testing.do_nothing"


@pytest.fixture(autouse=True)
def only_this_job(monkeypatch: pytest.MonkeyPatch) -> None:
    PeriodicTask.objects.all().delete()
    monkeypatch.setattr(definitions, "_registry", {JOB: tasks.do_nothing})


def declare(schedule: Cron | Every | None) -> None:
    definitions._registry[JOB] = replace(tasks.do_nothing, schedule=schedule)


def timing() -> Any:
    task = PeriodicTask.objects.get(name=JOB)
    if task.interval is not None:
        return task.interval.schedule.run_every.total_seconds()
    return f"{task.crontab.minute} {task.crontab.hour} {task.crontab.timezone}"


def test_a_declared_schedule_is_made_once() -> None:
    assert sync_schedules() == [JOB]
    assert sync_schedules() == []
    task = PeriodicTask.objects.get()
    assert (task.task, task.enabled, timing()) == (JOB, True, 3600)
    assert task.policy.origin == SchedulePolicy.Origin.CODE
    assert drift() == []


def test_a_changed_declaration_is_followed() -> None:
    sync_schedules()
    for declared, expected in (
        (every(minutes=5), 300),
        (cron("30 8 * * *", timezone="Europe/London"), "30 8 Europe/London"),
        (every(hours=1), 3600),
    ):
        declare(declared)
        assert sync_schedules() == [JOB]
        assert timing() == expected
        assert sync_schedules() == []


def test_an_operators_timing_survives_every_deploy_and_shows_as_drift() -> None:
    sync_schedules()
    mine = IntervalSchedule.objects.create(every=7, period="minutes")
    PeriodicTask.objects.filter(name=JOB).update(interval=mine)
    for declared in (every(hours=1), every(hours=2)):
        declare(declared)
        assert sync_schedules() == []
        assert timing() == 420
    (found,) = drift()
    assert (found.name, found.kind, found.in_code, found.in_database) == (
        JOB,
        "edited",
        "every 7200 s",
        "every 420 s",
    )


def test_a_disabled_schedule_stays_disabled() -> None:
    sync_schedules()
    PeriodicTask.objects.update(enabled=False)
    declare(every(minutes=1))
    sync_schedules()
    assert not PeriodicTask.objects.get().enabled


def test_other_edits_survive_a_followed_declaration() -> None:
    sync_schedules()
    PeriodicTask.objects.update(queue="reports", priority=1, description="ours")
    declare(every(minutes=1))
    sync_schedules()
    task = PeriodicTask.objects.get()
    assert (task.queue, task.priority, task.description, timing()) == ("reports", 1, "ours", 60)


@pytest.mark.parametrize("gone", [True, False])
def test_a_schedule_that_is_not_declared_any_more_is_reported_and_kept(gone: bool) -> None:
    sync_schedules()
    declare(None)
    if gone:
        del definitions._registry[JOB]
    assert sync_schedules() == []
    assert PeriodicTask.objects.filter(name=JOB).exists()
    assert [(found.name, found.kind) for found in drift()] == [(JOB, "not declared any more")]


def test_timings_of_equal_value_are_shared_and_others_rows_left_alone() -> None:
    CrontabSchedule.objects.create(minute="0", hour="4")
    declare(cron("0 4 * * *"))
    sync_schedules()
    assert CrontabSchedule.objects.filter(minute="0", hour="4").count() <= 2


def test_a_persons_schedule_of_another_name_is_no_drift() -> None:
    PeriodicTask.objects.create(
        name="mine", task=JOB, interval=IntervalSchedule.objects.create(every=1, period="days")
    )
    sync_schedules()
    assert drift() == []


@pytest.mark.django_db(transaction=True)
def test_processes_that_start_together_make_one_schedule() -> None:
    assert in_threads(*[sync_schedules] * 4) == []
    assert PeriodicTask.objects.filter(name=JOB).count() == 1
    assert connection.vendor == "postgresql"
