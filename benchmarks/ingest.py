"""Papers taken in by one process, as a night's update does it: stored, cut, indexed, and their vectors made by the real model.

Abstracts are made up, as long as those of PubMed; with `--dataset FOLDER` those of a collection in BEIR's format are taken.
"""

import argparse
import gzip
import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from uuid import uuid4

from benchmarks.harness import ROOT, Row, main, stopwatch
from jobs.context import ActiveRun
from knowledge import completing, ingest, spaces
from knowledge.models import Paper, Passage
from knowledge.records import Author, PartialDate, Record, Section

COUNT, COUNT_QUICK = 5_000, 100
#: As many as PubMed gives at a time.
_BATCH = 200
_SYLLABLES = ("ba", "cel", "din", "gen", "ka", "lo", "mi", "neu", "ro", "sis", "ta", "vi")
_DATASET = "BENCHMARK_DATASET"


def made_up(chance: random.Random) -> Iterator[Record]:
    """Records of papers that nobody has written; abstracts of 150 to 300 words in sentences."""
    vocabulary = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(20_000)]

    def sentence() -> str:
        return " ".join(chance.choices(vocabulary, k=chance.randint(12, 25))).capitalize() + "."

    number = 0
    while True:
        text = " ".join(sentence() for _ in range(chance.randint(9, 15)))
        yield _record(number, sentence(), text)
        number += 1


def of_collection(folder: Path) -> Iterator[Record]:
    """The texts of a collection as papers."""
    path = next(path for path in (folder / "corpus.jsonl", folder / "corpus.jsonl.gz") if path.exists())
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        for number, line in enumerate(file):
            row = json.loads(line)
            yield _record(number, row.get("title") or row["text"][:100], row["text"])


def _record(number: int, title: str, text: str) -> Record:
    return Record(
        source="pubmed",
        source_id=str(number + 1),
        pmid=str(number + 1),
        doi=f"10.1000/benchmark.{number}",
        title=title,
        authors=(Author(f"Author{number}", "Ada"),),
        abstract=(Section(text),),
        published=PartialDate(date(2026, 1 + number % 12, 1 + number % 28)),
    )


def take_in(count: int) -> None:
    """Take in so many papers in this process, and print how long it took and what it needed."""
    folder = os.environ.get(_DATASET)
    records = of_collection(Path(folder)) if folder else made_up(random.Random(7))
    wanted = list(islice(records, count))
    with stopwatch() as storing:
        for start in range(0, len(wanted), _BATCH):
            ingest.store(wanted[start : start + _BATCH])
    with stopwatch() as again:
        known = sum(one.result == "known" for one in ingest.store(wanted[:_BATCH]))
    with stopwatch() as embedding:
        done = completing.process(ActiveRun(uuid4(), attempt=1, steps=completing.STEPS), [])
    found = {
        "papers": len(wanted),
        "known": known / len(wanted[:_BATCH]),
        "complete": done.papers,
        "passages": Passage.objects.count(),
        "storing": storing(),
        "again": again() / len(wanted[:_BATCH]),
        "embedding": embedding(),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(f"{json.dumps(found)}\n")


def measure(quick: bool) -> list[Row]:
    """Memory first; then how fast, and whether everything is there."""
    code = f"import django; django.setup(); from benchmarks.ingest import take_in; take_in({COUNT_QUICK if quick else COUNT})"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    found = json.loads(ran.stdout.splitlines()[-1])
    papers = found["papers"]
    lacking = spaces.missing(spaces.of(spaces.current_embedder()))
    is_whole = papers == found["complete"] == Paper.objects.count() and not lacking
    return [
        Row(
            name=f"peak memory for {papers:,} papers",
            value=found["peak"],
            unit="MiB",
            target="< 700",
            ok=found["peak"] < 700,
            note="one process: Django, Celery, the model and all",
        ),
        Row(
            name="papers complete in both indexes",
            value=found["complete"],
            unit="",
            target=f"{papers:,}",
            ok=is_whole,
            note=f"{found['passages']:,} passages",
        ),
        Row(
            name="papers stored and indexed by their words",
            value=papers / found["storing"],
            unit="/s",
            target="",
            ok=True,
        ),
        Row(
            name="papers that are known already",
            value=1 / found["again"],
            unit="/s",
            target="all known",
            ok=found["known"] == 1,
        ),
        Row(
            name="papers in all, vectors included",
            value=papers / (found["storing"] + found["embedding"]),
            unit="/s",
            target="",
            ok=True,
            note=f"{found['passages'] / found['embedding']:.0f} vectors a second",
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--dataset", type=Path, help="a folder in BEIR's format")
    parser.add_argument("--quick", action="store_true", help=f"{COUNT_QUICK} papers, below 45 seconds")
    chosen = parser.parse_args()
    if chosen.dataset:
        os.environ[_DATASET] = str(chosen.dataset.resolve())
    main("ingest", __doc__, measure, arguments=["--quick"] if chosen.quick else [])
