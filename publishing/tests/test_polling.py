from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_httpserver import HTTPServer

from publishing import polling
from publishing.errors import SourceGone, SourceRejected, SourceUnavailable, SourceUnreadable
from publishing.models import FeedItem, HostPace, Source
from publishing.polling import pace
from publishing.polling.poll import claim
from publishing.polling.record import record_success
from publishing.sources import Fetched, FetchRequest
from publishing.tests.factories import allow, entry, make_run, make_source, rss

pytestmark = pytest.mark.django_db

Serve = Callable[..., str]


@pytest.fixture(autouse=True)
def quick(settings):
    """Hosts are asked without a pause."""
    settings.PUBLISHING_HOST_SPACING_SECONDS = 0


@pytest.fixture
def serve(httpserver: HTTPServer, settings) -> Serve:
    """Set what an address answers next; gives the address."""
    allow(settings, httpserver)

    def answer(body: bytes = b"", path: str = "/feed", status: int = 200, **headers: str) -> str:
        httpserver.clear_all_handlers()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        httpserver.expect_request(path).respond_with_data(body, status=status, headers=named)
        return httpserver.url_for(path)

    return answer


def poll(source: Source, **options: bool) -> polling.PollResult:
    result = polling.poll_source(make_run(), source.pk, **options)
    source.refresh_from_db()
    return result


def test_new_items_are_stored_once_however_often_the_feed_is_polled(serve: Serve):
    source = make_source(url=serve(rss(entry(2), entry(1))))
    assert (poll(source).new, poll(source).new) == (2, 0)
    assert [item.title for item in source.items.order_by("pk")] == ["Item 1", "Item 2"]
    serve(rss(entry(3), entry(2), entry(1)))
    assert poll(source).new == 1
    assert source.items.count() == 3


def test_a_changed_text_is_noticed_and_a_changed_date_alone_is_not(serve: Serve):
    source = make_source(url=serve(rss(entry(1) + "<pubDate>Mon, 16 Nov 2026 10:00:00 GMT</pubDate>")))
    poll(source)
    serve(rss(entry(1) + "<pubDate>Tue, 17 Nov 2026 10:00:00 GMT</pubDate>"))
    assert (poll(source).updated, source.items.get().changed_at) == (0, None)
    serve(rss(entry(1, text="Corrected")))
    result = poll(source)
    assert (result.new, result.updated, result.outcome) == (0, 1, "changed")
    item = source.items.get()
    assert item.summary_html == "Corrected" and item.changed_at is not None


def test_a_removed_item_does_not_come_back(serve: Serve):
    source = make_source(url=serve(rss(entry(1))))
    poll(source)
    source.items.update(removed_at=timezone.now(), title="", summary_html="")
    serve(rss(entry(1, text="Changed"), entry(2)))
    assert poll(source).new == 1
    assert source.items.get(title="").removed_at is not None
    assert source.items.kept().count() == 1


def test_items_that_only_got_another_id_are_not_new(serve: Serve):
    """A site that moves to other software gives every old article a new id."""
    source = make_source(url=serve(rss(entry(1), entry(2))))
    poll(source)
    source.items.update(state=FeedItem.State.GENERATED)
    renamed = [entry(number).replace(f"id-{number}", f"https://new.example/?p={number}") for number in (1, 2)]
    serve(rss(entry(3), *renamed))
    assert poll(source).new == 1
    assert source.items.filter(state=FeedItem.State.GENERATED).count() == 2
    assert source.items.count() == 3


def test_the_first_poll_takes_only_the_newest_and_remembers_the_rest(serve: Serve):
    dated = [entry(n) + f"<pubDate>{n:02} Nov 2026 10:00:00 GMT</pubDate>" for n in range(1, 11)]
    source = make_source(url=serve(rss(*dated)), backfill_limit=3)
    result = poll(source)
    assert (result.new, result.skipped) == (3, 7)
    assert sorted(source.items.waiting().values_list("title", flat=True)) == ["Item 10", "Item 8", "Item 9"]
    serve(rss(*dated, entry(11)))
    result = poll(source)
    assert (result.new, result.skipped) == (1, 0)


