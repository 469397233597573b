"""What a feed must be: the rules of RFC 4287 (Atom), of RSS 2.0 with the Atom and content namespaces, and of JSON Feed 1.1.

Each function gives every rule that a document breaks, in words; none for a valid one. They read the document themselves
and share nothing with what writes ours.
"""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}"
DC = "{http://purl.org/dc/elements/1.1/}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_RFC822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d? (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d(:\d\d)? ([+-]\d{4}|GMT|UT)"
)
_ADDRESS = re.compile(r"\b(?:href|src|poster|cite)=\"([^\"]*)\"")

_ATOM_FEED = {
    "author", "category", "contributor", "generator", "icon", "id", "link", "logo", "rights", "subtitle", "title",
    "updated", "entry",
}  # fmt: skip
_ATOM_ENTRY = {
    "author", "category", "content", "contributor", "id", "link", "published", "rights", "source", "summary", "title",
    "updated",
}  # fmt: skip
_RSS_CHANNEL = {
    "title", "link", "description", "language", "copyright", "managingEditor", "webMaster", "pubDate", "lastBuildDate",
    "category", "generator", "docs", "cloud", "ttl", "image", "rating", "textInput", "skipHours", "skipDays", "item",
    f"{ATOM}link",
}  # fmt: skip
_RSS_ITEM = {
    "title", "link", "description", "author", "category", "comments", "enclosure", "guid", "pubDate", "source",
    f"{CONTENT}encoded", f"{DC}creator", f"{DC}language",
}  # fmt: skip


def atom_problems(document: bytes, *, address: str) -> list[str]:
    """Of the Atom document at an address."""
    return list(_atom(ElementTree.fromstring(document), address))


