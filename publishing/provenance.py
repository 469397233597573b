"""Where each passage of a post comes from, told by its links: what links to nothing stands on nothing that we know of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser

from publishing.feeds.sanitise import clean_html
from publishing.models import PostSource
from publishing.seo.words import one_line

#: A passage is what stands in one of these, but for those that stand in it. A figure is one with its quotation and caption.
_PASSAGES = {"p", "li", "blockquote", "dd", "dt", "td", "th", "pre", "figure", "caption", "summary"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_ASIDE = {"figcaption", "time"}
#: What sentences end with; entries of a list of sources do not.
_ENDS = ".!?…。！？"


@dataclass(frozen=True)
class Passage:
    """A paragraph, an item of a list, a quotation, or a heading."""

    text: str
    urls: tuple[str, ...] = ()
    is_heading: bool = False
    #: It is a link and little else: an entry of a list of sources.
    is_reference: bool = False
    #: The numbers of the sources that it links to.
    sources: tuple[int, ...] = ()

    @property
    def is_unsupported(self) -> bool:
        """It says something, and links to nothing."""
        return not (self.urls or self.is_heading)


@dataclass
class _Open:
    tag: str
    text: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    urls: dict[str, None] = field(default_factory=dict)


def passages(html: str, sources: Iterable[PostSource] = ()) -> list[Passage]:
    """The passages of a text in their order, each with the numbers of the sources that it links to."""
    numbers: dict[str, int] = {}
    for source in sources:
        if source.url:
            numbers.setdefault(source.url, source.position)
    reader = _Reader(numbers)
    reader.feed(clean_html(html))
    reader.close()
    reader.end()
    return reader.found


def of_source(position: int, found: Sequence[Passage]) -> list[Passage]:
    """The passages that link to a source, without the list of sources at the end."""
    return [passage for passage in found if position in passage.sources and not passage.is_reference]


def _is_entry(text: str, linked: str) -> bool:
    """It begins with its link, and what follows is no sentence."""
    return bool(linked) and text.startswith(linked) and text[-1] not in _ENDS


class _Reader(HTMLParser):
    """Reads what the cleaner has made well-formed."""

    def __init__(self, numbers: dict[str, int]) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Passage] = []
        self._numbers = numbers
        self._open: list[_Open] = [_Open("")]
        self._links = self._asides = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HEADINGS or (tag in _PASSAGES and not self._is_in_figure):
            self._flush()
            self._open.append(_Open(tag))
        elif tag == "br" or (self._is_in_figure and tag in _PASSAGES):
            self.handle_data(" ")
        url = dict(attrs).get("href" if tag == "a" else "cite")
        if url:
            self._open[-1].urls[url] = None
        self._links += tag == "a"
        self._asides += tag in _ASIDE

    def handle_endtag(self, tag: str) -> None:
        self._links -= tag == "a"
        self._asides -= tag in _ASIDE
        if self._open[-1].tag == tag:
            self._flush()
            self._open.pop()

    def handle_data(self, data: str) -> None:
        now = self._open[-1]
        (now.aside if self._asides else now.text).append(data)
        if self._links:
            now.linked.append(data)

    def end(self) -> None:
        """Take what stands outside of everything."""
        self._flush()

    @property
    def _is_in_figure(self) -> bool:
        return any(opened.tag == "figure" for opened in self._open)

    def _flush(self) -> None:
        now = self._open[-1]
        text, linked = one_line("".join(now.text)), one_line("".join(now.linked))
        if text:
            urls = tuple(now.urls)
            self.found.append(
                Passage(
                    text=text,
                    urls=urls,
                    is_heading=now.tag in _HEADINGS,
                    is_reference=now.tag == "li" and len(urls) == 1 and _is_entry(text, linked),
                    sources=tuple(sorted({self._numbers[url] for url in urls if url in self._numbers})),
                )
            )
        now.text, now.linked, now.aside, now.urls = [], [], [], {}
