"""Publishing's part of the admin. Importing this package registers every page."""

from publishing.admin import items, sources

__all__ = ["items", "sources"]
