"""Texts as weighted words: how alike two are, and which of them says what the others say."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

#: Weights by term, of length one.
Vector = dict[str, float]

_DAMPING = 0.85
_ROUNDS = 20


def rarity(texts: Iterable[Iterable[str]]) -> dict[str, float]:
    """Inverse document frequency: the fewer texts have a term, the more it tells."""
    bags = [list(dict.fromkeys(text)) for text in texts]
    frequencies = Counter(term for bag in bags for term in bag)
    return {term: math.log(1 + len(bags) / count) for term, count in frequencies.items()}


def vector(terms: Iterable[str], rarities: Mapping[str, float], *, heaviest: int | None = None) -> Vector:
    """The terms of a text weighed by how often they occur and how rare they are; only the heaviest, if asked."""
    weights = {
        term: (1 + math.log(count)) * rarities.get(term, 0.0) for term, count in Counter(terms).items()
    }
    if heaviest is not None and len(weights) > heaviest:
        kept = sorted(weights, key=lambda term: (-weights[term], term))[:heaviest]
        weights = {term: weights[term] for term in kept}
    size = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {term: weight / size for term, weight in weights.items() if weight} if size else {}


def likeness(one: Vector, other: Vector) -> float:
    """Cosine: 0 for nothing in common, 1 for the same words."""
    if len(one) > len(other):
        one, other = other, one
    return sum(weight * other[term] for term, weight in one.items() if term in other)


def centrality(vectors: Sequence[Vector]) -> list[float]:
    """How much each text says what the others say, from 0 to 1: LexRank, a walk from text to text by likeness."""
    count = len(vectors)
    matrix = [[0.0] * count for _ in vectors]
    for row in range(count):
        for column in range(row):
            matrix[row][column] = matrix[column][row] = likeness(vectors[row], vectors[column])
    outgoing = [sum(row) for row in matrix]
    ranks = [1.0] * count
    for _ in range(_ROUNDS):
        given = [rank / total if total else 0.0 for rank, total in zip(ranks, outgoing, strict=True)]
        ranks = [
            1 - _DAMPING + _DAMPING * sum(like * share for like, share in zip(row, given, strict=True))
            for row in matrix
        ]
    highest = max(ranks, default=0.0)
    return [rank / highest for rank in ranks] if highest else ranks
