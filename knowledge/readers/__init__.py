"""Formats of uploaded files. One more format is one more module here; see `docs/documents.md`.

Nothing here knows Django: files are read in a process of their own (`knowledge.reading`).
"""

from knowledge.readers.base import Book, Reader
from knowledge.readers.errors import (
    AnotherFormat,
    ReadingStopped,
    TooMuch,
    UnknownFormat,
    UnreadableFile,
)
from knowledge.readers.registry import extensions, get, kinds, load, reader_for, register

__all__ = [
    "AnotherFormat",
    "Book",
    "Reader",
    "ReadingStopped",
    "TooMuch",
    "UnknownFormat",
    "UnreadableFile",
    "extensions",
    "get",
    "kinds",
    "load",
    "reader_for",
    "register",
]
