"""Collections of texts with queries and judgements, in BEIR's format, and how well they are searched."""

import csv
import gzip
import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO


class NoCollection(Exception):
    """The folder is not in BEIR's format; the message says what is missing or wrong, and where."""


@dataclass(frozen=True)
class Collection:
    """Texts by id (title, text), queries by id, and for each judged query how good which texts are."""

    name: str
    texts: Mapping[str, tuple[str, str]]
    queries: Mapping[str, str]
    judgements: Mapping[str, Mapping[str, int]]
    split: str = "test"

    def is_itself(self, query: str, text: str) -> bool:
        """The query is this very text."""
        if query != text:
            return False
        title, body = (said.split() for said in self.texts[text])
        return self.queries[query].split() in (body, title + body)


def read(folder: Path, split: str = "test") -> Collection:
    """`corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`, each of which may end in `.gz`.

    Queries count that have a judgement above 0: with others nothing can be found. Raises NoCollection.
    """
    if not folder.is_dir():
        raise NoCollection(f"{folder} is no folder.")
    judgements = _judgements(folder, split)
    asked = {query: good for query, good in judgements.items() if any(grade > 0 for grade in good.values())}
    queries = {name: _text(row) for name, row in _rows(folder, "queries") if name in asked}
    if not queries:
        raise NoCollection(
            f"{folder}: no query of qrels/{split}.tsv with a judgement above 0 is in queries.jsonl."
        )
    texts = {name: (_text(row, "title"), _text(row)) for name, row in _rows(folder, "corpus")}
    if not texts:
        raise NoCollection(f"{folder}: corpus.jsonl has no texts.")
    return Collection(
        folder.resolve().name, texts, queries, {query: asked[query] for query in queries}, split
    )


def _judgements(folder: Path, split: str) -> dict[str, dict[str, int]]:
    """With or without a first line that names the columns, and also in TREC's four columns."""
    judgements: dict[str, dict[str, int]] = defaultdict(dict)
    with _opened(folder / "qrels" / f"{split}.tsv") as (file, path):
        for number, row in enumerate(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE), start=1):
            if not any(row):
                continue
            try:
                query, text, grade = row[0], row[-2], int(float(row[-1]))
            except (IndexError, ValueError, OverflowError):
                if number == 1:
                    continue
                raise NoCollection(
                    f"{path}, line {number}: a query's id, a text's id and a number were expected, with tabs between."
                ) from None
            judgements[query][text] = grade
    return judgements


def _rows(folder: Path, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's id and what else it says."""
    with _opened(folder / f"{name}.jsonl") as (file, path):
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                yield str(row["_id"]), row
            except (ValueError, KeyError, TypeError, RecursionError):
                raise NoCollection(
                    f"{path}, line {number}: a JSON object with an _id was expected."
                ) from None


def _text(row: Mapping[str, Any], key: str = "text") -> str:
    return str(row.get(key) or "")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[TextIO, Path]]:
    """The file, or the one with `.gz` after its name. Raises NoCollection when it is not there or not readable."""
    packed = path.with_name(f"{path.name}.gz")
    place = path if path.is_file() else packed
    if not place.is_file():
        raise NoCollection(f"{path} is missing.")
    try:
        with (
            gzip.open(place, "rt", encoding="utf-8-sig", newline="\n")
            if place == packed
            else place.open(encoding="utf-8-sig", newline="\n")
        ) as file:
            yield file, place
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise NoCollection(f"{place} cannot be read: {error}") from error


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], depth: int = 10) -> float:
    """How close the ranking comes to the best one, counting what stands higher more; as trec_eval counts it."""
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    best = _gain(ideal[:depth])
    return _gain([max(grades.get(found, 0), 0) for found in ranking[:depth]]) / best if best else 0.0


def recall(ranking: Sequence[str], grades: Mapping[str, int], depth: int = 100) -> float:
    """The share of the good ones that the ranking has."""
    good = _good(grades)
    return len(good & set(ranking[:depth])) / len(good) if good else 0.0


def precision(ranking: Sequence[str], grades: Mapping[str, int], depth: int = 100) -> float:
    """Average precision: the share of good ones down to each good one, on average over all good ones."""
    good = _good(grades)
    found = 0
    total = 0.0
    for place, name in enumerate(ranking[:depth], start=1):
        if name in good:
            found += 1
            total += found / place
    return total / len(good) if good else 0.0


def _good(grades: Mapping[str, int]) -> set[str]:
    return {name for name, grade in grades.items() if grade > 0}


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades))
