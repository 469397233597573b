import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.feeds import FeedError, FeedTooComplex, NotAFeed, ParsedItem, parse
from publishing.feeds.encoding import decode
from publishing.feeds.identity import identified
from publishing.feeds.sanitise import clean_html, plain_text, web_address
from publishing.models import FeedItem
from publishing.tests.factories import entry, rss


def test_an_rss_item_becomes_clean_data():
    feed = parse(
        rss(
            """<guid isPermaLink="false">a-1</guid><title>Tom &amp;amp; &lt;b&gt;Jerry&lt;/b&gt;</title><link>/one</link>
            <description>&lt;p onclick="x()"&gt;Hi &lt;script&gt;x&lt;/script&gt;&lt;a href="/two"&gt;two&lt;/a&gt;&lt;/p&gt;</description>
            <pubDate>Sat, 21 Nov 2026 10:00:00 +0100</pubDate><category>Cats</category><category>Mice</category>
            <enclosure url="http://feeds.example/a.mp3" type="audio/mpeg" length="123"/>""",
            channel="<title>News</title><link>http://feeds.example/</link><ttl>90</ttl>",
        ),
        base_url="http://feeds.example/feed.xml",
    )
    (item,) = feed.items
    assert (feed.format, feed.title, feed.url, feed.ttl_minutes) == (
        "rss",
        "News",
        "http://feeds.example/",
        90,
    )
    assert (item.guid, item.title, item.url) == ("a-1", "Tom & Jerry", "http://feeds.example/one")
    link = '<a href="http://feeds.example/two" rel="noopener noreferrer nofollow">two</a>'
    assert item.summary_html == f"<p>Hi {link}</p>"
    assert item.published_at == datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert item.categories == ("Cats", "Mice")
    (file,) = item.enclosures
    assert (file.url, file.media_type, file.length) == ("http://feeds.example/a.mp3", "audio/mpeg", 123)


