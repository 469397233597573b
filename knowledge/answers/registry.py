"""Which writers of answers there are. Filled by importing every module of this package."""

import inspect
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from knowledge.answers.base import Writer
from knowledge.answers.errors import UnknownWriter

W = TypeVar("W", bound=type[Writer])

#: Writes without any key, so it is there for everybody.
DEFAULT_KIND = "extractive"

_writers: dict[str, Writer] = {}


def register(writer: W) -> W:
    """Class decorator: make a kind known. Refuses unfinished classes and kinds that are taken."""
    if inspect.isabstract(writer):
        missing = ", ".join(f"{name}()" for name in sorted(writer.__abstractmethods__))
        raise TypeError(f"{writer.__name__} does not implement {missing}.")
    if writer.kind in _writers:
        raise ValueError(f"There are two writers named {writer.kind!r}.")
    _writers[writer.kind] = writer()
    return writer


def load() -> None:
    """Import every module beside this one; a broken one stops the start."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        import_module(f"knowledge.answers.{module.name}")


def get(kind: str) -> Writer:
    """The writer of a kind; raises UnknownWriter."""
    try:
        return _writers[kind]
    except KeyError:
        known = ", ".join(kinds()) or "none"
        raise UnknownWriter(f"There is no writer named {kind!r}; known: {known}.") from None


def kinds() -> list[str]:
    """All known kinds, sorted."""
    return sorted(_writers)


def choices() -> list[tuple[str, str]]:
    """Kinds with their labels, for forms; evaluate late."""
    return [(kind, _writers[kind].label) for kind in kinds()]
