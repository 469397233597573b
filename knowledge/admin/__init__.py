"""Knowledge's part of the admin. Importing this package registers every page."""

from knowledge.admin import (
    harvests,
    pages,
    papers,
    research,
    settings,
    sources,
    topics,
)

__all__ = [
    "harvests",
    "pages",
    "papers",
    "research",
    "settings",
    "sources",
    "topics",


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
