"""Markdown."""

import re

from markdown_it import MarkdownIt

from knowledge.readers import characters
from knowledge.readers.base import Book, Reader
from knowledge.readers.errors import UnreadableFile
from knowledge.readers.html import text_of
from knowledge.readers.registry import register

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.{0,20000}?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FIELD = re.compile(r"""^(title|lang|language)[ \t]*:[ \t]*(["']?)(.*?)\2[ \t]*$""", re.I | re.M)
_HEADING = re.compile(r"^#[ \t]+(.+?)[ \t#]*$|^(\S.*)\n=+[ \t]*$", re.M)


@register
class Markdown(Reader):
    """CommonMark with tables. Its first heading is the title, unless front matter says otherwise."""

    kind = "md"
    label = "Markdown"
    media_type = "text/markdown"
    extensions = (".md", ".markdown")

    def why_not(self, content: bytes) -> str:
        return "" if characters.is_text(content) else "is no text."

    def open(self, content: bytes) -> Book:
        source = characters.decode(content).replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
        fields: dict[str, str] = {}
        if front := _FRONT_MATTER.match(source):
            fields = {name.lower(): value for name, _, value in _FIELD.findall(front[1])}
            source = source[front.end() :]
        text = text_of(MarkdownIt("commonmark").enable("table").render(source))
        if not text:
            raise UnreadableFile("It is empty.")
        heading = _HEADING.search(source)
        title = fields.get("title") or (heading[1] or heading[2] if heading else "")
        language = fields.get("lang") or fields.get("language") or ""
        return Book(
            characters.line(re.sub(r"[*_`]", "", title)), characters.language(language), None, iter([text])
        )