def test_both_validators_are_sent_and_a_304_keeps_them(serve: Serve, httpserver: HTTPServer):
    seen = "Wed, 18 Nov 2026 10:00:00 GMT"
    source = make_source(url=serve(rss(entry(1)), ETag='"one"', Last_Modified=seen))
    poll(source)
    serve(status=304, ETag='"two"')
    assert poll(source).outcome == "unchanged"
    sent = httpserver.log[-1][0].headers
    assert (sent["If-None-Match"], sent["If-Modified-Since"]) == ('"one"', seen)
    assert (source.etag, source.last_modified, source.last_status) == ('"two"', seen, 304)
    assert source.items.count() == 1


def test_a_forced_poll_sends_no_validators_and_reads_everything(serve: Serve, httpserver: HTTPServer):
    source = make_source(url=serve(rss(entry(1)), ETag='"one"'))
    poll(source)
    source.items.all().delete()
    assert poll(source).new == 0  # the same body: not even parsed
    assert poll(source, force=True).new == 1
    assert "If-None-Match" not in httpserver.log[-1][0].headers


def test_validators_of_a_server_that_calls_its_answers_stale_are_not_used(serve: Serve):
    source = make_source(url=serve(rss(entry(1)), ETag='"one"', Expires="0"))
    poll(source)
    assert source.etag == ""


@pytest.mark.parametrize(("status", "until"), [(429, 7200), (503, 7200), (500, 7200), (404, 0)])
def test_a_failure_waits_at_least_as_long_as_the_server_asks(serve: Serve, status, until):
    source = make_source(url=serve(status=status, Retry_After="7200"))
    expected = SourceUnavailable if status != 404 else SourceRejected
    with pytest.raises(expected):
        poll(source)
    source.refresh_from_db()
    assert source.next_poll_at >= timezone.now() + timedelta(seconds=until - 60)
    assert (source.last_status, source.consecutive_failures, source.state) == (
        status,
        1,
        Source.State.FAILING,
    )
    assert str(status) in source.last_error


