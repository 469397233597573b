"""Knowledge's part of the admin. Importing this package registers every page."""

from knowledge.admin import (
    documents,
    embedding_models,
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
    "documents",
    "embedding_models",
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
