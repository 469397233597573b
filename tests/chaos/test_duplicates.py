"""Two of everything: schedulers, workers, messages. Still one run a slot, executed once."""

import pytest
from django_celery_beat.models import PeriodicTask

from jobs import outbox
from jobs.models import JobRun
from jobs.outbox import Message
from tests.chaos.expectations import expect_each_ended_once, expect_one_outcome_a_slot
from tests.chaos.schedules import every_second
from tests.chaos.world import World, eventually
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.chaos


def message_of(run: JobRun) -> Message:
    return Message(
        run_id=run.id, job=run.job, queue=run.queue, priority=run.priority, args=[], parameters=run.parameters
    )


def test_two_schedulers_make_one_run_a_slot(world: World) -> None:
    world.worker()
    world.beat()
    world.new_beat()
    schedule_ids = every_second(5)
    eventually(lambda: JobRun.objects.count() >= 20, "twenty slots", tell=world.tell)
    PeriodicTask.objects.update(enabled=False)
    world.settled()
    runs = expect_one_outcome_a_slot(schedule_ids, seconds=1)
    expect_each_ended_once(runs, attempts=1)


def test_a_message_delivered_ten_times_to_two_workers_runs_once(world: World) -> None:
    world.worker()
    world.new_worker()
    runs = [tasks.count_slowly.enqueue(until=10, pause=0.05) for _ in range(3)]
    outbox.send([message_of(run) for run in runs for _ in range(9)])
    world.settled()
    outbox.send([message_of(run) for run in runs])
    eventually(lambda: outbox.depths(["default"])["default"] == 0, "all messages are taken")
    expect_each_ended_once(runs, attempts=1)
