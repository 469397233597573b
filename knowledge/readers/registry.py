"""Which formats there are. Filled by importing every module of this package."""

import inspect
import pkgutil
from importlib import import_module
from pathlib import PurePosixPath
from typing import TypeVar

import knowledge.readers
from knowledge.readers.base import Reader
from knowledge.readers.errors import AnotherFormat, UnknownFormat

R = TypeVar("R", bound=type[Reader])

#: So much of a file is looked at to tell its format.
HEAD = 4096
#: A file whose name has no extension is taken for this.
PLAIN = "txt"

_readers: dict[str, Reader] = {}


def register(reader: R) -> R:
    """Class decorator: make a format known. Refuses unfinished classes, and kinds and extensions that are taken."""
    if inspect.isabstract(reader):
        missing = ", ".join(f"{name}()" for name in sorted(reader.__abstractmethods__))
        raise TypeError(f"{reader.__name__} does not implement {missing}.")
    if reader.kind in _readers:
        raise ValueError(f"There are two readers named {reader.kind!r}.")
    if taken := set(reader.extensions) & set(extensions()):
        raise ValueError(f"There are two readers for {', '.join(sorted(taken))}.")
    _readers[reader.kind] = reader()
    return reader


def load() -> None:
    """Import every module beside this one; a broken one stops the start."""
    for module in pkgutil.iter_modules(knowledge.readers.__path__):
        import_module(f"knowledge.readers.{module.name}")


def get(kind: str) -> Reader:
    """The reader of a kind; raises UnknownFormat."""
    try:
        return _readers[kind]
    except KeyError:
        raise UnknownFormat(
            f"There is no reader named {kind!r}; known: {', '.join(kinds()) or 'none'}."
        ) from None


def kinds() -> list[str]:
    """All known kinds, sorted."""
    return sorted(_readers)


def extensions() -> list[str]:
    """What names of files may end with, sorted."""
    return sorted(extension for reader in _readers.values() for extension in reader.extensions)


def reader_for(name: str, content: bytes) -> Reader:
    """Who reads a file, by its name and by how it begins.

    Raises UnknownFormat, and AnotherFormat when the content is not what the name says.
    """
    extension = PurePosixPath(name).suffix.lower()
    by_content = next((one for one in _readers.values() if one.begins(content[:HEAD])), None)
    if not extension:
        reader = by_content or get(PLAIN)
    else:
        reader = _by_extension(name, extension)
        if by_content is not None and by_content is not reader:
            raise AnotherFormat(
                f"“{name}” is {by_content.label}, not {reader.label} as its name says: give it a name that ends"
                f" with {by_content.extensions[0]}."
            )
    if reason := reader.why_not(content):
        raise AnotherFormat(f"“{name}” {reason}")
    return reader


def _by_extension(name: str, extension: str) -> Reader:
    for reader in _readers.values():
        if extension in reader.extensions:
            return reader
    raise UnknownFormat(
        f"“{name}” cannot be read: files end with {extension}. These can: {', '.join(extensions())}."
    )
