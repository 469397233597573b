"""What every embedder has to do. An embedder knows no database and never retries."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Space:
    """Where vectors live: only those of one space can be compared."""

    #: The embedder's kind and its model; the same name is the same model for ever.
    name: str
    dimension: int


class Embedder(ABC):
    """Makes vectors of texts. Subclass in a module of this package and register."""

    kind: ClassVar[str]
    label: ClassVar[str]

    def why_not(self) -> str:
        """Why it cannot be used here; "" if it can."""
        return ""

    @abstractmethod
    def space(self) -> Space:
        """Where its vectors live. Raises EmbedderRefused when it is not set up."""

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector of length 1 for each text, in their order. Raises EmbedderUnavailable, EmbedderRefused."""


def normalised(vectors: Vectors) -> Vectors:
    """The same directions with length 1; zero vectors stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    result: Vectors = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
    return result
