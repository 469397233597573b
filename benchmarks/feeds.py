"""How fast sources are polled, beside a plain loop of requests and feedparser over the same server.

**The scene.** Ten thousand sources on fifty hosts, and a server on as many loopback addresses that takes 20 ms
for each answer: less than any server on the internet, which favours the loop, since a loop does nothing but wait
then. Most sources have nothing new (304 to their ETag); some have two new entries among twenty; some answer 404,
410 or 500. First all of them in one round; then rounds of unchanged ones alone and of changed ones alone.

**The peer** asks one source after another over a `requests.Session`, which keeps its connections, sends the ETag,
and gives what is new to `feedparser.parse`, which sanitises, too. It stores nothing and knows no manners. It does
a sample of the sources, and is measured by its pace.

**Ours** is a whole round of `publishing.polling`: hosts entered and left, claims and outcomes committed, items
stored. It asks each host for one thing at a time, as always. Two settings are as an operator with so many sources
on so few hosts sets them: `PUBLISHING_POLL_THREADS=50`, one for each host, and
`PUBLISHING_HOST_SPACING_SECONDS=0.001`; with the default of a second, fifty hosts give fifty sources a second
and never more, and there would be nothing to measure.

**What is compared.** Sources a second by the clock, which is what an operator waits for and where the targets lie:
5 x for unchanged sources, 2 x for changed ones. And CPU time of this process for each source, which is what remains
when latency is hidden; PostgreSQL's own is beside it in the note.

Last, reading alone: entries of documents read and sanitised a second of CPU, without network and database.
"""

import io
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import feedparser
import psutil
import requests
from django.conf import settings
from django.db import connection

from benchmarks.feed_documents import ENTRIES, NEW_ENTRIES, corpus
from benchmarks.harness import Process, Row, execute, main, stopwatch, wait_until
from jobs.context import ActiveRun
from publishing.feeds import parse
from publishing.models import FeedItem, Source
from publishing.polling import RoundResult, poll_due

HOSTS = 50
THREADS = 50
SPACING_SECONDS = 0.001
ANSWER_SECONDS = 0.02
#: The two readers take turns: the machine's own pace changes.
ROUNDS = 5
BASE = "https://feeds.example/feed.xml"
KNOWN_ITEMS = 10
ERRORS = (404, 410, 500)

MAKE_ITEMS = """
INSERT INTO publishing_feeditem (source_id, identity, fingerprint, url, title, author, summary_html, content_html, language,
    categories, enclosures, state, state_reason, replays, fetched_at, published_at)
SELECT source.id, 'guid:' || n, '', 'https://feeds.example/' || n, 'Item ' || n, '', '', '', '', '{}', '[]', 'seen', '', 0,
    now() - n * interval '1 day', now() - n * interval '1 day'
FROM publishing_source AS source, generate_series(1, %s) AS n WHERE source.url LIKE '%%/same/%%'
"""


@dataclass(frozen=True)
class Pace:
    """What a number of sources took."""

    sources: int
    seconds: float
    cpu_seconds: float
    database_seconds: float = 0.0

    @property
    def a_second(self) -> float:
        return self.sources / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_seconds / self.sources


# Reading


def read(body: bytes) -> int:
    return len(parse(body, content_type="application/xml; charset=utf-8", base_url=BASE).items)


@contextmanager
def feedparser_as_it_comes() -> Iterator[None]:
    """Without the parser of ours that hands text over in one piece."""
    ours, feedparser.api.PREFERRED_XML_PARSERS = feedparser.api.PREFERRED_XML_PARSERS, ["drv_libxml2"]
    try:
        yield
    finally:
        feedparser.api.PREFERRED_XML_PARSERS = ours


@feedparser_as_it_comes()
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


# Polling


@contextmanager
def server() -> Iterator[int]:
    """The server of feeds in a process of its own; gives its port."""
    with socket.create_server(("0.0.0.0", 0)) as free:
        port: int = free.getsockname()[1]
    with Process("benchmarks.feed_server", str(port), str(ANSWER_SECONDS)):
        wait_until(lambda: is_listening(port), seconds=30, what="the server of feeds")
        yield port


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def make_sources(port: int, path: str, count: int) -> None:
    """Sources that have been read before, spread over the hosts."""
    first = Source.objects.count()
    Source.objects.bulk_create(
        Source(
            name=f"Source {number}",
            url=f"http://127.0.1.{number % HOSTS + 1}:{port}/{path}/{number}",
            etag='"1"',
        )
        for number in range(first, first + count)
    )


