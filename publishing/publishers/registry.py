"""Which kinds of publishers there are. Filled by importing every module of this package."""

import inspect
import pkgutil
from importlib import import_module
from typing import TypeVar

import publishing.publishers
from publishing.errors import UnknownPublisherKind
from publishing.publishers.base import AnyKind

K = TypeVar("K", bound=type[AnyKind])

_kinds: dict[str, AnyKind] = {}


def register(kind: K) -> K:
    """Class decorator: make a kind known. Refuses unfinished classes and names that are taken."""
    if inspect.isabstract(kind):
        raise TypeError(f"{kind.__name__} is not complete.")
    if kind.name in _kinds:
        raise ValueError(f"There are two kinds of publishers named {kind.name!r}.")
    _kinds[kind.name] = kind()
    return kind


def load() -> None:
    """Import every module beside this one; a broken one stops the start."""
    for module in pkgutil.iter_modules(publishing.publishers.__path__):
        import_module(f"publishing.publishers.{module.name}")


def get_kind(name: str) -> AnyKind:
    """The kind of that name; raises UnknownPublisherKind."""
    if (kind := _kinds.get(name)) is None:
        known = ", ".join(sorted(_kinds)) or "none"
        raise UnknownPublisherKind(f"There is no kind of publisher named {name!r}; known: {known}.")
    return kind


def find_kind(name: str) -> AnyKind | None:
    """The kind of that name, or None when no code is left for it."""
    return _kinds.get(name)


def all_kinds() -> list[AnyKind]:
    """Every kind, by label."""
    return sorted(_kinds.values(), key=lambda kind: kind.label)


def choices() -> list[tuple[str, str]]:
    """Kinds with their labels, for forms; evaluate late."""
    return [(kind.name, kind.label) for kind in all_kinds()]
