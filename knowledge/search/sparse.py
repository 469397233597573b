"""The word index: BM25 over segments of postings that never change. See docs/decisions/0011."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from knowledge.models import Part, SparsePosting, SparseSegment
from knowledge.search.rows import binary_rows
from knowledge.search.words import terms

#: How soon further mentions of a word stop counting, and how much longer texts are held back (BM25's k1 and b).
SATURATION, LENGTH = 1.2, 0.75
#: A word in the title counts like so many in the text.
TITLE_WEIGHT = 2
#: So many segments of about the same size are merged into one.
FANOUT = 8
#: Larger ones are merged by `rebuild` only: whoever adds a paper should not wait for that.
_LARGEST = 100_000
#: Segments whose lists of parts a process remembers; they never change.
_REMEMBERED = 64
#: Any number that no other advisory lock has.
_MERGE_LOCK = 0x616C6D61_6E616331

Counts = Mapping[str, int]
Ids = NDArray[np.int64]
Scores = NDArray[np.float32]
Lengths = NDArray[np.float32]
Places = NDArray[np.uint32]
Times = NDArray[np.uint8]


def count(title: str, text: str) -> Counter[str]:
    """How often each term stands in a part."""
    counts = Counter(terms(text))
    for term in terms(title):
        counts[term] += TITLE_WEIGHT
    return counts


def add(parts: Iterable[Part]) -> None:
    """Index parts as one segment, in the caller's transaction: they are found when it commits."""
    counted = sorted((part.pk, count(part.title, part.text)) for part in parts)
    if not counted:
        return
    with transaction.atomic():
        postings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for ordinal, (_, counts) in enumerate(counted):
            for term, times in counts.items():
                postings[term].append((ordinal, min(times, 255)))
        lists = {
            term: (
                np.array([ordinal for ordinal, _ in found], dtype="<u4"),
                np.array([times for _, times in found], dtype="u1"),
            )
            for term, found in postings.items()
        }
        _store(
            np.array([pk for pk, _ in counted], dtype="<i8"),
            np.array([counts.total() for _, counts in counted], dtype="<f4"),
            lists,
        )
        merge()


def merge() -> int:
    """Merge segments of like size until there are few, and forget parts that are gone; how many merges it took.

    Does nothing while somebody else merges.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        done = 0
        while group := _mergeable():
            if not done:
                cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_MERGE_LOCK])
                if not cursor.fetchone()[0]:
                    return 0
                group = _mergeable()
                if not group:
                    return 0
            _merge(group)
            done += 1
        return done


def rebuild() -> None:
    """Merge everything into one segment: after it, statistics know nothing of parts that are gone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MERGE_LOCK])
        if segments := list(SparseSegment.objects.values_list("pk", flat=True)):
            _merge(segments)


@dataclass(frozen=True)
class Ranking:
    """Scores of every part that has a word of the query; parts that are gone may be among them."""

    segments: tuple[tuple[Ids, Scores], ...]

    def top(self, limit: int) -> tuple[Ids, Scores]:
        """The best, the best first; equal ones in the order of their ids."""
        parts = [segment[scores > 0] for segment, scores in self.segments]
        found = [scores[scores > 0] for _, scores in self.segments]
        ids = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
        scores = np.concatenate([np.zeros(0, dtype=np.float32), *found])
        if len(ids) > limit:
            floor = np.partition(scores, len(scores) - limit)[len(scores) - limit]
            ids, scores = ids[scores >= floor], scores[scores >= floor]
        order = np.lexsort((ids, -scores))[:limit]
        return ids[order], scores[order]

    def of(self, ids: Ids) -> Scores:
        """The score of each of these parts; 0 for those that have no word of the query."""
        result = np.zeros(len(ids), dtype=np.float32)
        for parts, scores in self.segments:
            if not len(parts):
                continue
            places = np.minimum(np.searchsorted(parts, ids), len(parts) - 1)
            result = np.where(parts[places] == ids, scores[places], result)
        return result


def rank(query: str) -> Ranking:
    """BM25 of all parts for the words of a query, with one query to the database."""
    wanted = Counter(terms(query))
    if not wanted:
        return Ranking(())
    segments = _read(list(wanted))
    total = sum(len(segment.parts) for segment in segments)
    mean_length = sum(segment.total_length for segment in segments) / max(total, 1)
    weights = {}
    for term, times in wanted.items():
        having = sum(len(segment.postings[term][0]) for segment in segments if term in segment.postings)
        weights[term] = np.float32(
            times * (SATURATION + 1) * np.log1p((total - having + 0.5) / (having + 0.5))
        )
    return Ranking(tuple((segment.parts, segment.scores(weights, mean_length)) for segment in segments))


@dataclass(frozen=True)
class _Segment:
    """A segment, with the postings of some terms: where, and how often."""

    parts: Ids
    lengths: Lengths
    total_length: int
    postings: dict[str, tuple[Places, Times]]

    def scores(self, weights: Mapping[str, np.float32], mean_length: float) -> Scores:
        """For each part, given what each term is worth."""
        norms = SATURATION * (1 - LENGTH + LENGTH * self.lengths / np.float32(max(mean_length, 1)))
        scores = np.zeros(len(self.parts), dtype=np.float32)
        for term, (places, counts) in self.postings.items():
            times = counts.astype(np.float32)
            scores[places] += weights[term] * times / (times + norms[places])
        return scores