def test_retry_after_may_be_a_date(serve: Serve):
    moment = (datetime.now(UTC) + timedelta(hours=2)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    source = make_source(url=serve(status=503, Retry_After=moment))
    with pytest.raises(SourceUnavailable) as caught:
        poll(source)
    assert caught.value.retry_after == pytest.approx(7200, abs=10)


def test_a_busy_host_is_left_alone_but_only_that_host(serve: Serve, httpserver: HTTPServer, settings):
    busy = make_source(url=serve(status=429, Retry_After="600"))
    with pytest.raises(SourceUnavailable):
        poll(busy)
    asked = len(httpserver.log)
    neighbour = make_source(url=httpserver.url_for("/other"))
    with pytest.raises(SourceUnavailable, match="asked for quiet") as caught:
        poll(neighbour)
    assert caught.value.retry_after == pytest.approx(600, abs=10)
    assert len(httpserver.log) == asked
    with HTTPServer(host="127.0.0.1", port=0) as other:
        allow(settings, httpserver, other)
        other.expect_request("/feed").respond_with_data(rss(entry(1)))
        assert poll(make_source(url=other.url_for("/feed"))).new == 1


def test_each_failure_in_a_row_doubles_the_wait_up_to_the_longest(serve: Serve):
    source = make_source(url=serve(status=404), max_interval=timedelta(hours=2))
    waits = []
    for _ in range(6):
        with pytest.raises(SourceRejected):
            poll(source)
        source.refresh_from_db()
        waits.append((source.next_poll_at - timezone.now()).total_seconds() / 60)
    assert waits[0] == pytest.approx(15, rel=0.12)
    assert waits[1] == pytest.approx(30, rel=0.12)
    assert waits[-1] == pytest.approx(120, rel=0.01)
    serve(rss(entry(1)))
    poll(source)
    assert (source.consecutive_failures, source.last_error, source.state) == (0, "", Source.State.OK)


def test_a_source_that_is_gone_is_never_polled_by_itself_again(serve: Serve):
    source = make_source(url=serve(status=410))
    with pytest.raises(SourceGone):
        poll(source)
    source.refresh_from_db()
    assert source.state == Source.State.GONE
    assert not Source.objects.due(timezone.now() + timedelta(days=365)).exists()


def test_three_unreadable_documents_in_a_row_need_a_person(serve: Serve):
    source = make_source(url=serve(b"<html><body>Error</body></html>"))
    for _ in range(3):
        with pytest.raises(SourceUnreadable, match="web page"):
            poll(source)
    source.refresh_from_db()
    assert source.state == Source.State.UNREADABLE
    assert not Source.objects.due(timezone.now() + timedelta(days=365)).exists()
    serve(rss(entry(1)))
    assert poll(source).new == 1
    assert Source.objects.get().state == Source.State.OK


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_temporary_redirect_never_changes_the_address(serve: Serve, httpserver: HTTPServer, status):
    url = serve(rss(entry(1)), path="/new")
    httpserver.expect_request("/old").respond_with_data(status=status, headers={"Location": url})
    source = make_source(
        url=httpserver.url_for("/old"), redirect_first_seen_at=timezone.now() - timedelta(days=9)
    )
    for _ in range(10):
        poll(source)
    assert (source.url, source.redirect_url) == (httpserver.url_for("/old"), "")


@pytest.fixture
def moved(serve: Serve, httpserver: HTTPServer) -> Source:
    """A source that answers with a permanent redirect."""
    url = serve(rss(entry(1)), path="/new")
    httpserver.expect_request("/old").respond_with_data(status=301, headers={"Location": url})
    return make_source(url=httpserver.url_for("/old"))


def test_a_permanent_redirect_is_believed_after_days(moved: Source, httpserver: HTTPServer):
    for _ in range(8):
        poll(moved)
    assert moved.url == httpserver.url_for("/old")
    Source.objects.update(redirect_first_seen_at=timezone.now() - timedelta(days=4))
    result = poll(moved)
    assert moved.url == httpserver.url_for("/new")
    assert "its address was changed" in " ".join(result.notes)
    assert poll(moved).new == 0


def test_a_permanent_redirect_onto_another_sources_address_is_not_followed(
    moved: Source, httpserver: HTTPServer
):
    make_source(url=httpserver.url_for("/new"))
    for _ in range(5):
        poll(moved)
    Source.objects.filter(pk=moved.pk).update(redirect_first_seen_at=timezone.now() - timedelta(days=4))
    result = poll(moved)
    assert moved.url == httpserver.url_for("/old")
    assert "another source" in " ".join(result.notes)


def test_a_redirect_that_stops_is_forgotten(moved: Source, serve: Serve):
    poll(moved)
    assert moved.redirect_sightings == 1
    serve(rss(entry(1)), path="/old")
    poll(moved)
    assert (moved.redirect_sightings, moved.redirect_url) == (0, "")


def test_private_addresses_are_refused_with_a_reason(httpserver: HTTPServer, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = []
    source = make_source(url=httpserver.url_for("/feed"))
    with pytest.raises(SourceRejected, match="not allowed"):
        poll(source)
    assert httpserver.log == []


def test_only_one_worker_gets_a_due_source(serve: Serve):
    source = make_source(url=serve(rss(entry(1))))
    now = timezone.now()
    assert claim(source.pk, now=now, run_id=None) is not None
    assert claim(source.pk, now=now, run_id=None) is None
    source.refresh_from_db()
    assert source.next_poll_at > now  # written before the fetch: a crash cannot poll in a loop


def test_a_crash_between_fetch_and_commit_loses_no_item(serve: Serve, monkeypatch):
    """Items and validators are one transaction: what was not stored is fetched again."""
    source = make_source(url=serve(rss(entry(1)), ETag='"one"'))

    def break_down(*args: object, **kwargs: object) -> None:
        raise ConnectionError("the machine is gone")

    with monkeypatch.context() as broken:
        broken.setattr(Source, "save", break_down)
        with pytest.raises(ConnectionError):
            poll(source)
    source.refresh_from_db()
    assert (source.etag, source.items.count()) == ("", 0)
    assert poll(source).new == 1


def test_what_comes_back_for_an_address_that_was_changed_meanwhile_is_not_used():
    source = make_source(url="http://feeds.example/new")
    fetched = Fetched(is_changed=True, etag='"old"')
    result = record_success(source.pk, FetchRequest("http://feeds.example/old"), fetched, now=timezone.now())
    source.refresh_from_db()
    assert (result.outcome, source.etag) == ("discarded", "")


def test_a_preview_stores_nothing(serve: Serve):
    source = make_source(url=serve(rss(entry(1), entry(2))))
    before = Source.objects.values().get(pk=source.pk)
    preview = polling.preview(source.pk)
    assert (preview.title, preview.item_count, preview.items[0].title) == ("News", 2, "Item 1")
    assert FeedItem.objects.count() == 0 and Source.objects.values().get(pk=source.pk) == before


def test_requests_to_one_host_start_apart_and_hosts_do_not_wait_for_each_other(settings):
    settings.PUBLISHING_HOST_SPACING_SECONDS = 1
    now = timezone.now()
    turns = [pace.take_turn("feeds.example", now) for _ in range(3)]
    assert turns == [now, now + timedelta(seconds=1), now + timedelta(seconds=2)]
    assert pace.take_turn("other.example", now) == now
    assert pace.take_turn("feeds.example", now + timedelta(hours=1)) == now + timedelta(hours=1)


def test_a_hold_ends_and_a_shorter_one_does_not_replace_it():
    now = timezone.now()
    pace.hold("feeds.example", now=now, seconds=600, reason="status 429")
    pace.hold("feeds.example", now=now, seconds=10, reason="status 503")
    hold = pace.hold_on("feeds.example", now)
    assert hold is not None and (hold.until, hold.reason) == (now + timedelta(seconds=600), "status 429")
    assert pace.hold_on("feeds.example", now + timedelta(seconds=601)) is None
    assert HostPace.objects.count() == 1


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Feeds.Example/a", "feeds.example"),
        ("http://feeds.example:80/a", "feeds.example"),
        ("http://feeds.example:8080/a", "feeds.example:8080"),
        ("https://one.tumblr.com/rss", "tumblr.com"),
        ("https://www.reddit.com/r/x.rss", "reddit.com"),
        ("https://nottumblr.com/", "nottumblr.com"),
    ],
)
def test_hosts_are_counted_by_name_and_big_sites_as_one(url, host):
    assert pace.host_of(url) == host


