"""The speed part of `benchmarks.search`: 100,000 abstracts made up of English words, beside FAISS on the same vectors."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import faiss
import numpy as np
import psutil
import psycopg
from django.db import connection, transaction
from numpy.typing import NDArray
from tokenizers import Tokenizer

from benchmarks.harness import Row, execute, percentile, stopwatch
from knowledge import embedding, spaces, vectors
from knowledge.chunking import Span
from knowledge.embedding import Embedder, Space, Vectors
from knowledge.embedding.base import normalised
from knowledge.embedding.minilm import TOKENIZER
from knowledge.embedding.registry import register
from knowledge.models import EmbeddingModel, Paper, Part, Passage
from knowledge.search import dense, engine, sparse
from knowledge.search.filters import Filters
from knowledge.texts import Text, embedded_text, hash_of

WORDS, SUBJECTS, DIMENSION, NEIGHBOURS = 30_000, 500, 384, 10
#: Vectors of texts do not fill their space: they lie near a surface of some ten dimensions in it.
INTRINSIC = 32
#: Words of an abstract, and of a query.
LONG, SHORT = 200, 12
_BATCH = 2000


@register
class Sums(Embedder):
    """Adds up a random vector for each word: as fast as it must be for 100,000 texts, and near for texts on one subject."""

    kind, label = "sums", "Sums of random vectors"

    def space(self) -> Space:
        return Space("sums:1", DIMENSION)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A single text is a query: it is given to the real model too, so that its time counts."""
        if len(texts) == 1:
            embedding.get("minilm").embed(texts)
        _, weights = _vocabulary()
        places = _places()
        sums = [weights[[places[word] for word in text.split()]].sum(axis=0) for text in texts]
        return normalised(np.array(sums, dtype=np.float32))


@cache
def _vocabulary() -> tuple[NDArray[np.float64], Vectors]:
    """How common each word is (as Zipf found), and its vector: the rarer, the longer."""
    share = 1 / np.arange(1, WORDS + 1)
    share /= share.sum()
    random = np.random.default_rng(1)
    directions = random.standard_normal((WORDS, INTRINSIC)) @ random.standard_normal((INTRINSIC, DIMENSION))
    return share, (directions * np.log1p(1 / (share * LONG))[:, None]).astype(np.float32)


@cache
def _words() -> list[str]:
    """English words, the commonest first, as the model's own list has them; then pairs of them in one word, as rare words are."""
    known = Tokenizer.from_file(str(TOKENIZER)).get_vocab()
    words = [word for word in sorted(known, key=known.__getitem__) if word.isascii() and word.isalpha()]
    plain = [word for word in words if len(word) > 1][:20_000]
    random = np.random.default_rng(4)
    pairs = (f"{plain[one]}{plain[other]}" for one, other in random.integers(1000, 20_000, (WORDS, 2)))
    return list(dict.fromkeys([*plain, *pairs]))[:WORDS]


@cache
def _places() -> dict[str, int]:
    return {word: place for place, word in enumerate(_words())}


class World:
    """Texts on some hundred subjects: half of the words are common ones, half their subject's."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._own = np.random.default_rng(2).integers(100, WORDS, (SUBJECTS, 150))

    def texts(self, count: int, length: int) -> list[str]:
        share, _ = _vocabulary()
        common = self._random.choice(WORDS, (count, length - length // 2), p=share)
        subjects = self._random.integers(SUBJECTS, size=count)
        own = self._own[subjects[:, None], self._random.integers(150, size=(count, length // 2))]
        words = _words()
        return [" ".join(words[word] for word in row) for row in np.hstack([common, own]).tolist()]


def measure(quick: bool) -> list[Row]:
    """Hybrid search as a whole, its parts, the vector index's recall, and FAISS."""
    return measured(5_000, 60) if quick else measured(100_000, 300)


def measured(count: int, asked: int) -> list[Row]:
    """With so many passages and queries."""
    model = _fill(count)
    queries = World(seed=7).texts(asked, SHORT)
    embedding.get("minilm").embed(["warm up"])
    for query in World(seed=8).texts(20, SHORT):
        engine.search(query)
    with _processor() as used:
        hybrid = _times(queries, lambda query: engine.search(query))
    asked_vectors = np.array([Sums().embed([query, query])[0] for query in queries])
    by_query = dict(zip(queries, asked_vectors, strict=True))
    near = _times(queries, lambda query: dense.nearest(by_query[query], model, Filters(), NEIGHBOURS))
    words = _times(queries, sparse.rank)
    recent = _times(queries, lambda query: engine.search(f"{query} ", filters=Filters(year_from=2020)))
    p50, p95 = percentile(hybrid, 50), percentile(hybrid, 95)
    rows = [
        Row(
            name="hybrid search, p50",
            value=p50,
            unit="ms",
            target="< 30",
            ok=p50 < 30,
            note=f"{count:,} passages",
        ),
        Row(name="hybrid search, p95", value=p95, unit="ms", target="< 80", ok=p95 < 80),
        Row(
            name="hybrid search, processor time, mean",
            value=used() / len(queries) * 1000,
            unit="ms",
            target="",
            ok=True,
            note="of this process and the database's; what is missing to the figures above is waiting for a core",
        ),
        Row(name="with a filter by year, p50", value=percentile(recent, 50), unit="ms", target="", ok=True),
        Row(name="words alone, p50", value=percentile(words, 50), unit="ms", target="", ok=True),
    ]
    return rows + _beside_faiss(model, asked_vectors, near)


