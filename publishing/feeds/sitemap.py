"""Sitemaps (sitemaps.org) and indexes of them, read strictly: they are made by programs."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from xml.parsers import expat

from publishing.feeds.encoding import decode
from publishing.feeds.errors import FeedError, FeedTooComplex, NotAFeed
from publishing.feeds.hardening import without_doctype
from publishing.feeds.sanitise import clean_line, web_address

#: What the protocol allows in one file.
MAX_ADDRESSES = 50_000
MAX_DEPTH = 12
_MAX_VALUE_CHARS = 4_000
_ROOTS = {"urlset", "sitemapindex"}
_ENTRIES = {"url", "sitemap"}
_NEWS = "sitemap-news"


@dataclass(frozen=True)
class Address:
    """One page, or one further sitemap."""

    url: str
    changed_at: datetime | None = None
    #: Of news sitemaps; "" in others.
    title: str = ""
    published_at: datetime | None = None
    language: str = ""


@dataclass(frozen=True)
class Sitemap:
    is_index: bool
    addresses: tuple[Address, ...] = ()
    #: True when there were more addresses than we read.
    is_cut: bool = False


@dataclass
class _Reader:
    """What expat calls: only direct children of an entry, and of its `news:news`, are looked at."""

    base: str
    root: str = ""
    is_cut: bool = False
    found: list[Address] = field(default_factory=list)
    _path: list[str] = field(default_factory=list)
    _values: dict[str, str] = field(default_factory=dict)
    _text: list[str] = field(default_factory=list)
    _chars: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= MAX_DEPTH:
            raise FeedTooComplex(f"The sitemap nests deeper than {MAX_DEPTH} elements.")
        space, _, local = name.rpartition(" ")
        if not self._path:
            if local not in _ROOTS:
                raise NotAFeed("This is not a sitemap: it is neither a urlset nor a sitemapindex.")
            self.root = local
        is_extension = bool(space) and "sitemap/0." not in space and len(self._path) > 1
        self._path.append((f"{_NEWS}:" if _NEWS in space else "other:") + local if is_extension else local)
        if len(self._path) == 2:
            self._values = {}
        self._text, self._chars = [], 0

    def text(self, data: str) -> None:
        if self._chars < _MAX_VALUE_CHARS:
            self._text.append(data)
            self._chars += len(data)

    def end(self, name: str) -> None:
        key = self._path.pop()
        if len(self._path) in {2, 3}:
            self._values.setdefault(key, "".join(self._text).strip()[:_MAX_VALUE_CHARS])
        elif len(self._path) == 1 and key in _ENTRIES:
            self._add()
        self._text, self._chars = [], 0

    def _add(self) -> None:
        url = web_address(self._values.get("loc", ""), self.base)
        if not url:
            return
        if len(self.found) >= MAX_ADDRESSES:
            self.is_cut = True
            return
        self.found.append(
            Address(
                url=url.partition("#")[0],
                changed_at=moment(self._values.get("lastmod", "")),
                title=clean_line(self._values.get(f"{_NEWS}:title", "")),
                published_at=moment(self._values.get(f"{_NEWS}:publication_date", "")),
                language=clean_line(self._values.get(f"{_NEWS}:language", ""), 35),
            )
        )


def parse_sitemap(body: bytes, *, content_type: str = "", base_url: str = "") -> Sitemap:
    """The addresses of a sitemap in its order, without those that are not http(s).

    Raises NotAFeed for other documents, FeedTooComplex for those built to cost too much, FeedError for broken ones.
    """
    reader = _Reader(base_url)
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    text = without_doctype(decode(body, content_type).text)
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        if not reader.root:
            raise NotAFeed("This is not a sitemap.") from error
        raise FeedError(f"The sitemap is broken: {error}.") from error
    return Sitemap(reader.root == "sitemapindex", tuple(reader.found), reader.is_cut)


def moment(text: str) -> datetime | None:
    """A W3C date or time as an aware UTC time; None for anything else."""
    try:
        found = datetime.fromisoformat(text[:40])
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
