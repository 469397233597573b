"""RSS 2.0, RSS 1.0 and Atom: the few fields that a guideline or a piece of news has."""

import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from lxml import etree

from knowledge.connectors.base import Problem
from knowledge.connectors.languages import two_letters
from knowledge.connectors.markup import clean, parse, text_of
from knowledge.connectors.names import split_name
from knowledge.errors import AnswerUnreadable
from knowledge.records import PartialDate, Record, Section, clean_doi

KIND = "feeds"
MOST_ENTRIES = 500

_HIDDEN = re.compile(r"<(script|style|template|noscript)\b.*?(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(?:[a-zA-Z/!][^<>]{0,2000})>")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True)
class Document:
    """What a feed says now."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def read_document(body: bytes, address: str) -> Document:
    """The entries of a feed. Raises AnswerUnreadable for what is none, such as a web page."""
    root = parse(body.lstrip())
    kind = etree.QName(root).localname
    if kind not in {"rss", "RDF", "feed"}:
        raise AnswerUnreadable(f"{urlsplit(address).hostname} answered with something that is no feed.")
    channel = root if kind == "feed" else next(_named(root, "channel"), root)
    entries = [*_named(root, "item"), *_named(channel, "item"), *_named(root, "entry")]
    entries = list(dict.fromkeys(entries))
    language = _text(channel, "language") or channel.get(_LANGUAGE, "") or root.get(_LANGUAGE, "")
    publisher = _plain(_text(channel, "title"))
    records, problems = [], []
    for entry in entries[:MOST_ENTRIES]:
        record = _record(entry, address, publisher, language)
        if isinstance(record, Problem):
            problems.append(record)
        else:
            records.append(record)
    warnings = (f"Only the first {MOST_ENTRIES} entries were read.",) if len(entries) > MOST_ENTRIES else ()
    return Document(tuple(records), tuple(problems), warnings)


def _record(entry: etree._Element, address: str, publisher: str, language: str) -> Record | Problem:
    link = _link(entry, address)
    guid = (
        _text(entry, "guid")
        or _text(entry, "id")
        or entry.get("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about", "")
    )
    title = _plain(_text(entry, "title"))
    name = guid or link
    if not title or not name:
        return Problem(name, "An entry without a title, or without an id and an address.")
    summary = _plain(
        _text(entry, "encoded")
        or _text(entry, "content")
        or _text(entry, "description")
        or _text(entry, "summary")
    )
    language = two_letters(_text(entry, "language") or entry.get(_LANGUAGE, "") or language)
    return Record(
        source=KIND,
        source_id=name if len(name) <= 200 else hashlib.sha256(name.encode()).hexdigest(),
        title=title,
        doi=clean_doi(_text(entry, "doi") or _text(entry, "identifier")),
        authors=tuple(split_name(name) for name in _authors(entry)),
        abstract=(Section(summary),) if summary else (),
        publisher=publisher,
        published=_moment(entry, "pubDate", "published", "issued", "date"),
        revised=_moment(entry, "updated", "modified"),
        keywords=tuple(dict.fromkeys(_categories(entry))),
        types=("News",),
        languages=(language,) if language else (),
        url=link,
    )


def _named(parent: etree._Element, name: str) -> Iterator[etree._Element]:
    """Children by their name, whatever its namespace: feeds mix several."""
    for child in parent:
        if etree.QName(child).localname == name:
            yield child


def _text(parent: etree._Element, name: str) -> str:
    return next((text for child in _named(parent, name) if (text := text_of(child))), "")


def _plain(markup: str) -> str:
    """Text of HTML that stands in a feed as text."""
    return clean(html.unescape(_TAG.sub(" ", _HIDDEN.sub(" ", markup))))


def _link(entry: etree._Element, address: str) -> str:
    for link in _named(entry, "link"):
        target = link.get("href") if link.get("rel", "alternate") == "alternate" else None
        target = target or (text_of(link) if not link.get("href") else "")
        if target:
            return _web_address(urljoin(address, target.strip()))
    guid = next(_named(entry, "guid"), None)
    if guid is not None and guid.get("isPermaLink", "true") == "true":
        return _web_address(text_of(guid))
    return ""


def _web_address(text: str) -> str:
    return text if text.startswith(("http://", "https://")) and len(text) <= 2_000 else ""


def _authors(entry: etree._Element) -> Iterator[str]:
    for tag in ("author", "creator"):
        for found in _named(entry, tag):
            name = clean(_text(found, "name") or (text_of(found) if not len(found) else ""))
            if name and "@" not in name:
                yield name[:200]


def _categories(entry: etree._Element) -> Iterator[str]:
    for tag in ("category", "subject"):
        for found in _named(entry, tag):
            if word := clean(found.get("term") or text_of(found)):
                yield word[:200]


def _moment(entry: etree._Element, *names: str) -> PartialDate | None:
    for name in names:
        text = _text(entry, name)
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                return PartialDate(read(text).date())
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
    return None
