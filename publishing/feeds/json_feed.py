"""JSON Feed 1.0 and 1.1, read by hand: https://www.jsonfeed.org/version/1.1/"""

import html
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from publishing.feeds.document import Enclosure, ParsedFeed, ParsedItem
from publishing.feeds.encoding import Decoded
from publishing.feeds.errors import FeedError, FeedTooComplex, NotAFeed
from publishing.feeds.hardening import MAX_ENTRIES, legal
from publishing.feeds.sanitise import clean_html, clean_line, plain_text, web_address

MAX_VALUES = 500_000

Fields = Mapping[str, Any]


def looks_like_json(text: str) -> bool:
    """Whether the document could be JSON at all."""
    return text[:200].lstrip().startswith("{")


def parse_json(decoded: Decoded, base_url: str = "") -> ParsedFeed:
    """The feed in a JSON document; NotAFeed if it does not say that it is one."""
    document = _loaded(decoded.text)
    version = _text(document, "version")
    items = document.get("items")
    if "jsonfeed.org/version/" not in version or not isinstance(items, list):
        raise NotAFeed(
            "This is JSON, but not a JSON Feed: it has no jsonfeed.org version or no list of items."
        )
    base = web_address(_text(document, "feed_url"), base_url) or base_url
    title = clean_line(_text(document, "title"))
    hubs = document.get("hubs")
    return ParsedFeed(
        format="json",
        encoding=decoded.encoding,
        title=title,
        title_html=html.escape(title, quote=False),
        subtitle_html=html.escape(_text(document, "description"), quote=False),
        url=web_address(_text(document, "home_page_url"), base),
        feed_url=web_address(_text(document, "feed_url"), base_url),
        hub_url=next((web_address(_text(hub, "url")) for hub in _objects(hubs)), ""),
        author=_author(document),
        language=_text(document, "language")[:35],
        items=tuple(_item(item, base) for item in _objects(items[:MAX_ENTRIES])),
        is_cut=len(items) > MAX_ENTRIES,
    )


def _loaded(text: str) -> Fields:
    if text.count(",") + text.count("[") + text.count("{") > MAX_VALUES:
        raise FeedTooComplex(f"The document has more than {MAX_VALUES:,} values.")
    try:
        document = json.loads(text, strict=False)
    except RecursionError as error:
        raise FeedTooComplex("The document nests too deeply.") from error
    except ValueError as error:
        raise FeedError(f"The document begins like JSON but is not: {error}.") from error
    if not isinstance(document, dict):
        raise NotAFeed("This is JSON, but not a JSON Feed.")
    return document


def _item(item: Fields, base: str) -> ParsedItem:
    url = web_address(_text(item, "url"), base) or web_address(_text(item, "external_url"), base)
    title = clean_line(_text(item, "title"))
    content = clean_html(_text(item, "content_html"), url or base) or _paragraphs(_text(item, "content_text"))
    return ParsedItem(
        guid=clean_line(_identifier(item.get("id"))),
        title=title,
        title_html=html.escape(title, quote=False),
        url=url,
        author=_author(item),
        summary_html=html.escape(_text(item, "summary"), quote=False),
        content_html=content,
        published_at=_moment(_text(item, "date_published")),
        updated_at=_moment(_text(item, "date_modified")),
        language=_text(item, "language")[:35],
        categories=tuple(dict.fromkeys(_tags(item.get("tags")))),
        enclosures=tuple(_enclosures(item.get("attachments"), base)),
    )


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    return legal(value).strip() if isinstance(value, str) else ""


def _objects(values: object) -> Iterator[Fields]:
    if isinstance(values, list):
        yield from (value for value in values if isinstance(value, dict))


def _identifier(value: object) -> str:
    """The id as text: the specification asks for a string and tells readers to accept numbers."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)


def _author(fields: Fields) -> str:
    authors = [*_objects(fields.get("authors")), *_objects([fields.get("author")])]
    names = [plain_text(_text(author, "name") or _text(author, "url"), 200) for author in authors]
    return clean_line(", ".join(dict.fromkeys(name for name in names if name)))


def _paragraphs(text: str) -> str:
    blocks = (block.strip() for block in text.replace("\r\n", "\n").split("\n\n"))
    return "".join(
        f"<p>{html.escape(block, quote=False).replace(chr(10), '<br>')}</p>" for block in blocks if block
    )


def _tags(values: object) -> Iterator[str]:
    if isinstance(values, list):
        yield from (clean_line(value, 200) for value in values if isinstance(value, str) and value.strip())


def _enclosures(values: object, base: str) -> Iterator[Enclosure]:
    for value in _objects(values):
        if url := web_address(_text(value, "url"), base):
            size = value.get("size_in_bytes")
            is_size = isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**53
            yield Enclosure(url, clean_line(_text(value, "mime_type"), 100), size if is_size else None)


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
