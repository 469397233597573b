"""Sitemaps: pages that are new or changed since the last time, read for their title and text."""

import hashlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

from django.conf import settings
from pydantic import Field

from jobs import outbound
from jobs.outbound.decoding import read_body
from publishing.errors import SourceError, SourceUnreadable
from publishing.feeds import FeedError, ParsedItem
from publishing.feeds.identity import identified
from publishing.feeds.sanitise import clean_line
from publishing.feeds.sitemap import Address, Sitemap, parse_sitemap
from publishing.sources import robots
from publishing.sources.article import LIMITS, PAGE, Article, Page
from publishing.sources.asking import ask, quiet_period, unchanged, validators
from publishing.sources.base import Fetched, FetchRequest, Options, SourceAdapter
from publishing.sources.registry import register

ACCEPT = "application/xml, text/xml;q=0.9, application/gzip;q=0.8, */*;q=0.5"
#: One poll gives at most so many items, and reads at most so many sitemaps of an index, for so long.
MOST_ITEMS = 300
MOST_SITEMAPS = 20
MOST_LEVELS = 3
LONGEST_SECONDS = 60.0
#: The protocol's limit of one file, after decompression.
MAX_BYTES = 50 * 1024 * 1024
#: Files are made some time after the pages they list, and many dates have no time of day.
_OVERLAP = timedelta(days=2)
_GZIP = b"\x1f\x8b"
_ENDING = re.compile(r"\.\w{2,5}$")


class SitemapOptions(Options):
    include: list[str] = Field(
        default=[], max_length=50, description="Only addresses that contain one of these; empty: all."
    )
    exclude: list[str] = Field(
        default=[], max_length=50, description="Addresses that contain one of these are left out."
    )
    pages: int = Field(
        default=5,
        ge=0,
        le=20,
        description="So many new pages are read for title and text in one poll; of the others only the address is known.",
    )


@register
class SitemapSource(SourceAdapter):
    """A sitemap or an index of them. Pages that the site's robots.txt forbids are not read."""

    kind, label = "sitemap", "Sitemap"
    options = SitemapOptions
    wants_earlier = True

    def fetch(self, request: FetchRequest) -> Fetched:
        """Reads the sitemap, what is new in those it lists, and some of the new pages."""
        options = SitemapOptions.model_validate(dict(request.options))
        response = ask(request, accept=ACCEPT, limits=outbound.Limits(max_bytes=MAX_BYTES))
        if response.status == 304:
            return unchanged(request, response)
        body_hash = hashlib.sha256(response.body).hexdigest()
        if body_hash == request.body_hash and not request.force:
            return unchanged(request, response)
        reading = _Reading(since=None if request.force else _before(request.last_success_at))
        sitemap = _parsed(response)
        reading.take(sitemap, level=1)
        known = request.earlier.identities
        wanted = _newest(address for address in reading.addresses.values() if _is_wanted(address, options))
        items = [_item(address) for address in wanted[:MOST_ITEMS]]
        chosen = [
            (item, address)
            for item, address in zip(items, wanted[:MOST_ITEMS], strict=True)
            if item.identity not in known or _is_newer(address, request.last_success_at)
        ]
        read = _with_pages(chosen, known, reading, limit=options.pages)
        if len(wanted) > MOST_ITEMS:
            reading.notes.append(f"Only {MOST_ITEMS} of {len(wanted)} addresses are looked at.")
        etag, last_modified = validators(response)
        can_be_skipped = not sitemap.is_index  # an index may stay the same while what it lists changes
        return Fetched(
            is_changed=True,
            items=read,
            status=response.status,
            etag=etag if can_be_skipped else "",
            last_modified=last_modified if can_be_skipped else "",
            body_hash=body_hash if can_be_skipped else "",
            permanent_url=response.permanent_url,
            quiet_for=quiet_period(response),
            notes=tuple(reading.notes),
        )


def _before(last_success_at: datetime | None) -> datetime | None:
    return None if last_success_at is None else last_success_at - _OVERLAP


