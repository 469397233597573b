"""What every reader has to do. A reader knows no database, and may be given anything."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Book:
    """A file that was opened."""

    #: As the file itself says; "" when it does not.
    title: str
    #: An ISO 639 code; "" when the file does not say.
    language: str
    #: None for formats without pages: then `pages` gives the text as one.
    page_count: int | None
    #: The text of each page, read as it is asked for; "" for a page without any.
    pages: Iterator[str]


class Reader(ABC):
    """Makes text of one format. Subclass in a module of this package and register."""

    kind: ClassVar[str]
    label: ClassVar[str]
    media_type: ClassVar[str]
    #: In lower case, with the full stop; the usual one first.
    extensions: ClassVar[tuple[str, ...]]

    def begins(self, head: bytes) -> bool:
        """Whether only files of this format begin like that."""
        return False

    @abstractmethod
    def why_not(self, content: bytes) -> str:
        """Why this is no file of this format; "" if it may be one. Looks only at what takes no time."""

    @abstractmethod
    def open(self, content: bytes) -> Book:
        """Read it. Raises UnreadableFile, here or at one of its pages."""
