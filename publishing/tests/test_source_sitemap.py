"""Sitemaps, on real servers."""

import gzip
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer

from publishing import polling, sources
from publishing.errors import SourceError, SourceUnreadable
from publishing.feeds import FeedError
from publishing.feeds.sitemap import moment, parse_sitemap
from publishing.models import FeedItem, Source
from publishing.sources import FetchRequest, robots
from publishing.tests.factories import allow, make_run, make_source

pytestmark = pytest.mark.django_db

SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
NEWS = 'xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"'
PICTURES = 'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(settings):
    settings.PUBLISHING_HOST_SPACING_SECONDS = 0
    robots._known.clear()


@pytest.fixture
def site(httpserver: HTTPServer, settings) -> HTTPServer:
    allow(settings, httpserver)
    return httpserver


def urlset(*entries: str) -> bytes:
    body = "".join(f"<url>{entry}</url>" for entry in entries)
    return f'<?xml version="1.0"?><urlset {SPACE} {NEWS} {PICTURES}>{body}</urlset>'.encode()


def loc(site: HTTPServer, name: str, changed: datetime | None = None, more: str = "") -> str:
    date = f"<lastmod>{changed:%Y-%m-%dT%H:%M:%SZ}</lastmod>" if changed else ""
    return f"<loc>{site.url_for(f'/{name}')}</loc>{date}{more}"


def index(*entries: str) -> bytes:
    body = "".join(f"<sitemap>{entry}</sitemap>" for entry in entries)
    return f"<sitemapindex {SPACE}>{body}</sitemapindex>".encode()


def serve(site: HTTPServer, body: bytes, path: str = "/sitemap.xml") -> str:
    site.expect_request(path).respond_with_data(body, content_type="application/xml")
    site.expect_request("/robots.txt").respond_with_data(status=404)
    return site.url_for(path)


def serve_page(site: HTTPServer, name: str, text: str = "") -> None:
    text = text or f"All about the {name}, at length, for those who want to know. "
    site.expect_request(f"/{name}").respond_with_data(
        f"<html lang='en'><title>The {name}</title><article><p>{text * 5}</p></article></html>",
        content_type="text/html",
    )


def poll(source: Source) -> polling.PollResult:
    result = polling.poll_source(make_run(), source.pk)
    source.refresh_from_db()
    return result


def paths(site: HTTPServer) -> list[str]:
    return [request.path for request, _ in site.log]


def test_new_pages_are_items_with_title_and_text(site: HTTPServer):
    serve_page(site, "seal")
    picture = "<image:image><image:loc>http://pictures.example/1.jpg</image:loc></image:image>"
    source = make_source(kind="sitemap", url=serve(site, urlset(loc(site, "seal", NOON, picture))))
    assert poll(source).new == 1
    item = source.items.get()
    assert (item.title, item.url, item.published_at) == ("The seal", site.url_for("/seal"), NOON)
    assert "at length" in item.content_html


def test_titles_of_news_sitemaps_are_taken_and_pages_asked_for_need_not_be_there(site: HTTPServer):
    news = (
        "<news:news><news:publication><news:name>Times</news:name><news:language>en</news:language></news:publication>"
        "<news:publication_date>2026-11-20</news:publication_date><news:title>Seals &amp; ferries</news:title></news:news>"
    )
    source = make_source(kind="sitemap", url=serve(site, urlset(loc(site, "a-late-ferry.html", None, news))))
    result = poll(source)
    item = source.items.get()
    assert (result.new, item.title, item.published_at) == (
        1, "Seals & ferries", datetime(2026, 11, 20, tzinfo=UTC),
    )  # fmt: skip
    assert "was not read" in result.notes[0]


def test_the_first_poll_does_not_flood_and_reads_few_pages(site: HTTPServer):
    entries = [loc(site, f"page-{n}", NOON - timedelta(hours=n)) for n in range(400)]
    source = make_source(
        kind="sitemap", url=serve(site, urlset(*entries)), options={"pages": 2}, backfill_limit=10
    )
    result = poll(source)
    assert (result.new, result.skipped, source.items.count()) == (10, 290, 300)
    assert sorted(path for path in paths(site) if "page" in path) == ["/page-0", "/page-1"]
    assert source.items.waiting().filter(title="page 9").exists()
    assert any("300 of 400" in note for note in result.notes)


def test_later_polls_give_what_is_new_and_keep_what_is_known(site: HTTPServer):
    for name in ("seal", "ferry"):
        serve_page(site, name)
    old = loc(site, "seal", timezone.now() - timedelta(hours=3))
    source = make_source(kind="sitemap", url=serve(site, urlset(old)))
    poll(source)
    site.clear_all_handlers()
    serve_page(site, "ferry")
    serve(site, urlset(loc(site, "ferry", timezone.now() - timedelta(hours=1)), old))
    asked = len(site.log)
    result = poll(source)
    assert (result.new, result.updated) == (1, 0)
    assert "/seal" not in paths(site)[asked:]
    assert source.items.get(url=site.url_for("/seal")).title == "The seal"


def test_a_page_that_changed_since_is_read_again(site: HTTPServer):
    serve_page(site, "seal")
    source = make_source(kind="sitemap", url=serve(site, urlset(loc(site, "seal", NOON - timedelta(days=9)))))
    poll(source)
    site.clear_all_handlers()
    serve_page(site, "seal", "The seal has left the slipway and swims again in the basin. ")
    serve(site, urlset(loc(site, "seal", timezone.now() + timedelta(minutes=1))))
    result = poll(source)
    assert (result.new, result.updated) == (0, 1)
    assert "swims again" in source.items.get().content_html


