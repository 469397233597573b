"""The feeds of the built-in site: valid by the formats' own rules, whatever the posts are like."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import feedparser
import pytest
from django.utils import timezone

from publishing.feeds.parse import parse
from publishing.models import Agent, Post
from publishing.tests.factories import put_on_site
from publishing.tests.feed_rules import ATOM, CONTENT, LANG, atom_problems, json_problems, rss_problems

pytestmark = pytest.mark.django_db

ORIGIN = "https://blog.example"
FEEDS = {
    "/blog/atom.xml": ("application/atom+xml; charset=utf-8", atom_problems),
    "/blog/rss.xml": ("application/rss+xml; charset=utf-8", rss_problems),
    "/blog/feed.json": ("application/feed+json; charset=utf-8", json_problems),
}
ALTERNATE = re.compile(r'<link rel="alternate" type="[^"]+" title="[^"]+" href="([^"]+)">')
NASTY: dict[str, dict[str, Any]] = {
    "markup": {
        "title": 'Tom & Jerry <b>say</b> "hello" ]]>',
        "body_html": "<p>a &amp; b &lt;c&gt; ]]&gt;</p>",
    },
    "emoji": {"title": "🎉 👩‍👩‍👧 ✈️", "tags": ["emoji 🎉", "a/b & c", "<tag>"]},
    "right to left": {"title": "مرحبا بالعالم", "language": "ar", "body_html": "<p>تحمل الأنهار</p>"},
    "no excerpt and no text": {"excerpt": "", "body_html": ""},
    "blank title": {"title": " \u00a0 "},
    "controls": {"title": "bell\x07 and\x0b tab\ufffe", "excerpt": "\x01\x1f", "tags": ["\x08", "", "fine"]},
    "relative": {
        "body_html": '<p><a href="/about/">a</a> <a href="other/">b</a> <a href="#top">c</a> <a href="?x=1&amp;y=2">d</a></p>'
        '<img src="picture.png" alt=""><video src="../film.mp4" poster="//cdn.example/p.png"></video>'
        '<blockquote cite="/source">q</blockquote>'
    },
    "no language": {"language": "english, mostly"},
    "scripts": {"body_html": "<script>alert(1)</script><p onclick=alert(1)>text</p>"},
    "elsewhere first": {"canonical_url": "https://elsewhere.example/it?a=1&b=2", "language": "de-AT"},
}


@pytest.fixture(autouse=True)
def named(settings):
    settings.SITE_URL = ORIGIN
    settings.SITE_NAME = "Notes & <News>"
    settings.SITE_DESCRIPTION = "What we found"


def problems(client, path: str) -> list[str]:
    answer = client.get(path)
    content_type, check = FEEDS[f"/blog/{path.rpartition('/')[2]}"]
    assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
    return check(answer.content, address=f"{ORIGIN}{quote(path)}")


@pytest.mark.parametrize("path", FEEDS)
@pytest.mark.parametrize("nasty", NASTY)
def test_a_nasty_post_leaves_the_feed_valid(client, path, nasty):
    put_on_site(**{"tags": ["everything"], **NASTY[nasty]})
    assert problems(client, path) == []


@pytest.mark.parametrize("path", FEEDS)
def test_a_feed_without_posts_and_one_with_many_are_valid(client, path):
    assert problems(client, path) == []
    now = timezone.now()
    for number, nasty in enumerate([*NASTY.values()] * 3):
        put_on_site(at=now - timedelta(days=number), **nasty)
    assert problems(client, path) == []


@pytest.mark.parametrize("path", FEEDS)
@pytest.mark.parametrize("tag", ["plain", "a/b & c", "emoji 🎉", "خريطة", "100%", "what?", "atom.xml"])
def test_a_tag_has_feeds_of_its_own(client, path, tag):
    put_on_site(tags=[tag])
    put_on_site(tags=["another"], title="Not in it")
    path = quote(f"/blog/tags/{tag}/{path.rpartition('/')[2]}", safe="/&")
    linked = ALTERNATE.findall(client.get(f"/blog/tags/{quote(tag)}/").content.decode())
    assert path in map(html.unescape, linked)
    answer = client.get(path)
    content_type, check = FEEDS[f"/blog/{path.rpartition('/')[2]}"]
    assert (answer.status_code, answer["Content-Type"]) == (200, content_type)
    assert check(answer.content, address=f"{ORIGIN}{path}") == []
    assert "Not in it" not in answer.content.decode()


def test_a_tag_that_no_post_has_has_no_feed(client):
    put_on_site(tags=["one"])
    assert client.get("/blog/tags/other/atom.xml").status_code == 404


def test_the_rules_find_what_is_wrong():
    """A validator that is content with everything would prove nothing."""
    feed = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><link rel="self" href="/x"/><updated>now</updated>
      <entry><id>1</id><title>e</title><content type="html">&lt;a href="/x"></content><pubDate/></entry></feed>"""
    assert [problem.split(":")[0] for problem in atom_problems(feed, address="https://x.example/")] == [
        "4.1.1", "4.2.6", "3.3", "4.2.7", "4.1.1", "entry 'e'", "entry 'e'", "4.2.6",
        "entry 'e' has the relative address '/x'", "4.1.2",
    ]  # fmt: skip
    feed = b"""<rss version="2.0"><channel><title>t</title><link>/</link><item><guid>1</guid><pubDate>2026-01-01</pubDate>
      </item></channel></rss>"""
    assert len(rss_problems(feed, address="https://x.example/")) == 8
    wrong = {"version": "1", "items": [{"id": 1, "url": "/x", "date_published": "yesterday", "tag": []}]}
    assert len(json_problems(json.dumps(wrong).encode(), address="https://x.example/")) == 8


