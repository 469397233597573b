"""Search in PostgreSQL: how good it is on a judged collection (`--dataset FOLDER`), or else how fast with 100,000 passages.

With `--dataset`, any folder in BEIR's format is stored, cut, embedded, indexed and searched as papers are. `--vectors FILE` keeps
the vectors for the next run: making them takes most of the time. `--split` chooses other judgements than `test`. A folder that is
no such collection ends it with 2 and a line that says why.

Without it, abstracts made up of English words are searched. Their vectors are sums of one random vector for each word, so that
texts on one subject lie together; queries are embedded by the real model as well, for its time. FAISS searches the same vectors.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import beir, search_quality, search_speed
from benchmarks.harness import Row, main


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--dataset", type=Path, help="a folder in BEIR's format")
    parser.add_argument("--split", default="test", help="which judgements count: qrels/<split>.tsv")
    parser.add_argument("--vectors", type=Path, help="a file that keeps vectors for the next run (.npz)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the passages, below 45 seconds")
    chosen = parser.parse_args()
    return chosen, ["--quick"] if chosen.quick else []


def _collection(folder: Path | None, split: str) -> beir.Collection | None:
    """The collection to search; a folder that is none ends the program with 2."""
    try:
        return None if folder is None else beir.read(folder, split)
    except beir.NoCollection as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    given, rest = _arguments()
    collection = _collection(given.dataset, given.split)

    def measure(quick: bool) -> Sequence[Row]:
        if collection is None:
            return search_speed.measure(quick)
        return search_quality.measure(collection, kept=given.vectors)

    main("search", __doc__, measure, arguments=rest)
