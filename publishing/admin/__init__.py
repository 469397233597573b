"""Publishing's part of the admin. Importing this package registers every page."""

from publishing.admin import agents, generations, items, posts, publications, publishers, sources

__all__ = ["agents", "generations", "items", "posts", "publications", "publishers", "sources"]
