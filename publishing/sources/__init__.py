"""Kinds of sources. One more kind is one more module here; see `docs/add-a-source.md`."""

from publishing.sources.base import Earlier, Fetched, FetchRequest, Options, SourceAdapter
from publishing.sources.registry import choices, get, kinds, load, polled_kinds, register

__all__ = [
    "Earlier",
    "FetchRequest",
    "Fetched",
    "Options",
    "SourceAdapter",
    "choices",
    "get",
    "kinds",
    "load",
    "polled_kinds",
    "register",
]
