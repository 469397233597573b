"""Who writes posts. One more writer is one more module here; see `docs/writers.md`."""

from publishing.writers.base import Body, Brief, Item, Length, Meta, Outline, Step, Writer
from publishing.writers.errors import (
    TooLittle,
    Unfinished,
    UnknownWriter,
    WriterError,
    WriterRefused,
    WriterUnavailable,
)
from publishing.writers.progress import Progress, listening
from publishing.writers.registry import DEFAULT_KIND, choices, get, kinds, load, register
from publishing.writers.usage import Price, Usage

__all__ = [
    "DEFAULT_KIND",
    "Body",
    "Brief",
    "Item",
    "Length",
    "Meta",
    "Outline",
    "Price",
    "Progress",
    "Step",
    "TooLittle",
    "Unfinished",
    "UnknownWriter",
    "Usage",
    "Writer",
    "WriterError",
    "WriterRefused",
    "WriterUnavailable",
    "choices",
    "get",
    "kinds",
    "listening",
    "load",
    "register",
]
