"""Collections of texts with queries and judgements, in BEIR's format, and how well they are searched."""

import csv
import gzip
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Collection:
    """Texts by id (title, text), queries by id, and for each judged query how good which texts are."""

    name: str
    texts: Mapping[str, tuple[str, str]]
    queries: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, int]]


def read(folder: Path, split: str = "test") -> Collection:
    """`corpus.jsonl` and `queries.jsonl`, either may end in `.gz`, and `qrels/<split>.tsv`."""
    judgements: dict[str, dict[str, int]] = defaultdict(dict)
    with (folder / "qrels" / f"{split}.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            # The first line names the columns, in files that have it.
            if len(row) >= 3 and row[-1].lstrip("-").isdigit():
                judgements[row[0]][row[-2]] = int(row[-1])
    asked = {query: good for query, good in judgements.items() if any(grade > 0 for grade in good.values())}
    queries = {row["_id"]: row["text"] for row in _lines(folder, "queries") if row["_id"] in asked}
    texts = {row["_id"]: (row.get("title") or "", row["text"] or "") for row in _lines(folder, "corpus")}
    return Collection(
        folder.resolve().name, texts, queries, {query: asked[query] for query in queries if query in asked}
    )


def _lines(folder: Path, name: str) -> Iterator[dict[str, str]]:
    plain, packed = folder / f"{name}.jsonl", folder / f"{name}.jsonl.gz"
    with (
        plain.open(encoding="utf-8") if plain.exists() else gzip.open(packed, "rt", encoding="utf-8") as file
    ):
        for line in file:
            if line.strip():
                yield json.loads(line)


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], depth: int = 10) -> float:
    """How close the ranking comes to the best one, counting what stands higher more; as trec_eval counts it."""
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    best = _gain(ideal[:depth])
    return _gain([max(grades.get(found, 0), 0) for found in ranking[:depth]]) / best if best else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, int], depth: int = 100) -> float:
    """The share of the good ones that the ranking has."""
    good = {found for found, grade in grades.items() if grade > 0}
    return len(good & set(ranking[:depth])) / len(good) if good else 0.0


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades))