def test_entries_carry_the_whole_post_its_language_and_its_dates(client):
    agent = Agent.objects.create(name="River & Co")
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    publication = put_on_site(
        at=at,
        title="T",
        slug="t",
        excerpt="E",
        language="pt-BR",
        agent=agent,
        body_html='<p><a href="/x">x</a></p>',
    )
    changed = at + timedelta(days=2)
    Post.objects.update(revision=2, updated_at=changed)
    body = '<p><a href="https://blog.example/x" rel="noopener noreferrer nofollow">x</a></p>'
    entry = ElementTree.fromstring(client.get("/blog/atom.xml").content).find(f"{ATOM}entry")
    assert entry is not None
    assert entry.findtext(f"{ATOM}id") == f"urn:uuid:{publication.marker}"
    assert entry.findtext(f"{ATOM}content") == body
    assert entry.findtext(f"{ATOM}published") == "2026-03-04T05:06:07+00:00"
    assert entry.findtext(f"{ATOM}updated") == "2026-03-06T05:06:07+00:00"
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "River & Co"
    assert entry.get(LANG) == "pt-BR"
    item = ElementTree.fromstring(client.get("/blog/rss.xml").content).find("channel/item")
    assert item is not None
    assert item.findtext(f"{CONTENT}encoded") == body
    assert item.findtext("pubDate") == "Wed, 04 Mar 2026 05:06:07 +0000"
    (item,) = client.get("/blog/feed.json").json()["items"]
    assert (item["content_html"], item["language"], item["url"]) == (
        body,
        "pt-BR",
        "https://blog.example/blog/posts/t/",
    )
    assert item["date_modified"] == "2026-03-06T05:06:07+00:00"


def test_a_step_of_the_post_that_changes_no_text_is_no_news_for_readers(client):
    put_on_site(at=datetime(2026, 3, 4, tzinfo=UTC))
    before = client.get("/blog/atom.xml")
    Post.objects.update(updated_at=timezone.now(), status=Post.Status.FAILED)
    assert client.get("/blog/atom.xml").content == before.content


@pytest.mark.parametrize("path", ["/blog/atom.xml", "/blog/rss.xml"])
def test_feedparser_reads_what_we_meant(client, path):
    put_on_site(**NASTY["markup"], excerpt="1 < 2 & 3", tags=["a/b & c"])
    put_on_site(**NASTY["emoji"])
    found = feedparser.parse(client.get(path).content)
    assert not found.bozo
    assert [entry.title for entry in found.entries] == [NASTY["emoji"]["title"], NASTY["markup"]["title"]]
    assert html.unescape(found.entries[1].summary) == "1 < 2 & 3"
    assert [tag.term for tag in found.entries[1].tags] == ["a/b & c"]


@pytest.mark.parametrize("path", FEEDS)
def test_our_own_sources_can_follow_our_feeds(client, path):
    put_on_site(title="Echo")
    answer = client.get(path)
    document = parse(answer.content, content_type=answer["Content-Type"], base_url=f"{ORIGIN}{path}")
    assert [entry.title for entry in document.items] == ["Echo"]


@pytest.mark.parametrize(
    "path", [*FEEDS, "/blog/tags/x/atom.xml", "/blog/", "/blog/posts/first/", "/blog/tags/x/"]
)
def test_who_has_the_newest_gets_304_until_something_changes(client, path):
    put_on_site(slug="first", tags=["x"], at=datetime(2026, 1, 1, tzinfo=UTC))
    first = client.get(path)
    again = {"HTTP_IF_NONE_MATCH": first["ETag"]}
    unchanged = client.get(path, **again)
    assert (unchanged.status_code, unchanged.content, unchanged["ETag"]) == (304, b"", first["ETag"])
    assert first["Cache-Control"].startswith("public, max-age=")
    if "Last-Modified" in first:
        since = {"HTTP_IF_MODIFIED_SINCE": first["Last-Modified"]}
        assert client.get(path, **since).status_code == 304
    put_on_site(slug="second", tags=["x"])
    assert client.get(path, **again).status_code == 200
    if "Last-Modified" in first:
        assert client.get(path, **since).status_code == 200


@pytest.mark.parametrize("path", FEEDS)
def test_a_post_that_was_withdrawn_leaves_the_feed_and_its_validator(client, path):
    put_on_site(title="Stays")
    gone = put_on_site(title="Goes")
    first = client.get(path)
    assert b"Goes" in first.content
    gone.state = gone.State.WITHDRAWN
    gone.save()
    second = client.get(path, HTTP_IF_NONE_MATCH=first["ETag"])
    assert second.status_code == 200
    assert b"Goes" not in second.content


def test_a_feed_has_the_newest_twenty_posts(client):
    now = timezone.now()
    for number in range(23):
        put_on_site(at=now - timedelta(hours=number), title=f"Number {number}.")
    titles = [item["title"] for item in client.get("/blog/feed.json").json()["items"]]
    assert titles == [f"Number {number}." for number in range(20)]
