"""The tables of publishing."""

from publishing.models.host import HostPace
from publishing.models.item import FeedItem
from publishing.models.source import Source

__all__ = ["FeedItem", "HostPace", "Source"]
