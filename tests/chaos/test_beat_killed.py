"""A scheduler dies at any step of its work: no slot is lost, none runs twice."""

import signal
from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs.models import JobRun, SchedulePolicy
from tests.chaos.crashing import POINTS
from tests.chaos.expectations import expect_each_ended_once, expect_one_outcome_a_slot
from tests.chaos.world import World, eventually
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.chaos

#: Steps that look after runs that nobody claimed, rather than after slots.
OF_CARE = {"after_promoting_retries", "between_marking_and_sending_again", "recovering_a_lost_run"}


def every_second(count: int) -> list[int]:
    """Schedules that fire every second and catch up on all they miss; their ids."""
    interval = IntervalSchedule.objects.create(every=1, period="seconds")
    schedules = [
        PeriodicTask.objects.create(
            name=f"every second {number}",
            task="testing.count_slowly",
            kwargs='{"until": 1, "pause": 0}',
            interval=interval,
        )
        for number in range(count)
    ]
    SchedulePolicy.objects.update(catch_up=SchedulePolicy.CatchUp.ALL)
    return [schedule.pk for schedule in schedules]


def survivor_takes_over(world: World, schedule_ids: list[int], *, slots: int) -> None:
    """A healthy scheduler runs until each schedule has had some more slots, and then all is settled."""
    known = JobRun.objects.count()
    world.beat()
    eventually(
        lambda: JobRun.objects.count() >= known + slots * len(schedule_ids), "more slots", tell=world.tell
    )
    PeriodicTask.objects.update(enabled=False)
    world.settled()


@pytest.mark.parametrize("point", [point for point in POINTS if point not in OF_CARE])
def test_every_slot_has_one_outcome_after_a_crash(world: World, point: str) -> None:
    world.worker()
    world.stop_beats()
    schedule_ids = every_second(2)
    crashing = world.new_beat(crash_at=point)
    assert crashing.wait(timeout=30) == -signal.SIGKILL, world.tell()
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
    waiting = {
        "after_promoting_retries": {"status": Status.RETRYING, "next_attempt_at": past},
        "between_marking_and_sending_again": {"status": Status.QUEUED, "published_at": None},
        "recovering_a_lost_run": {
            "status": Status.RUNNING,
            "attempt": 1,
            "worker": "gone",
            "lease_expires_at": past,
            "max_attempts": 3,
        },
    }[point]
    runs = [
        JobRun.objects.create(
            job="testing.count_slowly",
            queue="default",
            trigger=JobRun.Trigger.CODE,
            parameters={"until": 1},
            queued_at=past,
            **waiting,
        )
        for _ in range(3)
    ]
    crashing = world.new_beat(crash_at=point)
    assert crashing.wait(timeout=30) == -signal.SIGKILL, world.tell()
    world.beat()
    world.settled()
    expect_each_ended_once(runs, attempts=2)
