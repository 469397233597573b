"""Knowledge's part of the admin. Importing this package registers every page."""

from knowledge.admin import (
    evaluations,
    harvests,
    judged_queries,
    overview,
    pages,
    papers,
    questions,
    research,
    settings,
    sources,
    topics,
)

__all__ = [
    "evaluations",
    "harvests",
    "judged_queries",
    "overview",
    "pages",
    "papers",
    "questions",
    "research",
    "settings",
    "sources",
    "topics",
]
