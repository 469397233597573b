"""Finds what a question may be answered from, and decides whether that is enough."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from knowledge import spaces
from knowledge.answers.base import Brief, Found
from knowledge.answers.reading import whole_sentences
from knowledge.answers.terms import telling, telling_of_question
from knowledge.models import EmbeddingModel, Part, Passage
from knowledge.search import dense
from knowledge.search.engine import Scored, rank
from knowledge.search.filters import Filters, Retracted

#: Just above the threshold, a question has to share a word with what was found.
DOUBTFUL = 0.1
#: Without vectors only words can tell: so many of the question's telling words stand in the best part.
LEAST_WORDS = 0.6
#: Passages of parts that come not so near to the best are not used.
_NEAR_THE_BEST = 0.6


class Refusal(StrEnum):
    """Why there is no answer, for programs."""

    NOTHING_INDEXED = "nothing_indexed"
    NOTHING_PASSES = "nothing_passes_filters"
    NOTHING_SIMILAR = "nothing_similar"
    ONLY_RETRACTED = "only_retracted"
    NOTHING_TO_QUOTE = "nothing_to_quote"
    WRITER_NOT_SET_UP = "writer_not_set_up"
    WRITER_FAILED = "writer_failed"
    NOTHING_SUPPORTED = "nothing_supported"


@dataclass(frozen=True)
class Retrieved:
    """What was found, and whether it is enough; `why_not` and its code are empty if it is."""

    brief: Brief
    #: The similarity of the best passage, or without vectors the share of the question's words in the best part.
    best: float
    threshold: float
    #: Parts that are similar enough.
    good: int
    why_not: str = ""
    code: Refusal | None = None


def retrieve(question: str, *, filters: Filters, limit: int, threshold: float) -> Retrieved:
    """The best passages for a question. Raises EmbedderUnavailable, EmbedderRefused."""
    model = spaces.live()
    if not Passage.objects.exists():
        return _refused(question, threshold, Refusal.NOTHING_INDEXED, "Nothing is indexed here yet.")
    found = _gathered(question, model, filters, limit)
    if not found.found:
        reason = "No paper or document passes the filters, or has any word or meaning of the question."
        return _other_than_retracted(
            question, model, filters, threshold, _refused(question, threshold, Refusal.NOTHING_PASSES, reason)
        )
    judged = _judged(found, threshold, model is not None)
    if judged.code is Refusal.NOTHING_SIMILAR:
        return _other_than_retracted(question, model, filters, threshold, judged)
    return judged


def _gathered(question: str, model: EmbeddingModel | None, filters: Filters, limit: int) -> Brief:
    ranked = rank(question, filters=filters, limit=limit)
    embedder = spaces.embedder_of(model.name) if model is not None else None
    near: dict[int, float | None] = {}
    if model is not None and embedder is not None and ranked:
        ids = np.array([one.part for one in ranked], dtype=np.int64)
        vector = embedder.embed([question])[0]
        near = {one.passage: one.similarity for one in dense.similarities(vector, model, filters, ids)}
    return Brief(question, tuple(_passages(ranked, near)), embedder)


def _passages(ranked: Sequence[Scored], near: Mapping[int, float | None]) -> list[Found]:
    parts = Part.objects.select_related("paper", "document").in_bulk([one.part for one in ranked])
    rows = defaultdict(list)
    for passage in Passage.objects.filter(part__in=parts).order_by("position"):
        rows[passage.part_id].append(passage)
    return [
        _found(one, parts[one.part], passage, near.get(passage.pk))
        for one in ranked
        # Gone since they were ranked.
        if one.part in parts
        for passage in rows[one.part]
    ]


def _found(one: Scored, part: Part, passage: Passage, similarity: float | None) -> Found:
    return Found(
        id=passage.pk,
        part=part.pk,
        paper=part.paper_id,
        document=part.document_id,
        title=part.title,
        text=passage.text,
        similarity=similarity,
        score=one.score,
        sentences=tuple(
            sentence
            for span, sentence in whole_sentences(part.text)
            if passage.start <= span.start and span.end <= passage.end
        ),
        year=part.paper.year if part.paper else part.document.year if part.document else None,
        is_retracted=part.paper is not None and part.paper.is_retracted,
    )


def _judged(brief: Brief, threshold: float, has_vectors: bool) -> Retrieved:
    """Whether the best is good enough; what is much worse than the best is left out."""
    strength = _by_meaning(brief) if has_vectors else {}
    if not strength:
        strength, threshold = _by_words(brief), max(threshold, LEAST_WORDS)
    best = max(strength.values())
    good = [part for part, value in strength.items() if value >= threshold]
    judged = Retrieved(brief, best, threshold, len(good))
    if not good:
        return replace(judged, why_not=_too_little(best, threshold), code=Refusal.NOTHING_SIMILAR)
    kept = tuple(
        passage
        for passage in brief.found
        if strength.get(passage.part, 0.0) >= max(threshold, best * _NEAR_THE_BEST)
    )
    if best < threshold + DOUBTFUL and not _shares_a_word(brief.question, kept):
        reason = f"What comes nearest ({best:.2f}) is hardly similar enough ({threshold:.2f}) and has no word of the question."
        return replace(judged, why_not=reason, code=Refusal.NOTHING_SIMILAR)
    return replace(judged, brief=replace(brief, found=kept))


def _too_little(best: float, threshold: float) -> str:
    return f"Nothing here is similar enough to the question: the best has {best:.2f}, and {threshold:.2f} is needed."


def _by_meaning(brief: Brief) -> dict[int, float]:
    """The similarity of the nearest passage of each part; parts without vectors are left out."""
    strength: dict[int, float] = {}
    for passage in brief.found:
        if passage.similarity is not None:
            strength[passage.part] = max(strength.get(passage.part, -1.0), passage.similarity)
    return strength


def _by_words(brief: Brief) -> dict[int, float]:
    """The share of the question's telling words in each part and its title."""
    wanted = telling_of_question(brief.question)
    having: dict[int, set[str]] = defaultdict(set)
    for passage in brief.found:
        having[passage.part] |= telling(f"{passage.title}\n{passage.text}")
    return {part: len(wanted & words) / max(len(wanted), 1) for part, words in having.items()}


def _shares_a_word(question: str, found: Sequence[Found]) -> bool:
    wanted = telling_of_question(question)
    return any(wanted & telling(f"{passage.title}\n{passage.text}") for passage in found)


def _other_than_retracted(
    question: str, model: EmbeddingModel | None, filters: Filters, threshold: float, refused: Retrieved
) -> Retrieved:
    """The refusal, told better when retracted papers alone would answer the question."""
    if filters.retracted is not Retracted.EXCLUDE:
        return refused
    retracted = _gathered(question, model, replace(filters, retracted=Retracted.ONLY), 3)
    if not retracted.found:
        return refused
    judged = _judged(retracted, threshold, model is not None)
    if judged.code is not None:
        return refused
    titles = list(dict.fromkeys(passage.title for passage in judged.brief.found))
    named = "; ".join(f"“{title}”" for title in titles[:3])
    reason = f"Only retracted papers speak of this, and they are no evidence: {named}."
    return replace(refused, why_not=reason, code=Refusal.ONLY_RETRACTED)


def _refused(question: str, threshold: float, code: Refusal, reason: str) -> Retrieved:
    return Retrieved(Brief(question, ()), 0.0, threshold, 0, reason, code)
