"""Polls that are claimed and recorded together: few queries, and each source still by itself."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from publishing import sources, tasks
from publishing.errors import SourceError, SourceGone, SourceUnavailable, SourceUnreadable
from publishing.models import HostPace, Source
from publishing.polling import cadence
from publishing.polling.poll import claim_due
from publishing.polling.record import Outcome, record_failure, record_simple, record_success
from publishing.sources import Fetched, FetchRequest, SourceAdapter
from publishing.tests.factories import make_item, make_run, make_source

pytestmark = pytest.mark.django_db


class _Together(SourceAdapter):
    """Sources that have nothing new, and say so all at once."""

    kind, label = "together", "Together"

    def __init__(self, parties: int) -> None:
        self._all = threading.Barrier(parties)

    def fetch(self, request: FetchRequest) -> Fetched:
        self._all.wait(30)
        if "busy" in request.url:
            raise SourceUnavailable("Busy.", status=503, is_host_busy=True, retry_after=600)
        return Fetched(is_changed=False, status=304, etag="\x00" if "odd" in request.url else '"2"')


@pytest.fixture
def together(monkeypatch, settings):
    """So many due sources, each on a host of its own, all of which are asked at the same time."""
    settings.PUBLISHING_HOST_SPACING_SECONDS = 0

    def add(*names: str) -> list[Source]:
        settings.PUBLISHING_POLL_THREADS = len(names)
        monkeypatch.setitem(sources.registry._adapters, "together", _Together(len(names)))
        return [make_source(kind="together", url=f"https://{name}.example/") for name in names]

    return add


def test_many_sources_without_news_cost_few_queries(together):
    made = together(*[f"host{number}" for number in range(60)])
    with CaptureQueriesContext(
        connection,
    ) as asked:
        result = tasks.monitor_feeds(make_run())
    assert (result.polled, result.unchanged) == (60, 60)
    assert len(asked) < 180  # one by one it would be twelve and more for each
    assert set(Source.objects.values_list("etag", "last_status")) == {('"2"', 304)}
    assert not Source.objects.due(timezone.now()).exists() and len(made) == 60


def test_one_that_cannot_be_recorded_fails_alone(together):
    together("fine", "odd", "other")
    result = tasks.monitor_feeds(make_run())
    assert (result.polled, result.unchanged, result.failed) == (3, 2, 1)
    assert Source.objects.filter(etag='"2"', last_success_at__isnull=False).count() == 2


def test_a_busy_host_among_others_is_held(together):
    busy, _ = together("busy", "fine")
    result = tasks.monitor_feeds(make_run())
    assert (result.unchanged, result.failed) == (1, 1)
    held = HostPace.objects.get(held_until__isnull=False)
    assert (held.host, held.hold_reason) == ("busy.example", "status 503")
    busy.refresh_from_db()
    assert (busy.consecutive_failures, busy.last_error) == (1, "Busy.")


CAME: list[Fetched | SourceError] = [
    Fetched(is_changed=False, status=304, etag='"2"', last_modified="x", body_hash="y", language="de"),
    Fetched(is_changed=True, status=200, quiet_for=timedelta(hours=20)),
    SourceUnavailable("Not now.", status=500),
    SourceUnavailable("Busy.", status=429, retry_after=9_000.0, is_host_busy=True),
    SourceUnreadable("No feed.", status=200),
    SourceGone("Gone.", status=410),
]


@pytest.mark.parametrize("came", CAME, ids=lambda came: type(came).__name__)
def test_recording_together_leaves_what_recording_alone_leaves(came, monkeypatch):
    monkeypatch.setattr(cadence, "_JITTER", 0.0)
    now = timezone.now()
    before: dict[str, Any] = {
        "consecutive_failures": 2, "consecutive_parse_failures": 1, "last_error": "Earlier.", "redirect_url": "https://moved.example/",
        "redirect_first_seen_at": now, "redirect_sightings": 2, "etag": '"1"', "last_changed_at": now,
    }  # fmt: skip
    alone, together = (make_source(**before) for _ in range(2))
    for source in (alone, together):
        make_item(source, published_at=now)
    request = FetchRequest(alone.url)
    if isinstance(came, SourceError):
        record_failure(alone.pk, request, came, now=now)
    else:
        record_success(alone.pk, request, came, now=now)
    record_simple([Outcome(together.pk, FetchRequest(together.url), came)], now=now)
    kept = [
        Source.objects.values().get(pk=source.pk) | {"id": 0, "name": "", "url": "", "created_at": None}
        for source in (alone, together)
    ]
    assert kept[0] == kept[1]


def test_what_was_edited_meanwhile_is_not_overwritten():
    source, gone = make_source(), make_source()
    outcomes = [
        Outcome(source.pk, FetchRequest("https://before.example/"), CAME[0]),
        Outcome(gone.pk, FetchRequest(gone.url), CAME[0]),
    ]
    gone.delete()
    results = record_simple(outcomes, now=timezone.now())
    assert {result.outcome for result in results.values() if result} == {"discarded"}
    source.refresh_from_db()
    assert (source.etag, source.last_success_at) == ("", None)


@pytest.mark.django_db(transaction=True)
def test_a_source_that_somebody_else_is_taking_is_passed_over():
    taken, free, later = (
        make_source(), make_source(), make_source(next_poll_at=timezone.now() + timedelta(hours=1)),
    )  # fmt: skip
    given = connection.settings_dict
    with psycopg.connect(
        dbname=given["NAME"], host=given["HOST"] or None, port=given["PORT"] or None,
        user=given["USER"] or None, password=given["PASSWORD"] or None,
    ) as other:  # fmt: skip
        other.execute("SELECT FROM publishing_source WHERE id = %s FOR UPDATE", [taken.pk])
        run = make_run()
        ids = [later.pk, taken.pk, free.pk]
        claims = claim_due(ids, now=timezone.now(), run_id=run.id)
        assert [claim.source_id for claim in claims] == [free.pk]
        assert claim_due([free.pk], now=timezone.now(), run_id=run.id) == []
    free.refresh_from_db()
    assert free.last_run_id == run.id and free.next_poll_at > timezone.now() + timedelta(minutes=10)
