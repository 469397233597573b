"""Papers on the shelf, and an embedder that tests can foresee."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from knowledge import indexing, vectors
from knowledge.embedding import Embedder, Space, Vectors, registry
from knowledge.embedding.base import normalised
from knowledge.models import Paper


def shelve(title: str, text: str = "", **fields: Any) -> Paper:
    """A paper with one section, indexed by its words; it has no vectors yet."""
    fields.setdefault("abstract", [{"label": "", "text": text}] if text else [])
    paper = Paper.objects.create(title=title, **fields)
    indexing.index_papers([paper])
    return paper


def embed_all(embedder: Embedder) -> int:
    """Make all vectors that are missing; how many."""
    return sum(vectors.embed_missing(embedder))


class Letters(Embedder):
    """Counts letters: texts of the same letters have the same vector. `width` tells models apart."""

    label = "Letters"

    def __init__(self, kind: str = "letters", width: int = 26) -> None:
        self.kind = kind  # type: ignore[misc]  # each test's model has its own name
        self.width = width
        #: Every text it was asked about.
        self.asked: list[str] = []
        #: What it does with texts; tests put something else here.
        self.answer: Callable[[Sequence[str]], Vectors] = self.count

    def space(self) -> Space:
        return Space(f"{self.kind}:{self.width}", self.width)

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.asked += texts
        return self.answer(texts)

    def count(self, texts: Sequence[str]) -> Vectors:
        """What an embedder should do."""
        counts = np.full((len(texts), self.width), 0.01, dtype=np.float32)
        for row, text in enumerate(texts):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    counts[row, (ord(letter) - ord("a")) % self.width] += 1
        return normalised(counts)


@contextlib.contextmanager
def registered(*embedders: Embedder) -> Iterator[None]:
    """Let the registry know these for a while, as if they had a module of their own."""
    before = dict(registry._embedders)
    registry._embedders.update({embedder.kind: embedder for embedder in embedders})
    try:
        yield
    finally:
        registry._embedders.clear()
        registry._embedders.update(before)
