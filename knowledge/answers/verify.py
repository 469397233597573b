"""The check that every sentence of every writer has to pass: it cites what was found, and says what that says.

No model judges here, only rules that can be read; docs/answers.md says what they cannot see.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from knowledge.answers.agreement import objection, unknown
from knowledge.answers.base import Brief, Found, Said
from knowledge.answers.claims import Claim, claim_of
from knowledge.answers.reading import plain
from knowledge.embedding import Vectors

#: A sentence that is not word for word in what it cites needs so much support, from 0 to 1.
LEAST_SUPPORT = 0.6
#: So much of a sentence's telling words must stand in what it cites.
LEAST_WORDS = 0.6
#: At most so many sentences of a cited passage are taken together with those of the others it cites.
_MOST_TOGETHER = 2
_MOST_CITED = 5
_LONGEST = 1000
#: Support of what is not word for word.
_MOST = 0.99
_TOO_LITTLE = "What it cites supports it too little."


@dataclass(frozen=True)
class Verdict:
    """What the check says of a sentence."""

    said: Said
    #: How far what it cites supports it: 1 for word for word, 0 for not at all.
    support: float
    #: Why it was not let through; "" if it was.
    reason: str = ""

    @property
    def is_supported(self) -> bool:
        return not self.reason


def verify(said: Sequence[Said], brief: Brief) -> list[Verdict]:
    """A verdict on each sentence, in their order."""
    first = [_first_look(one, brief.by_id) for one in said]
    open_places = [place for place, verdict in enumerate(first) if verdict is None]
    nearness = _Nearness(brief, [said[place] for place in open_places])
    return [
        verdict or _judged(one, [brief.by_id[key] for key in one.passages], nearness)
        for one, verdict in zip(said, first, strict=True)
    ]


def _first_look(said: Said, known: Mapping[int, Found]) -> Verdict | None:
    """A verdict where none of its words need to be weighed; None where they do."""
    text = plain(said.text)
    if not text:
        return Verdict(said, 0.0, "It says nothing.")
    if len(text) > _LONGEST:
        return Verdict(said, 0.0, f"It has more than {_LONGEST} characters.")
    if not said.passages:
        return Verdict(said, 0.0, "It cites nothing.")
    if len(said.passages) > _MOST_CITED:
        return Verdict(said, 0.0, f"It cites more than {_MOST_CITED} passages.")
    unknown = [key for key in said.passages if key not in known]
    if unknown:
        return Verdict(said, 0.0, f"It cites passage {unknown[0]}, which was not retrieved.")
    if any(_stands_in(text, known[key]) for key in said.passages):
        if all(_stands_in(text, known[key]) for key in said.passages):
            return Verdict(said, 1.0)
        return Verdict(
            said, 0.0, "It is word for word of one of the passages that it cites, and not of the others."
        )
    return None


def _stands_in(text: str, passage: Found) -> bool:
    """Whether it is a whole sentence of the passage: a part of one can say the opposite of it."""
    return any(text == sentence.text for sentence in passage.sentences)


def _judged(said: Said, cited: Sequence[Found], nearness: "_Nearness") -> Verdict:
    """The verdict by what bears it out best. Nothing may speak against it there; what stands elsewhere does not help."""
    claim = claim_of(plain(said.text))
    if not claim.stems:
        return Verdict(said, 0.0, "It has no telling words.")
    grounds = [(_support(said, claim, texts, nearness), texts) for texts in _grounds(claim, cited)]
    if not grounds:
        return Verdict(said, 0.0, "What it cites has no whole sentence.")
    reasons = []
    for support, texts in sorted(grounds, reverse=True):
        reason = _against(claim, claim_of(" ".join(texts)), support)
        if not reason:
            return Verdict(said, support)
        reasons.append(reason)
    return Verdict(said, 0.0, reasons[0])


def _support(said: Said, claim: Claim, texts: Sequence[str], nearness: "_Nearness") -> float:
    """Half of it the share of its words, half how similar the sentences are; never quite 1 for other words."""
    words = _shared(claim, claim_of(" ".join(texts)))
    return min(round(0.5 * words + 0.5 * nearness.of(said, texts), 3), _MOST)


def _against(claim: Claim, ground: Claim, support: float) -> str:
    """What speaks against a claim on this ground; "" if nothing does."""
    if support < LEAST_SUPPORT and _shared(claim, ground) < LEAST_WORDS:
        named = ", ".join(f"“{word}”" for word in unknown(claim, ground)[:5])
        return (
            f"What it cites says nothing of the kind; it has no word such as {named}."
            if named
            else _TOO_LITTLE
        )
    if reason := objection(claim, ground):
        return reason
    if ground.is_hedged and not claim.is_hedged:
        return "It is surer than what it cites."
    return "" if support >= LEAST_SUPPORT else f"{_TOO_LITTLE} ({support:.2f} of {LEAST_SUPPORT:.2f})"


def _shared(claim: Claim, ground: Claim) -> float:
    return 1 - len(unknown(claim, ground)) / len(claim.stems)


def _grounds(claim: Claim, cited: Sequence[Found]) -> Iterator[tuple[str, ...]]:
    """What may bear a claim out: one sentence; of several passages also one of each, taken together."""
    several = []
    for passage in cited:
        own = [sentence.text for sentence in passage.sentences]
        several.append(sorted(own, key=lambda text: -_shared(claim, claim_of(text)))[:_MOST_TOGETHER])
        yield from ((text,) for text in own)
    if len(cited) > 1:
        yield from product(*several)


class _Nearness:
    """Cosines of sentences and of what may bear them out, asked of the model at once."""

    def __init__(self, brief: Brief, said: Sequence[Said]) -> None:
        self._rows: dict[str, int] = {}
        self._vectors: Vectors | None = None
        if brief.embedder is None or not said:
            return
        known = brief.by_id
        for one in said:
            self._add(plain(one.text))
            for key in one.passages:
                for sentence in known[key].sentences:
                    self._add(sentence.text)
        self._vectors = brief.embedder.embed(list(self._rows))

    def _add(self, text: str) -> None:
        self._rows.setdefault(text, len(self._rows))

    def of(self, said: Said, texts: Sequence[str]) -> float:
        """From 0 to 1; without vectors the share of its words decides alone, so it is that of the sentences' words."""
        if self._vectors is None:
            claim = claim_of(plain(said.text))
            return _shared(claim, claim_of(" ".join(texts)))
        ground = np.mean([self._vectors[self._rows[text]] for text in texts], axis=0)
        length = float(np.linalg.norm(ground))
        cosine = float(self._vectors[self._rows[plain(said.text)]] @ ground) / max(length, 1e-9)
        return min(max(cosine, 0.0), 1.0)
