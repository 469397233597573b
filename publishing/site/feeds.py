"""The site's feeds: Atom (RFC 4287), RSS 2.0 and JSON Feed 1.1, with whole posts and absolute addresses."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from io import StringIO
from xml.sax.xmlreader import AttributesImpl

from django.conf import settings
from django.utils.feedgenerator import rfc2822_date, rfc3339_date
from django.utils.xmlutils import SimplerXMLGenerator

from publishing.feeds.sanitise import clean_line
from publishing.site import addresses
from publishing.site.entry import Entry

LANGUAGE = "en"
GENERATOR = "Almanac"
#: Of a feed without posts.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Feed:
    """Posts, the newest first, and what the feed says about itself."""

    entries: Sequence[Entry]
    #: Of the page that shows the same posts.
    home_path: str
    #: Of the feed itself.
    path: str
    tag: str = ""

    @property
    def title(self) -> str:
        name = clean_line(settings.SITE_NAME)
        return f"{name}: {self.tag}" if self.tag else name

    @property
    def description(self) -> str:
        if self.tag:
            return f"Posts about {self.tag}"
        return clean_line(settings.SITE_DESCRIPTION) or f"Posts of {self.title}"

    @property
    def home_url(self) -> str:
        return addresses.absolute(self.home_path)

    @property
    def url(self) -> str:
        return addresses.absolute(self.path)

    @property
    def updated_at(self) -> datetime:
        return max((entry.modified_at for entry in self.entries), default=_NEVER)


class _Writer:
    """XML, element by element."""

    def __init__(self) -> None:
        self._text = StringIO()
        self._xml = SimplerXMLGenerator(self._text, "utf-8")
        self._xml.startDocument()

    @contextmanager
    def element(self, name: str, **attributes: str) -> Iterator[None]:
        self._xml.startElement(name, AttributesImpl(_plain(attributes)))
        yield
        self._xml.endElement(name)

    def add(self, name: str, text: str = "", **attributes: str) -> None:
        self._xml.addQuickElement(name, text, _plain(attributes))

    def __str__(self) -> str:
        return self._text.getvalue()


def _plain(attributes: Mapping[str, str]) -> dict[str, str]:
    """Python has no colons in names: `xml__lang` is xml:lang. Empty ones are left out."""
    return {name.replace("__", ":"): value for name, value in attributes.items() if value}


def atom(feed: Feed) -> str:
    """RFC 4287."""
    xml = _Writer()
    with xml.element("feed", xmlns="http://www.w3.org/2005/Atom", xml__lang=LANGUAGE):
        xml.add("id", feed.home_url)
        xml.add("title", feed.title)
        xml.add("subtitle", feed.description)
        xml.add("updated", rfc3339_date(feed.updated_at))
        xml.add("link", rel="self", type="application/atom+xml", href=feed.url)
        xml.add("link", rel="alternate", type="text/html", href=feed.home_url)
        xml.add("icon", addresses.icon_url())
        xml.add("generator", GENERATOR)
        with xml.element("author"):
            xml.add("name", clean_line(settings.SITE_NAME))
        for entry in feed.entries:
            _add_atom_entry(xml, entry)
    return str(xml)


def _add_atom_entry(xml: _Writer, entry: Entry) -> None:
    with xml.element("entry", xml__lang=entry.language):
        xml.add("id", entry.id)
        xml.add("title", entry.title)
        xml.add("link", rel="alternate", type="text/html", href=entry.url)
        xml.add("published", rfc3339_date(entry.published_at))
        xml.add("updated", rfc3339_date(entry.modified_at))
        with xml.element("author"):
            xml.add("name", clean_line(entry.author.name))
            if entry.author.url:
                xml.add("uri", entry.author.url)
        for tag in entry.tags:
            xml.add("category", term=tag.name)
        if entry.excerpt:
            xml.add("summary", entry.excerpt)
        xml.add("content", entry.feed_html, type="html")


def rss(feed: Feed) -> str:
    """RSS 2.0, with the whole text in content:encoded."""
    xml = _Writer()
    namespaces = {
        "xmlns__atom": "http://www.w3.org/2005/Atom",
        "xmlns__content": "http://purl.org/rss/1.0/modules/content/",
        "xmlns__dc": "http://purl.org/dc/elements/1.1/",
    }
    with xml.element("rss", version="2.0", **namespaces), xml.element("channel"):
        xml.add("title", feed.title)
        xml.add("link", feed.home_url)
        xml.add("description", feed.description)
        xml.add("language", LANGUAGE)
        if feed.entries:
            xml.add("lastBuildDate", rfc2822_date(feed.updated_at))
        xml.add("generator", GENERATOR)
        xml.add("atom:link", rel="self", type="application/rss+xml", href=feed.url)
        for entry in feed.entries:
            _add_rss_item(xml, entry)
    return str(xml)


def _add_rss_item(xml: _Writer, entry: Entry) -> None:
    with xml.element("item"):
        xml.add("title", entry.title)
        xml.add("link", entry.url)
        xml.add("guid", entry.id, isPermaLink="false")
        xml.add("pubDate", rfc2822_date(entry.published_at))
        xml.add("dc:creator", clean_line(entry.author.name))
        if entry.language:
            xml.add("dc:language", entry.language)
        for tag in entry.tags:
            xml.add("category", tag.name)
        xml.add("description", escape(entry.excerpt, quote=False))  # RSS takes it for HTML
        xml.add("content:encoded", entry.feed_html)


def json_feed(feed: Feed) -> str:
    """https://www.jsonfeed.org/version/1.1/"""
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home_url,
        "feed_url": feed.url,
        "description": feed.description,
        "icon": addresses.icon_url(),
        "language": LANGUAGE,
        "authors": [{"name": clean_line(settings.SITE_NAME)}],
        "items": [_json_item(entry) for entry in feed.entries],
    }
    return json.dumps(document, ensure_ascii=False, indent=1)


def _json_item(entry: Entry) -> dict[str, object]:
    author = {"name": clean_line(entry.author.name), "url": entry.author.url}
    item: dict[str, object] = {
        "id": entry.id,
        "url": entry.url,
        "title": entry.title,
        "content_html": entry.feed_html,
        "summary": entry.excerpt,
        "image": entry.image_url,
        "date_published": rfc3339_date(entry.published_at),
        "date_modified": rfc3339_date(entry.modified_at),
        "authors": [{name: value for name, value in author.items() if value}],
        "tags": [tag.name for tag in entry.tags],
        "language": entry.language,
    }
    return {name: value for name, value in item.items() if value or name == "content_html"}
