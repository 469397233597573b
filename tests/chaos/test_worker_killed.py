"""A worker dies in mid-run: the run is made again, and ends once."""

import pytest

from jobs.models import JobRun
from tests.chaos.expectations import expect_each_ended_once
from tests.chaos.world import World, eventually
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.chaos


def test_runs_of_a_worker_that_is_killed_with_its_children_are_made_again(world: World) -> None:
    worker = world.worker()
    world.beat()
    runs = [tasks.count_slowly.enqueue(until=30, pause=0.05) for _ in range(6)]
    for run in runs[:2]:
        world.until_marked(run)
    worker.kill()
    world.new_worker()
    world.settled()
    expect_each_ended_once(runs, attempts=2)


def test_a_run_whose_child_process_is_killed_is_made_again(world: World) -> None:
    worker = world.worker()
    world.beat()
    run = tasks.count_slowly.enqueue(until=25, pause=0.05)
    world.until_marked(run)
    worker.kill_child_of(run)
    world.settled()
    expect_each_ended_once([run], attempts=2)


def test_a_run_whose_main_process_is_killed_is_made_again(world: World) -> None:
    worker = world.worker()
    world.beat()
    run = tasks.count_slowly.enqueue(until=25, pause=0.05)
    world.until_marked(run)
    worker.kill_main()
    world.new_worker()
    world.settled()
    expect_each_ended_once([run], attempts=2)


def test_worker_and_scheduler_die_together(world: World) -> None:
    worker, beat = world.worker(), world.beat()
    runs = [tasks.count_slowly.enqueue(until=30, pause=0.05) for _ in range(3)]
    world.until_marked(runs[0])
    worker.kill()
    world.stop_beats()
    assert beat.poll() is not None
    assert JobRun.objects.active().exists()
    world.beat()
    world.worker()
    world.settled()
    expect_each_ended_once(runs, attempts=2)


def test_the_last_attempt_that_is_lost_ends_as_failed(world: World) -> None:
    worker = world.worker()
    world.beat()
    run = tasks.count_slowly.enqueue(until=100, pause=0.05)
    JobRun.objects.filter(pk=run.pk).update(max_attempts=1)
    world.until_marked(run)
    worker.kill_child_of(run)
    row = eventually(
        lambda: JobRun.objects.filter(pk=run.pk, status=Status.FAILED).first(), "the run has failed"
    )
    assert row.error_type == "jobs.errors.RunLost"
    assert row.attempt == 1
