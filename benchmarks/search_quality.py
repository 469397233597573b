"""The quality part of `benchmarks.search`: a judged collection through the real search."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import beir
from benchmarks.harness import Row
from knowledge import embedding, indexing, spaces, vectors
from knowledge.embedding import Embedder, Space, Vectors
from knowledge.models import Paper, Part
from knowledge.search.engine import Mode, rank
from knowledge.texts import hash_of

#: What the three must reach on SciFact, whose test queries nothing was tuned on; other collections have no targets.
TARGETS = {Mode.SPARSE: 0.67, Mode.DENSE: 0.64, Mode.HYBRID: 0.74}
DEPTH = 100
_BATCH = 1000


def measure(folder: Path, *, split: str, kept: Path | None) -> list[Row]:
    """Hybrid, dense and sparse: nDCG@10 and R@100."""
    collection = beir.read(folder, split)
    print(
        f"{collection.name}: {len(collection.texts):,} texts, {len(collection.queries):,} queries", flush=True
    )
    papers = _store(collection)
    _embed(kept)
    rows: list[Row] = []
    for mode in (Mode.HYBRID, Mode.DENSE, Mode.SPARSE):
        rows += _rows(collection, papers, mode)
    return rows


def _store(collection: beir.Collection) -> dict[int, str]:
    """Make papers of the texts and index them; the ids of the texts by paper."""
    names: dict[int, str] = {}
    texts = list(collection.texts.items())
    for first in range(0, len(texts), _BATCH):
        some = texts[first : first + _BATCH]
        papers = Paper.objects.bulk_create(
            Paper(title=title, abstract=[{"label": "", "text": text}] if text.strip() else [])
            for _, (title, text) in some
        )
        indexing.index_papers(papers)
        names |= {paper.pk: name for paper, (name, _) in zip(papers, some, strict=True)}
    return names


def _embed(kept: Path | None) -> None:
    embedder = embedding.configured() if kept is None else Keeping(embedding.configured(), kept)
    lacking, done, began = spaces.missing(spaces.of(embedder)), 0, time.monotonic()
    for stored in vectors.embed_missing(embedder, batch=1024):
        done += stored
        print(
            f"{done:,} of {lacking:,} passages, {done / (time.monotonic() - began):.0f} a second", flush=True
        )
    if isinstance(embedder, Keeping):
        embedder.save()


def _rows(collection: beir.Collection, papers: Mapping[int, str], mode: Mode) -> Iterator[Row]:
    found = {query: _search(text, papers, mode) for query, text in collection.queries.items()}
    judged = collection.judgements
    quality = float(np.mean([beir.ndcg(found[query], judged[query]) for query in found]))
    reach = float(np.mean([beir.recall(found[query], judged[query]) for query in found]))
    target = TARGETS[mode] if collection.name == "scifact" else None
    yield Row(
        name=f"{mode} nDCG@10",
        value=round(quality, 4),
        unit="",
        target=f">= {target}" if target else "",
        ok=target is None or quality >= target,
        note=f"{quality:.4f} on {collection.name}",
    )
    yield Row(
        name=f"{mode} R@{DEPTH}", value=round(reach, 4), unit="", target="", ok=True, note=f"{reach:.4f}"
    )


def _search(text: str, papers: Mapping[int, str], mode: Mode) -> list[str]:
    ranked = [found.part for found in rank(text, limit=DEPTH, mode=mode)]
    owners = dict(Part.objects.filter(pk__in=ranked).values_list("pk", "paper_id"))
    return [papers[owners[part]] for part in ranked]


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