class _Memory:
    """The parts of segments that this process has read before, and their lengths: they never change."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, tuple[Ids, Lengths]] = OrderedDict()
        self._lock = Lock()

    def all(self) -> dict[UUID, tuple[Ids, Lengths]]:
        with self._lock:
            return dict(self._known)

    def keep(self, used: Mapping[UUID, tuple[Ids, Lengths]]) -> None:
        """Remember what was used last."""
        with self._lock:
            for key, value in used.items():
                self._known[key] = value
                self._known.move_to_end(key)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)


_memory = _Memory()


def _read(wanted: list[str]) -> list[_Segment]:
    """All segments with the postings of these terms, as of one moment."""
    known = _memory.all()
    rows = binary_rows(_READ, {"terms": wanted, "known": list(known)})
    used = {}
    found = []
    for key, total_length, parts, lengths, terms_found, places, counts in rows:
        if parts is None:
            used[key] = known[key]
        else:
            used[key] = np.frombuffer(parts, dtype="<i8"), np.frombuffer(lengths, dtype="<f4")
        postings = {
            term: (np.frombuffer(where, dtype="<u4"), np.frombuffer(times, dtype="u1"))
            for term, where, times in zip(terms_found or (), places or (), counts or (), strict=True)
        }
        found.append(_Segment(*used[key], total_length, postings))
    _memory.keep(used)
    return found


# One statement: a merge that commits in between cannot be seen half.
_READ = """
    SELECT segment.id, segment.total_length,
           CASE WHEN segment.id = ANY(%(known)s::uuid[]) THEN NULL ELSE segment.parts END,
           CASE WHEN segment.id = ANY(%(known)s::uuid[]) THEN NULL ELSE segment.lengths END,
           found.terms, found.ordinals, found.counts
    FROM knowledge_sparsesegment segment
    LEFT JOIN LATERAL (
        SELECT array_agg(term) AS terms, array_agg(ordinals) AS ordinals, array_agg(counts) AS counts
        FROM knowledge_sparseposting
        WHERE segment_id = segment.id AND term = ANY(%(terms)s)
    ) found ON true
    ORDER BY segment.id
"""


def _store(
    parts: Ids,
    lengths: Lengths,
    postings: Mapping[str, tuple[Places, Times]],
) -> None:
    segment = SparseSegment.objects.create(
        size=len(parts),
        total_length=int(lengths.sum()),
        parts=parts.astype("<i8").tobytes(),
        lengths=lengths.astype("<f4").tobytes(),
    )
    rows = (
        (segment.pk, term, places.astype("<u4").tobytes(), counts.astype("u1").tobytes())
        for term, (places, counts) in postings.items()
    )
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(["uuid", "text", "bytea", "bytea"])
        for row in rows:
            copy.write_row(row)


_COPY = "COPY knowledge_sparseposting (segment_id, term, ordinals, counts) FROM STDIN (FORMAT BINARY)"


def _mergeable() -> list[UUID]:
    """Segments of one size class that have become too many; the smallest class first."""
    classes: dict[int, list[UUID]] = defaultdict(list)
    segments = SparseSegment.objects.filter(size__lt=_LARGEST).order_by("created_at", "pk")
    for key, size in segments.values_list("pk", "size"):
        classes[_size_class(size)].append(key)
    return next((keys for _, keys in sorted(classes.items()) if len(keys) >= FANOUT), [])


def _size_class(size: int) -> int:
    """0 below 8 parts, 1 below 64, and so on."""
    number = 0
    while size >= FANOUT:
        size //= FANOUT
        number += 1
    return number


def _merge(keys: Sequence[UUID]) -> None:
    """Put these segments into one, without the parts that are gone."""
    segments = list(SparseSegment.objects.filter(pk__in=keys).order_by("pk"))
    old = [np.frombuffer(segment.parts, dtype="<i8") for segment in segments]
    named = np.concatenate(old)
    left = set(Part.objects.filter(pk__in=named.tolist()).values_list("pk", flat=True))
    merged = np.array(sorted(left), dtype="<i8")
    lengths = np.zeros(len(merged), dtype="<f4")
    lists: dict[str, list[tuple[Places, Times]]] = defaultdict(list)
    for segment, parts in zip(segments, old, strict=True):
        is_left = np.isin(parts, merged)
        new_places = np.searchsorted(merged, parts).astype("<u4")
        lengths[new_places[is_left]] = np.frombuffer(segment.lengths, dtype="<f4")[is_left]
        rows = SparsePosting.objects.filter(segment=segment).values_list("term", "ordinals", "counts")
        for term, ordinals, counts in rows.iterator(chunk_size=5000):
            places = np.frombuffer(ordinals, dtype="<u4")
            keep = is_left[places]
            if keep.any():
                lists[term].append((new_places[places[keep]], np.frombuffer(counts, dtype="u1")[keep]))
    SparseSegment.objects.filter(pk__in=keys).delete()
    if len(merged):
        _store(merged, lengths, {term: _joined(pieces) for term, pieces in lists.items()})


def _joined(
    pieces: Sequence[tuple[Places, Times]],
) -> tuple[Places, Times]:
    places = np.concatenate([places for places, _ in pieces])
    counts = np.concatenate([counts for _, counts in pieces])
    order = np.argsort(places, kind="stable")
    return places[order], counts[order]
