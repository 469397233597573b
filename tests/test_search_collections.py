"""The search's benchmark takes any judged collection in BEIR's format, and says what is wrong with a folder that is none."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SERVERS = ("DATABASE_URL", "BROKER_URL", "BENCHMARK_SERVERS", "DJANGO_SETTINGS_MODULE")

TEXTS: list[dict[str, Any]] = [
    {"_id": "a/1 é", "title": "Aspirin", "text": "Aspirin prevents a second heart attack."},
    {"_id": 'b"2', "title": "", "text": "Tomatoes grow in full sun."},
    {"_id": "3", "text": "Untitled words about vaccines and measles."},
    {"_id": "empty", "title": "", "text": ""},
    {"_id": "nul", "title": "Nul \x00 and \ud800", "text": None, "metadata": {"more": 1}},
    {"_id": 7, "title": "A number for a name", "text": "Glucose and insulin."},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q1", "text": "aspirin after a heart attack"},
    {"_id": "q2", "text": "how do tomatoes grow", "metadata": {}},
    {"_id": "unjudged", "text": "nobody knows"},
    {"_id": "blank", "text": " "},
    {"_id": "hopeless", "text": "nothing is good for it"},
    {"_id": 7, "text": "insulin"},
    {"_id": "3", "text": "Untitled words about vaccines and  measles."},
]
JUDGED = [
    ("q1", "a/1 é", 2), ("q1", "3", 0), ("q1", 'b"2', -1), ("q2", 'b"2', 1), ("q2", "gone", 1), ("blank", "3", 1),
    ("hopeless", "3", 0), ("7", "7", 1), ("lost", "3", 1), ("3", "nul", 1),
]  # fmt: skip


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def write(folder: Path, *, packed: bool = False, head: str = "query-id\tcorpus-id\tscore\n") -> None:
    (folder / "qrels").mkdir(parents=True)
    judged = "".join(f"{query}\t{text}\t{grade}\n" for query, text, grade in JUDGED)
    files = {
        "corpus.jsonl": lines(TEXTS),
        "queries.jsonl": f"\n{lines(QUERIES)}",
        "qrels/test.tsv": head + judged,
    }
    for name, text in files.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / name).write_text(text, encoding="utf-8")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As somebody runs it: on servers of its own."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.search", "--dataset", str(folder), *arguments],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if name not in SERVERS},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def no_folder(folder: Path) -> str:
    return "is no folder"


def no_judgements(folder: Path) -> str:
    write(folder)
    (folder / "qrels" / "test.tsv").unlink()
    return "qrels/test.tsv is missing"


def no_texts(folder: Path) -> str:
    write(folder)
    (folder / "corpus.jsonl").write_text("\n\n")
    return "has no texts"


def broken_line(folder: Path) -> str:
    write(folder)
    (folder / "corpus.jsonl").write_text('{"_id": "1", "text": "x"}\n{"text": "x"}\n')
    return "corpus.jsonl, line 2"


def broken_judgement(folder: Path) -> str:
    write(folder)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t3\tgood\n")
    return "test.tsv, line 2"


def no_archive(folder: Path) -> str:
    write(folder, packed=True)
    (folder / "corpus.jsonl.gz").write_bytes(b"no archive")
    return "corpus.jsonl.gz cannot be read"


def judged_by_nobody(folder: Path) -> str:
    write(folder)
    (folder / "qrels" / "test.tsv").write_text("elsewhere\t3\t1\n")
    return "no query"


@pytest.mark.parametrize(
    "spoil",
    [no_folder, no_judgements, no_texts, broken_line, broken_judgement, no_archive, judged_by_nobody],
)
def test_a_folder_that_is_no_collection_is_refused_in_one_line(tmp_path, spoil):
    words = spoil(tmp_path / "collection")
    found = run(tmp_path / "collection")
    assert found.returncode == 2
    assert words in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
    assert found.stdout == ""


@pytest.mark.acceptance
@pytest.mark.parametrize(("packed", "head"), [(False, "query-id\tcorpus-id\tscore\n"), (True, "")])
def test_odd_collections_are_measured(tmp_path, packed, head):
    write(tmp_path / "odd", packed=packed, head=head)
    found = run(tmp_path / "odd")
    assert found.returncode == 0, found.stderr
    rows = [json.loads(line) for line in found.stdout.splitlines() if line.startswith('{"name"')]
    assert rows[-1]["name"] == "search"
    figures = {row["name"]: row["value"] for row in rows}
    # One query is blank, of another one of the two good texts is not there, and the last is a text itself.
    assert figures["sparse nDCG@10"] == round((1 + 1 / (1 + 0.63093) + 0 + 1 + 0) / 5, 4)
    assert figures["sparse R@100"] == (1 + 0.5 + 0 + 1 + 0) / 5
    # By meaning, every other text is found, sooner or later.
    assert figures["hybrid R@100"] == (1 + 0.5 + 0 + 1 + 1) / 5
    assert (1 + 0.5 + 0 + 1) / 5 < figures["hybrid MAP"] < (1 + 0.5 + 0 + 1 + 1) / 5
