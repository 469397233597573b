"""Rounds over many sources, against real servers; the pool's threads are real too."""

import threading
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from jobs.errors import RunCancelled
from publishing import sources, tasks
from publishing.models import Source
from publishing.polling import pace
from publishing.polling import round as polling_round
from publishing.polling.pace import _lock_key
from publishing.polling.record import PollResult, record_success
from publishing.sources import Fetched, FetchRequest, SourceAdapter
from publishing.tests.factories import allow, entry, make_run, make_source, rss

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quick(settings):
    settings.PUBLISHING_HOST_SPACING_SECONDS = 0


@pytest.fixture
def feeds(httpserver: HTTPServer, settings) -> HTTPServer:
    """Three feeds that work and one that does not."""
    allow(settings, httpserver)
    for number in range(1, 4):
        httpserver.expect_request(f"/{number}").respond_with_data(
            rss(entry(number)), content_type="application/rss+xml"
        )
    httpserver.expect_request("/broken").respond_with_data(status=500)
    return httpserver


def test_a_round_polls_every_due_source_and_counts(feeds: HTTPServer):
    for number in range(1, 4):
        make_source(url=feeds.url_for(f"/{number}"))
    make_source(url=feeds.url_for("/4"), next_poll_at=timezone.now() + timedelta(hours=1))
    run = make_run()
    result = tasks.monitor_feeds(run)
    assert (result.polled, result.changed, result.new_items, result.failed) == (3, 3, 3, 0)
    assert (run.succeeded_units, run.failed_units) == (3, {})
    assert (run.progress.current, run.progress.total, run.progress.percent) == (3, 3, 100)
    again = tasks.monitor_feeds(make_run())
    assert again.polled == 0


def test_a_source_that_fails_is_one_failed_unit_among_others(feeds: HTTPServer):
    make_source(url=feeds.url_for("/1"))
    broken = make_source(url=feeds.url_for("/broken"), name="Broken")
    run = make_run()
    result = tasks.monitor_feeds(run)
    assert (result.polled, result.failed, result.new_items) == (2, 1, 1)
    assert list(run.failed_units) == [f"Broken ({broken.pk})"] and run.succeeded_units == 1
    assert "status 500" in result.failures[f"Broken ({broken.pk})"]


def test_a_source_that_our_code_cannot_bear_is_one_failed_unit_too(feeds: HTTPServer, monkeypatch):
    fine, odd = (make_source(url=feeds.url_for(f"/{number}")) for number in (1, 2))
    from_poll = record_success

    def stumble(source_id: int, *given: Any, **named: Any) -> PollResult:
        if source_id == odd.pk:
            raise ValueError("year 0 is out of range")
        return from_poll(source_id, *given, **named)

    monkeypatch.setattr(polling_round, "record_success", stumble)
    run = make_run()
    result = tasks.monitor_feeds(run)
    assert (result.polled, result.failed, result.new_items) == (2, 1, 1)
    assert list(run.failed_units.values()) == ["year 0 is out of range"]
    assert fine.items.count() == 1


def test_a_host_on_hold_is_postponed_and_not_asked(feeds: HTTPServer):
    source = make_source(url=feeds.url_for("/1"))
    pace.hold(pace.host_of(source.url), now=timezone.now(), seconds=600, reason="status 429")
    result = tasks.monitor_feeds(make_run())
    assert (result.polled, result.postponed) == (0, 1)
    assert feeds.log == []
    source.refresh_from_db()
    assert source.next_poll_at > timezone.now() + timedelta(seconds=590)
    assert source.consecutive_failures == 0


def _elsewhere() -> "psycopg.Connection[Any]":
    """A connection of another worker."""
    given = connection.settings_dict
    return psycopg.connect(
        dbname=given["NAME"], host=given["HOST"] or None, port=given["PORT"] or None,
        user=given["USER"] or None, password=given["PASSWORD"] or None, autocommit=True,
    )  # fmt: skip


