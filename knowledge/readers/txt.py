"""Plain text."""

from knowledge.readers import characters
from knowledge.readers.base import Book, Reader
from knowledge.readers.errors import UnreadableFile
from knowledge.readers.registry import register


@register
class PlainText(Reader):
    """Text in UTF-8, UTF-16, UTF-32 or Windows-1252. A form feed begins a page."""

    kind = "txt"
    label = "plain text"
    media_type = "text/plain"
    extensions = (".txt", ".text")

    def why_not(self, content: bytes) -> str:
        return "" if characters.is_text(content) else "is no text."

    def open(self, content: bytes) -> Book:
        text = characters.decode(content)
        if not text.strip():
            raise UnreadableFile("It is empty.")
        pages = text.split("\f")
        return Book("", "", len(pages) if len(pages) > 1 else None, iter(pages))
