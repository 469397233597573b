"""Knowledge's part of the admin. Importing this package registers every page."""

from knowledge.admin import (
    pages,
)

__all__ = [
    "pages",
]
