"""The quality part of `benchmarks.search`: a judged collection through the real search."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from benchmarks import beir
from benchmarks.harness import Row, execute
from jobs.storable import clean_text
from knowledge import embedding, indexing, spaces, vectors
from knowledge.embedding import Embedder, Space, Vectors
from knowledge.models import Paper, Part
from knowledge.search.engine import Mode, rank
from knowledge.texts import hash_of

#: What the three must reach on SciFact, whose test queries nothing was tuned on; other collections have no targets.
TARGETS = {Mode.SPARSE: 0.67, Mode.DENSE: 0.64, Mode.HYBRID: 0.74}
DEPTH = 100
_BATCH = 1000
#: Seconds between two signs of life.
_SILENCE = 10


def measure(collection: beir.Collection, *, kept: Path | None) -> list[Row]:
    """Hybrid, dense and sparse: nDCG@10, MAP and R@100."""
    print(
        f"{collection.name}: {len(collection.texts):,} texts, {len(collection.queries):,} queries", flush=True
    )
    papers = _store(collection)
    embed(kept)
    rows: list[Row] = []
    for mode in (Mode.HYBRID, Mode.DENSE, Mode.SPARSE):
        rows += _rows(collection, papers, mode)
    return rows


def _store(collection: beir.Collection) -> dict[int, str]:
    """Make papers of the texts and index them; the ids of the texts by paper."""
    names: dict[int, str] = {}
    texts = list(collection.texts.items())
    told = _Told("texts", len(texts))
    for first in range(0, len(texts), _BATCH):
        some = texts[first : first + _BATCH]
        papers = Paper.objects.bulk_create(
            Paper(title=clean_text(title), abstract=[{"label": "", "text": clean_text(text)}])
            for _, (title, text) in some
        )
        indexing.index_papers(papers)
        names |= {paper.pk: name for paper, (name, _) in zip(papers, some, strict=True)}
        told.more(len(some))
    return names


def embed(kept: Path | None) -> None:
    """Make all vectors, and their index at the end, which is faster than growing it."""
    embedder = embedding.configured() if kept is None else Keeping(embedding.configured(), kept)
    model = spaces.of(embedder)
    spaces.drop_index(model)
    told = _Told("passages", spaces.missing(model))
    for stored in vectors.embed_missing(embedder, batch=1024):
        told.more(stored)
    if isinstance(embedder, Keeping):
        embedder.save()
    execute("SET maintenance_work_mem = '1GB'")
    spaces.create_index(model)
    execute("RESET maintenance_work_mem")
    execute("ANALYZE")


class _Told:
    """Tells every few seconds how far something is."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._began = self._said = time.monotonic()

    def more(self, count: int) -> None:
        """So many are done; the last one is told of in any case."""
        self._done += count
        now = time.monotonic()
        if now - self._said > _SILENCE or self._done == self._total:
            pace = self._done / max(now - self._began, 1e-3)
            print(f"{self._done:,} of {self._total:,} {self._what}, {pace:.0f} a second", flush=True)
            self._said = now


def _rows(collection: beir.Collection, papers: Mapping[int, str], mode: Mode) -> Iterator[Row]:
    judged = collection.judgements
    told = _Told(f"queries, {mode}", len(collection.queries))
    found: dict[str, list[str]] = {}
    for query in collection.queries:
        found[query] = _search(collection, query, papers, mode)
        told.more(1)
    quality = fmean(beir.ndcg(found[query], judged[query]) for query in found)
    target = TARGETS[mode] if collection.name == "scifact" and collection.split == "test" else None
    yield Row(
        name=f"{mode} nDCG@10",
        value=round(quality, 4),
        unit="",
        target=f">= {target}" if target else "",
        ok=target is None or quality >= target,
        note=f"{quality:.4f} on {collection.name}",
    )
    for name, figure in (("MAP", beir.precision), (f"R@{DEPTH}", beir.recall)):
        value = fmean(figure(found[query], judged[query], DEPTH) for query in found)
        yield Row(
            name=f"{mode} {name}", value=round(value, 4), unit="", target="", ok=True, note=f"{value:.4f}"
        )


def _search(collection: beir.Collection, query: str, papers: Mapping[int, str], mode: Mode) -> list[str]:
    """Names of the texts found. In some collections queries are texts, too: none is an answer to itself."""
    text = collection.queries[query]
    ranked = [found.part for found in rank(text, limit=DEPTH, mode=mode)]
    owners = dict(Part.objects.filter(pk__in=ranked).values_list("pk", "paper_id"))
    names = (papers[owners[part]] for part in ranked)
    return [name for name in names if not collection.is_itself(query, name)]


class Keeping(Embedder):
    """An embedder that looks vectors up in a file before it makes them."""

    kind, label = "keeping", "Kept vectors"

    def __init__(self, real: Embedder, file: Path) -> None:
        self._real = real
        self._file = file
        self._known: dict[str, Vectors] = {}
        if file.exists():
            with np.load(file) as stored:
                self._known = dict(zip(stored["hashes"].tolist(), stored["vectors"], strict=True))

    def space(self) -> Space:
        return self._real.space()

    def embed(self, texts: Sequence[str]) -> Vectors:
        new = list({text for text in texts if hash_of(text) not in self._known})
        for text, vector in zip(new, self._real.embed(new), strict=True):
            self._known[hash_of(text)] = vector
        return np.array([self._known[hash_of(text)] for text in texts], dtype=np.float32)

    def save(self) -> None:
        np.savez(self._file, hashes=list(self._known), vectors=np.array(list(self._known.values())))
