"""Where papers come from. One more connector is one more module here; see `docs/add-a-connector.md`."""

from knowledge.connectors.base import Batch, Connector, Preview, Problem, Query, Window
from knowledge.connectors.registry import choices, get, kinds, load, register

__all__ = [
    "Batch",
    "Connector",
    "Preview",
    "Problem",
    "Query",
    "Window",
    "choices",
    "get",
    "kinds",
    "load",
    "register",
]
