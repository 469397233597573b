"""A scheduler dies at any step of its work: no slot is lost, none runs twice."""

import signal
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import JobRun
from tests.chaos.crashing import POINTS
from tests.chaos.expectations import expect_each_ended_once, expect_one_outcome_a_slot
from tests.chaos.schedules import every_second, survivor_takes_over
from tests.chaos.world import World
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.chaos

#: Steps that look after runs that nobody claimed, rather than after slots.
OF_CARE = {"after_promoting_retries", "between_marking_and_sending_again", "recovering_a_lost_run"}


@pytest.mark.parametrize("point", [point for point in POINTS if point not in OF_CARE])
def test_every_slot_has_one_outcome_after_a_crash(world: World, point: str) -> None:
    world.worker()
    world.stop_beats()
    schedule_ids = every_second(2)
    crashing = world.new_beat(crash_at=point)
    assert crashing.wait(timeout=90) == -signal.SIGKILL, world.tell()
    survivor_takes_over(world, schedule_ids, slots=2)
    runs = expect_one_outcome_a_slot(schedule_ids, seconds=1)
    expect_each_ended_once(runs, attempts=1)


@pytest.mark.parametrize("point", sorted(OF_CARE))
def test_waiting_runs_survive_a_crash_of_the_scheduler_that_looks_after_them(
    world: World, point: str
) -> None:
    world.worker()
    world.stop_beats()
    run = tasks.count_slowly.enqueue(until=1)
    world.settled()
    expect_each_ended_once([run], attempts=1)
    past = timezone.now() - timedelta(seconds=60)
    states: dict[str, dict[str, Any]] = {
        "after_promoting_retries": {"status": Status.RETRYING, "next_attempt_at": past},
        "between_marking_and_sending_again": {"status": Status.QUEUED, "published_at": None},
        "recovering_a_lost_run": {
            "status": Status.RUNNING,
            "attempt": 1,
            "started_at": past,
            "worker": "gone",
            "lease_expires_at": past,
            "max_attempts": 3,
        },
    }
    runs = [
        JobRun.objects.create(
            job="testing.count_slowly",
            queue="default",
            trigger=JobRun.Trigger.CODE,
            parameters={"until": 1},
            queued_at=past,
            **states[point],
        )
        for _ in range(3)
    ]
    crashing = world.new_beat(crash_at=point)
    assert crashing.wait(timeout=90) == -signal.SIGKILL, world.tell()
    world.beat()
    world.settled()
    expect_each_ended_once(runs, attempts=2)