@dataclass
class _Reading:
    """One poll over several files: what was found, within its limits."""

    since: datetime | None
    addresses: dict[str, Address] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _files: int = 0
    _until: float = field(default_factory=lambda: time.monotonic() + LONGEST_SECONDS)

    def take(self, sitemap: Sitemap, *, level: int) -> None:
        if sitemap.is_cut:
            self.notes.append(
                "A sitemap lists more addresses than the protocol allows; the rest was not read."
            )
        recent = [one for one in sitemap.addresses if _is_recent(one, self.since)]
        if not sitemap.is_index:
            for address in recent:
                self.addresses.setdefault(address.url, address)
            return
        if level >= MOST_LEVELS:
            self.notes.append("Indexes within indexes were not read any further.")
            return
        for part in _newest(recent):
            if self._files >= MOST_SITEMAPS or self.is_over:
                self.notes.append(f"{self._files} of the sitemaps in the index were read, the newest first.")
                return
            self._files += 1
            self._take_part(part.url, level + 1)

    def _take_part(self, url: str, level: int) -> None:
        """One sitemap of an index; the others are read although one cannot be."""
        pause()
        try:
            response = ask(
                FetchRequest(url),
                accept=ACCEPT,
                conditional=False,
                limits=outbound.Limits(max_bytes=MAX_BYTES),
            )
            self.take(_parsed(response), level=level)
        except SourceError as error:
            self.notes.append(f"{outbound.redact(url)} was left out: {error}")

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self._until


def pause() -> None:
    """The same distance between two requests of one poll as between polls of one host."""
    time.sleep(settings.PUBLISHING_HOST_SPACING_SECONDS)


def _parsed(response: outbound.OutboundResponse) -> Sitemap:
    try:
        body = response.body
        if body.startswith(_GZIP):
            body = read_body([body], encoding="gzip", max_bytes=MAX_BYTES)
        return parse_sitemap(
            body, content_type=response.headers.get("content-type", ""), base_url=response.url
        )
    except (FeedError, outbound.OutboundError) as error:
        raise SourceUnreadable(str(error), status=response.status) from error


def _is_recent(address: Address, since: datetime | None) -> bool:
    """Whether it may be new; without a date nobody can tell."""
    return since is None or address.changed_at is None or address.changed_at >= since


def _is_newer(address: Address, than: datetime | None) -> bool:
    return than is not None and address.changed_at is not None and address.changed_at > than


def _is_wanted(address: Address, options: SitemapOptions) -> bool:
    if options.include and not any(part in address.url for part in options.include):
        return False
    return not any(part in address.url for part in options.exclude)


def _newest(addresses: Iterable[Address]) -> list[Address]:
    """The newest first; those without a date in their order after them."""
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(
        addresses, key=lambda address: address.changed_at or address.published_at or oldest, reverse=True
    )


def _item(address: Address, article: Article | None = None) -> ParsedItem:
    title = address.title or (article.title if article else "") or _title_of(address.url)
    (item,) = identified(
        [
            ParsedItem(
                url=address.url,
                title=title,
                content_html=article.html if article else "",
                language=address.language or (article.language if article else ""),
                published_at=address.published_at or address.changed_at,
                updated_at=address.changed_at,
            )
        ]
    )
    return item


def _title_of(url: str) -> str:
    """What the address says about the page: `…/harbour-ferry-late.html` is "harbour ferry late"."""
    name = unquote(urlsplit(url).path).rstrip("/").rpartition("/")[2]
    return clean_line(_ENDING.sub("", name).replace("-", " ").replace("_", " ")) or url


def _with_pages(
    chosen: Sequence[tuple[ParsedItem, Address]], known: frozenset[str], reading: _Reading, *, limit: int
) -> tuple[ParsedItem, ...]:
    """New items and changed ones, the first few with title and text of their page.

    A known item is left as it is unless its page was read again: half of it is not better than what is there.
    """
    items, left = [], limit
    for item, address in chosen:
        if left and not reading.is_over:
            left -= 1
            article = _article(address, reading)
            if article is not None:
                items.append(_item(address, article))
                continue
        if item.identity not in known:
            items.append(item)
    return tuple(items)


def _article(address: Address, reading: _Reading) -> Article | None:
    """The page's article; None, with a note, when the page cannot or may not be read."""
    pause()
    try:
        robots.check(address.url)
        return Page(ask(FetchRequest(address.url), accept=PAGE, conditional=False, limits=LIMITS)).article()
    except SourceError as error:
        reading.notes.append(f"{outbound.redact(address.url)} was not read: {error}")
        return None
