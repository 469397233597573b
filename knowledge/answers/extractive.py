"""Answers in the papers' own words: needs no model and no key, and can invent nothing."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from knowledge.answers.agreement import disagree
from knowledge.answers.base import Brief, Draft, Found, OnStep, Said, Section, Sentence, Writer, nobody
from knowledge.answers.registry import register
from knowledge.answers.terms import telling, telling_of_question
from knowledge.embedding import Vectors

#: Sentences of an answer, and of one paper or document in it.
MOST_SENTENCES, MOST_OF_ONE = 6, 2
#: Sentences that are compared with the question; those of the best passages come first.
_MOST_COMPARED = 64
#: What counts how much for a sentence: its meaning, the question's words in it, and what its passage is worth.
_MEANING, _WORDS, _PASSAGE = 0.6, 0.2, 0.2
#: What a sentence's section adds: people ask for what was found, not for what was to be found out.
_WORTH = {
    Section.CONCLUSIONS: 0.08,
    Section.RESULTS: 0.05,
    Section.UNKNOWN: 0.0,
    Section.METHODS: -0.1,
    Section.AIM: -0.1,
}
#: How much saying the same again is held against a sentence.
_REPETITION = 0.35
#: A sentence that is worth less than so much of the best one, or is less similar than so much of the most similar, is left out.
_LEAST = (0.8, 0.7)
#: Unless it contradicts what is chosen: then so much is enough.
_LEAST_OF_CONTRADICTION = (0.6, 0.6)
#: Two sentences that are so similar speak of one thing, and may contradict each other.
_SAME_THING = 0.6
_FEWEST_WORDS = 4


@dataclass(frozen=True)
class _Candidate:
    sentence: Sentence
    passage: Found
    #: To the question, alone and with all that counts.
    similarity: float = 0.0
    relevance: float = 0.0

    @property
    def owner(self) -> tuple[int | None, int | None]:
        return self.passage.paper, self.passage.document

    @property
    def said(self) -> Said:
        return Said(self.sentence.text, (self.passage.id,))


@register
class ExtractiveWriter(Writer):
    """Quotes the sentences that answer best, each with the passage where it stands."""

    kind, label = "extractive", "Quotations (no model)"

    def write(self, brief: Brief, *, perspectives: bool = False, on_step: OnStep = nobody) -> Draft:
        """Six sentences at most, two of a paper; what contradicts them is not left out."""
        candidates = _candidates(brief)
        if not candidates:
            return Draft(())
        near = _similarities(brief, candidates)
        candidates = _weighed(brief, candidates, near[0, 1:])
        alike = near[1:, 1:]
        chosen = _chosen(candidates, alike, _not_behind(candidates, *_LEAST))
        others = _not_behind(candidates, *_LEAST_OF_CONTRADICTION)
        chosen += _contradicting(candidates, alike, chosen, others)
        return Draft(tuple(candidates[index].said for index in _in_order(candidates, chosen)))


def _candidates(brief: Brief) -> list[_Candidate]:
    """Each sentence once, those of the nearest passages first."""
    nearest = sorted(brief.found, key=lambda passage: -(passage.similarity or 0.0))
    found: dict[str, _Candidate] = {}
    for passage in nearest:
        for sentence in passage.sentences:
            if _is_quotable(sentence.text):
                found.setdefault(sentence.text, _Candidate(sentence, passage))
    return list(found.values())[:_MOST_COMPARED]


def _is_quotable(text: str) -> bool:
    """Whether it is a statement: no question, no heading, no rest of a cut sentence."""
    return not text.endswith("?") and text[-1] in '.!。！)"”’]' and len(text.split()) >= _FEWEST_WORDS


def _similarities(brief: Brief, candidates: list[_Candidate]) -> Vectors:
    """How similar the question (first) and the sentences are to each other; by words without vectors."""
    texts = [brief.question, *(candidate.sentence.text for candidate in candidates)]
    if brief.embedder is not None:
        vectors = brief.embedder.embed(texts)
        similar: Vectors = vectors @ vectors.T
        return similar
    sets = [telling(text) for text in texts]
    return np.array(
        [[len(one & two) / max(len(one | two), 1) for two in sets] for one in sets], dtype=np.float32
    )


def _weighed(brief: Brief, candidates: list[_Candidate], meaning: Vectors) -> list[_Candidate]:
    wanted = telling_of_question(brief.question)
    weighed = []
    for candidate, similar in zip(candidates, meaning.tolist(), strict=True):
        sentence, passage = candidate.sentence, candidate.passage
        words = len(wanted & telling(sentence.text)) / max(len(wanted), 1)
        # Abstracts end with what was found, also those that do not say so.
        section = _WORTH[sentence.section] + 0.03 * sentence.place
        own = passage.similarity if passage.similarity is not None else words
        relevance = _MEANING * similar + _WORDS * words + _PASSAGE * own + section
        weighed.append(replace(candidate, similarity=similar, relevance=relevance))
    return weighed


def _not_behind(candidates: list[_Candidate], of_best: float, of_nearest: float) -> set[int]:
    """Those that do not fall too far behind the best, and behind the most similar."""
    best = max(candidate.relevance for candidate in candidates)
    nearest = max(candidate.similarity for candidate in candidates)
    return {
        index
        for index, candidate in enumerate(candidates)
        if candidate.relevance >= best * of_best and candidate.similarity >= nearest * of_nearest
    }


def _chosen(candidates: list[_Candidate], alike: Vectors, worth: set[int]) -> list[int]:
    """The best sentences, each held back as far as it repeats those before it."""
    left = set(worth)
    chosen: list[int] = []
    taken: Counter[tuple[int | None, int | None]] = Counter()
    while left and len(chosen) < MOST_SENTENCES:
        index = max(left, key=lambda one: (candidates[one].relevance - _repeated(one, chosen, alike), -one))
        left.discard(index)
        if taken[candidates[index].owner] < MOST_OF_ONE:
            taken[candidates[index].owner] += 1
            chosen.append(index)
    return chosen


def _repeated(index: int, chosen: list[int], alike: Vectors) -> float:
    return _REPETITION * max((float(alike[index, other]) for other in chosen), default=0.0)


def _contradicting(
    candidates: list[_Candidate], alike: Vectors, chosen: list[int], others: set[int]
) -> list[int]:
    """The best sentence of another paper that speaks of the same and says otherwise, if none was chosen yet."""
    owners = {candidates[index].owner for index in chosen}
    for index in sorted(others - set(chosen), key=lambda one: -candidates[one].relevance):
        one = candidates[index]
        if one.owner not in owners and any(
            alike[index, other] >= _SAME_THING
            and disagree(one.sentence.text, candidates[other].sentence.text)
            for other in chosen
        ):
            return [index]
    return []


def _in_order(candidates: list[_Candidate], chosen: list[int]) -> list[int]:
    """What answers best first; sentences of one paper together, as they follow each other there."""
    owners = list(dict.fromkeys(candidates[index].owner for index in chosen))
    return sorted(
        chosen,
        key=lambda index: (
            owners.index(candidates[index].owner),
            candidates[index].passage.part,
            candidates[index].sentence.place,
        ),
    )
