import pytest
from django.core.exceptions import ValidationError as ModelError
from pydantic import ValidationError
from pytest_httpserver import HTTPServer

from publishing import controls, polling, sources
from publishing.models import Source
from publishing.tests.factories import allow, entry, make_run, rss


def address(**options: str) -> str:
    adapter = sources.get("search")
    return adapter.address("", adapter.clean_options(options))


def test_the_query_is_encoded_whatever_it_holds():
    assert address(query="ferries & tides?", language="de", region="at") == (
        "https://news.google.com/rss/search?q=ferries%20%26%20tides%3F&hl=de-AT&gl=AT&ceid=AT:de"
    )
    assert "q=%7Blanguage%7D%20%23x%2F..%2F" in address(query="{language} #x/../")
    assert address(query="żółw", template="http://127.0.0.1:8888/search?q={query}&format=rss").endswith(
        "?q=%C5%BC%C3%B3%C5%82w&format=rss"
    )


@pytest.mark.parametrize(
    "options",
    [
        {}, {"query": "  "}, {"query": "+-\""}, {"query": "a\x00b"}, {"query": "x" * 301}, {"query": "x", "language": "english"},
        {"query": "x", "region": "../"}, {"query": "x", "template": "https://search.example/rss"},
        {"query": "x", "template": "https://{query}.example/?q={query}"}, {"query": "x", "template": "ftp://a/{query}"},
        {"query": "x", "template": "https://a/{query}?{0.__class__}"}, {"query": "x", "template": "https://a/{query}{"},
        {"query": "x", "template": "https://a/#{query}"},
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(options):
    with pytest.raises(ValidationError):
        address(**options)


@pytest.mark.django_db
def test_a_search_is_saved_with_its_address_and_polled_like_a_feed(httpserver: HTTPServer, settings):
    settings.PUBLISHING_HOST_SPACING_SECONDS = 0
    allow(settings, httpserver)
    httpserver.expect_request(
        "/search", query_string={"q": "late ferries", "format": "rss"}
    ).respond_with_data(rss(entry(1), entry(2)))
    options = {"query": "late  ferries", "template": httpserver.url_for("/search?q={query}&format=rss")}
    source = Source(name="Ferries", kind="search", options=options)
    controls.save(source, by=None)
    assert source.url.endswith("/search?q=late%20ferries&format=rss")
    assert polling.poll_source(make_run(), source.pk).new == 2


@pytest.mark.django_db
def test_the_same_search_twice_is_refused_and_another_query_is_another_source():
    for query in ("ferries", "tides"):
        controls.save(Source(name=query, kind="search", options={"query": query}), by=None)
    with pytest.raises(ModelError, match="already"):
        controls.save(Source(name="Again", kind="search", options={"query": " ferries "}), by=None)


@pytest.mark.django_db
def test_a_changed_query_begins_anew():
    source = Source(name="Ferries", kind="search", options={"query": "ferries"})
    controls.save(source, by=None)
    Source.objects.filter(pk=source.pk).update(etag='"1"', consecutive_failures=3)
    source.options = {**source.options, "query": "tides"}
    controls.save(source, by=None)
    source.refresh_from_db()
    assert "q=tides&" in source.url and (source.etag, source.consecutive_failures) == ("", 0)
