"""How alike two posts are: their texts by the runs of words they share, their titles by their words.

Both are exact Jaccard similarities, shared / all, from 0 to 1; nothing is estimated. Runs of words are kept as
64-bit hashes that are the same in every process, so that a fingerprint may be stored; two different runs having
the same hash is possible and, among a million posts, still too rare to matter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from heapq import nsmallest

from publishing.seo.words import atoms

#: Words in a run.
RUN = 3
#: From here on two texts are near-duplicates: changing every tenth word of a text leaves about .57.
NEAR_DUPLICATE = 0.5
#: Above this two titles say the same.
SAME_TITLE = 0.8
#: Hashes fit a bigint; runs with one below this are compared first: three eighths of all, drawn by chance.
_HEAD_BELOW = -(1 << 61)


@dataclass(frozen=True)
class Fingerprint:
    """What is compared of one post; made once, compared often."""

    #: Whatever tells the caller which post it is.
    key: str
    title_words: tuple[str, ...]
    #: The runs of the text, in two parts so that most comparisons can end after the first.
    head: frozenset[int]
    tail: frozenset[int]

    @property
    def size(self) -> int:
        """How many different runs the text has."""
        return len(self.head) + len(self.tail)

    @property
    def runs(self) -> frozenset[int]:
        """All runs of the text: what to store."""
        return self.head | self.tail

    @property
    def sketch(self) -> list[int]:
        """The least of its runs, in their order: near-duplicates have some of them in common."""
        return nsmallest(SKETCH, self.runs)


#: Of so many runs a sketch is made. Two texts with half of their runs in common have sketches without a common run
#: about once in four billion pairs (2**-32): enough to look for candidates by.
SKETCH = 32


@dataclass(frozen=True)
class Match:
    key: str
    #: Similarity of the texts, 0 to 1.
    text: float
    #: Similarity of the titles, 0 to 1; 1 if they have the same words in the same order.
    title: float

    @property
    def is_near_duplicate(self) -> bool:
        """Whether an editor should look before this goes out."""
        return self.text >= NEAR_DUPLICATE or self.title > SAME_TITLE


def fingerprint(key: str, *, title: str, text: str) -> Fingerprint:
    """The fingerprint of a post's title and visible text."""
    return from_runs(key, title=title, runs=_runs(text))


def from_runs(key: str, *, title: str, runs: Iterable[int]) -> Fingerprint:
    """The fingerprint of a post whose runs were stored."""
    all_runs = frozenset(runs)
    head = frozenset(run for run in all_runs if run < _HEAD_BELOW)
    return Fingerprint(key, atoms(title), head, all_runs - head)


def text_similarity(one: str, other: str) -> float:
    """How alike two texts are, 0 to 1; a text without words is like no other."""
    return similarity(fingerprint("", title="", text=one), fingerprint("", title="", text=other))


def title_similarity(one: str, other: str) -> float:
    """How alike two titles are, 0 to 1, whatever their case and punctuation."""
    return _jaccard(frozenset(atoms(one)), frozenset(atoms(other)))


def is_same_title(one: str, other: str) -> bool:
    """Whether two titles say the same: equal but for case and punctuation, or more than .8 of their words shared."""
    return title_similarity(one, other) > SAME_TITLE


def similarity(one: Fingerprint, other: Fingerprint) -> float:
    """How alike the texts of two posts are, 0 to 1."""
    return _similarity_from(one, other, at_least=0.0) or 0.0


def most_similar(
    post: Fingerprint, earlier: Iterable[Fingerprint], *, at_least: float = NEAR_DUPLICATE
) -> Match | None:
    """The earlier post whose text is most like this one, if any reaches `at_least`; else one with the same title.

    The post itself (the same key) is passed over. A comparison of texts of a thousand words takes about 15 microseconds: texts whose lengths are too
    different, or whose first runs differ too much, to beat the best so far are not compared further.
    """
    best: Match | None = None
    same_title: Match | None = None
    wanted = at_least
    title = frozenset(post.title_words)
    for other in earlier:
        if other.key == post.key:
            continue
        text = _similarity_from(post, other, at_least=wanted)
        if text is not None and (best is None or text > best.text):
            best = Match(other.key, text, _jaccard(title, frozenset(other.title_words)))
            wanted = text
        elif best is None:
            alike = _jaccard(title, frozenset(other.title_words))
            if alike > max(SAME_TITLE, same_title.title if same_title else 0.0):
                same_title = Match(other.key, similarity(post, other), alike)
    return best or same_title


def _similarity_from(one: Fingerprint, other: Fingerprint, *, at_least: float) -> float | None:
    """The similarity of two texts; None if it is below `at_least`, found out as early as possible."""
    total = one.size + other.size
    if not one.size or not other.size:
        return None
    # shared / (total - shared) >= at_least, solved for shared.
    needed = at_least * total / (1 + at_least) - 1e-9
    most_in_tail = min(len(one.tail), len(other.tail))
    if min(len(one.head), len(other.head)) + most_in_tail < needed:
        return None
    shared = len(one.head & other.head)
    if shared + most_in_tail < needed:
        return None
    shared += len(one.tail & other.tail)
    return shared / (total - shared) if shared >= needed else None


def _runs(text: str) -> Iterator[int]:
    words = atoms(text)
    for start in range(max(len(words) - RUN + 1, min(len(words), 1))):
        run = "\0".join(words[start : start + RUN])
        yield int.from_bytes(
            blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big", signed=True
        )


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    total = len(one) + len(other) - shared
    return shared / total if total else 0.0