def test_addresses_are_chosen_by_their_parts(site: HTTPServer):
    entries = [loc(site, name) for name in ("news/a", "news/b?print=1", "about")]
    source = make_source(
        kind="sitemap",
        url=serve(site, urlset(*entries)),
        options={"include": ["/news/"], "exclude": ["print="], "pages": 0},
    )
    poll(source)
    assert [item.url for item in source.items.all()] == [site.url_for("/news/a")]


def test_an_index_is_followed_packed_or_not_and_a_broken_part_does_not_stop_the_others(site: HTTPServer):
    site.expect_request("/a.xml.gz").respond_with_data(
        gzip.compress(urlset(loc(site, "seal", NOON))), content_type="application/gzip"
    )
    serve(site, index(f"<loc>{site.url_for('/c.xml')}</loc>"), "/b.xml")
    serve(site, urlset(loc(site, "ferry", NOON)), "/c.xml")
    parts = [f"<loc>{site.url_for(f'/{name}')}</loc>" for name in ("a.xml.gz", "b.xml", "missing.xml")]
    source = make_source(kind="sitemap", url=serve(site, index(*parts)), options={"pages": 0})
    result = poll(source)
    assert (result.new, source.body_hash) == (2, "")
    assert any("missing.xml was left out" in note for note in result.notes)


def test_parts_of_an_index_that_are_old_are_not_read_again(site: HTTPServer):
    old = timezone.now() - timedelta(days=30)
    serve(site, urlset(loc(site, "seal", old)), "/old.xml")
    url = serve(site, index(f"<loc>{site.url_for('/old.xml')}</loc><lastmod>{old:%Y-%m-%d}</lastmod>"))
    source = make_source(kind="sitemap", url=url, options={"pages": 0})
    assert (poll(source).new, poll(source).new) == (1, 0)
    assert paths(site).count("/old.xml") == 1


def test_an_index_of_itself_ends(site: HTTPServer):
    url = serve(site, index(f"<loc>{site.url_for('/sitemap.xml')}</loc>"))
    fetched = sources.get("sitemap").fetch(FetchRequest(url))
    assert fetched.items == () and len(paths(site)) <= 3


def test_pages_that_robots_are_asked_to_leave_alone_are_not_read_but_known(site: HTTPServer):
    site.expect_request("/robots.txt").respond_with_data("User-agent: *\nDisallow: /seal")
    serve_page(site, "seal")
    source = make_source(kind="sitemap", url=serve(site, urlset(loc(site, "seal"))))
    result = poll(source)
    assert (result.new, source.items.get().title) == (1, "seal")
    assert "/seal" not in paths(site) and "robots.txt" in result.notes[0]


def test_an_unchanged_sitemap_is_not_read_again(site: HTTPServer):
    source = make_source(kind="sitemap", url=serve(site, urlset(loc(site, "seal"))), options={"pages": 0})
    assert (poll(source).outcome, poll(source).outcome) == ("changed", "unchanged")


LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE urlset [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True))
    + f']><urlset {SPACE}><url><loc>&j;</loc></url></urlset>'
)  # fmt: skip


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (LAUGHS.encode(), "entity"),
        (b"<urlset>" + b"<url>" * 200_000, "deeper"),
        (gzip.compress(b" " * 60_000_000), "larger"),
        (gzip.compress(urlset())[:30], "early"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 50, "not a sitemap"),
        (b"<html><body>Not found</body></html>", "not a sitemap"),
        (b"", "not a sitemap"),
        (b"<urlset><url><loc>http://a.example/</loc></url>", "broken"),
    ],
    ids=["laughs", "deep", "bomb", "cut", "picture", "page", "nothing", "half"],
)
def test_hostile_and_broken_sitemaps_are_refused_in_time(site: HTTPServer, body, reason):
    began = time.perf_counter()
    with pytest.raises(SourceUnreadable, match=reason):
        sources.get("sitemap").fetch(FetchRequest(serve(site, body)))
    assert time.perf_counter() - began < 10


def test_a_file_on_our_disk_is_not_read_through_an_entity():
    body = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]><urlset><url><loc>http://a.example/&f;</loc></url></urlset>'
    with pytest.raises(FeedError, match="entity"):
        parse_sitemap(body)


def test_no_more_addresses_are_read_than_the_protocol_allows():
    body = b"<urlset>" + b"<url><loc>http://a.example/1</loc></url>" * 60_000 + b"</urlset>"
    found = parse_sitemap(body)
    assert (len(found.addresses), found.is_cut) == (50_000, True)


def test_addresses_of_other_schemes_are_left_out():
    body = "".join(f"<url><loc>{url}</loc></url>" for url in ("javascript:x()", "file:///a", "", "/rel"))
    found = parse_sitemap(f"<urlset>{body}</urlset>".encode(), base_url="https://a.example/sitemap.xml")
    assert [address.url for address in found.addresses] == ["https://a.example/rel"]


def test_another_encoding_is_read():
    body = '<?xml version="1.0" encoding="utf-16"?><urlset><url><loc>http://a.example/ż</loc></url></urlset>'
    assert parse_sitemap(body.encode("utf-16")).addresses[0].url == "http://a.example/ż"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T12:00Z", NOON),
        ("2026-11-22T13:00:00.123+01:00", NOON + timedelta(milliseconds=123)),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_read_or_ignored(text, expected):
    assert moment(text) == expected


def test_a_sitemap_behind_the_guard_is_refused(settings):
    settings.OUTBOUND_ALLOWED_HOSTS = []
    with pytest.raises(SourceError, match="not allowed"):
        sources.get("sitemap").fetch(FetchRequest("http://127.0.0.1:9/sitemap.xml"))
    assert not FeedItem.objects.exists()