def _atom(feed: Element, address: str) -> Iterator[str]:
    if feed.tag != f"{ATOM}feed":
        yield f"4.1.1: the document is a {feed.tag}"
    yield from _known(feed, {f"{ATOM}{name}" for name in _ATOM_FEED}, "4.1.1")
    yield from _counted(
        feed, ATOM, "4.1.1", once=["id", "title", "updated"], most=["generator", "icon", "subtitle"]
    )
    yield from _atom_parts(feed, "feed")
    own = [link for link in feed.findall(f"{ATOM}link") if link.get("rel") == "self"]
    if [link.get("href") for link in own] != [address]:
        yield "4.1.1: rel=self is not the feed's address"
    ids = [entry.findtext(f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry")]
    if len(set(ids)) != len(ids):
        yield "4.1.1: two entries have one id"
    for entry in feed.findall(f"{ATOM}entry"):
        name = f"entry {entry.findtext(f'{ATOM}title')!r}"
        yield from _known(entry, {f"{ATOM}{part}" for part in _ATOM_ENTRY}, name)
        yield from _counted(
            entry, ATOM, name, once=["id", "title", "updated"], most=["content", "published", "summary"]
        )
        yield from _atom_parts(entry, name)
        if entry.find(f"{ATOM}author") is None and feed.find(f"{ATOM}author") is None:
            yield f"4.1.2: {name} has no author"
        if entry.find(f"{ATOM}content") is None and not _alternates(entry):
            yield f"4.1.2: {name} has neither content nor an alternate link"


def _atom_parts(parent: Element, name: str) -> Iterator[str]:
    language = parent.get(LANG)
    if language is not None and not _LANGUAGE.fullmatch(language):
        yield f"2: {name} has the language {language!r}"
    if not _is_iri(parent.findtext(f"{ATOM}id", "")):
        yield f"4.2.6: the id of {name} is no absolute IRI"
    for date in [*parent.findall(f"{ATOM}updated"), *parent.findall(f"{ATOM}published")]:
        if not _is_rfc3339(date.text or ""):
            yield f"3.3: {name} has the date {date.text!r}"
    for text in ("title", "subtitle", "summary", "content", "rights"):
        for element in parent.findall(f"{ATOM}{text}"):
            if element.get("type", "text") not in {"text", "html"}:
                yield f"3.1.1: {text} of {name} has the type {element.get('type')!r}"
            if len(element):
                yield f"3.1.1: {text} of {name} has elements"
            if element.get("type") == "html":
                yield from _relative(element.text or "", name)
    for link in parent.findall(f"{ATOM}link"):
        if not _is_web(link.get("href", "")):
            yield f"4.2.7: {name} links to {link.get('href')!r}"
    if len(_alternates(parent)) > 1:
        yield f"4.1: {name} has two alternate links of one type"
    for person in parent.findall(f"{ATOM}author"):
        if not person.findtext(f"{ATOM}name", "").strip():
            yield f"3.2.1: an author of {name} has no name"
        if (uri := person.findtext(f"{ATOM}uri")) is not None and not _is_web(uri):
            yield f"3.2.2: an author of {name} has the address {uri!r}"
    for category in parent.findall(f"{ATOM}category"):
        if not category.get("term"):
            yield f"4.2.2: a category of {name} has no term"


def _alternates(parent: Element) -> list[Element]:
    return [link for link in parent.findall(f"{ATOM}link") if link.get("rel", "alternate") == "alternate"]


def rss_problems(document: bytes, *, address: str) -> list[str]:
    """Of the RSS document at an address."""
    return list(_rss(ElementTree.fromstring(document), address))


def _rss(root: Element, address: str) -> Iterator[str]:
    channels = root.findall("channel")
    if root.tag != "rss" or root.get("version") != "2.0" or len(channels) != 1 or len(root) != 1:
        yield "rss: it is not an rss element of version 2.0 with one channel"
        return
    (channel,) = channels
    yield from _known(channel, _RSS_CHANNEL, "channel")
    yield from _counted(
        channel,
        "",
        "channel",
        once=["title", "link", "description"],
        most=["language", "pubDate", "lastBuildDate"],
    )
    if not _is_web(channel.findtext("link", "")):
        yield "channel: link is no address"
    if not _LANGUAGE.fullmatch(channel.findtext("language", "en")):
        yield "channel: language is no language"
    if (built := channel.findtext("lastBuildDate")) is not None and not _is_rfc822(built):
        yield f"channel: lastBuildDate is {built!r}"
    links = channel.findall(f"{ATOM}link")
    if [(link.get("rel"), link.get("type"), link.get("href")) for link in links] != [
        ("self", "application/rss+xml", address)
    ]:
        yield "channel: no atom:link rel=self to the feed's address"
    guids = [item.findtext("guid") for item in channel.findall("item")]
    if len(set(guids)) != len(guids):
        yield "channel: two items have one guid"
    for item in channel.findall("item"):
        yield from _rss_item(item)


def _rss_item(item: Element) -> Iterator[str]:
    name = f"item {item.findtext('title')!r}"
    yield from _known(item, _RSS_ITEM, name)
    yield from _counted(
        item, "", name, once=["guid", "link", "pubDate"], most=["title", "description", f"{CONTENT}encoded"]
    )
    if not (item.findtext("title", "") or item.findtext("description", "")).strip():
        yield f"{name} has neither title nor description"
    if not _is_web(item.findtext("link", "")):
        yield f"{name}: link is no address"
    guid = item.find("guid")
    if guid is not None:
        is_permalink = guid.get("isPermaLink", "true")
        if is_permalink not in {"true", "false"} or (is_permalink == "true" and not _is_web(guid.text or "")):
            yield f"{name}: guid is called a permalink and is none"
        if not (guid.text or "").strip():
            yield f"{name}: guid is empty"
    if not _is_rfc822(item.findtext("pubDate", "")):
        yield f"{name}: pubDate is {item.findtext('pubDate')!r}"
    for html in (item.findtext("description", ""), item.findtext(f"{CONTENT}encoded", "")):
        yield from _relative(html, name)
    if not all((category.text or "").strip() for category in item.findall("category")):
        yield f"{name}: a category is empty"


def json_problems(document: bytes, *, address: str) -> list[str]:
    """Of the JSON Feed at an address."""
    return list(_json(json.loads(document), address))


def _json(feed: Any, address: str) -> Iterator[str]:
    if feed.get("version") != "https://jsonfeed.org/version/1.1":
        yield "version is not that of JSON Feed 1.1"
    if feed.get("feed_url") != address:
        yield "feed_url is not the feed's address"
    required: dict[str, type] = {"version": str, "title": str, "items": list}
    optional: dict[str, type] = {
        "home_page_url": str, "feed_url": str, "description": str, "user_comment": str, "next_url": str, "icon": str,
        "favicon": str, "authors": list, "language": str, "expired": bool, "hubs": list,
    }  # fmt: skip
    yield from _typed(feed, required, optional, "feed")
    yield from _addresses(feed, ["home_page_url", "feed_url", "icon"], "feed")
    yield from _authors(feed, "feed")
    ids = [item.get("id") for item in feed["items"]]
    if len(set(ids)) != len(ids):
        yield "two items have one id"
    for item in feed["items"]:
        yield from _json_item(item)


def _json_item(item: Any) -> Iterator[str]:
    name = f"item {item.get('title')!r}"
    optional: dict[str, type] = {
        "url": str, "external_url": str, "title": str, "content_html": str, "content_text": str, "summary": str,
        "image": str, "banner_image": str, "date_published": str, "date_modified": str, "authors": list, "tags": list,
        "language": str, "attachments": list,
    }  # fmt: skip
    yield from _typed(item, {"id": str}, optional, name)
    if "content_html" not in item and "content_text" not in item:
        yield f"{name} has no content"
    yield from _addresses(item, ["url", "external_url", "image", "banner_image"], name)
    yield from _authors(item, name)
    for key in ("date_published", "date_modified"):
        if key in item and not _is_rfc3339(item[key]):
            yield f"{name}: {key} is {item[key]!r}"
    if not all(isinstance(tag, str) and tag for tag in item.get("tags", [])):
        yield f"{name} has a tag that is no text"
    if not _LANGUAGE.fullmatch(item.get("language", "en")):
        yield f"{name} has the language {item['language']!r}"
    yield from _relative(item.get("content_html", ""), name)


def _typed(found: Any, required: dict[str, type], optional: dict[str, type], name: str) -> Iterator[str]:
    for key in required.keys() - found.keys():
        yield f"{name} has no {key}"
    types = required | optional
    for key, value in found.items():
        if key not in types and not key.startswith("_"):
            yield f"{name} has a {key}, which nothing explains"
        elif key in types and not isinstance(value, types[key]):
            yield f"{name}: {key} is {value!r}"


def _addresses(found: Any, keys: list[str], name: str) -> Iterator[str]:
    for key in keys:
        if key in found and not _is_web(found[key]):
            yield f"{name}: {key} is {found[key]!r}"


def _authors(found: Any, name: str) -> Iterator[str]:
    for author in found.get("authors", []):
        if not ({"name", "url", "avatar"} & author.keys()):
            yield f"{name} has an author without name, url and avatar"
        yield from _addresses(author, ["url", "avatar"], name)


def _known(parent: Element, names: set[str], where: str) -> Iterator[str]:
    for child in parent:
        if child.tag not in names:
            yield f"{where}: {child.tag} does not belong there"


def _counted(
    parent: Element, namespace: str, where: str, *, once: list[str], most: list[str]
) -> Iterator[str]:
    for name in once:
        if len(parent.findall(f"{namespace}{name}")) != 1:
            yield f"{where}: {len(parent.findall(f'{namespace}{name}'))} times {name}"
    for name in most:
        if len(parent.findall(f"{namespace}{name}")) > 1:
            yield f"{where}: more than one {name}"


def _relative(html: str, name: str) -> Iterator[str]:
    for address in _ADDRESS.findall(html):
        if not urlsplit(address).scheme:
            yield f"{name} has the relative address {address!r}"


def _is_web(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"[\s<>\"]", text)


def _is_iri(text: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9+.-]*:[^\s<>\"]+", text) is not None


def _is_rfc3339(text: str) -> bool:
    if not _RFC3339.fullmatch(text):
        return False
    datetime.fromisoformat(text)
    return True


def _is_rfc822(text: str) -> bool:
    return bool(_RFC822.fullmatch(text)) and f"{parsedate_to_datetime(text):%a}" == text[:3]
