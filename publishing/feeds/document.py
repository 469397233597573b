"""What a parsed feed is: frozen dataclasses, all text clean, all times aware UTC."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Enclosure:
    """A file that belongs to an item."""

    url: str
    media_type: str = ""
    #: Size in bytes; None when the feed names none.
    length: int | None = None


@dataclass(frozen=True)
class ParsedItem:
    """One entry. HTML fields are sanitised, text fields hold no markup, URLs are absolute http(s) or empty."""

    #: The item's own id as the feed gives it, or "".
    guid: str = ""
    #: Stable name of the item within its feed; see `publishing.feeds.identity`.
    identity: str = ""
    #: Changes when anything a reader sees changes.
    fingerprint: str = ""
    title: str = ""
    title_html: str = ""
    url: str = ""
    author: str = ""
    summary_html: str = ""
    content_html: str = ""
    published_at: datetime | None = None
    updated_at: datetime | None = None
    language: str = ""
    comments_url: str = ""
    categories: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()

    @property
    def best_html(self) -> str:
        """The fullest text there is."""
        return self.content_html or self.summary_html


@dataclass(frozen=True)
class ParsedFeed:
    """One document."""

    #: `rss`, `rdf`, `atom`, `cdf`, `json`, or "" for something that merely looked like a feed.
    format: str = ""
    encoding: str = ""
    title: str = ""
    title_html: str = ""
    subtitle_html: str = ""
    url: str = ""
    feed_url: str = ""
    hub_url: str = ""
    id: str = ""
    author: str = ""
    language: str = ""
    updated_at: datetime | None = None
    #: How long the feed asks to be left alone, in minutes; None when it does not say.
    ttl_minutes: int | None = None
    items: tuple[ParsedItem, ...] = field(default_factory=tuple)
    #: True when the document was longer than we read: only its first entries are here.
    is_cut: bool = False
