"""How fast feeds are read and made harmless, beside feedparser as it comes; and how fast sources are polled.

Both read the same generated documents in this process: RSS and Atom of forty entries with a few paragraphs of
HTML each. feedparser sanitises too (its default); ours also checks encoding, depth and size first, makes
addresses absolute, and names and fingerprints every item. Polling asks real HTTP servers on as many loopback
addresses, which answer 304.
"""

import html
import io
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import feedparser
from django.conf import settings
from django.utils import timezone

from benchmarks.harness import Row, main, stopwatch
from jobs.context import ActiveRun
from publishing.feeds import parse
from publishing.models import Source
from publishing.polling import poll_due

ENTRIES = 40
HOSTS = 100
#: The two readers take turns: the machine's own pace changes.
ROUNDS = 5
BASE = "https://feeds.example/feed.xml"
WORDS = [
    "harbour",
    "ferry",
    "lamp",
    "seal",
    "storm",
    "mitten",
    "basin",
    "rowing",
    "tide",
    "gull",
    "rope",
    "anchor",
    "quay",
    "fog",
    "signal",
    "chart",
]
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def corpus(size: int) -> list[bytes]:
    """So many documents, half RSS with CDATA, half Atom with escaped HTML; the same ones every time."""
    chance = random.Random(7)
    return [(rss if number % 2 else atom)(chance) for number in range(size)]


def text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def article(chance: random.Random) -> str:
    """Some paragraphs as blogs write them: links, pictures, lists, and things that must go."""
    parts = []
    for _ in range(chance.randint(3, 8)):
        parts.append(
            f'<p class="text" style="margin: 0">{text(chance, 40)} <a href="/{chance.choice(WORDS)}" onclick="track()">'
            f"{text(chance, 3)}</a> <em>{text(chance, 5)}</em></p>"
        )
    parts.append(
        f'<ul><li>{text(chance, 6)}</li><li><img src="/{chance.choice(WORDS)}.jpg" width="80"></li></ul>'
    )
    parts.append("<script>track('x')</script>")
    return "".join(parts)


def rss(chance: random.Random) -> bytes:
    items = "".join(
        f"<item><guid isPermaLink='false'>{chance.getrandbits(64)}</guid><title>{text(chance, 8)} &amp; more</title>"
        f"<link>https://feeds.example/{number}</link><description><![CDATA[{article(chance)}]]></description>"
        f"<pubDate>{NOON - timedelta(hours=number):%a, %d %b %Y %H:%M:%S} GMT</pubDate></item>"
        for number in range(ENTRIES)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>{items}</channel></rss>'.encode()


def atom(chance: random.Random) -> bytes:
    entries = "".join(
        f"<entry><id>urn:{chance.getrandbits(64)}</id><title>{text(chance, 8)}</title>"
        f'<link href="https://feeds.example/{number}"/><updated>{NOON - timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}</updated>'
        f'<content type="html">{html.escape(article(chance))}</content></entry>'
        for number in range(ENTRIES)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title>{entries}</feed>'.encode()


def read(body: bytes) -> int:
    return len(parse(body, content_type="application/xml; charset=utf-8", base_url=BASE).items)


def read_with_feedparser(body: bytes) -> int:
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": BASE}
    return len(feedparser.parse(io.BytesIO(body), response_headers=headers).entries)


def entries_a_second(reader: Callable[[bytes], int], documents: Sequence[bytes]) -> float:
    """By CPU time of this process, so that neighbours on the machine count less."""
    reader(documents[0])
    began = time.process_time()
    entries = sum(reader(body) for body in documents)
    assert entries == ENTRIES * len(documents)
    return entries / (time.process_time() - began)


class NotModified(BaseHTTPRequestHandler):
    """Answers every question with 304."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(304)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def polls_a_second() -> float:
    """One round over a hundred sources, each on a host of its own, none of which has anything new."""
    server = ThreadingHTTPServer(("0.0.0.0", 0), NotModified)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hosts = [f"127.0.1.{number}:{server.server_port}" for number in range(1, HOSTS + 1)]
    settings.OUTBOUND_ALLOWED_HOSTS = hosts
    Source.objects.bulk_create(
        Source(name=host, url=f"http://{host}/feed", etag='"1"', last_success_at=timezone.now())
        for host in hosts
    )
    with stopwatch() as seconds:
        result = poll_due(ActiveRun(uuid4(), attempt=1))
    server.shutdown()
    assert (result.unchanged, result.failed) == (HOSTS, 0), result
    return HOSTS / seconds()


def measure(quick: bool) -> list[Row]:
    """Entries read a second of CPU, and sources polled a second."""
    documents = corpus(20 if quick else 100)
    rounds = [documents[number::ROUNDS] for number in range(ROUNDS)]
    pairs = [(entries_a_second(read, part), entries_a_second(read_with_feedparser, part)) for part in rounds]
    ours, peer = (statistics.median(speeds) for speeds in zip(*pairs, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    polls = polls_a_second()
    size = sum(map(len, documents)) / len(documents) / 1024
    return [
        Row(
            name="entries read and sanitised",
            value=round(ours),
            unit="entries/s",
            peer=round(peer),
            ratio=round(ratio, 2),
            target=">= 1.5 x feedparser",
            ok=ratio >= 1.5,
            note=f"{len(documents)} documents of {size:.0f} KiB, one process, CPU time, {ROUNDS} rounds in turn",
        ),
        Row(
            name="unchanged sources polled",
            value=round(polls),
            unit="sources/s",
            target=">= 30/s",
            ok=polls >= 30,
            note=f"{HOSTS} hosts, {settings.PUBLISHING_POLL_THREADS} threads, claim and outcome committed",
        ),
    ]


if __name__ == "__main__":
    main("feeds", __doc__, measure)
