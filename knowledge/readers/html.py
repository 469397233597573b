"""Web pages."""

import re
from html.parser import HTMLParser

import nh3

from knowledge.readers import characters
from knowledge.readers.base import Book, Reader
from knowledge.readers.errors import UnreadableFile
from knowledge.readers.registry import register

_LINE_ELEMENTS = "br li tr dt dd option figcaption caption div summary"
_PARAGRAPH_ELEMENTS = """
article aside blockquote dl figure footer h1 h2 h3 h4 h5 h6 header hr main ol p pre section table ul
"""
_NO_TEXT_ELEMENTS = """
button canvas embed frame frameset iframe math nav noembed noframes noscript object script select style svg template
textarea title
"""
#: What begins a line of its own, and what a paragraph.
_LINES, _PARAGRAPHS = frozenset(_LINE_ELEMENTS.split()), frozenset(_PARAGRAPH_ELEMENTS.split())
_CELLS = frozenset({"td", "th"})
#: Exponents that would change the number in front of them: 10<sup>9</sup> is not 109.
_RAISED = "sup"
#: What is not part of the text: it goes with all that is in it.
_DROPPED = frozenset(_NO_TEXT_ELEMENTS.split())
_BEGINNING = re.compile(
    rb"\s*(<\?xml[^>]{0,200}>\s*)?(<!--.{0,2000}?-->\s*)*<(!doctype\s+html|html)\b", re.I | re.S
)
_DECLARED = re.compile(rb"""<meta[^>]{1,300}?charset\s*=\s*["']?\s*([A-Za-z0-9_\-:.]{1,40})""", re.I)
_SPACE = re.compile(r"\s+")
#: The title and the language stand here.
_HEAD = 200_000


@register
class Html(Reader):
    """The text of a web page, without scripts, styles and navigation."""

    kind = "html"
    label = "HTML"
    media_type = "text/html"
    extensions = (".html", ".htm", ".xhtml")

    def begins(self, head: bytes) -> bool:
        mark = characters.mark_of(head)
        return bool(_BEGINNING.match(head[len(mark[0]) :] if mark else head))

    def why_not(self, content: bytes) -> str:
        return "" if characters.is_text(content) else "is no HTML."

    def open(self, content: bytes) -> Book:
        declared = _DECLARED.search(content[:4096])
        page = characters.decode(content, declared[1].decode("ascii") if declared else "")
        head = _Head()
        head.feed(page[:_HEAD])
        text = text_of(page)
        if not text:
            raise UnreadableFile("It has no text but for its markup.")
        return Book(characters.line(head.title), characters.language(head.language), None, iter([text]))


def text_of(markup: str) -> str:
    """The text of HTML: a line for each block, a tab between cells. nh3 closes what is open and drops what is no text."""
    harmless = nh3.clean(
        markup,
        tags={*_LINES, *_PARAGRAPHS, *_CELLS, _RAISED},
        clean_content_tags=set(_DROPPED),
        attributes={},
        strip_comments=True,
    )
    body = _Body()
    body.feed(harmless)
    body.close()
    return characters.clean("".join(body.pieces))


class _Body(HTMLParser):
    """Text with line breaks where a browser shows some."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._break(tag)
        self._preformatted += tag == "pre"
        if tag == _RAISED and self._end[-1:].isdigit():
            self.pieces.append("^")

    def handle_endtag(self, tag: str) -> None:
        self._break(tag)
        self._preformatted -= tag == "pre"
        if tag in _CELLS:
            self.pieces.append("\t")

    def handle_data(self, data: str) -> None:
        text = data if self._preformatted > 0 else _SPACE.sub(" ", data)
        if self._end.endswith(("\n", "\t", " ")) and not self._preformatted:
            text = text.lstrip()
        if text:
            self.pieces.append(text)

    def _break(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self.pieces.append("\n\n")
        elif tag in _LINES and not self._end.endswith("\n"):
            self.pieces.append("\n")

    @property
    def _end(self) -> str:
        return self.pieces[-1] if self.pieces else ""


class _Head(HTMLParser):
    """The first title and the page's language."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.language = ""
        self._is_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "html" and not self.language:
            self.language = dict(attrs).get("lang") or ""
        self._is_title = tag == "title" and not self.title

    def handle_endtag(self, tag: str) -> None:
        self._is_title = False

    def handle_data(self, data: str) -> None:
        if self._is_title:
            self.title += data
