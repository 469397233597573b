"""RSS, RDF, Atom and CDF, through feedparser with its own sanitiser off: nh3 does that better and faster."""

import calendar
import html
import io
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import feedparser

from publishing.feeds.document import Enclosure, ParsedFeed, ParsedItem
from publishing.feeds.encoding import Decoded
from publishing.feeds.errors import FeedError
from publishing.feeds.hardening import MAX_ENTRIES, harden, legal
from publishing.feeds.sanitise import clean_html, clean_line, plain_text, web_address

logger = logging.getLogger(__name__)

feedparser.api.PREFERRED_XML_PARSERS = ["publishing.feeds.buffered"]

_MARKUP_TYPES = {"text/html", "application/xhtml+xml", "application/xml", "text/xml", "text/x-markdown", ""}
_FORMATS = (("rss10", "rdf"), ("rss090", "rdf"), ("rss", "rss"), ("atom", "atom"), ("cdf", "cdf"))
_PERIOD_MINUTES = {"hourly": 60, "daily": 1_440, "weekly": 10_080, "monthly": 43_200, "yearly": 525_600}

#: feedparser's dictionaries; read with `dict.get`, since their own `[]` maps old names with warnings.
Fields = dict[str, Any]


def parse_xml(decoded: Decoded, base_url: str = "") -> ParsedFeed:
    """The feed in a document of one of the XML formats; `format` is "" when it is none of them."""
    hardened = harden(decoded.text)
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": base_url}
    try:
        found = feedparser.parse(
            io.BytesIO(hardened.text.encode("utf-8")),
            response_headers=headers,
            resolve_relative_uris=False,
            sanitize_html=False,
        )
    except Exception as error:  # a library that meets anything people can write
        logger.warning("feedparser failed on a document of %s characters", len(hardened.text), exc_info=True)
        raise FeedError("The document could not be parsed.") from error
    feed = found["feed"]
    title, title_html = _title(feed)
    return ParsedFeed(
        format=next((name for prefix, name in _FORMATS if (found["version"] or "").startswith(prefix)), ""),
        encoding=decoded.encoding,
        title=title,
        title_html=title_html,
        subtitle_html=_html(_get(feed, "subtitle_detail"), _get(feed, "subtitle"))
        or _html(_get(feed, "summary_detail"), _get(feed, "summary")),
        url=web_address(_text(feed, "link")),
        feed_url=_link(feed, "self"),
        hub_url=_link(feed, "hub"),
        id=clean_line(_text(feed, "id")),
        author=plain_text(_text(feed, "author")),
        language=_text(feed, "language")[:35],
        updated_at=_moment(feed, "updated_parsed") or _moment(feed, "published_parsed"),
        ttl_minutes=_ttl_minutes(feed),
        items=tuple(_item(entry) for entry in found["entries"][:MAX_ENTRIES]),
        is_cut=hardened.is_cut or len(found["entries"]) > MAX_ENTRIES,
    )


def _item(entry: Fields) -> ParsedItem:
    title, title_html = _title(entry)
    content, language = _content(entry)
    return ParsedItem(
        guid=clean_line(_text(entry, "id")),
        title=title,
        title_html=title_html,
        url=web_address(_text(entry, "link")),
        author=plain_text(_text(entry, "author")),
        summary_html=_summary(entry),
        content_html=content,
        published_at=_moment(entry, "published_parsed") or _moment(entry, "created_parsed"),
        updated_at=_moment(entry, "updated_parsed"),
        language=language[:35],
        comments_url=web_address(_text(entry, "comments")),
        categories=tuple(dict.fromkeys(_categories(entry))),
        enclosures=tuple({file.url: file for file in _enclosures(entry)}.values()),
    )


def _get(fields: Fields, name: str) -> Any:
    return dict.get(fields, name)


def _text(fields: Fields, name: str) -> str:
    value = _get(fields, name)
    return legal(value) if isinstance(value, str) else ""


def _title(fields: Fields) -> tuple[str, str]:
    """The title as text and as harmless HTML."""
    detail = _get(fields, "title_detail")
    value = _text(fields, "title")
    if isinstance(detail, dict) and dict.get(detail, "type") == "text/plain":
        return clean_line(value), html.escape(clean_line(value), quote=False)
    return plain_text(value), _html(detail, value)


def _html(detail: Any, value: Any) -> str:
    """Harmless HTML of a text construct: its `detail` says of what type and where relative addresses start."""
    text = legal(value) if isinstance(value, str) else ""
    if not isinstance(detail, dict):
        return clean_html(text)
    if dict.get(detail, "type") == "text/plain":
        return html.escape(text, quote=False)
    return clean_html(text, base=dict.get(detail, "base") or "")


def _summary(entry: Fields) -> str:
    """The item's summary; empty if feedparser only repeats the content there, which it does without a detail."""
    detail = _get(entry, "summary_detail")
    return "" if detail is None and _get(entry, "content") else _html(detail, _get(entry, "summary"))


def _content(entry: Fields) -> tuple[str, str]:
    """The item's full text, the first that is markup or else the first at all, and its language."""
    parts = [part for part in _get(entry, "content") or [] if isinstance(dict.get(part, "value"), str)]
    readable = [part for part in parts if _is_readable(dict.get(part, "type") or "")]
    readable.sort(key=lambda part: dict.get(part, "type") == "text/plain")
    if not readable:
        return "", ""
    return _html(readable[0], readable[0]["value"]), dict.get(readable[0], "language") or ""


def _is_readable(media_type: str) -> bool:
    return media_type in _MARKUP_TYPES or media_type.startswith("text/")


def _moment(fields: Fields, name: str) -> datetime | None:
    value = _get(fields, name)
    if not isinstance(value, time.struct_time):
        return None
    try:
        return datetime.fromtimestamp(calendar.timegm(value), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _link(fields: Fields, relation: str) -> str:
    for link in _get(fields, "links") or []:
        if dict.get(link, "rel") == relation:
            return web_address(dict.get(link, "href") or "")
    return ""


def _categories(entry: Fields) -> Iterator[str]:
    for tag in _get(entry, "tags") or []:
        if term := clean_line(dict.get(tag, "term") or dict.get(tag, "label") or "", 200):
            yield term


def _enclosures(entry: Fields) -> Iterator[Enclosure]:
    linked = [link for link in _get(entry, "links") or [] if dict.get(link, "rel") == "enclosure"]
    for link in [*linked, *(_get(entry, "media_content") or [])]:
        if url := web_address(dict.get(link, "href") or dict.get(link, "url") or ""):
            length = str(dict.get(link, "length") or dict.get(link, "filesize") or "")
            is_number = length.isascii() and length.isdigit() and len(length) < 16
            yield Enclosure(
                url, clean_line(dict.get(link, "type") or "", 100), int(length) if is_number else None
            )


def _ttl_minutes(feed: Fields) -> int | None:
    ttl = _text(feed, "ttl").strip()
    if ttl.isascii() and ttl.isdigit() and len(ttl) < 7:
        return int(ttl) or None
    period = _PERIOD_MINUTES.get(_text(feed, "sy_updateperiod").strip().lower())
    if period is None:
        return None
    times = _text(feed, "sy_updatefrequency").strip()
    return period // max(int(times) if times.isascii() and times.isdigit() and len(times) < 6 else 1, 1) or 1
