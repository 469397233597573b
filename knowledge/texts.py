"""What the search knows of a paper or a document: its parts, cut into passages."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.chunking import SIZES, Mode, Size, Span, passages
from knowledge.models import Document, Paper

#: Documents are ranked by parts of so many characters, so that a long one is found by its best pages.
PART = Size(4000, 0)


@dataclass(frozen=True)
class Text:
    """A part to be stored."""

    number: int
    title: str
    text: str
    spans: tuple[Span, ...]

    @property
    def text_hash(self) -> str:
        """The same when nothing has to be indexed again."""
        spans = [[span.start, span.end] for span in self.spans]
        return hash_of(json.dumps([self.title, self.text, spans]))


def parts_of_paper(paper: Paper, mode: Mode) -> list[Text]:
    """One: the abstract, or for want of one the title."""
    title = paper.title.strip()
    text = paper.abstract_text or title
    return [Text(0, title, text, tuple(passages(text, SIZES[mode])))] if text else []


def parts_of_document(document: Document, mode: Mode) -> list[Text]:
    """Pieces of some pages each."""
    return list(_pieces(document, mode))


def _pieces(document: Document, mode: Mode) -> Iterator[Text]:
    for number, span in enumerate(passages(document.text, PART)):
        text = span.of(document.text)
        yield Text(number, document.title.strip(), text, tuple(passages(text, SIZES[mode])))


def embedded_text(title: str, text: str) -> str:
    """What a passage's vector is made from: a passage alone often does not say what it is about."""
    return f"{title}\n{text}" if title and title != text else text


def hash_of(text: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
