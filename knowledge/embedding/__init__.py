"""Vectors of texts. One more embedder is one more module here; see `docs/search.md`."""

from knowledge.embedding.base import Embedder, Space, Vectors
from knowledge.embedding.errors import (
    EmbedderRefused,
    EmbedderUnavailable,
    EmbeddingError,
    UnknownEmbedder,
)
from knowledge.embedding.registry import choices, configured, get, kinds, load, register

__all__ = [
    "Embedder",
    "EmbedderRefused",
    "EmbedderUnavailable",
    "EmbeddingError",
    "Space",
    "UnknownEmbedder",
    "Vectors",
    "choices",
    "configured",
    "get",
    "kinds",
    "load",
    "register",
]
