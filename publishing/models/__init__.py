"""The tables of publishing."""

from publishing.models.agent import Agent
from publishing.models.generation import (
    Generation,
    GenerationStep,
    ItemUse,
    PostFingerprint,
    PostSource,
    UsageRecord,
)
from publishing.models.host import HostPace
from publishing.models.item import FeedItem
from publishing.models.post import Post, PostTransition
from publishing.models.publication import Publication, PublicationAttempt
from publishing.models.publisher import Publisher
from publishing.models.source import Source

__all__ = [
    "Agent",
    "FeedItem",
    "Generation",
    "GenerationStep",
    "HostPace",
    "ItemUse",
    "Post",
    "PostFingerprint",
    "PostSource",
    "PostTransition",
    "Publication",
    "PublicationAttempt",
    "Publisher",
    "Source",
    "UsageRecord",
]
