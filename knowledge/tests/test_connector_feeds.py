"""Feeds of health authorities: which entries are kept, and what is read in them."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from knowledge import connectors
from knowledge.connectors import Query, Window
from knowledge.connectors.feed_documents import MOST_ENTRIES, read_document
from knowledge.connectors.feeds import AUTHORITIES
from knowledge.connectors.terms import fits
from knowledge.errors import AnswerUnreadable, ConnectorRejected, ConnectorUnavailable, QueryRejected
from knowledge.tests.service_server import Asked, Reply, ServiceServer

pytestmark = pytest.mark.django_db

FEEDS = connectors.get("feeds")

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>MMWR &amp; more</title><link>https://cdc.example/</link><language>en-us</language>
<item><title>Diabetes guideline &amp;lt;update&amp;gt;</title><link>/mmwr/1.html</link><guid isPermaLink="false">mmwr-1</guid>
<description>&lt;p&gt;New &lt;b&gt;advice&lt;/b&gt; for people with diabetes.&lt;script&gt;alert(1)&lt;/script&gt;&lt;/p&gt;</description>
<pubDate>Thu, 19 Nov 2026 13:00:00 EST</pubDate><category>Diabetes</category><dc:creator>Ada Lovelace</dc:creator>
<dc:identifier>doi:10.15585/mmwr.mm7501a1</dc:identifier></item>
<item><title>Measles outbreak</title><link>https://cdc.example/2</link><pubDate>Mon, 02 Nov 2026 08:00:00 GMT</pubDate></item>
<item><description>neither title nor address</description></item>
<item><title>No date: diabetes week</title><link>https://cdc.example/3</link><pubDate>soon</pubDate></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="fr"><title>WHO</title>
<entry><id>tag:who,1</id><title type="html">Le &lt;i&gt;diabète&lt;/i&gt;</title><link rel="alternate" href="https://who.example/1"/>
<updated>2026-11-20T01:00:00Z</updated><published>2026-11-18T00:00:00+01:00</published><author><name>WHO Team</name></author>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Un <b>conseil</b>.</div></content></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>NIH</title></channel>
<item rdf:about="https://nih.example/1"><title>Insulin news</title><link>https://nih.example/1</link><dc:date>2026-11-19</dc:date></item></rdf:RDF>"""


class FeedServer(ServiceServer):
    """Serves documents by path."""

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, str] = {}

    def busy(self) -> Reply:
        return Reply(429, b"", {"Retry-After": "0"})

    def respond(self, asked: Asked) -> Reply:
        if asked.path not in self.documents:
            return Reply(404, b"<html>gone</html>")
        return Reply(200, self.documents[asked.path].encode(), {"Content-Type": "application/xml"})


@pytest.fixture
def server(settings: Any, quickly: None) -> Iterator[FeedServer]:
    with FeedServer().running() as running:
        settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, running.host]
        running.documents = {"/rss": RSS, "/atom": ATOM, "/rdf": RDF}
        yield running


def query(server: FeedServer, text: str, *paths: str, **more: Any) -> Query:
    return Query(text, addresses=tuple(f"{server.address}{path}" for path in paths), **more)


def titles(asked: Query, cursor: str = "") -> list[str]:
    return [record.title for batch in FEEDS.batches(asked, cursor) for record in batch.records]


def test_entries_of_all_formats_are_read(server):
    found = titles(query(server, "*", "/rss", "/atom", "/rdf"))
    assert found == [
        *("Diabetes guideline <update>", "Measles outbreak", "No date: diabetes week", "Le diabète"),
        "Insulin news",
    ]


def test_every_field_of_an_entry_is_read(server):
    (batch,) = FEEDS.batches(query(server, "guideline", "/rss"))
    (record,) = batch.records
    assert (record.source_id, record.url) == ("mmwr-1", f"{server.address}/mmwr/1.html")
    assert record.abstract_text == "New advice for people with diabetes."
    assert (str(record.published), record.publisher, record.doi) == (
        *("2026-11-19", "MMWR & more"),
        "10.15585/mmwr.mm7501a1",
    )
    assert record.languages == ("en",) and record.keywords == ("Diabetes",)
    assert record.authors[0].name == "Ada Lovelace"
    assert [problem.reason for problem in batch.problems] == [
        "An entry without a title, or without an id and an address."
    ]
    (batch,) = FEEDS.batches(query(server, "*", "/atom"))
    (record,) = batch.records
    assert (record.abstract_text, record.languages) == ("Un conseil.", ("fr",))
    assert (str(record.published), str(record.revised)) == ("2026-11-18", "2026-11-20")
    assert record.authors[0].collective == "WHO Team"


