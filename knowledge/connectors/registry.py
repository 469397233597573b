"""Which connectors there are. Filled by importing every module of this package."""

import inspect
import pkgutil
from importlib import import_module
from typing import TypeVar

import knowledge.connectors
from knowledge.connectors.base import Connector
from knowledge.errors import UnknownConnector

C = TypeVar("C", bound=type[Connector])

_connectors: dict[str, Connector] = {}


def register(connector: C) -> C:
    """Class decorator: make a connector known. Refuses unfinished classes and kinds that are taken."""
    if inspect.isabstract(connector):
        missing = ", ".join(sorted(connector.__abstractmethods__))
        raise TypeError(f"{connector.__name__} does not implement {missing}.")
    if connector.kind in _connectors:
        raise ValueError(f"There are two connectors named {connector.kind!r}.")
    _connectors[connector.kind] = connector()
    return connector


def load() -> None:
    """Import every module beside this one; a broken one stops the start."""
    for module in pkgutil.iter_modules(knowledge.connectors.__path__):
        import_module(f"knowledge.connectors.{module.name}")


def get(kind: str) -> Connector:
    """The connector of a kind; raises UnknownConnector."""
    try:
        return _connectors[kind]
    except KeyError:
        known = ", ".join(kinds()) or "none"
        raise UnknownConnector(f"There is no connector named {kind!r}; known: {known}.") from None


def kinds() -> list[str]:
    """All known kinds, sorted."""
    return sorted(_connectors)


def choices() -> list[tuple[str, str]]:
    """Kinds with their labels, for forms; evaluate late."""
    return [(kind, _connectors[kind].label) for kind in kinds()]
