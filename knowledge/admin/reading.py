"""Texts as they are read: passage by passage, each with an anchor that answers and results lead to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowledge.admin import looks
from knowledge.admin.looks import Piece
from knowledge.models import Part, Passage


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


def blocks(part: Part, labels: Iterable[str], query: str) -> list[Block]:
    """The passages of a part in order, with the words of a query marked. One query."""
    known = sorted({f"{label}: " for label in labels if label}, key=len, reverse=True)
    return [
        Block(passage.pk, passage.position + 1, _paragraphs(passage, known, query))
        for passage in part.passages.order_by("position")
    ]


def _paragraphs(passage: Passage, labels: Sequence[str], query: str) -> list[Paragraph]:
    found = []
    for text in filter(None, map(str.strip, passage.text.split("\n\n"))):
        label = next((label for label in labels if text.startswith(label)), "")
        found.append(Paragraph(label.removesuffix(": "), looks.marked(text[len(label) :], query)))
    return found