def test_an_atom_entry_inherits_the_author_and_keeps_its_base():
    feed = parse(
        b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://feeds.example/blog/" xml:lang="de">
        <title>Blog</title><author><name>Ada</name></author><link rel="hub" href="https://hub.example/"/>
        <link rel="self" href="https://feeds.example/atom"/>
        <entry><id>urn:1</id><title type="html">a &amp;lt; b</title><link href="one"/><updated>2026-11-21T10:00:00Z</updated>
        <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><img src="i.png"/></div></content></entry></feed>"""
    )
    (item,) = feed.items
    assert (feed.format, feed.language, feed.hub_url) == ("atom", "de", "https://hub.example/")
    assert (item.title, item.author, item.url) == ("a < b", "Ada", "https://feeds.example/blog/one")
    assert item.content_html == '<img src="https://feeds.example/blog/i.png">'
    assert item.summary_html == ""
    assert (item.published_at, item.updated_at) == (None, datetime(2026, 11, 21, 10, tzinfo=UTC))


def json_feed(*items: object, **fields: object) -> bytes:
    return json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": items, **fields}
    ).encode()


def test_a_json_feed_is_read_by_its_specification():
    feed = parse(
        json_feed(
            {
                "id": 7,
                "external_url": "https://elsewhere.example/",
                "content_text": "one\n\ntwo <b>\nthree",
                "summary": "s & t",
                "date_published": "2026-11-21T10:00:00+01:00",
                "authors": [{"name": "Ada"}, {"url": "https://bob.example"}],
                "tags": ["a", "a", 3],
                "attachments": [
                    {"url": "/f.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 9},
                    {"url": "ftp://x/"},
                ],
            },
            {"id": "html", "url": "/two", "content_html": "<p>Hi<script>x</script></p>"},
            "not an item",
            author={"name": "Editor"},
            feed_url="https://feeds.example/feed.json",
            hubs=[{"type": "WebSub", "url": "https://hub.example/"}],
        )
    )
    first, second = feed.items
    assert (feed.format, feed.hub_url, first.guid, first.url) == (
        "json",
        "https://hub.example/",
        "7",
        "https://elsewhere.example/",
    )
    assert first.content_html == "<p>one</p><p>two &lt;b&gt;<br>three</p>"
    assert (first.author, first.categories, first.summary_html) == (
        "Ada, https://bob.example",
        ("a",),
        "s &amp; t",
    )
    assert first.published_at == datetime(2026, 11, 21, 9, tzinfo=UTC)
    assert [(file.url, file.length) for file in first.enclosures] == [("https://feeds.example/f.mp3", 9)]
    assert (second.url, second.content_html, second.author) == (
        "https://feeds.example/two",
        "<p>Hi</p>",
        "Editor",
    )


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"version": 1, "items": []}', NotAFeed),
        (b'{"version": "https://jsonfeed.org/version/1", "items": {}}', NotAFeed),
        (b'{"version": ', FeedError),
        (json_feed(*["x,"] * 600_000), FeedTooComplex),
        (b"<html><head><title>Hi</title></head></html>", NotAFeed),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", NotAFeed),
    ],
    ids=["no version", "no items", "broken", "too wide", "page", "picture"],
)
def test_other_documents_are_refused(body, error):
    with pytest.raises(error):
        parse(body)


def test_what_a_database_cannot_store_is_left_out():
    (item,) = parse(
        json_feed({"id": "a\u0000b", "title": "x\u0000y\ud800z", "content_text": "t\u0000"})
    ).items
    assert (item.guid, item.title, item.content_html) == ("ab", "xyz", "<p>t</p>")
    (item,) = parse(b"<rss><channel><item><title>x&#0;y&#xD800;z & more</title></item></channel>").items
    assert item.title == "xyz & more"


def test_no_text_is_longer_than_its_column():
    authors = [{"name": f"{number} {'a' * 300}"} for number in range(30)]
    (item,) = parse(
        json_feed({"id": "1", "title": "t" * 3000, "authors": authors, "language": "x" * 99})
    ).items
    columns: Any = FeedItem._meta
    for name in ("author", "title", "language"):
        assert len(getattr(item, name)) == columns.get_field(name).max_length


def test_halves_of_an_emoji_in_references_are_put_together():
    """Software that thinks in UTF-16 writes them so."""
    body = "<rss><channel><item><title>a &#xD83D;&#xDE00; &#99999999999; &#55357; b</title></item></channel></rss>"
    (found,) = parse(body.encode()).items
    assert found.title == "a \N{GRINNING FACE} b"


@pytest.mark.parametrize(
    ("body", "content_type", "text", "encoding"),
    [
        ("﻿ä".encode(), "text/xml; charset=iso-8859-1", "ä", "utf-8"),
        ("\ufeffä".encode("utf-16-le"), "", "ä", "utf-16-le"),
        ("<?xml version='1.0' encoding='utf-16'?><a>ä</a>".encode("utf-16-be"), "", None, "utf-16-be"),
        ("ä".encode("cp1252"), 'text/xml; charset="ISO-8859-1"', "ä", "cp1252"),
        (
            "<?xml version='1.0' encoding='iso-8859-5'?>ж".encode("iso-8859-5"),
            "text/xml; charset=utf-8x",
            None,
            "iso8859-5",
        ),
        (
            "<?xml version='1.0' encoding='iso-8859-1'?>ä".encode(),
            "application/xml; charset=utf-8",
            None,
            "utf-8",
        ),
        ("<meta charset='windows-1251'>ж".encode("cp1251"), "", None, "cp1251"),
        ("ä".encode("cp1252"), "", "ä", "cp1252"),
        ("äöü€".encode() + b"\xff", "text/xml; charset=utf-8", "äöü€\ufffd", "utf-8"),
        (b"\x81", "", "\x81", "latin-1"),
    ],
    ids=[
        "mark",
        "mark utf-16",
        "utf-16 without mark",
        "http",
        "declared",
        "http first",
        "meta",
        "guess",
        "mostly utf-8",
        "any",
    ],
)
def test_the_encoding_is_found_in_order(body, content_type, text, encoding):
    decoded = decode(body, content_type)
    assert decoded.encoding == encoding
    if text is not None:
        assert decoded.text == text


@given(st.binary(max_size=400), st.text(max_size=40))
def test_decoding_never_fails(body, content_type):
    assert isinstance(decode(body, content_type).text, str)


@given(st.binary(max_size=600))
def test_parsing_gives_a_feed_or_a_typed_error(noise):
    for body in (noise, rss(entry(1))[:80] + noise, b'{"version":' + noise):
        with suppress(FeedError):
            parse(body)


# Identity


def item(guid: str = "", url: str = "", title: str = "", content_html: str = "") -> ParsedItem:
    return ParsedItem(guid=guid, url=url, title=title, content_html=content_html)


def kinds(*items: ParsedItem) -> list[str]:
    return [found.identity.partition(":")[0] for found in identified(items)]


def test_the_id_names_an_item_and_everything_else_may_change():
    (one,) = identified([item("a", "http://a/1", "Title", content_html="x")])
    (same,) = identified([item("a", "http://b/2", "Other", content_html="y")])
    assert one.identity == same.identity and one.fingerprint != same.fingerprint


def test_an_id_that_several_items_share_is_joined_with_the_address_then_the_position():
    assert kinds(item("a", "u1", "1"), item("a", "u2", "2"), item("b", "u3", "3")) == [
        "guid+url",
        "guid+url",
        "guid",
    ]
    found = identified([item("a", "u1", "1"), item("a", "u1", "2"), item("b", "u3", "3")])
    assert [one.identity.partition(":")[0] for one in found] == ["guid+index", "guid+index", "guid"]
    assert len({one.identity for one in found}) == 3


def test_an_id_that_all_items_share_says_nothing():
    assert kinds(item("a", "u1"), item("a", "u2")) == ["url", "url"]
    assert kinds(item("a", "u1")) == ["guid"]


def test_without_an_id_the_address_counts_and_without_that_the_text():
    assert kinds(item("", "u1"), item("", "", "Title"), item("b")) == ["url", "text", "guid"]
    assert kinds(item("", "home", "1"), item("", "home", "2"), item("b")) == [
        "url+title",
        "url+title",
        "guid",
    ]


def test_the_same_item_twice_in_a_document_is_one_item():
    assert len(identified([item("a", "u", "t"), item("a", "u", "t"), item("b", "v", "t")])) == 2


@given(
    st.lists(
        st.builds(item, st.sampled_from("ab "), st.sampled_from("uv "), st.sampled_from("xy ")), max_size=12
    )
)
def test_identities_are_unique_within_a_document_and_stable(items):
    found = identified(items)
    assert len({one.identity for one in found}) == len(found) <= len(items)
    assert identified(items) == found


def test_parts_of_an_identity_cannot_be_confused():
    assert identified([item("", "", "ab", content_html="c")]) != identified(
        [item("", "", "a", content_html="bc")]
    )


# Text


@pytest.mark.parametrize(
    ("source", "clean"),
    [
        ("plain > text", "plain &gt; text"),
        ("<p>a<br>b</p>", "<p>a<br>b</p>"),
        ("<a href='javascript:x'>a</a>", '<a rel="noopener noreferrer nofollow">a</a>'),
        ("<img src='data:text/html,x' onerror='x'>", "<img>"),
        ("a<iframe src='https://video.example/'/><p>b</p>", "a<p>b</p>"),
        ("<scr<iframe>ipt>x</script>y", "y"),
        ("<div style='position:fixed' class='x' id='y'>a</div>", "<div>a</div>"),
        ("<form action='/'><input><button>b</button></form>", "b"),
        ("<svg><script>x</script></svg>a", "a"),
    ],
)
def test_html_from_outside_is_made_harmless(source, clean):
    assert clean_html(source) == clean


def test_the_text_of_html_is_one_line():
    assert plain_text("<h1>A</h1><p>b&nbsp;&amp;&lt;c</p>\n\n<script>x</script>d") == "A b &<c d"
    assert len(plain_text("a" * 5000)) == 2000


@pytest.mark.parametrize(
    ("url", "base", "address"),
    [
        (" http://a.example/x ", "", "http://a.example/x"),
        ("../x", "http://a.example/b/c", "http://a.example/x"),
        ("javascript:x", "http://a.example/", ""),
        ("x", "", ""),
        ("http://[::1", "", ""),
        ("http://" + "a" * 3000, "", ""),
    ],
)
def test_only_web_addresses_are_kept(url, base, address):
    assert web_address(url, base) == address
