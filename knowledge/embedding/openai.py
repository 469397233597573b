"""Vectors from any endpoint that speaks OpenAI's protocol."""

import json
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np
from django.conf import settings
from pydantic import BaseModel, ValidationError

from jobs.outbound import Limits, OutboundRejected, OutboundResponse, OutboundUnavailable, fetch
from jobs.storable import clean_text
from knowledge.embedding.base import Embedder, Space, Vectors, normalised
from knowledge.embedding.errors import EmbedderRefused, EmbedderUnavailable
from knowledge.embedding.registry import register

#: Texts of one request; servers take up to 2,048, small ones less.
BATCH = 64
_LIMITS = Limits(read_seconds=120, total_seconds=180, max_bytes=64 * 1024 * 1024, max_redirects=0)
_LATER = {408, 409, 425, 429}
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
_NEEDED = ("EMBEDDING_BASE_URL", "EMBEDDING_MODEL", "EMBEDDING_DIMENSION")
#: Characters of an answer that are told.
_TOLD = 400


class _Vector(BaseModel):
    index: int
    embedding: list[float]


class _Answer(BaseModel):
    data: list[_Vector]


@register
class OpenAIEmbedder(Embedder):
    """Asks a server. Each request is one that may cost money; none is repeated here."""

    kind, label = "openai", "OpenAI-compatible endpoint"

    def why_not(self) -> str:
        missing = [name for name in _NEEDED if not getattr(settings, name)]
        return f"No endpoint for vectors is set up: {', '.join(missing)} must be set." if missing else ""

    def space(self) -> Space:
        if reason := self.why_not():
            raise EmbedderRefused(reason)
        return Space(f"openai:{settings.EMBEDDING_MODEL}", settings.EMBEDDING_DIMENSION)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors as the server gives them, made to length 1."""
        dimension = self.space().dimension
        parts = [np.zeros((0, dimension), dtype=np.float32)]
        rest = iter(texts)
        while batch := list(islice(rest, BATCH)):
            parts.append(_read(_ask(batch), len(batch), dimension))
        return normalised(np.concatenate(parts))


def _ask(texts: Sequence[str]) -> bytes:
    headers = {"content-type": "application/json", "accept": "application/json"}
    if settings.EMBEDDING_API_KEY:
        headers["authorization"] = f"Bearer {settings.EMBEDDING_API_KEY}"
    # An empty text is refused by most servers; what nobody wrote may stand anywhere.
    body = {"model": settings.EMBEDDING_MODEL, "input": [text or " " for text in texts]}
    try:
        answer = fetch(
            f"{settings.EMBEDDING_BASE_URL.rstrip('/')}/embeddings",
            method="POST",
            headers=headers,
            content=json.dumps(body).encode(),
            limits=_LIMITS,
        )
    except OutboundUnavailable as error:
        raise EmbedderUnavailable(str(error)) from error
    except OutboundRejected as error:
        raise EmbedderRefused(str(error)) from error
    if answer.status != 200:
        raise _error(answer)
    return answer.body


def _error(answer: OutboundResponse) -> EmbedderRefused | EmbedderUnavailable:
    said = answer.body.decode(errors="replace")
    words = f"The server of {settings.EMBEDDING_MODEL} answered with status {answer.status}: {_told(said)}"
    may_pass = (answer.status in _LATER or answer.status >= 500) and answer.status != 501
    if may_pass and not any(reason in said for reason in _NO_MONEY):
        return EmbedderUnavailable(words, retry_after=answer.retry_after)
    return EmbedderRefused(words)


def _told(said: str) -> str:
    """A server's words as they may be shown: without our key, and not too long."""
    if settings.EMBEDDING_API_KEY:
        said = said.replace(settings.EMBEDDING_API_KEY, "[hidden]")
    try:
        found = json.loads(said)
        error = found.get("error", found) if isinstance(found, Mapping) else found
        said = str(error.get("message", error)) if isinstance(error, Mapping) else str(error)
    except (ValueError, RecursionError):
        pass
    return clean_text(" ".join(said.split()))[:_TOLD] or "no reason given."


def _read(body: bytes, count: int, dimension: int) -> Vectors:
    """The vectors in the order of the texts, whatever the order of the answer. Raises EmbedderRefused unless all are there."""
    where = f"The server of {settings.EMBEDDING_MODEL}"
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError as error:
        raise EmbedderRefused(f"{where} answered with something else than vectors.") from error
    given = {vector.index: vector.embedding for vector in answer.data}
    if len(answer.data) != count or set(given) != set(range(count)):
        raise EmbedderRefused(f"{where} gave {len(answer.data)} vectors for {count} texts.")
    if wrong := {len(vector) for vector in given.values()} - {dimension}:
        raise EmbedderRefused(
            f"{where} gave vectors with {wrong.pop()} numbers; EMBEDDING_DIMENSION is {dimension}."
        )
    vectors = np.array([given[index] for index in range(count)], dtype=np.float32)
    if not np.isfinite(vectors).all() or not np.linalg.norm(vectors, axis=1).all():
        raise EmbedderRefused(f"{where} gave a vector that points nowhere.")
    return vectors
