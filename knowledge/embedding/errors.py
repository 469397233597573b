"""How making vectors can fail, and what to do about it."""

from jobs.errors import PermanentError, TransientError
from knowledge.errors import KnowledgeError


class EmbeddingError(KnowledgeError):
    """There are no vectors."""


class EmbedderUnavailable(EmbeddingError, TransientError):
    """Later: no connection, a busy or failing server."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)


class EmbedderRefused(EmbeddingError, PermanentError):
    """Not without a change: no endpoint, a key that is not accepted, an answer that is not what was asked for."""


class UnknownEmbedder(EmbeddingError):
    """No installed embedder has this kind."""
