"""The tables of publishing."""

from publishing.models.host import HostPace
from publishing.models.item import FeedItem
from publishing.models.post import Post, PostTransition
from publishing.models.publication import Publication, PublicationAttempt
from publishing.models.publisher import Publisher
from publishing.models.source import Source

__all__ = [
    "FeedItem",
    "HostPace",
    "Post",
    "PostTransition",
    "Publication",
    "PublicationAttempt",
    "Publisher",
    "Source",
]
