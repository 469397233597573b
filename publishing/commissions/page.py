"""A model's text as a page: only what a text needs, links to its sources alone, and a list of them made by us."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from html import escape
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

from chat import without_thoughts
from publishing.commissions.material import Material
from publishing.digests.articles import source_of
from publishing.digests.page import heading
from publishing.digests.phrases import Phrases, sources_headings
from publishing.feeds.sanitise import clean_html, web_address
from publishing.writers.base import Item

_FENCED = re.compile(r"\A```[\w-]*[ \t]*\r?\n(.*?)\r?\n?```\Z", re.DOTALL)
#: "[1]", "[1, 3]" and what models make of them.
_CITATION = re.compile(r"[ \t]*\[(?:sources?\s+|#)?(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]", re.IGNORECASE)
_NUMBERED_LINK = re.compile(r"\[(\d{1,3})\]\([^()\s]*\)")
_WEB = r"""(?:https?://|www\.)[^\s<>"'“”()\[\]]*[^\s<>"'“”()\[\].,;:!?]"""
_ADDRESS = re.compile(rf"\({_WEB}\)|{_WEB}", re.IGNORECASE)
_BLOCKS = {"p", "ul", "ol", "li", "blockquote", "pre", "h2", "h3"}
#: Elements that stay out, but part what stands in them from what does not.
_DIVIDING = {
    "article",
    "aside",
    "center",
    "div",
    "footer",
    "header",
    "main",
    "nav",
    "section",
    "table",
    "td",
    "th",
    "tr",
}
_INLINE = {"strong", "em", "code"}
_RENAMED = {"b": "strong", "i": "em", "h4": "h3", "h5": "h3", "h6": "h3", "h1": "h2"}
_HEADINGS = {"h2", "h3"}
_VOID = {"br", "hr", "img", "wbr", "col", "source", "track"}
_MARKDOWN = MarkdownIt("commonmark", {"html": True}).disable(["reference", "code"])


@dataclass
class Block:
    """A paragraph, heading, list or quotation."""

    tag: str
    html: str = ""
    text: str = ""
    cited: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A text that is ready for readers."""

    html: str
    #: The ids of the items it names, in the order of their appearance.
    item_ids: list[int]
    #: Headings of sections that name none.
    unsupported: list[str]
    #: What was taken out, for an editor.
    notes: list[str]


def read_page(answer: str, material: Material, phrases: Phrases) -> Page:
    """The page that a model's answer makes, with the list of its sources."""
    reader = _Reader(material)
    reader.feed(clean_html(_MARKDOWN.render(_unwrapped(answer))))
    reader.finish()
    blocks = _without_frame(reader.blocks)
    cited = list(dict.fromkeys(number for block in blocks for number in block.cited))
    places = {number: str(place) for place, number in enumerate(cited, start=1)}
    parts = [_MARK.sub(lambda match: places[int(match[1])], block.html) for block in blocks]
    used = [material.items[number] for number in cited]
    if used:
        parts += [f"<h2>{escape(phrases.sources_heading)}</h2>", _listed(used, phrases)]
    return Page(
        html=clean_html("\n".join(parts)),
        item_ids=[item.id for item in used],
        unsupported=_unsupported(blocks) if material.items else [],
        notes=reader.notes(),
    )


def _unwrapped(answer: str) -> str:
    text = without_thoughts(answer)
    fenced = _FENCED.match(text)
    return _NUMBERED_LINK.sub(r"[\1]", fenced[1] if fenced else text)


#: Where the number that readers see will stand; a sign that no text has, for `clean_html` takes it out.
_MARK = re.compile("\x00(\\d+)\x00")


class _Reader(HTMLParser):
    """Reads sanitised HTML and keeps of it what a text needs."""

    def __init__(self, material: Material) -> None:
        super().__init__()
        self.blocks: list[Block] = []
        self._material = material
        #: Each open element, and what it became; None for those that are left out.
        self._open: list[tuple[str, str | None]] = []
        #: For each open link the number of the source it leads to.
        self._links: list[int | None] = []
        self._block: Block | None = None
        self._is_implied = False
        self._strange_hosts: list[str] = []
        self._unknown: set[int] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            if tag == "br" and self._block is not None:
                self._block.html += "<br>"
            if tag == "img":
                self._take_out(dict(attrs).get("src") or "")
            return
        if tag in _DIVIDING and self._is_implied:
            self._end_block()
        kept = self._kept(_RENAMED.get(tag, tag), dict(attrs))
        self._open.append((tag, kept))
        if kept is None:
            return
        if kept in _BLOCKS and (self._block is None or self._is_implied):
            self._end_block()
            self._block = Block(kept)
        block = self._block or self._begin_paragraph()
        block.html += f"<{kept}>"

    def handle_endtag(self, tag: str) -> None:
        if not self._open:
            return
        _, kept = self._open.pop()
        number = self._links.pop() if tag == "a" else None
        if self._block is None:
            return
        if number is not None:
            self._block.html += self._citation([number], self._block)
        if tag in _DIVIDING and self._is_implied:
            self._end_block()
        if kept is None:
            return
        self._block.html += f"</{kept}>"
        if not self._is_implied and not any(opened in _BLOCKS for _, opened in self._open):
            self._end_block()

    def handle_data(self, data: str) -> None:
        if self._block is None and not data.strip():
            return
        block = self._block or self._begin_paragraph()
        block.text += data
        if any(kept in {"code", "pre"} for _, kept in self._open):
            block.html += escape(data, quote=False)
        else:
            block.html += self._cited(self._without_addresses(data), block)

    def finish(self) -> None:
        """Close what is still open."""
        self.close()
        self._end_block()

    def notes(self) -> list[str]:
        """What was taken out."""
        notes = []
        if self._strange_hosts:
            hosts = ", ".join(list(dict.fromkeys(self._strange_hosts))[:3])
            notes.append(f"Addresses that are no source of this text were taken out: {hosts}.")
        if self._unknown:
            numbers = ", ".join(str(number) for number in sorted(self._unknown))
            notes.append(f"The text named sources that are not there, and they were taken out: {numbers}.")
        return notes

    def _kept(self, tag: str, attributes: dict[str, str | None]) -> str | None:
        """What an element becomes; None when only its content stays."""
        inside = {kept for _, kept in self._open}
        if tag == "a":
            self._links.append(self._followed(attributes.get("href") or ""))
            return None
        if tag == "li":
            return tag if inside & {"ul", "ol"} else "p"
        if tag in _HEADINGS:
            return tag if not inside & _BLOCKS else None
        if tag == "p" and inside & {"p", "li"}:
            return None
        return tag if tag in _BLOCKS | _INLINE else None

    def _followed(self, address: str) -> int | None:
        """The number of the source that a link leads to; None for another, which is taken out."""
        number = self._material.by_address(address)
        if number is None:
            self._take_out(address)
        return number

    def _take_out(self, address: str) -> None:
        if address:
            self._strange_hosts.append(_host(address))

    def _without_addresses(self, text: str) -> str:
        """Addresses of sources as their numbers; others are gone."""

        def read(match: re.Match[str]) -> str:
            number = self._followed(match[0].strip("()"))
            return "" if number is None else f"[{number}]"

        return _ADDRESS.sub(read, text)

    def _cited(self, text: str, block: Block) -> str:
        """The text, escaped, with its citations as links."""
        parts, position = [], 0
        for match in _CITATION.finditer(text):
            parts.append(escape(text[position : match.start()], quote=False))
            parts.append(self._citation([int(number) for number in re.findall(r"\d+", match[1])], block))
            position = match.end()
        parts.append(escape(text[position:], quote=False))
        return "".join(parts)

    def _citation(self, numbers: Sequence[int], block: Block) -> str:
        links = []
        for number in numbers:
            item = self._material.items.get(number)
            if item is None:
                self._unknown.add(number)
                continue
            block.cited.append(number)
            links.append(_linked(f"[\x00{number}\x00]", item))
        return "".join(f" {link}" for link in links)

    def _begin_paragraph(self) -> Block:
        """For text that stands in no block of its own."""
        self._block, self._is_implied = Block("p", "<p>"), True
        return self._block

    def _end_block(self) -> None:
        block = self._block
        if block is not None and block.text.strip():
            block.html += "</p>" if self._is_implied else ""
            self.blocks.append(block)
        self._block, self._is_implied = None, False


def _without_frame(blocks: list[Block]) -> list[Block]:
    """The text without headings in front of its first paragraph and without a list of sources at its end."""
    while blocks and blocks[0].tag in _HEADINGS:
        blocks = blocks[1:]
    starts = [at for at, block in enumerate(blocks) if block.tag in _HEADINGS]
    if starts and blocks[starts[-1]].text.strip(" :*").casefold() in sources_headings():
        return blocks[: starts[-1]]
    return blocks


def _unsupported(blocks: Sequence[Block]) -> list[str]:
    """The headings of sections that name no source; the introduction and the last section need none."""
    starts = [at for at, block in enumerate(blocks) if block.tag == "h2"]
    return [
        " ".join(blocks[start].text.split())
        for start, end in pairwise(starts)
        if not any(block.cited for block in blocks[start:end])
    ]


def _listed(used: Sequence[Item], phrases: Phrases) -> str:
    return "<ol>\n" + "\n".join(f"<li>{_source(item, phrases)}</li>" for item in used) + "\n</ol>"


def _source(item: Item, phrases: Phrases) -> str:
    told = [_linked(heading(item, phrases), item), escape(source_of(item))]
    if item.published_at:
        day = item.published_at.astimezone(UTC).date()
        told.append(f'<time datetime="{day.isoformat()}">{escape(phrases.on(day))}</time>')
    return ", ".join(part for part in told if part)


def _linked(text: str, item: Item) -> str:
    address = web_address(item.url)
    return f'<a href="{escape(address)}">{escape(text)}</a>' if address else escape(text)


def _host(address: str) -> str:
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or address[:50]
    except ValueError:
        return address[:50]
