"""Publishing's part of the admin. Importing this package registers every page."""

from publishing.admin import (
    agents,
    generations,
    items,
    overview,
    posts,
    publications,
    publishers,
    sources,
    usage,
)

__all__ = [
    "agents",
    "generations",
    "items",
    "overview",
    "posts",
    "publications",
    "publishers",
    "sources",
    "usage",
]
