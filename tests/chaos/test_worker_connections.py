"""Workers keep their database connections from run to run, and notice when one is gone."""

from typing import Any

import pytest
from django.db import connection

from jobs.models import JobRun
from tests.chaos.world import World, eventually
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.chaos


def connections_of_children(count: int) -> dict[int | None, set[Any]]:
    """Which connections each of the worker's processes has had, over that many runs."""
    ids = [tasks.tell_connection.enqueue().pk for _ in range(count)]
    eventually(lambda: not JobRun.objects.active().filter(pk__in=ids).exists(), "the runs have ended")
    seen: dict[int | None, set[Any]] = {}
    for run in JobRun.objects.filter(pk__in=ids):
        assert (run.status, run.attempt) == (JobRun.Status.SUCCEEDED, 1)
        seen.setdefault(run.worker_pid, set()).add(run.result)
    return seen


def test_each_process_of_a_worker_keeps_one_connection(world: World) -> None:
    world.worker()
    assert {len(seen) for seen in connections_of_children(20).values()} == {1}


def test_a_claim_over_a_connection_that_broke_is_made_over_a_new_one(world: World) -> None:
    world.worker()
    world.stop_beats()  # nobody would send a message again whose claim failed
    before = connections_of_children(20)
    world.stack.restart_database()
    connection.close()
    after = connections_of_children(20)
    assert after.keys() & before.keys()
    for pid in after.keys() & before.keys():
        assert len(after[pid]) == 1
        assert after[pid] != before[pid]
