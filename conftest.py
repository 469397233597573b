"""The test session: its own PostgreSQL and Valkey, started before Django reads its settings.

One pair of servers for the whole session. Each xdist worker has its own database (a suffix, by pytest-django) and its
own database number in the broker (`config.settings.test`). Set TEST_DATABASE_URL and TEST_BROKER_URL to use servers
that already run; DATABASE_URL and BROKER_URL are never touched by tests.
"""

import gc
import os
from collections.abc import Callable, Iterator
from urllib.parse import quote

import django
import pytest
from django.conf import settings
from django.db import connection
from hypothesis import settings as property_settings
from pytest_django.plugin import DjangoDbBlocker

from tests.order import spread
from tests.servers import PrivateStack, broker_client
from tests.template import FOLDER, template

# How long one example takes says nothing on a machine that is shared.
property_settings.register_profile("almanac", deadline=None)
property_settings.load_profile("almanac")

IS_XDIST_WORKER = "PYTEST_XDIST_WORKER" in os.environ
SERVERS: PrivateStack | None = None


def choose_servers() -> PrivateStack | None:
    """Export the addresses of this session's servers; give the servers that are ours to start."""
    given = [name for name in ("TEST_DATABASE_URL", "TEST_BROKER_URL") if os.environ.get(name)]
    for name in ("DATABASE_URL", "BROKER_URL"):
        os.environ.pop(f"{name}_FILE", None)
    if given:
        if len(given) == 1:
            raise pytest.UsageError("Set both TEST_DATABASE_URL and TEST_BROKER_URL, or neither.")
        os.environ["DATABASE_URL"] = os.environ["TEST_DATABASE_URL"]
        os.environ["BROKER_URL"] = os.environ["TEST_BROKER_URL"]
        return None
    servers = PrivateStack()
    os.environ["DATABASE_URL"], os.environ["BROKER_URL"] = servers.database_url, servers.broker_url
    os.environ[FOLDER] = str(servers.folder)
    return servers


if not IS_XDIST_WORKER:
    if settings.configured:
        raise pytest.UsageError(
            "Unset DJANGO_SETTINGS_MODULE: the tests choose their settings and servers themselves."
        )
    SERVERS = choose_servers()
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    django.setup()


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto` and `-n logical`: half of the time goes into waiting for processes that a test has started."""
    return 1 + len(os.sched_getaffinity(0)) * 3 // 2


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = spread(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_collection_finish() -> None:
    """All that is imported stays: do not look through it for garbage again and again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    if SERVERS is not None:
        SERVERS.start()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    if SERVERS is not None:
        SERVERS.close()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Copy the test database from one that has the tables."""
    with django_db_blocker.unblock():
        connection.settings_dict["TEST"]["TEMPLATE"] = template()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The thread beside job bodies gives up its connection before the test database is dropped."""
    from jobs.attendant import attendant  # models can be imported only now that Django is set up

    yield
    attendant.stop()


@pytest.fixture
def broker_url() -> str:
    """This worker's broker, for processes that a test starts."""
    return str(settings.BROKER_URL)


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """This worker's test database, for processes that a test starts: they see only what is committed."""
    return database_address()


def database_address() -> str:
    """The URL of this worker's test database, once it is there."""
    given = connection.settings_dict
    return (
        f"postgresql:///{quote(given['NAME'])}?host={quote(given['HOST'])}&port={given['PORT'] or 5432}"
        f"&user={quote(given['USER'])}"
        + (f"&password={quote(given['PASSWORD'])}" if given["PASSWORD"] else "")
    )


@pytest.fixture
def flush_broker() -> Iterator[Callable[[], None]]:
    """Empty this worker's broker now, and again after the test; the value is a function that empties it."""

    def flush() -> None:
        with broker_client(settings.BROKER_URL) as client:
            client.flushdb()

    flush()
    yield flush
    flush()
