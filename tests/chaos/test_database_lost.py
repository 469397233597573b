"""The database goes away in mid-run: the run goes on, and its outcome is recorded once the database is back."""

import time

import pytest

from jobs.models import JobRun
from tests.chaos.expectations import expect_each_ended_once, expect_one_outcome_a_slot
from tests.chaos.schedules import every_second, survivor_takes_over
from tests.chaos.world import TIMING, World, eventually
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.chaos


def test_a_run_outlives_a_killed_database_and_is_not_executed_twice(world: World) -> None:
    worker, beat = world.worker(), world.beat()
    run = tasks.outlive_database.enqueue(seconds=4)
    world.until_marked(run)
    world.restart_database(kill=True)
    world.settled()
    expect_each_ended_once([run], attempts=1)
    assert worker.process.poll() is None
    assert beat.poll() is None


def test_an_outcome_waits_for_a_database_that_is_away_longer_than_the_lease(world: World) -> None:
    world.worker()
    world.beat()
    run = tasks.sleep_deaf.enqueue(seconds=1)
    eventually(lambda: JobRun.objects.get(pk=run.pk).status == Status.RUNNING, "the run has begun")
    world.stack.stop_database()
    lease_is_over = time.monotonic() + 1.5 * float(TIMING["JOBS_LEASE_SECONDS"])
    eventually(lambda: time.monotonic() > lease_is_over, "the lease has run out")
    world.stack.start_database()
    rows = world.settled()
    assert [(row.status, row.attempt) for row in rows] == [(Status.SUCCEEDED, 1)]


def test_slots_that_passed_without_a_database_are_caught_up_with(world: World) -> None:
    world.worker()
    beat = world.beat()
    schedule_ids = every_second(2)
    eventually(lambda: JobRun.objects.count() >= 2, "the schedules fire", tell=world.tell)
    world.restart_database(kill=True)
    survivor_takes_over(world, schedule_ids, slots=2)
    expect_each_ended_once(expect_one_outcome_a_slot(schedule_ids, seconds=1), attempts=2)
    assert beat.poll() is None
