"""Watching web pages, on real servers."""

import time
from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer

from publishing import polling, sources
from publishing.errors import SourceError, SourceRejected, SourceUnavailable, SourceUnreadable
from publishing.models import Source
from publishing.sources import FetchRequest, robots
from publishing.sources.page import changed_words, normalised
from publishing.tests.factories import allow, make_run, make_source

pytestmark = pytest.mark.django_db

Serve = Callable[..., str]
TEXT = "The harbour office has moved to the old customs house beside the basin. " * 4


@pytest.fixture(autouse=True)
def quick(settings):
    settings.PUBLISHING_HOST_SPACING_SECONDS = 0
    robots._known.clear()


@pytest.fixture
def serve(httpserver: HTTPServer, settings) -> Serve:
    """Set what the page answers next; there is no robots.txt unless one is given."""
    allow(settings, httpserver)

    def answer(body: str | bytes, kind: str = "text/html; charset=utf-8", rules: str | None = None) -> str:
        httpserver.clear_all_handlers()
        status = 404 if rules is None else 200
        httpserver.expect_request("/robots.txt").respond_with_data(rules or "", status=status)
        httpserver.expect_request("/page").respond_with_data(body, content_type=kind)
        return httpserver.url_for("/page")

    return answer


def page(text: str = TEXT, footer: str = "", title: str = "Notices") -> str:
    return (
        f"<html lang='en'><head><title>{title}</title></head><body><nav><a href='/'>Home</a></nav>"
        f"<article><h1>{title}</h1><p>{text}</p></article><footer>{footer}</footer></body></html>"
    )


def poll(source: Source) -> polling.PollResult:
    result = polling.poll_source(make_run(), source.pk)
    source.refresh_from_db()
    return result


def test_each_new_text_is_an_item(serve: Serve):
    source = make_source(kind="page", url=serve(page()))
    assert (poll(source).new, poll(source).new) == (1, 0)
    serve(page(TEXT + " It opens at dawn and closes when the last ferry has left."))
    assert poll(source).new == 1
    newest, first = source.items.all()
    assert "dawn" in newest.content_html and "dawn" not in first.content_html
    assert newest.title == first.title == "Notices" and newest.url == source.url
    assert (newest.language, "<nav" in newest.content_html, "Home" in newest.content_html) == (
        "en", False, False,
    )  # fmt: skip


def test_times_counters_and_layout_are_no_news(serve: Serve):
    source = make_source(kind="page", url=serve(page(TEXT + " Updated 5 minutes ago. 1,234 views")))
    poll(source)
    serve(page(TEXT + " Updated 2 hours ago.  1,240   views", footer="Today is 22 November 2026, 10:15"))
    result = poll(source)
    assert (result.new, result.outcome, source.items.count()) == (0, "unchanged", 1)


def test_a_change_counts_from_the_size_that_was_asked_for_and_small_ones_add_up(serve: Serve):
    source = make_source(kind="page", url=serve(page()), options={"min_changed_words": 3})
    poll(source)
    serve(page(TEXT + " Mind step."))
    assert poll(source).new == 0
    serve(page(TEXT + " Mind step, please hurry."))
    assert poll(source).new == 1


def test_a_selector_watches_a_part_only(serve: Serve):
    both = (
        "<html><body><div class='prices'><b>Day ticket: 12 coins</b></div><div id='x'>{}</div></body></html>"
    )
    source = make_source(
        kind="page",
        url=serve(both.format("one")),
        options={"selector": "div.prices", "min_changed_words": 1},
    )
    assert poll(source).new == 1
    serve(both.format("another text, much longer than before"))
    assert poll(source).new == 0
    serve(both.format("x").replace("12", "14"))
    assert poll(source).new == 1
    serve("<html><body>moved</body></html>")
    with pytest.raises(SourceUnreadable, match=r"div\.prices"):
        poll(source)


def test_new_links_of_a_part_are_items(serve: Serve):
    def listing(*names: str) -> str:
        links = "".join(f"<li><a href='/news/{name}?a=1#top'> The {name}</a></li>" for name in names)
        return (
            f"<body><a href='/menu'>Menu</a><ul id='news'>{links}<a href='javascript:x()'>x</a></ul></body>"
        )

    source = make_source(kind="page", url=serve(listing("seal", "ferry")), options={"links": "#news"})
    assert poll(source).new == 2
    serve(listing("storm", "seal"))
    assert poll(source).new == 1
    newest = source.items.get(title="The storm")
    assert newest.url.endswith("/news/storm?a=1")
    assert not source.items.filter(title="Menu").exists()


