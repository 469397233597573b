"""The SAX parser that feedparser is given: the standard library's, told to hand over text in one piece.

Without that it calls back for every entity of escaped HTML, a few thousand times a document.
"""

from xml.parsers.expat import XMLParserType
from xml.sax.expatreader import ExpatParser


class BufferedExpatParser(ExpatParser):
    def reset(self) -> None:
        super().reset()
        parser: XMLParserType = self._parser  # type: ignore[attr-defined]  # unknown to the types of the library
        parser.buffer_text = True
        parser.buffer_size = 64 * 1024


def create_parser() -> BufferedExpatParser:
    """What `xml.sax.make_parser` asks a module for."""
    return BufferedExpatParser()
