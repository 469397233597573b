"""Texts as they are read: passage by passage, each with an anchor that answers and results lead to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from knowledge.admin import looks
from knowledge.admin.looks import Piece
from knowledge.models import Part, Passage
from knowledge.places import Place


@dataclass(frozen=True)
class Paragraph:
    """Some lines of a passage, after the label of the section that begins there."""

    label: str
    pieces: Sequence[Piece]


@dataclass(frozen=True)
class Block:
    """A passage."""

    pk: int
    number: int
    paragraphs: Sequence[Paragraph]
    #: The page that it begins on, from 1; None where that is the page of the one before, or there are no pages.
    page: int | None = None


def blocks(part: Part, labels: Iterable[str], query: str) -> list[Block]:
    """The passages of a part in order, with the words of a query marked. One query."""
    known = sorted({f"{label}: " for label in labels if label}, key=len, reverse=True)
    return [
        Block(passage.pk, passage.position + 1, _paragraphs(passage, known, query))
        for passage in part.passages.order_by("position")
    ]


def with_pages(found: Sequence[Block], places: Mapping[int, Place]) -> list[Block]:
    """The same blocks; the first of each page says which it is."""
    pages = [places[block.pk].page for block in found]
    before = [None, *pages]
    return [
        replace(block, page=page if page != last else None)
        for block, page, last in zip(found, pages, before, strict=False)
    ]


def _paragraphs(passage: Passage, labels: Sequence[str], query: str) -> list[Paragraph]:
    found = []
    for text in filter(None, map(str.strip, passage.text.split("\n\n"))):
        label = next((label for label in labels if text.startswith(label)), "")
        found.append(Paragraph(label.removesuffix(": "), looks.marked(text[len(label) :], query)))
    return found