@pytest.mark.parametrize("options", [{"selector": "div["}, {"links": ":::"}, {"min_changed_words": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match=r"selector|greater"):
        sources.get("page").clean_options(options)


def test_what_robots_are_asked_to_leave_alone_is_not_read(serve: Serve, httpserver: HTTPServer):
    source = make_source(kind="page", url=serve(page(), rules="User-agent: *\nDisallow: /page\n"))
    with pytest.raises(SourceRejected, match=r"robots\.txt"):
        poll(source)
    assert [request.path for request, _ in httpserver.log] == ["/robots.txt"]


def test_a_site_whose_rules_cannot_be_read_is_left_for_later(serve: Serve, httpserver: HTTPServer):
    source = make_source(kind="page", url=serve(page()))
    httpserver.clear_all_handlers()
    httpserver.expect_request("/robots.txt").respond_with_data(status=503)
    with pytest.raises(SourceUnavailable, match="503"):
        poll(source)


@pytest.mark.parametrize(
    ("rules", "path", "is_allowed"),
    [
        ("", "/a", True),
        ("User-agent: *\nDisallow:", "/a", True),
        ("User-agent: *\nDisallow: /", "/a", False),
        ("User-agent: other\nDisallow: /", "/a", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Almanac/2\nDisallow: /b", "/a", True),
        ("User-agent: x\nUser-agent: *\nDisallow: /a", "/a", False),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a\nDisallow: /a/b", "/a/b/c", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?a", True),
        ("User-agent: *\nDisallow: /*?sort=", "/x?a=1&sort=2", True),
        ("User-agent: *\nDisallow: /*sort=", "/x?a=1&sort=2", False),
        ("user-agent:*\r\ndisallow:/caf%C3%A9 # note", "/café", False),
        ("User-agent: *\nDisallow: /a$", "/a/b", True),
        ("\ufeff<html>not rules</html>", "/a", True),
    ],
)
def test_the_longest_rule_for_us_decides(rules, path, is_allowed):
    assert robots.parse(rules).allow(f"https://site.example{path}") is is_allowed


def test_rules_built_to_cost_too_much_are_matched_in_time():
    rules = robots.parse("User-agent: *\n" + f"Disallow: /{'*a' * 900}b\n" * 500)
    began = time.perf_counter()
    assert rules.allow("https://site.example/" + "a" * 1_900)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<div>" * 200_000, "text/html"),
        (b"<html>" + b"<p>text</p>" * 1_000_000, "text/html"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100, "image/png"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 100, "text/html"),
        (b"", "text/html"),
        (b"%PDF-1.7 no page", "application/pdf"),
    ],
    ids=["200,000 deep", "11 MB", "picture", "picture that says it is a page", "nothing", "PDF"],
)
def test_what_is_no_page_is_refused_in_time(serve: Serve, body, kind):
    began = time.perf_counter()
    with pytest.raises(SourceError):
        sources.get("page").fetch(FetchRequest(serve(body, kind)))
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("Zażółć gęślą jaźń. ", "iso-8859-2"),
        ("Grüße aus Köln. ", "windows-1252"),
        ("Καλημέρα κόσμε. ", "utf-16"),
    ],
)
def test_other_encodings_are_read(serve: Serve, text, declared):
    url = serve(page(text * 20).encode(declared), f"text/html; charset={declared}")
    (item,) = sources.get("page").fetch(FetchRequest(url)).items
    assert text.strip() in item.content_html


def test_a_wrong_encoding_does_no_harm(serve: Serve):
    url = serve(page("Grüße aus Köln. " * 20).encode("latin-1"), "text/html; charset=utf-8")
    (item,) = sources.get("page").fetch(FetchRequest(url)).items
    assert "aus K" in item.content_html


def test_an_endless_redirect_ends(serve: Serve, httpserver: HTTPServer):
    url = serve(page())
    httpserver.clear_all_handlers()
    httpserver.expect_request("/robots.txt").respond_with_data(status=404)
    httpserver.expect_request("/page").respond_with_data(status=302, headers={"Location": "/page"})
    with pytest.raises(SourceRejected, match="redirects more than 10 times"):
        sources.get("page").fetch(FetchRequest(url))


def test_scripts_of_a_page_do_not_come_through(serve: Serve):
    url = serve(page(TEXT + "<script>x()</script><img src=x onerror=x()><a href='javascript:x()'>x</a>"))
    for options in ({}, {"selector": "article"}):
        (item,) = sources.get("page").fetch(FetchRequest(url, options)).items
        assert not any(bad in item.content_html for bad in ("script", "onerror", "javascript"))


def test_words_are_compared_without_what_changes_by_itself():
    assert normalised("<p>Seals, at 12:45 on 22 Nov 2026: 3 comments</p>") == ["seals", "at", "on"]
    assert normalised("Room 12 costs 14.50") == ["room", "12", "costs", "14.50"]
    assert changed_words(["a", "b", "c"], ["c", "b", "d", "e"]) == 2
