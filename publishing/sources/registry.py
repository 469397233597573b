"""Which kinds of sources there are. Filled by importing every module of this package."""

import inspect
import pkgutil
from importlib import import_module
from typing import TypeVar

import publishing.sources
from publishing.errors import UnknownSourceKind
from publishing.sources.base import SourceAdapter

A = TypeVar("A", bound=type[SourceAdapter])

_adapters: dict[str, SourceAdapter] = {}


def register(adapter: A) -> A:
    """Class decorator: make a kind known. Refuses unfinished classes and kinds that are taken."""
    if inspect.isabstract(adapter):
        raise TypeError(f"{adapter.__name__} does not implement fetch().")
    if adapter.kind in _adapters:
        raise ValueError(f"There are two kinds of sources named {adapter.kind!r}.")
    _adapters[adapter.kind] = adapter()
    return adapter


def load() -> None:
    """Import every module beside this one; a broken one stops the start."""
    for module in pkgutil.iter_modules(publishing.sources.__path__):
        import_module(f"publishing.sources.{module.name}")


def get(kind: str) -> SourceAdapter:
    """The adapter of a kind; raises UnknownSourceKind."""
    try:
        return _adapters[kind]
    except KeyError:
        known = ", ".join(kinds()) or "none"
        raise UnknownSourceKind(f"There is no kind of source named {kind!r}; known: {known}.") from None


def kinds() -> list[str]:
    """All known kinds, sorted."""
    return sorted(_adapters)


def polled_kinds() -> list[str]:
    """The kinds that are polled, sorted."""
    return [kind for kind in kinds() if _adapters[kind].is_polled]


def choices() -> list[tuple[str, str]]:
    """Kinds with their labels, for forms; evaluate late."""
    return [(kind, _adapters[kind].label) for kind in kinds()]
