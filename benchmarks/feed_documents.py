"""Feeds as sites write them, generated: the same ones every time."""

import html
import random
from datetime import UTC, datetime, timedelta

ENTRIES = 20
#: So many entries of a document that has changed are new.
NEW_ENTRIES = 2
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


def corpus(size: int, *, entries: int = ENTRIES, new: str = "") -> list[bytes]:
    """So many documents, half RSS with CDATA, half Atom with escaped HTML. `new` begins the ids of the newest entries."""
    chance = random.Random(7)
    return [(rss if number % 2 else atom)(chance, entries, new) for number in range(size)]


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


def rss(chance: random.Random, entries: int, new: str = "") -> bytes:
    items = "".join(
        f"<item><guid isPermaLink='false'>{prefix(number, new)}{chance.getrandbits(64)}</guid>"
        f"<title>{text(chance, 8)} &amp; more</title><link>https://feeds.example/{prefix(number, new)}{number}</link>"
        f"<description><![CDATA[{article(chance)}]]></description>"
        f"<pubDate>{NOON - timedelta(hours=number):%a, %d %b %Y %H:%M:%S} GMT</pubDate></item>"
        for number in range(entries)
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>News</title>{items}</channel></rss>'.encode()


def atom(chance: random.Random, entries: int, new: str = "") -> bytes:
    found = "".join(
        f"<entry><id>urn:{prefix(number, new)}{chance.getrandbits(64)}</id><title>{text(chance, 8)}</title>"
        f'<link href="https://feeds.example/{prefix(number, new)}{number}"/>'
        f"<updated>{NOON - timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}</updated>"
        f'<content type="html">{html.escape(article(chance))}</content></entry>'
        for number in range(entries)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title>{found}</feed>'.encode()


def prefix(number: int, new: str) -> str:
    return new if number < NEW_ENTRIES else ""
