"""A browser and a live process, one each for all tests of a module."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from conftest import database_address
from tests.browser import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.live import free_port, live_process
from tests.spawner import Spawner

PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Not longer than a module: Playwright keeps an event loop in this thread, beside which Django refuses to query.

    Here it may, and the tests of other modules are as strict as ever.
    """
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        expect.set_options(
            timeout=30_000
        )  # what a page is waited for at most; 5 s are too few on a busy machine
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, live_server) -> Iterator[Page]:
    """A page of a signed-in superuser. Whatever the console calls an error fails the test: a refused script is one."""
    client = Client()
    client.force_login(User.objects.create_superuser("operator", "operator@example.org", PASSWORD))
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    complaints: list[str] = []
    with chromium.new_context(base_url=live_server.url, viewport={"width": 1280, "height": 900}) as context:
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    connections.close_all()  # those that Django opened for this thread beside Playwright's event loop
    assert complaints == []


@pytest.fixture(scope="session")
def spawner(django_db_setup: None) -> Iterator[Spawner]:
    """Starts workers, schedulers and live processes on this worker's test database and broker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database_address())
        patch.setenv("BROKER_URL", str(settings.BROKER_URL))
        patch.delenv("PYTEST_XDIST_WORKER", raising=False)  # which is in these addresses
        spawner = Spawner()
    yield spawner
    spawner.close()


@pytest.fixture(scope="module")
def live_port(spawner: Spawner, live_server) -> Iterator[int]:
    """The port of a live process on this worker's test database; pages of `live_server` may read from it."""
    port, site = free_port(), live_server.url.rpartition(":")[2]
    with live_process(spawner, port, PORT=int(site)):
        yield port
