"""Streams of events outlive restarts of the servers behind them, and say so when events were lost."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from rest_framework_simplejwt.tokens import AccessToken

from jobs import ledger
from jobs.models import JobRun
from tests.chaos.world import World
from tests.jobs_for_tests import tasks
from tests.live import Listener, free_port, live_process

pytestmark = pytest.mark.chaos


@pytest.fixture
def listener(world: World) -> Iterator[Listener]:
    """A stream of all runs from a live process on the world's servers, where nobody else touches runs."""
    world.stop_beats()
    world.stop_workers()
    user, _ = User.objects.get_or_create(username="listener", defaults={"is_superuser": True})
    token = {"Authorization": f"Bearer {AccessToken.for_user(user)}"}
    port = free_port()
    with (
        live_process(world.spawner, port),
        Listener(f"http://127.0.0.1:{port}/api/v1/events/", token, kinds="run,system") as listener,
    ):
        listener.next("ready")
        yield listener


def test_restart_of_the_database_loses_no_event(world: World, listener: Listener) -> None:
    before = tasks.add_numbers.enqueue(left=1)
    assert listener.next("run").data["id"] == str(before.pk)
    world.restart_database()
    after = tasks.add_numbers.enqueue(left=2)
    news = listener.next("run", "reset", timeout=30)
    assert (news.kind, news.data.get("id")) == ("run", str(after.pk))


def test_crash_of_the_database_is_told_and_the_stream_goes_on(world: World, listener: Listener) -> None:
    tasks.add_numbers.enqueue(left=1)
    listener.next("run")
    world.restart_database(kill=True)
    listener.next("reset", timeout=30)
    after = tasks.add_numbers.enqueue(left=2)
    assert listener.next("run").data["id"] == str(after.pk)


def test_broker_that_is_away_is_no_matter_for_runs_and_is_seen_in_the_figures(
    world: World, listener: Listener
) -> None:
    world.stack.stop_broker()
    run = tasks.add_numbers.enqueue(left=1)
    assert listener.next("run").data["id"] == str(run.pk)
    assert ledger.claim(run.pk, worker="w", pid=1) is not None
    assert listener.next("run").data["status"] == JobRun.Status.RUNNING
    while any(queue["depth"] is not None for queue in listener.next("system", timeout=20).data["queues"]):
        pass