def _await_lock(host: str) -> None:
    """Until the server has noticed that the other connection is gone, which takes it a moment."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_lock_key(host)])
    pace.leave(host)


def test_a_host_that_another_worker_is_asking_is_left_for_a_later_round(feeds: HTTPServer):
    source = make_source(url=feeds.url_for("/1"))
    with _elsewhere() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [_lock_key(pace.host_of(source.url))])
        result = tasks.monitor_feeds(make_run())
        assert (result.polled, result.postponed) == (0, 1)
    _await_lock(pace.host_of(source.url))
    source.refresh_from_db()
    assert source.is_due(timezone.now())  # the other worker's death frees the host at once
    assert tasks.monitor_feeds(make_run()).polled == 1


def test_locks_on_hosts_are_given_back(feeds: HTTPServer):
    source = make_source(url=feeds.url_for("/1"))
    tasks.monitor_feeds(make_run())
    tasks.monitor_feed(make_run(), source_id=source.pk)
    with _elsewhere() as other:
        row = other.execute(
            "SELECT pg_try_advisory_lock(%s)", [_lock_key(pace.host_of(source.url))]
        ).fetchone()
    assert row == (True,)


def test_a_host_is_asked_by_one_thread_while_hosts_are_asked_together(settings):
    """Two hosts with two feeds each: every request waits for one to the other host, and there are never two to one."""
    servers = [HTTPServer(host="127.0.0.1", port=0, threaded=True) for _ in range(2)]
    for server in servers:
        server.start()
    allow(settings, *servers)
    lock = threading.Lock()
    both = threading.Barrier(2)
    running: dict[str, int] = {}
    most: dict[str, int] = {}

    def meet(request: Request) -> Response:
        with lock:
            running[request.host] = running.get(request.host, 0) + 1
            most[request.host] = max(most.get(request.host, 0), running[request.host])
        time.sleep(0.2)  # a second request to this host would come now
        both.wait(30)
        with lock:
            running[request.host] -= 1
        return Response(rss(entry(1)))

    try:
        for server in servers:
            for path in ("/a", "/b"):
                server.expect_request(path).respond_with_handler(meet)
                make_source(url=server.url_for(path))
        result = tasks.monitor_feeds(make_run())
        assert (result.polled, result.failed) == (4, 0)
        assert set(most.values()) == {1} and len(most) == 2
    finally:
        for server in servers:
            server.stop()


class _Endless(SourceAdapter):
    """A source that says it has begun and then takes its time."""

    kind, label = "endless", "Endless"

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.release = threading.Event()
        self.ended = threading.Event()

    def fetch(self, request: FetchRequest) -> Fetched:
        self.begun.set()
        self.release.wait(60)
        self.ended.set()
        return Fetched(is_changed=True)


class _Buggy(SourceAdapter):
    kind, label = "buggy", "Buggy"

    def fetch(self, request: FetchRequest) -> Fetched:
        raise ZeroDivisionError("a mistake in an adapter")


@pytest.fixture
def register(monkeypatch):
    """Make a kind known for the length of a test."""

    def add(adapter: SourceAdapter) -> None:
        monkeypatch.setitem(sources.registry._adapters, adapter.kind, adapter)

    return add


def test_a_cancel_ends_a_round_at_once_and_what_was_not_polled_stays_due(register):
    endless = _Endless()
    register(endless)
    for _ in range(3):
        make_source(kind="endless")
    run = make_run()

    def cancel() -> None:
        endless.begun.wait(30)
        run.stop(RunCancelled)

    threading.Thread(target=cancel).start()
    with pytest.raises(RunCancelled):
        tasks.monitor_feeds(run)
    assert not endless.ended.is_set()
    endless.release.set()
    assert Source.objects.due(timezone.now()).count() == 2


def test_a_bug_in_an_adapter_fails_its_source_only(register, feeds: HTTPServer, caplog):
    register(_Buggy())
    buggy = make_source(kind="buggy")
    make_source(url=feeds.url_for("/1"))
    run = make_run()
    result = tasks.monitor_feeds(run)
    assert (result.polled, result.failed, run.succeeded_units) == (2, 1, 1)
    buggy.refresh_from_db()
    assert buggy.last_error == "Reading it failed unexpectedly: ZeroDivisionError."
    assert "a mistake in an adapter" in caplog.text


def test_the_job_for_one_source_gives_what_it_did(feeds: HTTPServer):
    source = make_source(url=feeds.url_for("/1"))
    run = make_run()
    result = tasks.monitor_feed(run, source_id=source.pk)
    assert (result.new, result.outcome, result.name) == (1, "changed", source.name)
    assert (result.items_found, [item.title for item in result.items]) == (1, ["Item 1"])
    source.refresh_from_db()
    assert source.last_run_id == run.id


def test_the_job_that_tests_a_source_gives_a_preview(feeds: HTTPServer):
    source = make_source(url=feeds.url_for("/1"))
    preview = tasks.test_source(make_run(), source_id=source.pk)
    assert preview.items[0].url == "http://feeds.example/items/1"
    assert source.items.count() == 0
