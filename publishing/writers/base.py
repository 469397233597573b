"""What every writer has to do. A writer is pure: it knows no database and keeps no state."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Generic, TypedDict, TypeVar

from pydantic import JsonValue

from publishing.writers.usage import Usage

MAX_TITLE_CHARS = 500
MAX_META_TITLE_CHARS = 70
MAX_META_DESCRIPTION_CHARS = 160
MAX_EXCERPT_CHARS = 300
#: How many keywords a post has, at least and at most.
KEYWORDS = (5, 10)


class Length(StrEnum):
    """How long a post is to be."""

    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"
    VERY_LONG = "very_long"

    @property
    def words(self) -> tuple[int, int]:
        """The fewest and the most words; everything a reader sees counts, headings and sources included."""
        return _WORDS[self]


_WORDS = {
    Length.SHORT: (500, 700),
    Length.MEDIUM: (1_000, 1_500),
    Length.LONG: (2_000, 3_000),
    Length.VERY_LONG: (3_000, 5_000),
}


@dataclass(frozen=True)
class Item:
    """Something a source gave. A writer takes its texts for hostile, whoever cleaned them before."""

    #: The caller's id, by which results refer to the item; unique in a brief.
    id: int
    title: str
    url: str
    source_name: str
    published_at: datetime | None = None
    html: str = ""


@dataclass(frozen=True)
class Brief:
    """What to write: everything a writer may know. The order of the items means nothing.

    pydantic's `TypeAdapter(Brief)` turns one into JSON and back.
    """

    #: A language tag such as "en" or "pt-BR".
    language: str = "en"
    tone: str = ""
    audience: str = ""
    persona: str = ""
    expertise: str = ""
    length: Length = Length.MEDIUM
    #: The main keyword, or "".
    keyword: str = ""
    further_keywords: tuple[str, ...] = ()
    #: Words and phrases that must not occur in what a reader sees.
    avoid: tuple[str, ...] = ()
    topic: str | None = None
    items: tuple[Item, ...] = field(default_factory=tuple)

    @property
    def words(self) -> tuple[int, int]:
        """The fewest and the most words the text should have."""
        return self.length.words


#: A writer's own plan of the text, as JSON. Only the writer that made one understands it.
Outline = dict[str, JsonValue]


class Body(TypedDict):
    """The text of a post."""

    #: Sanitised HTML that begins with a paragraph; headings are h2 and h3, for the title is the page's h1.
    html: str
    #: The items that the text stands on, in the order of their appearance.
    item_ids: list[int]
    #: What an editor should know, such as "there was material for 410 words only".
    notes: list[str]


class Meta(TypedDict):
    """What stands around the text. All of it is plain text, no HTML."""

    title: str
    meta_title: str
    meta_description: str
    excerpt: str
    keywords: list[str]


R = TypeVar("R")


@dataclass(frozen=True)
class Step(Generic[R]):
    """A step that is done. The result is JSON: stored, it stands for the step, which need not be made again."""

    result: R
    usage: Usage = field(default_factory=Usage)


class Writer(ABC):
    """Somebody who writes posts, in three steps.

    Each step is given the results of those before it, fresh or out of the database. A step that fails raises
    `WriterUnavailable` (later), `WriterRefused` (not without a change) or `Unfinished` (the text breaks off);
    anything else that escapes is a bug.
    """

    #: Stored with every agent and post; never changes.
    kind: ClassVar[str]
    label: ClassVar[str]
    #: With fewer items there is no sense in beginning.
    fewest_items: ClassVar[int] = 0

    def why_not(self) -> str:
        """Why this writer cannot be used here, such as a missing key; "" if it can."""
        return ""

    def estimate(self, brief: Brief) -> Usage:
        """What all steps together will take at most, roughly; so much is reserved from the quotas beforehand."""
        return Usage()

    @abstractmethod
    def outline(self, brief: Brief) -> Step[Outline]:
        """Decide what the text will say."""

    @abstractmethod
    def body(self, brief: Brief, outline: Mapping[str, JsonValue]) -> Step[Body]:
        """Write it."""

    @abstractmethod
    def meta(self, brief: Brief, body: Body) -> Step[Meta]:
        """Name and describe it, within the limits named in `publishing.writers.base`."""
