"""Processes die while runs wait for each other or for a place: none is lost, none runs beside another."""

import signal
from contextlib import suppress
from itertools import pairwise

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs import ledger, limits
from jobs.errors import IllegalState
from jobs.limits import Limits
from jobs.models import JobLimit, JobRun, SchedulePolicy
from tests.chaos.expectations import expect_each_ended_once
from tests.chaos.world import World, eventually
from tests.jobs_for_tests import tasks
from tests.jobs_for_tests.models import Mark

Status = JobRun.Status
Overlap = SchedulePolicy.Overlap
pytestmark = pytest.mark.chaos

#: Steps of `count_slowly`, 0.05 s each: longer than the second between two slots.
LONG = '{"until": 30, "pause": 0.05}'


def every_second(overlap: str) -> int:
    """A schedule whose runs last longer than the time between its slots; its id."""
    interval = IntervalSchedule.objects.create(every=1, period="seconds")
    schedule = PeriodicTask.objects.create(
        name="overlapping", task="testing.count_slowly", kwargs=LONG, interval=interval
    )
    SchedulePolicy.objects.filter(pk=schedule.pk).update(overlap=overlap, catch_up=SchedulePolicy.CatchUp.ALL)
    return int(schedule.pk)


def some_wait(world: World, count: int) -> None:
    eventually(
        lambda: JobRun.objects.filter(status=Status.WAITING).count() >= count, "runs wait", tell=world.tell
    )


def settle(world: World, schedule_id: int) -> list[JobRun]:
    """No more slots; whoever waits may still run. Returns the runs that ran, in the order of their slots."""
    SchedulePolicy.objects.filter(pk=schedule_id).update(next_slot_at=None)
    world.settled(timeout=90)
    rows = JobRun.objects.filter(schedule_id=schedule_id).order_by("scheduled_for")
    return [row for row in rows if row.status == Status.SUCCEEDED]


def expect_one_at_a_time(runs: list[JobRun]) -> None:
    """No body began before the one before it had ended or was given up."""
    for earlier, later in pairwise(sorted(runs, key=lambda run: run.started_at or timezone.now())):
        assert earlier.finished_at is not None
        assert later.started_at is not None
        assert earlier.finished_at <= later.started_at, (earlier, later)


@pytest.fixture(autouse=True)
def no_limits(world: World) -> None:
    JobLimit.objects.all().delete()


def test_a_worker_dies_while_runs_wait_for_the_one_it_has(world: World) -> None:
    worker = world.worker()
    world.beat()
    schedule_id = every_second(Overlap.BUFFER_ALL)
    some_wait(world, 2)
    worker.kill()
    world.new_worker()
    runs = settle(world, schedule_id)
    assert len(runs) >= 3
    expect_one_at_a_time(runs)
    expect_each_ended_once([run for run in runs if run.attempt == 1], attempts=1)


@pytest.mark.parametrize("point", ["after_commit", "after_sending"])
def test_a_scheduler_dies_between_letting_a_run_go_and_sending_it(world: World, point: str) -> None:
    world.worker()
    world.beat()
    schedule_id = every_second(Overlap.BUFFER_ALL)
    some_wait(world, 2)
    world.stop_workers()
    # The run of the dead worker is made again later; until then only what is let go is sent.
    world.stop_beats()
    JobRun.objects.filter(status__in=[Status.RUNNING, Status.QUEUED]).update(
        status=Status.CANCELLED, finished_at=timezone.now()
    )
    crashing = world.new_beat(crash_at=point)
    assert crashing.wait(timeout=90) == -signal.SIGKILL, world.tell()
    world.beat()
    world.new_worker()
    runs = settle(world, schedule_id)
    assert len(runs) >= 2
    expect_one_at_a_time(runs)
    expect_each_ended_once(runs, attempts=1)


@pytest.mark.parametrize("overlap", [Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER])
def test_a_run_that_must_stop_makes_room_even_when_its_worker_dies(world: World, overlap: str) -> None:
    worker = world.worker()
    world.beat()
    schedule_id = every_second(overlap)
    eventually(lambda: Mark.objects.filter(what="begin").exists(), "one runs", tell=world.tell)
    some_wait(world, 1)
    worker.kill()
    world.new_worker()
    eventually(
        lambda: JobRun.objects.filter(status=Status.CANCELLED).exists(), "one was stopped", tell=world.tell
    )
    runs = settle(world, schedule_id)
    stopped = JobRun.objects.filter(schedule_id=schedule_id, status=Status.CANCELLED)
    assert runs, world.tell()
    expect_one_at_a_time([*runs, *stopped.exclude(started_at=None)])


def test_a_forced_stop_gives_no_grace(world: World) -> None:
    world.worker()
    world.beat()
    interval = IntervalSchedule.objects.create(every=2, period="seconds")
    schedule = PeriodicTask.objects.create(name="deaf", task="testing.never_stop", interval=interval)
    SchedulePolicy.objects.filter(pk=schedule.pk).update(overlap=Overlap.TERMINATE_OTHER)
    eventually(
        lambda: JobRun.objects.filter(status=Status.CANCELLED, attempt=1).exists(), "killed", tell=world.tell
    )
    PeriodicTask.objects.update(enabled=False)
    for run in JobRun.objects.active():
        with suppress(IllegalState):
            ledger.cancel(run.pk, by=None)
    JobRun.objects.filter(status=Status.RUNNING).update(cancel_forced=True)
    world.settled()


def test_a_worker_dies_with_a_place_and_nothing_leaks(world: World) -> None:
    limits.put("testing.count_slowly", Limits(max_running=1), by=None)
    worker = world.worker()
    world.beat()
    runs = [tasks.count_slowly.enqueue(until=20, pause=0.05) for _ in range(4)]
    assert JobRun.objects.filter(status=Status.WAITING).count() == 3
    world.until_marked(runs[0])
    worker.kill()
    world.new_worker()
    world.settled(timeout=90)
    expect_each_ended_once(runs, attempts=2)
    expect_one_at_a_time(list(JobRun.objects.all()))