def test_only_what_fits_the_topic_and_the_window_is_kept(server):
    assert titles(query(server, "diabetes NOT week", "/rss", "/rdf")) == ["Diabetes guideline <update>"]
    window = Window(date(2026, 11, 15))
    assert titles(query(server, "*", "/rss", window=window)) == [
        "Diabetes guideline <update>",
        "No date: diabetes week",
    ], "what has no date may be new"
    assert titles(query(server, "*", "/rss", "/atom", language="fr")) == ["Le diabète"]
    assert len(titles(query(server, "*", "/rss", "/atom", max_results=2))) == 2


def test_a_feed_that_fails_does_not_keep_the_others_from_being_read(server):
    asked = query(server, "*", "/gone", "/rdf", "/atom")
    batches = FEEDS.batches(asked)
    read = [next(batches), next(batches)]
    assert [batch.records[0].title for batch in read] == ["Insulin news", "Le diabète"]
    with pytest.raises(ConnectorRejected, match="404"):
        next(batches)
    server.documents["/gone"] = RSS
    assert titles(asked, read[-1].cursor)[0].startswith("Diabetes guideline"), "only that one is read again"
    assert titles(asked, '{"done": [0, 1, 2]}') == []


def test_one_feed_that_may_come_back_makes_the_failure_one_for_later(server):
    server.documents["/page"] = "<html><p>Soon</html>"
    with pytest.raises(ConnectorUnavailable, match=r"404.*not XML"):
        list(FEEDS.batches(query(server, "*", "/gone", "/page")))


def test_a_preview_counts_what_fits(server):
    preview = FEEDS.preview(query(server, "diabetes", "/rss"))
    assert preview.hits == 2 and preview.translated.startswith("diabetes in http://127.0.0.1")


@pytest.mark.parametrize("address", ["ftp://who.example/", "who.int", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(QueryRejected, match="not the address of a feed"):
        FEEDS.preview(Query("insulin", addresses=(address,)))


def test_private_addresses_are_not_read(quickly):
    with pytest.raises(ConnectorRejected):
        FEEDS.preview(Query("insulin", addresses=("http://127.0.0.1:9/feed",)))


def test_the_authorities_are_those_that_were_named():
    assert [name.split()[0] for name in AUTHORITIES] == ["WHO", "CDC", "NIH"]
    assert all(address.startswith("https://") for address in AUTHORITIES.values())


def test_a_feed_without_an_end_is_cut_and_says_so():
    items = "".join(f"<item><title>t{n}</title><guid>{n}</guid></item>" for n in range(MOST_ENTRIES + 1))
    document = read_document(f"<rss><channel>{items}</channel></rss>".encode(), "https://a.example/")
    assert len(document.records) == MOST_ENTRIES and document.warnings


@pytest.mark.parametrize(
    "body", [b"", b"<html/>", b"{}", b"<rss>", b"\x00\xff", b'<!DOCTYPE rss [<!ENTITY a "b">]><rss/>']
)
def test_what_is_no_feed_is_not_an_empty_one(body):
    with pytest.raises(AnswerUnreadable):
        read_document(body, "https://a.example/")


@pytest.mark.parametrize(
    ("text", "is_fitting"),
    [
        ("diabetes", True),
        ("DIABETES guideline", True),
        ("diabetes stroke", False),
        ("stroke OR diabetes", True),
        ('"guideline on diabetes"', True),
        ('"diabetes guideline"', False),
        ("(stroke OR diabetes) AND guideline", True),
        ("diabetes NOT (stroke OR guideline)", False),
        ("diabet", False),
        ('"type-2"[Title/Abstract]', True),
        ("diabetes AND", True),
        (") diabetes (", True),
        ("NOT", False),
    ],
)
def test_words_phrases_and_operators_select_texts(text, is_fitting):
    assert fits(text, "A guideline on diabetes, type 2") is is_fitting
