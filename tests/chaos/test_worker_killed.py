"""A worker dies in mid-run: the run is made again, and ends once."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from jobs.models import JobRun
from tests.chaos.expectations import expect_each_ended_once
from tests.chaos.world import World, eventually
from tests.jobs_for_tests import tasks
from tests.spawner import ROOT

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


def test_a_worker_whose_process_dies_while_it_starts_is_started_again(world: World, tmp_path: Path) -> None:
    # Celery's main process gives up then, though it replaces every process that dies later.
    world.stop_workers()
    world.beat()
    run = tasks.count_slowly.enqueue(until=2, pause=0.05)
    with kept_worker(tmp_path / "log") as keeper:
        eventually(lambda: psutil.Process(keeper.pid).children(), "the worker starts")
        main = psutil.Process(keeper.pid).children()[0]
        eventually(main.children, "it has a process").pop().kill()
        [ended] = world.settled()
        said = (tmp_path / "log").read_text()
    assert "Could not start worker processes" in said
    assert "It starts again" in said
    assert (ended.pk, ended.status) == (run.pk, Status.SUCCEEDED)


@contextmanager
def kept_worker(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as `make run` starts it: looked after by `config.keep_running`."""
    celery = (sys.executable, "-m", "celery", "-A", "config", "worker", "-c", "2", "-n", "kept@chaos")
    with log.open("w") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "config.keep_running", *celery],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield keeper
    finally:
        os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait(10)


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
