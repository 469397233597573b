"""The kinds of publishers. `base` is what one has to do, every other module is one kind; see `docs/add-a-publisher.md`."""

from publishing.publishers.base import (
    Outgoing,
    PublisherKind,
    PublishLater,
    PublishRefused,
    PublishUnknown,
    Remote,
    Settings,
)
from publishing.publishers.registry import all_kinds, choices, find_kind, get_kind, load, register

__all__ = [
    "Outgoing",
    "PublishLater",
    "PublishRefused",
    "PublishUnknown",
    "PublisherKind",
    "Remote",
    "Settings",
    "all_kinds",
    "choices",
    "find_kind",
    "get_kind",
    "load",
    "register",
]
