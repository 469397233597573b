"""What a reader sees of a piece of HTML: its text in blocks, and its headings, links, images and lists.

A block is a stretch of text that no block element interrupts: a paragraph, a heading, an item of a list. Blocks
separate words and sentences; `<b>` and its like do not.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser

import nh3

from publishing.feeds.hardening import is_too_deep, legal
from publishing.feeds.sanitise import MAX_HTML_CHARS, plain_text
from publishing.seo.words import count_words, first_words, one_line, split_sentences

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hgroup",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "search",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
    ]
)
_INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "audio",
        "b",
        "bdi",
        "bdo",
        "big",
        "br",
        "cite",
        "code",
        "data",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "img",
        "ins",
        "kbd",
        "label",
        "mark",
        "picture",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "small",
        "source",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "track",
        "tt",
        "u",
        "var",
        "video",
        "wbr",
    ]
)
_INVISIBLE = frozenset(
    [
        "audio",
        "canvas",
        "datalist",
        "iframe",
        "math",
        "noscript",
        "object",
        "option",
        "script",
        "select",
        "style",
        "svg",
        "template",
        "textarea",
        "title",
        "video",
    ]
)
_EMPTY = frozenset({"br", "hr", "img", "source", "track", "wbr"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
#: Elements whose content a browser takes as raw text; unclosed, they would swallow the post. Publishers drop them.
_RAW_FRAMES = re.compile(r"</?(?:iframe|noframes|noembed|xmp|plaintext)\b[^<>]*>", re.IGNORECASE)

_CLEANER = nh3.Cleaner(
    tags=set((_BLOCKS | _INLINE) - _INVISIBLE),
    clean_content_tags=set(_INVISIBLE - {"iframe"}),
    attributes={"*": {"hidden"}, "a": {"href", "rel"}, "img": {"alt", "src"}},
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel=None,
)


@dataclass(frozen=True)
class Heading:
    #: 1 to 6.
    level: int
    text: str


@dataclass(frozen=True)
class Link:
    #: "" if the link leads nowhere, or to an address that is not allowed.
    url: str
    #: What can be clicked; the alternative texts of images count.
    text: str


@dataclass(frozen=True)
class Image:
    url: str
    #: None if there is no alternative text at all; "" says that the image is decoration.
    alt: str | None


@dataclass(frozen=True)
class Block:
    text: str
    #: Whether it is text to be read in sentences; code and preformatted text are not.
    is_prose: bool = True


@dataclass(frozen=True)
class Document:
    """One post as its readers see it."""

    blocks: tuple[Block, ...] = ()
    headings: tuple[Heading, ...] = ()
    links: tuple[Link, ...] = ()
    images: tuple[Image, ...] = ()
    #: How many `<ul>` and `<ol>` with at least one item.
    lists: int = 0

    @cached_property
    def text(self) -> str:
        """All visible text, a line for each block."""
        return "\n".join(block.text for block in self.blocks)

    @cached_property
    def word_count(self) -> int:
        """How many words it has; of Chinese and Japanese, how many characters."""
        return count_words(self.text)

    def first_words(self, count: int = 100) -> str:
        """The text up to the end of its `count`-th word."""
        return first_words(self.text, count)

    def sentences(self, language: str = "en") -> tuple[str, ...]:
        """The sentences of its prose. A heading or an item of a list is at least one."""
        return tuple(
            sentence
            for block in self.blocks
            if block.is_prose
            for sentence in split_sentences(block.text, language)
        )

    def count_headings(self, level: int) -> int:
        """How many headings of that level it has."""
        return sum(heading.level == level for heading in self.headings)


def read(html: str) -> Document:
    """The document in a piece of HTML; at most its first million characters.

    HTML that nests too deeply to be built into a tree is read as text without structure.
    """
    html = _RAW_FRAMES.sub("", legal(html[:MAX_HTML_CHARS]))
    if is_too_deep(html):
        text = plain_text(html, MAX_HTML_CHARS)
        return Document(blocks=(Block(text),) if text else ())
    reader = _Reader()
    # What the cleaner gives is well-formed, and that is what html.parser reads in linear time.
    reader.feed(_CLEANER.clean(html))
    reader.close()
    return reader.document()


@dataclass
class _Open:
    """An element that has begun and not ended."""

    tag: str
    is_hidden: bool
    url: str = ""
    has_items: bool = False
    text: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    """Reads what the cleaner has made well-formed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._stack: list[_Open] = []
        #: Open headings and links: they are told by their text, which may hold other elements.
        self._collecting: list[_Open] = []
        self._pieces: list[str] = []
        self._blocks: list[Block] = []
        self._headings: list[Heading] = []
        self._links: list[Link] = []
        self._images: list[Image] = []
        self._lists = 0

    def document(self) -> Document:
        self._end_block()
        return Document(
            blocks=tuple(self._blocks),
            headings=tuple(heading for heading in self._headings if heading.text),
            links=tuple(self._links),
            images=tuple(self._images),
            lists=self._lists,
        )

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in _BLOCKS:
            self._end_block()
        if tag in _EMPTY:
            self._empty(tag, values)
            return
        if tag == "li" and not self._is_hidden:
            self._count_list()
        opened = _Open(tag, "hidden" in values or self._is_hidden, url=values.get("href") or "")
        self._stack.append(opened)
        if not opened.is_hidden and (tag == "a" or tag in _HEADINGS):
            self._collecting.append(opened)

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._end_block()
        if not self._stack or self._stack[-1].tag != tag:
            return
        closed = self._stack.pop()
        if self._collecting and self._collecting[-1] is closed:
            self._collecting.pop()
            self._finish(closed)

    def handle_data(self, data: str) -> None:
        if not self._is_hidden:
            self._pieces.append(data)
            self._collect(data)

    @property
    def _is_hidden(self) -> bool:
        return bool(self._stack) and self._stack[-1].is_hidden

    def _empty(self, tag: str, values: dict[str, str | None]) -> None:
        if self._is_hidden or "hidden" in values:
            return
        if tag == "br":
            self.handle_data(" ")
        elif tag == "img":
            alt = values.get("alt", "") or "" if "alt" in values else None
            self._images.append(Image(values.get("src") or "", alt))
            for opened in self._collecting:
                if opened.tag == "a":
                    opened.text.append(alt or "")

    def _count_list(self) -> None:
        """The first item makes its list count."""
        if self._stack and self._stack[-1].tag in {"ul", "ol"} and not self._stack[-1].has_items:
            self._stack[-1].has_items = True
            self._lists += 1

    def _collect(self, data: str) -> None:
        for opened in self._collecting:
            opened.text.append(data)

    def _finish(self, closed: _Open) -> None:
        text = one_line("".join(closed.text))
        if closed.tag == "a":
            self._links.append(Link(closed.url, text))
        else:
            self._headings.append(Heading(_HEADINGS[closed.tag], text))

    def _end_block(self) -> None:
        text = one_line("".join(self._pieces))
        self._pieces.clear()
        if text:
            is_prose = all(opened.tag != "pre" for opened in self._stack)
            self._blocks.append(Block(text, is_prose))
