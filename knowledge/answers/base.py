"""What every writer of answers has to do. A writer is pure: it knows no database and keeps no state."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import ClassVar

from chat.usage import Usage
from knowledge.embedding import Embedder


class Section(StrEnum):
    """What a sentence of an abstract is for, as far as it can be told."""

    AIM = "aim"
    METHODS = "methods"
    RESULTS = "results"
    CONCLUSIONS = "conclusions"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Sentence:
    """A whole sentence of a text, word for word."""

    text: str
    section: Section
    #: Where it stands, from 0 for the first of its text to 1 for the last.
    place: float


@dataclass(frozen=True)
class Found:
    """A passage that was retrieved: data from outside, and all that an answer may stand on."""

    id: int
    #: Its text as a whole: an abstract, or some pages of a document.
    part: int
    paper: int | None
    document: int | None
    title: str
    text: str
    #: The cosine of passage and question; None when there are no vectors.
    similarity: float | None
    #: Of its part in the search; only comparable within one search.
    score: float
    #: The sentences that stand in it from their first to their last letter.
    sentences: tuple[Sentence, ...]
    year: int | None = None
    is_retracted: bool = False


@dataclass(frozen=True)
class Brief:
    """What to answer, and with what: everything a writer may know."""

    question: str
    #: The best part first, its passages together and in order.
    found: tuple[Found, ...]
    #: Who makes vectors of sentences; None while there are no vectors.
    embedder: Embedder | None = None

    @cached_property
    def by_id(self) -> Mapping[int, Found]:
        return {passage.id: passage for passage in self.found}


@dataclass(frozen=True)
class Said:
    """A sentence as a writer gives it, with the ids of the passages that it claims to stand on."""

    text: str
    passages: tuple[int, ...]


@dataclass(frozen=True)
class Statement:
    """What one of several experts said in one round; the synthesis has the round 0."""

    role: str
    round: int
    sentences: tuple[Said, ...]


@dataclass(frozen=True)
class Draft:
    """An answer before it is checked."""

    sentences: tuple[Said, ...]
    statements: tuple[Statement, ...] = ()
    usage: Usage = field(default_factory=Usage)


#: Told what a writer does now, how much of it is done, and of how much.
OnStep = Callable[[str, int, int], None]


def nobody(step: str, done: int, total: int) -> None:
    """Nobody wants to know."""


class Writer(ABC):
    """Somebody who answers from passages. What it says is believed only as far as the check lets it through.

    A writer that fails raises `WriterUnavailable` (later) or `WriterRefused` (not without a change).
    """

    #: Stored with every answer; never changes.
    kind: ClassVar[str]
    label: ClassVar[str]
    #: Whether it takes so long that a worker does it.
    is_slow: ClassVar[bool] = False
    #: Names of the experts that it can let discuss.
    roles: ClassVar[Sequence[str]] = ()

    def why_not(self) -> str:
        """Why this writer cannot be used here, such as a missing key; "" if it can."""
        return ""

    @abstractmethod
    def write(self, brief: Brief, *, perspectives: bool = False, on_step: OnStep = nobody) -> Draft:
        """Answer the question from the passages alone; no sentences when they say nothing on it."""
