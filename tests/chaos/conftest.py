from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.chaos.world import World, inside, new_world


@pytest.fixture(scope="package")
def running_world(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[World]:
    """Not longer than these tests: its scheduler and worker are never quite idle."""
    with django_db_blocker.unblock(), new_world(tmp_path_factory.mktemp("chaos")) as world:
        yield world


@pytest.fixture
def world(
    running_world: World, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """An installation without schedules or runs. Its database is not the one of other tests."""
    with django_db_blocker.unblock(), inside(running_world.stack):
        running_world.forget()
        yield running_world