@contextmanager
def _processor() -> Iterator[Callable[[], float]]:
    """Seconds of processor time that this process and the one that serves it in the database have used."""
    ((served_by,),) = execute("SELECT pg_backend_pid()")

    def now() -> float:
        spent = psutil.Process(served_by).cpu_times()
        return time.process_time() + spent.user + spent.system

    began = now()
    ended: list[float] = []
    yield lambda: ended[0] - began
    ended.append(now())


def _times(queries: Sequence[str], ask: Callable[[str], object]) -> list[float]:
    """Milliseconds of each."""
    engine.forget_queries()
    found = []
    for query in queries:
        with stopwatch() as elapsed:
            ask(query)
        found.append(elapsed() * 1000)
    return found


def _fill(count: int) -> EmbeddingModel:
    """Store that many abstracts, each with one passage, as indexing does; the vectors' index is made at the end."""
    model = spaces.of(Sums())
    spaces.drop_index(model)
    world = World(seed=3)
    began = time.monotonic()
    for first in range(0, count, _BATCH):
        _store(world.texts(min(_BATCH, count - first), LONG))
        if first % 20_000 == 0:
            print(f"{first:,} stored, {time.monotonic() - began:.0f} s", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        with stopwatch() as elapsed:
            spaces.create_index(model)
        cursor.execute("RESET maintenance_work_mem")
        cursor.execute("ANALYZE")
    print(f"index of vectors made in {elapsed():.0f} s", flush=True)
    return model


def _store(texts: Sequence[str]) -> None:
    with transaction.atomic():
        papers = Paper.objects.bulk_create(
            Paper(title="", year=2000 + number % 27) for number in range(len(texts))
        )
        parts = Part.objects.bulk_create(
            Part(paper=paper, text=text, text_hash=Text(0, "", text, (Span(0, len(text)),)).text_hash)
            for paper, text in zip(papers, texts, strict=True)
        )
        passages = Passage.objects.bulk_create(
            Passage(
                part=part,
                position=0,
                start=0,
                end=len(part.text),
                text=part.text,
                text_hash=hash_of(embedded_text("", part.text)),
            )
            for part in parts
        )
        sparse.add(parts)
        vectors.embed(passages, Sums(), spaces.of(Sums()))


def _beside_faiss(model: EmbeddingModel, queries: Vectors, near: Sequence[float]) -> list[Row]:
    """Recall of our index against exact search, and the times of FAISS's two."""
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            "SELECT passage_id, halfvec_send(vector) FROM knowledge_embedding ORDER BY 1", binary=True
        )
        rows = cursor.fetchall()
    ids = np.array([pk for pk, _ in rows])
    # Two numbers of two bytes each say how long it is, then come halves, all of them big-endian.
    stored = np.array([np.frombuffer(vector, ">f2", offset=4) for _, vector in rows], dtype=np.float32)
    flat = faiss.IndexFlatIP(DIMENSION)
    flat.add(stored)
    graph = faiss.IndexHNSWFlat(DIMENSION, spaces.LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = spaces.CARE, dense.SIGHT
    graph.add(stored)
    truth = [set(ids[found].tolist()) for found in flat.search(queries, NEIGHBOURS)[1]]
    flat_times, graph_times, of_graph, ours = [], [], [], []
    for vector, best in zip(queries, truth, strict=True):
        with stopwatch() as elapsed:
            flat.search(vector[None], NEIGHBOURS)
        flat_times.append(elapsed() * 1000)
        with stopwatch() as elapsed:
            _, found = graph.search(vector[None], NEIGHBOURS)
        graph_times.append(elapsed() * 1000)
        of_graph.append(len(best & set(ids[found[0]].tolist())) / NEIGHBOURS)
        named = dense.nearest(vector, model, Filters(), NEIGHBOURS)
        ours.append(len(best & {found.passage for found in named}) / NEIGHBOURS)
    recall, theirs = float(np.mean(ours)), float(np.mean(of_graph))
    p50, flat_p50, graph_p50 = percentile(near, 50), percentile(flat_times, 50), percentile(graph_times, 50)
    return [
        Row(
            name=f"recall@{NEIGHBOURS} of the vector index",
            value=recall,
            unit="",
            target=">= 0.98",
            ok=recall >= 0.98,
            peer=theirs,
            note="peer: FAISS HNSW with the same settings",
        ),
        Row(
            name="vectors alone, p50",
            value=p50,
            unit="ms",
            target="",
            ok=True,
            peer=graph_p50,
            ratio=graph_p50 / p50,
            note="peer: FAISS HNSW, in memory, no filters, nothing checked",
        ),
        Row(
            name="vectors alone, p50, beside exact search",
            value=p50,
            unit="ms",
            target="",
            ok=True,
            peer=flat_p50,
            ratio=flat_p50 / p50,
            note="peer: FAISS flat",
        ),
    ]
