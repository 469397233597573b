"""Knowledge's part of the admin. Importing this package registers every page."""

from knowledge.admin import (
    evaluations,
    judged_queries,
    pages,
    questions,
)

__all__ = [
    "evaluations",
    "judged_queries",
    "pages",
    "questions",
]
