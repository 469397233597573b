"""Bodies that do not stop by themselves are stopped, and their worker goes on."""

import pytest

from jobs import ledger
from jobs.models import JobRun
from tests.chaos.expectations import expect_each_ended_once
from tests.chaos.world import World, eventually
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.chaos


def row_once(run: JobRun, status: JobRun.Status, world: World) -> JobRun:
    rows = JobRun.objects.filter(pk=run.pk, status=status)
    return eventually(rows.first, f"the run is {status}", tell=world.tell)


def test_a_body_that_ignores_its_interrupt_is_killed_and_its_run_is_cancelled(world: World) -> None:
    worker = world.worker()
    world.beat()
    run = tasks.ignore_interrupts.enqueue(seconds=60)
    row_once(run, Status.RUNNING, world)
    ledger.cancel(run.id, by=None)
    row = row_once(run, Status.CANCELLED, world)
    assert (row.reason, row.attempt) == ("Cancelled by force: the process was killed.", 1)
    expect_the_worker_goes_on(world)
    assert worker.process.poll() is None


def test_soft_and_hard_time_limits_end_a_run_and_it_is_not_made_again(world: World) -> None:
    world.worker()
    world.beat()
    polite, deaf = tasks.take_too_long.enqueue(), tasks.take_too_long.enqueue(deaf=True)
    row = row_once(polite, Status.FAILED, world)
    assert (row.reason, row.attempt) == ("The run took longer than its soft time limit.", 1)
    row = row_once(deaf, Status.FAILED, world)
    assert (row.reason, row.attempt) == ("Killed at its hard time limit.", 1)
    expect_the_worker_goes_on(world)


def test_a_superseded_body_that_ignores_its_interrupt_is_killed_and_the_next_attempt_lives(
    world: World,
) -> None:
    """Both attempts run in children of one worker: the death of the first says nothing about the second."""
    world.worker()
    world.beat()
    run = tasks.ignore_interrupts.enqueue(seconds=6)
    first = row_once(run, Status.RUNNING, world)
    JobRun.objects.filter(pk=run.pk).update(status=Status.QUEUED, published_at=None)
    eventually(
        lambda: JobRun.objects.filter(pk=run.pk, attempt=2).exists(), "a second attempt", tell=world.tell
    )
    row = row_once(run, Status.SUCCEEDED, world)
    assert row.attempt == 2
    assert row.worker_pid != first.worker_pid


def test_a_child_killed_while_the_database_is_away_does_not_take_its_worker_along(world: World) -> None:
    worker = world.worker()
    world.beat()
    run = tasks.count_slowly.enqueue(until=60, pause=0.05)
    world.until_marked(run)
    pid = JobRun.objects.values_list("worker_pid", flat=True).get(pk=run.pk)
    world.stack.stop_database()
    worker.kill_child(pid)
    eventually(lambda: "its child is gone, and so is the database" in world.logs(), "the worker has heard")
    world.restart_database()
    world.settled()
    expect_each_ended_once([run], attempts=2)
    assert worker.process.poll() is None


def expect_the_worker_goes_on(world: World) -> None:
    run = tasks.count_slowly.enqueue(until=1, pause=0)
    row_once(run, Status.SUCCEEDED, world)