def urls(path: str, count: int) -> list[str]:
    """Some of the sources, chosen evenly."""
    found = list(
        Source.objects.filter(url__contains=f"/{path}/").order_by("pk").values_list("url", flat=True)
    )
    return found[:: max(len(found) // count, 1)][:count]


def due(*paths: str) -> int:
    """Make sources of these paths due, and no others; gives how many."""
    execute("UPDATE publishing_source SET next_poll_at = now() + interval '1 day', gone_at = NULL")
    execute("UPDATE publishing_source SET consecutive_failures = 0, consecutive_parse_failures = 0")
    count = 0
    for path in paths:
        like = [f"%/{path}/%"]
        execute(
            "UPDATE publishing_source SET next_poll_at = now() - interval '1 hour' WHERE url LIKE %s", like
        )
        count += Source.objects.filter(url__contains=f"/{path}/").count()
    execute("VACUUM ANALYZE publishing_source")
    return count


def poll(*paths: str) -> tuple[Pace, RoundResult]:
    """One round over the sources of these paths."""
    count = due(*paths)
    began, database = time.process_time(), database_seconds()
    with stopwatch() as seconds:
        result = poll_due(ActiveRun(uuid4(), attempt=1))
    assert (result.polled, result.postponed) == (count, 0), result
    return Pace(count, seconds(), time.process_time() - began, database_seconds() - database), result


def database_seconds() -> float:
    """CPU time of the database process that works for us."""
    connection.ensure_connection()
    assert connection.connection is not None
    times = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return times.user + times.system


@feedparser_as_it_comes()
def plain_loop(addresses: Sequence[str]) -> Pace:
    """What a script does: ask, and parse what is new."""
    session = requests.Session()
    session.trust_env = False
    began = time.process_time()
    with stopwatch() as seconds:
        for address in addresses:
            response = session.get(address, headers={"If-None-Match": '"1"'}, timeout=20)
            if response.status_code == 200:
                assert len(feedparser.parse(response.content).entries) == ENTRIES
    return Pace(len(addresses), seconds(), time.process_time() - began)


def polling_rows(quick: bool) -> list[Row]:
    settings.PUBLISHING_POLL_THREADS = THREADS
    settings.PUBLISHING_HOST_SPACING_SECONDS = SPACING_SECONDS
    same, changed, failing = (1_000, 60, 30) if quick else (9_000, 600, 400)
    sample, changed_sample = (80, 20) if quick else (600, 150)
    with server() as port:
        settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.1.{number}:{port}" for number in range(1, HOSTS + 1)]
        make_sources(port, "same", same)
        make_sources(port, "changed", changed)
        for number, status in enumerate(ERRORS):
            make_sources(port, f"error/{status}", failing // 3 + (number < failing % 3))
        execute(MAKE_ITEMS, [KNOWN_ITEMS])
        everything, result = poll("same", "changed", "error")
        assert (result.failed, result.new_items) == (failing, changed * ENTRIES), result
        ours_same, result = poll("same")
        assert (result.unchanged, result.failed) == (same, 0), result
        ours_changed, result = poll("changed")
        assert result.new_items == changed * NEW_ENTRIES, result
        assert FeedItem.objects.filter(source__url__contains="/changed/").count() == changed * (
            ENTRIES + NEW_ENTRIES
        )
        peer_same, peer_changed = (
            plain_loop(urls("same", sample)),
            plain_loop(urls("changed", changed_sample)),
        )
    share = changed / everything.sources
    peer_everything = 1 / (share / peer_changed.a_second + (1 - share) / peer_same.a_second)
    return [
        faster("unchanged sources polled", ours_same, peer_same, 5),
        faster("changed sources polled", ours_changed, peer_changed, 2),
        Row(
            name=f"all {everything.sources:,} sources in one round",
            value=round(everything.a_second),
            unit="sources/s",
            peer=round(peer_everything),
            ratio=round(everything.a_second / peer_everything, 1),
            target="all of them",
            ok=True,
            note=f"{everything.seconds:.1f} s; {changed} for the first time, {failing} with an error; peer: computed from its two paces",
        ),
        cheaper("CPU of an unchanged source", ours_same, peer_same),
        cheaper("CPU of a changed source", ours_changed, peer_changed),
    ]


def faster(name: str, ours: Pace, peer: Pace, target: float) -> Row:
    ratio = ours.a_second / peer.a_second
    return Row(
        name=name,
        value=round(ours.a_second, 1),
        unit="sources/s",
        peer=round(peer.a_second, 1),
        ratio=round(ratio, 2),
        target=f">= {target} x the loop",
        ok=ratio >= target,
        note=f"{ours.sources:,} sources, {HOSTS} hosts, {THREADS} threads, {1000 * ANSWER_SECONDS:.0f} ms to each answer; peer: {peer.sources}",
    )


def cheaper(name: str, ours: Pace, peer: Pace) -> Row:
    database_ms = 1000 * ours.database_seconds / ours.sources
    return Row(
        name=name,
        value=round(ours.cpu_ms, 2),
        unit="ms",
        peer=round(peer.cpu_ms, 2),
        ratio=round(peer.cpu_ms / ours.cpu_ms, 2),
        target="<= the loop",
        ok=ours.cpu_ms <= peer.cpu_ms,
        note=f"claim and outcome committed, items stored; PostgreSQL: {database_ms:.2f} ms more",
    )


def reading_row(quick: bool) -> Row:
    documents = corpus(10 if quick else 100)
    rounds = [documents[number::ROUNDS] for number in range(ROUNDS)]
    pairs = [(entries_a_second(read, part), entries_a_second(read_with_feedparser, part)) for part in rounds]
    ours, peer = (statistics.median(speeds) for speeds in zip(*pairs, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    size = sum(map(len, documents)) / len(documents) / 1024
    return Row(
        name="entries read and sanitised",
        value=round(ours),
        unit="entries/s",
        peer=round(peer),
        ratio=round(ratio, 2),
        target=">= 1.5 x feedparser",
        ok=ratio >= 1.5,
        note=f"{len(documents)} documents of {size:.0f} KiB, one process, CPU time, {ROUNDS} rounds in turn",
    )


def measure(quick: bool) -> list[Row]:
    """Polling, the unchanged sources first; then reading alone."""
    return [*polling_rows(quick), reading_row(quick)]


if __name__ == "__main__":
    main("feeds", __doc__, measure)
