"""Posts go out once, or say why not, although their publishers go wrong and the workers that send them die."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import pytest

from jobs.models import Alert
from publishing.models import Post, Publisher
from publishing.publications import State
from tests.chaos.world import Worker, World, eventually
from tests.drills import posts as drill

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos]

COUNT, SECONDS = 40, 4


@pytest.fixture
def places(world: World) -> Iterator[drill.World]:
    """Servers that go wrong, and their publishers; nothing of them is left behind."""
    with drill.world(seed=random.randrange(10**6)) as places, ExitStack() as stack:
        places.open(stack)
        yield places
        world.stop_workers()
        Post.objects.all().delete()
        Publisher.objects.all().delete()


def settle(world: World) -> None:
    eventually(drill.is_settled, "every publication has settled", timeout=90, tell=lambda: tell(world))


def tell(world: World) -> str:
    return f"{drill.open_things()}\n{world.logs()}"


@pytest.mark.timeout(240)
def test_posts_are_published_once_or_explained_whatever_dies(world: World, places: drill.World) -> None:
    """A short form of `python -m benchmarks.posts`."""

    def worker() -> Worker:
        return world.new_worker("-Q", "publishing", settings=places.settings)

    workers = [worker(), worker()]
    world.beat()
    drill.make_rounds()
    drill.schedule(places, COUNT, first=timedelta(seconds=1), over=timedelta(seconds=SECONDS))
    ends = time.monotonic() + SECONDS + 3
    while time.monotonic() < ends:
        time.sleep(1.5)
        workers.pop(0).kill()
        workers.append(worker())
    world.stack.flush_broker()
    world.stop_beats()
    world.beat()
    places.calm_down()
    settle(world)
    assert drill.left_to_people(places) == []
    while drill.decide(places):
        settle(world)
    found = drill.examine(places)
    assert (found.duplicates, found.unexplained) == (0, []), f"{found}\n{world.logs()}"
    assert found.publications == COUNT
    assert found.states[State.PUBLISHED] > COUNT / 2
    unconfirmed = Alert.objects.live().filter(kind="publishing.post_unconfirmed")
    eventually(lambda: not unconfirmed.exists(), "nothing is unconfirmed any more", tell=lambda: tell(world))