def test_the_state_of_a_source_follows_from_its_fields():
    now = timezone.now()
    assert make_source().state == Source.State.NEW
    assert make_source(last_success_at=now).state == Source.State.OK
    assert make_source(last_success_at=now, consecutive_failures=1).state == Source.State.FAILING
    assert make_source(consecutive_parse_failures=3).state == Source.State.UNREADABLE
    assert make_source(gone_at=now).state == Source.State.GONE
    assert make_source(gone_at=now, is_enabled=False).state == Source.State.DISABLED


def test_sources_that_must_not_be_polled_are_never_due():
    now = timezone.now()
    past = now - timedelta(days=1)
    due = make_source(next_poll_at=past)
    for fields in (
        {"is_enabled": False},
        {"gone_at": now},
        {"consecutive_parse_failures": 3},
        {"kind": "vanished"},
        {"next_poll_at": now + timedelta(minutes=1)},
    ):
        make_source(**{"next_poll_at": past, **fields})
    assert list(Source.objects.due(now)) == [due]
    assert due.is_due(now)


def test_the_query_for_due_sources_can_use_its_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        query, parameters = Source.objects.due(timezone.now()).query.sql_with_params()
        cursor.execute(f"EXPLAIN {query}", parameters)
        assert "publishing_source_due" in str(cursor.fetchall())


def test_a_source_that_is_deleted_while_it_is_polled_ends_well():
    source = make_source()
    source_id, request = source.pk, FetchRequest(source.url)
    source.delete()
    assert (
        record_success(source_id, request, Fetched(is_changed=True), now=timezone.now()).outcome
        == "discarded"
    )
    with pytest.raises(SourceRejected, match="no source"):
        polling.poll_source(make_run(), source_id)
