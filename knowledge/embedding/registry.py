"""Which embedders there are. Filled by importing every module of this package."""

import inspect
import pkgutil
from importlib import import_module
from typing import TypeVar

from django.conf import settings

import knowledge.embedding
from knowledge.embedding.base import Embedder
from knowledge.embedding.errors import UnknownEmbedder

E = TypeVar("E", bound=type[Embedder])

_embedders: dict[str, Embedder] = {}


def register(embedder: E) -> E:
    """Class decorator: make a kind known. Refuses unfinished classes and kinds that are taken."""
    if inspect.isabstract(embedder):
        missing = ", ".join(f"{name}()" for name in sorted(embedder.__abstractmethods__))
        raise TypeError(f"{embedder.__name__} does not implement {missing}.")
    if embedder.kind in _embedders:
        raise ValueError(f"There are two embedders named {embedder.kind!r}.")
    _embedders[embedder.kind] = embedder()
    return embedder


def load() -> None:
    """Import every module beside this one; a broken one stops the start."""
    for module in pkgutil.iter_modules(knowledge.embedding.__path__):
        import_module(f"knowledge.embedding.{module.name}")


def get(kind: str) -> Embedder:
    """The embedder of a kind; raises UnknownEmbedder."""
    try:
        return _embedders[kind]
    except KeyError:
        known = ", ".join(kinds()) or "none"
        raise UnknownEmbedder(f"There is no embedder named {kind!r}; known: {known}.") from None


def configured() -> Embedder:
    """The one that the settings name; raises UnknownEmbedder."""
    return get(settings.EMBEDDER)


def kinds() -> list[str]:
    """All known kinds, sorted."""
    return sorted(_embedders)


def choices() -> list[tuple[str, str]]:
    """Kinds with their labels, for forms; evaluate late."""
    return [(kind, _embedders[kind].label) for kind in kinds()]
