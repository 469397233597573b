"""The search: both indexes, one ranking, and nothing that is gone."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from jobs.storable import clean_text
from knowledge import spaces
from knowledge.chunking import Span
from knowledge.embedding import Vectors
from knowledge.models import EmbeddingModel, Part, Passage
from knowledge.search import dense, sparse
from knowledge.search.expansion import expanded
from knowledge.search.filters import Filters
from knowledge.search.fusion import DENSE_SHARE, fused
from knowledge.search.highlights import highlights
from knowledge.search.words import terms

#: Each index names so many candidates at least.
CANDIDATES = 100
#: Passages that are asked for to get that many parts: a part has some.
_PASSAGES = 150
#: The share of what the word index names that must stand and pass the filters; else it names more.
_FRESH = 0.9
#: The query is moved toward so many of the best passages, by such a share of their mean.
_FEEDBACK, _TOWARD = 3, np.float32(0.3)
#: More of a query is not read.
LONGEST_QUERY = 2000


class Mode(StrEnum):
    """Which indexes are asked."""

    HYBRID = "hybrid"
    DENSE = "dense"
    SPARSE = "sparse"


@dataclass(frozen=True)
class Scored:
    """A part that was found, with its passages from the nearest on."""

    part: int
    #: What it is ranked by. In a hybrid search standard deviations above the mean of all candidates, by both, of which
    #: meaning is that of the query moved a little toward the best passages; else the one of the two that was asked.
    score: float
    #: The cosine of the nearest passage; 0 when no vectors were asked.
    similarity: float
    #: BM25; 0 when no word of the query stands in it.
    words: float
    passages: tuple[int, ...]


@dataclass(frozen=True)
class Hit:
    """A part that was found, as it is shown."""

    scored: Scored
    part: Part
    #: The passage that answers best, and where it has words of the query.
    passage: Passage
    highlights: list[Span] = field(default_factory=list)


def search(
    query: str,
    *,
    filters: Filters | None = None,
    limit: int = 10,
    mode: Mode = Mode.HYBRID,
    share: float = DENSE_SHARE,
    expand: bool = False,
) -> list[Hit]:
    """The best parts for a query, the best first, with one passage each.

    `share` is that of meaning in hybrid scores. `expand` adds what abbreviations stand for, and the other way round.

    Raises EmbedderUnavailable, EmbedderRefused when the model of the stored vectors cannot be asked.
    """
    query = expanded(query) if expand else query
    return hits(query, rank(query, filters=filters, limit=limit, mode=mode, share=share))


def hits(query: str, scored: Sequence[Scored]) -> list[Hit]:
    """What was ranked, as it is shown; some of it, for whoever turns pages."""
    best = Passage.objects.select_related("part__paper", "part__document")
    shown = best.in_bulk([pk for found in scored for pk in _showable(found)])
    stems = frozenset(terms(query))
    return [
        Hit(found, passage.part, passage, highlights(passage.text, stems))
        for found in scored
        # Gone since they were ranked: then they are not shown.
        if (passage := _telling([shown[pk] for pk in _showable(found) if pk in shown], stems))
    ]


def _showable(found: Scored) -> tuple[int, ...]:
    """The nearest passage; all of them when nobody knows which one that is."""
    return found.passages[:1] if found.similarity else found.passages


def _telling(passages: Sequence[Passage], stems: frozenset[str]) -> Passage | None:
    """The one with the most words of the query, the first of several; None of none."""
    if len(passages) == 1:  # then its words need not be looked at
        return passages[0]
    return max(passages, key=lambda passage: len(stems.intersection(terms(passage.text))), default=None)


def rank(
    query: str,
    *,
    filters: Filters | None = None,
    limit: int = 10,
    mode: Mode = Mode.HYBRID,
    share: float = DENSE_SHARE,
) -> list[Scored]:
    """Parts and their scores. Nothing that was deleted, retracted or filtered out when it began is among them."""
    query, filters = clean_text(query[:LONGEST_QUERY]).strip(), filters or Filters()
    model = spaces.live() if mode is not Mode.SPARSE else None
    depth = max(CANDIDATES, limit)
    if not query or (model is None and mode is Mode.DENSE):
        return []
    by_words = sparse.Ranking(()) if mode is Mode.DENSE else sparse.rank(query)
    if model is None:
        return _by_words(_standing(by_words, filters, depth), by_words, limit)
    vector = _vector(query, model)
    passages = max(_PASSAGES, limit * 2)
    named, _ = by_words.top(depth)
    found = dense.candidates(vector, model, filters, passages, named)
    known = {one.part for one in found}
    if len(named) == depth and len(known.intersection(named.tolist())) < depth * _FRESH:
        # Too much of what the word index named is gone or filtered out: let it name more.
        named = _standing(by_words, filters, depth)
        more = named[~np.isin(named, list(known))]
        found += dense.similarities(vector, model, filters, more)
    return _by_both(vector, found, by_words, limit, None if mode is Mode.DENSE else share)


def _standing(ranking: sparse.Ranking, filters: Filters, depth: int) -> NDArray[np.int64]:
    """The best parts by words that stand and pass the filters: deeper and deeper, until there are enough."""
    reach = depth
    while True:
        ids, _ = ranking.top(reach)
        left = dense.standing(filters, ids) if len(ids) else set()
        if len(left) >= depth or len(ids) < reach:
            return np.array([pk for pk in ids.tolist() if pk in left][:depth], dtype=np.int64)
        reach *= 8


def _by_words(parts: NDArray[np.int64], ranking: sparse.Ranking, limit: int) -> list[Scored]:
    best = parts[:limit]
    passages: dict[int, list[int]] = defaultdict(list)
    rows = Passage.objects.filter(part_id__in=best.tolist()).order_by("part_id", "position")
    for part, passage in rows.values_list("part_id", "pk"):
        passages[part].append(passage)
    scores = ranking.of(best)
    return [
        Scored(part, float(score), 0.0, float(score), tuple(passages[part]))
        for part, score in zip(best.tolist(), scores, strict=True)
    ]


def _by_both(
    vector: Vectors,
    near: Sequence[dense.Near],
    ranking: sparse.Ranking,
    limit: int,
    share: float | None,
) -> list[Scored]:
    """The best by both; without a share by meaning alone."""
    passages = _by_part(near)
    parts = np.array(list(passages), dtype=np.int64)
    nearness = np.array([found[0].similarity for found in passages.values()], dtype=np.float32)
    words = ranking.of(parts)
    scores = nearness
    if share is not None:
        scores = fused(nearness, words, share)
    if share is not None and not np.isnan(nearness).all():
        moved = _nearness_to_the_best(vector, list(passages.values()), np.lexsort((parts, -scores)))
        scores = fused(moved, words, share)
    order = np.lexsort((parts, -scores))[:limit].tolist()
    ids = parts.tolist()
    return [
        Scored(
            ids[place],
            float(scores[place]),
            float(np.nan_to_num(nearness[place])),
            float(words[place]),
            tuple(found.passage for found in passages[ids[place]]),
        )
        for place in order
    ]


def _nearness_to_the_best(
    vector: Vectors, passages: Sequence[Sequence[dense.Near]], order: NDArray[np.int64]
) -> Vectors:
    """How near each part is to the query once that has moved a little toward the best passages (Rocchio's feedback).

    NaN for a part without vectors, as for the query itself.
    """
    best = [passages[place][0] for place in order[:_FEEDBACK].tolist() if passages[place][0].sent]
    if best:
        vector = vector + _TOWARD * dense.vectors_of(best).mean(axis=0)
        vector = vector / max(float(np.linalg.norm(vector)), 1e-12)
    near = [one for several in passages for one in several]
    known = np.array([one.sent is not None for one in near])
    similarities = np.where(known, dense.vectors_of(near) @ vector, np.float32(-2))
    starts = np.cumsum([0, *(len(several) for several in passages[:-1])])
    found = np.maximum.reduceat(similarities, starts)
    result: Vectors = np.where(found < -1.5, np.nan, found).astype(np.float32)
    return result


def _by_part(near: Sequence[dense.Near]) -> Mapping[int, list[dense.Near]]:
    """The passages of each part, the nearest first, those without a vector last."""
    passages: dict[int, list[dense.Near]] = defaultdict(list)
    for found in near:
        passages[found.part].append(found)
    for several in passages.values():
        several.sort(key=lambda one: -2.0 if one.similarity is None else one.similarity, reverse=True)
    return passages


def _vector(query: str, model: EmbeddingModel) -> Vectors:
    return np.frombuffer(_embedded(query, model.name), dtype=np.float32)


@lru_cache(maxsize=1024)
def _embedded(query: str, space: str) -> bytes:
    """The vector of a query; people turn pages and refine filters with the same words."""
    return bytes(spaces.embedder_of(space).embed([query])[0].tobytes())


def forget_queries() -> None:
    """Forget the vectors of earlier queries."""
    _embedded.cache_clear()
