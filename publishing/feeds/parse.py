"""The one way in: bytes and what the server said about them."""

from collections.abc import Iterable
from dataclasses import replace

from publishing.feeds.document import ParsedFeed, ParsedItem
from publishing.feeds.encoding import decode
from publishing.feeds.errors import NotAFeed
from publishing.feeds.identity import identified
from publishing.feeds.json_feed import looks_like_json, parse_json
from publishing.feeds.xml import parse_xml

_AUTHOR_IS_INHERITED = {"atom", "json"}


def parse(body: bytes, *, content_type: str = "", base_url: str = "") -> ParsedFeed:
    """The feed in a response's body; `base_url` is the address it came from.

    Raises NotAFeed for documents of another kind, FeedTooComplex for those built to cost too much, and FeedError
    for those that no reading makes sense of.
    """
    feed = read(body, content_type=content_type, base_url=base_url)
    if not feed.format and not feed.items:
        is_page = "html" in content_type.lower() or b"<html" in body[:2_000].lower()
        raise NotAFeed(
            "This is a web page, not a feed." if is_page else "This is not a feed that can be read."
        )
    return feed


def read(body: bytes, *, content_type: str = "", base_url: str = "") -> ParsedFeed:
    """Like `parse`, but gives an empty feed instead of NotAFeed for XML documents of another kind."""
    decoded = decode(body, content_type)
    reader = parse_json if looks_like_json(decoded.text) else parse_xml
    feed = reader(decoded, base_url)
    items = _with_authors(feed) if feed.format in _AUTHOR_IS_INHERITED else feed.items
    return replace(feed, items=identified(items))


def _with_authors(feed: ParsedFeed) -> Iterable[ParsedItem]:
    """The items, those without an author with the feed's (RFC 4287 4.2.1, JSON Feed 1.1)."""
    return (replace(item, author=item.author or feed.author) for item in feed.items)
