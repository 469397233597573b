"""Answers on claims of SciFact: whether every citation holds, and whether what is none of its business is refused.

Abstracts are stored, cut, embedded and indexed as papers are, and each question goes through `answers.ask`. The questions are claims of
the test split, on which nothing was tuned. `--dataset` names a folder in BEIR's format.
"""

import argparse
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import beir
from benchmarks.answers_questions import FOREIGN
from benchmarks.harness import Row, main
from benchmarks.search_quality import embed
from knowledge import answers, indexing
from knowledge.answers.base import Brief, Found, Said
from knowledge.answers.reading import plain, whole_sentences
from knowledge.answers.verify import verify
from knowledge.models import Answer, Citation, Paper, Passage

#: Claims that are asked, and abstracts of a quick run; the judged ones are always among them.
CLAIMS, QUICK_ABSTRACTS = 50, 300


@dataclass
class Tally:
    """What came of the claims."""

    answered: int = 0
    citations: int = 0
    resolved: int = 0
    sentences: int = 0
    supported: int = 0
    #: Answers that cite a paper which the judges named.
    judged_cited: int = 0
    refusals: list[str] = field(default_factory=list)


def measure(folder: Path, quick: bool, kept: Path | None) -> list[Row]:
    """Ask the claims and the foreign questions."""
    collection = beir.read(folder, "test")
    claims = dict(list(collection.queries.items())[:CLAIMS])
    papers = _stored(collection, claims, QUICK_ABSTRACTS if quick else len(collection.texts), kept)
    tally = Tally()
    for name, claim in claims.items():
        _count(tally, answers.ask(claim, by=None).answer, papers, collection.judgements[name])
    foreign = [answers.ask(question, by=None).answer for question in FOREIGN]
    refused = sum(answer.state == Answer.State.REFUSED for answer in foreign)
    return list(_rows(tally, len(claims), refused, len(papers)))


def _stored(
    collection: beir.Collection, claims: dict[str, str], most: int, kept: Path | None
) -> dict[int, str]:
    """Papers with vectors, by the names of their texts."""
    judged = {text for claim in claims for text in collection.judgements[claim]}
    others = [name for name in collection.texts if name not in judged]
    chosen = [
        *judged,
        *random.Random(1).sample(others, max(min(most, len(collection.texts)) - len(judged), 0)),
    ]
    made = Paper.objects.bulk_create(
        Paper(title=title, abstract=[{"label": "", "text": text}] if text.strip() else [])
        for title, text in (collection.texts[name] for name in sorted(chosen))
    )
    for first in range(0, len(made), 500):
        indexing.index_papers(made[first : first + 500])
    embed(kept)
    return dict(zip((paper.pk for paper in made), sorted(chosen), strict=True))


def _count(tally: Tally, answer: Answer, papers: dict[int, str], judged: Mapping[str, int]) -> None:
    """Look at an answer as a stranger would: by what is in the database alone."""
    if answer.state == Answer.State.REFUSED:
        tally.refusals.append(f"{answer.question.text}: {answer.reason}")
        return
    tally.answered += 1
    citations = {citation.number: citation for citation in answer.citations.all()}
    tally.citations += len(citations)
    tally.resolved += sum(_resolves(citation) for citation in citations.values())
    tally.judged_cited += any(
        judged.get(papers[citation.paper_id], 0) > 0 for citation in citations.values() if citation.paper_id
    )
    for sentence in answer.sentences:
        tally.sentences += 1
        tally.supported += _is_supported(
            sentence["text"], [citations[number] for number in sentence["numbers"]]
        )


def _resolves(citation: Citation) -> bool:
    """Whether it is of a passage of a stored paper that still says what was quoted."""
    if citation.passage_id is None or citation.paper_id is None:
        return False
    passages = Passage.objects.filter(pk=citation.passage_id, part__paper=citation.paper_id)
    return passages.filter(text=citation.quote).exists()


def _is_supported(text: str, cited: Sequence[Citation]) -> bool:
    """Whether the check lets the sentence through again, with nothing but what is stored of its citations."""
    found = tuple(
        Found(
            id=citation.number,
            part=citation.number,
            paper=citation.paper_id,
            document=citation.document_id,
            title=citation.title,
            text=citation.quote,
            similarity=None,
            score=0.0,
            sentences=tuple(sentence for _, sentence in whole_sentences(citation.quote)),
        )
        for citation in cited
    )
    said = Said(text, tuple(citation.number for citation in cited))
    return verify([said], Brief("", found))[0].is_supported and any(text in plain(one.text) for one in found)


def _rows(tally: Tally, claims: int, refused: int, papers: int) -> Sequence[Row]:
    for refusal in tally.refusals:
        print(f"refused: {refusal}")
    return [
        _row("citations that resolve", tally.resolved, tally.citations, f"in {papers:,} papers"),
        _row("sentences with support", tally.supported, tally.sentences, "by the check, from what is stored"),
        _row("foreign questions refused", refused, len(FOREIGN), ""),
        _row("claims answered", tally.answered, claims, "", least=0.8),
        _row("answers that cite a judged paper", tally.judged_cited, max(tally.answered, 1), "", least=0.0),
    ]


def _row(name: str, count: int, total: int, note: str, *, least: float = 1.0) -> Row:
    share = count / total if total else 0.0
    return Row(
        name=name,
        value=round(share, 4),
        unit="",
        target=f">= {least:g}" if least else "",
        ok=share >= least,
        note=f"{count} of {total}{f' {note}' if note else ''}",
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__)
    parser.add_argument("--dataset", type=Path, required=True, help="a folder in BEIR's format")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ABSTRACTS} abstracts instead of all")
    parser.add_argument("--vectors", type=Path, help="a file that keeps vectors for the next run (.npz)")
    given = parser.parse_args()
    if not given.dataset.is_dir():
        sys.exit(f"{given.dataset} is no folder.")
    main(
        "answers",
        __doc__,
        lambda quick: measure(given.dataset, quick, given.vectors),
        arguments=["--quick"] if given.quick else [],
    )
