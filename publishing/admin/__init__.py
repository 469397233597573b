"""Publishing's part of the admin. Importing this package registers every page."""

from publishing.admin import items, posts, publications, publishers, sources

__all__ = ["items", "posts", "publications", "publishers", "sources"]
