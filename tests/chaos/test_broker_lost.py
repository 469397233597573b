"""The broker loses everything, or is away: runs wait in the ledger and resume by themselves."""

import time

import pytest

from jobs import outbox
from jobs.models import JobRun
from tests.chaos.expectations import expect_each_ended_once
from tests.chaos.world import World, eventually
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.chaos


def test_runs_queued_and_running_survive_a_flushed_broker(world: World) -> None:
    world.worker()
    world.beat()
    runs = [tasks.count_slowly.enqueue(until=20, pause=0.05) for _ in range(8)]
    world.until_marked(runs[0])
    world.stack.flush_broker()
    assert outbox.depths(["default"]) == {"default": 0}
    world.settled()
    expect_each_ended_once(runs, attempts=1)


def test_a_restarted_broker_stops_neither_worker_nor_scheduler(world: World) -> None:
    worker, beat = world.worker(), world.beat()
    before = [tasks.count_slowly.enqueue(until=20, pause=0.05) for _ in range(4)]
    world.until_marked(before[0])
    world.stack.kill_broker()
    world.stack.start_broker()
    after = [tasks.count_slowly.enqueue(until=2, pause=0.05) for _ in range(2)]
    world.settled()
    expect_each_ended_once(before + after, attempts=1)
    assert worker.process.poll() is None
    assert beat.poll() is None


def test_runs_asked_for_while_the_broker_is_down_run_once_it_is_back(world: World) -> None:
    world.worker()
    beat = world.beat()
    world.stack.stop_broker()
    begun = time.monotonic()
    runs = [tasks.count_slowly.enqueue(until=1) for _ in range(3)]
    assert time.monotonic() - begun < 15, "asking for a run waits for the broker"
    eventually(
        lambda: not JobRun.objects.filter(published_at__isnull=False, status=Status.QUEUED).exists(),
        "the runs are known to be unsent",
    )
    assert beat.poll() is None
    world.stack.start_broker()
    world.settled()
    expect_each_ended_once(runs, attempts=1)
    assert beat.poll() is None
