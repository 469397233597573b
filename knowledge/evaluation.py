"""How good the search is: asked what people have judged, and measured against their judgements.

With gains g(1), g(2), ... of the results in their order (the grades: 0, 1 or 2; 0 for what nobody has judged):

- DCG@k = sum of g(i) / log2(i + 1) for i from 1 to k. nDCG@k divides it by the DCG@k of the best order possible
  (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002; with the grades
  themselves as gains, as trec_eval and BEIR do).
- Recall@k = of all papers that answer (a grade of 1 or 2), the share among the first k
  (Manning, Raghavan and Schütze, "Introduction to Information Retrieval", 2008, section 8.3).
- The hit rate at k is the share of queries with a hit: an expected term in what is shown of the first k results,
  or a paper among them that answers. Each is averaged over the queries that it can be told of.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from django.utils import timezone

from jobs.context import ActiveRun
from jobs.errors import IllegalState
from knowledge import spaces
from knowledge.errors import KnowledgeError
from knowledge.models import Evaluation, JudgedQuery, Judgement
from knowledge.search.engine import Hit, Mode, search
from knowledge.search.words import stem, words

#: What may be asked for at once.
MOST_RESULTS = 100


class NothingToEvaluate(KnowledgeError, IllegalState):
    """There are no enabled judged queries."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One result, as it was judged."""

    rank: int
    title: str
    paper: int | None
    document: int | None
    #: None: nobody has judged it for this query.
    grade: int | None
    #: The first expected term that stands in what is shown of it; "": none.
    term: str


@dataclass(frozen=True, kw_only=True)
class QueryFigures:
    """How the search did on one query."""

    text: str
    #: None without expected terms and papers.
    is_hit: bool | None
    #: Where the first hit stands, from 1.
    first_hit: int | None
    #: None without papers that answer.
    ndcg: float | None
    recall: float | None
    found: tuple[Found, ...]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A query to try out, with terms of which at least one should occur in what is found."""

    query: str
    expected_terms: Sequence[str] = ()
    top_k: int = 10


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What a run of the evaluation tells of it."""

    evaluation_id: int
    queries: int
    hit_rate: float | None
    ndcg: float | None
    recall: float | None


@dataclass(frozen=True)
class Figures:
    """Means over the queries that each can be told of; None when there is none."""

    hit_rate: float | None
    ndcg: float | None
    recall: float | None
    queries: tuple[QueryFigures, ...]


def evaluate(
    queries: Iterable[JudgedQuery] | None = None,
    *,
    top_k: int = 10,
    mode: Mode = Mode.HYBRID,
    run: ActiveRun | None = None,
) -> Evaluation:
    """Ask the judged queries (all enabled ones unless said otherwise), and keep how the search did.

    Judgements of papers that were retracted since do not count: the search must not find these. A run keeps one
    evaluation, however often it is attempted. Raises NothingToEvaluate, and EmbedderUnavailable or EmbedderRefused as
    the search does.
    """
    asked = list(JudgedQuery.objects.filter(is_enabled=True) if queries is None else queries)
    if not asked:
        raise NothingToEvaluate
    grades = _grades(asked)
    model = spaces.live() if mode is not Mode.SPARSE else None
    figures = summed_up(
        [
            _asked(query.text, query.expected_terms, grades.get(query.pk, {}), top_k, mode)
            for query in (run.track(asked, "Asking the queries") if run else asked)
        ]
    )
    kept: dict[str, Any] = {
        "at": timezone.now(),
        "mode": mode.value,
        "top_k": top_k,
        "model": model.name if model else "",
        "queries": len(asked),
        "hit_rate": figures.hit_rate,
        "ndcg": figures.ndcg,
        "recall": figures.recall,
        "details": [
            {"query": query.pk, **asdict(found)} for query, found in zip(asked, figures.queries, strict=True)
        ],
    }
    if run is None:
        return Evaluation.objects.create(**kept)
    return Evaluation.objects.update_or_create(run_id=run.id, defaults=kept)[0]


def carry_out(run: ActiveRun, *, top_k: int, mode: Mode) -> Evaluated:
    """The body of the job."""
    kept = evaluate(top_k=top_k, mode=mode, run=run)
    return Evaluated(
        evaluation_id=kept.pk,
        queries=kept.queries,
        hit_rate=kept.hit_rate,
        ndcg=kept.ndcg,
        recall=kept.recall,
    )


def try_out(trials: Iterable[Trial], *, mode: Mode = Mode.HYBRID) -> Figures:
    """How the search does on queries of the moment; nothing is kept."""
    return summed_up([_asked(trial.query, trial.expected_terms, {}, trial.top_k, mode) for trial in trials])


def summed_up(queries: Sequence[QueryFigures]) -> Figures:
    """The means."""
    return Figures(
        hit_rate=_mean(query.is_hit for query in queries),
        ndcg=_mean(query.ndcg for query in queries),
        recall=_mean(query.recall for query in queries),
        queries=tuple(queries),
    )


def ndcg(gains: Sequence[float], ideal: Iterable[float], k: int) -> float:
    """How near the order comes to the best one, 0 to 1; `ideal` are all gains there are to be had, in any order."""
    best = _dcg(sorted(ideal, reverse=True)[:k])
    return _dcg(gains[:k]) / best if best else 0.0


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))


def _grades(queries: Sequence[JudgedQuery]) -> Mapping[int, dict[int, int]]:
    """By query the grade of each judged paper that stands."""
    found: dict[int, dict[int, int]] = {}
    rows = Judgement.objects.filter(query__in=queries, paper__is_retracted=False)
    for query, paper, grade in rows.values_list("query_id", "paper_id", "grade"):
        found.setdefault(query, {})[paper] = grade
    return found


def _asked(
    text: str, expected_terms: Sequence[str], grades: Mapping[int, int], top_k: int, mode: Mode
) -> QueryFigures:
    hits = search(text, limit=top_k, mode=mode)
    found = tuple(_found(rank, hit, expected_terms, grades) for rank, hit in enumerate(hits, start=1))
    answers = [paper for paper, grade in grades.items() if grade]
    first = next((one.rank for one in found if one.grade or one.term), None)
    gains = [float(one.grade or 0) for one in found]
    return QueryFigures(
        text=text,
        is_hit=first is not None if answers or expected_terms else None,
        first_hit=first,
        ndcg=ndcg(gains, grades.values(), top_k) if answers else None,
        recall=sum(1 for one in found if one.grade) / len(answers) if answers else None,
        found=found,
    )


def _found(rank: int, hit: Hit, expected_terms: Sequence[str], grades: Mapping[int, int]) -> Found:
    part = hit.part
    shown = _stems(f"{part.title}\n{hit.passage.text}")
    return Found(
        rank=rank,
        title=part.title,
        paper=part.paper_id,
        document=part.document_id,
        grade=None if part.paper_id is None else grades.get(part.paper_id),
        term=next((term for term in expected_terms if _occurs(_stems(term), shown)), ""),
    )


def _stems(text: str) -> list[str]:
    """Every word without its ending: a term is found in any of its forms, and never inside of another word."""
    return [stem(word) for word, _, _ in words(text)]


def _occurs(term: Sequence[str], text: Sequence[str]) -> bool:
    """Whether the words of the term follow each other in the text."""
    length = len(term)
    return bool(length) and any(
        text[place : place + length] == term for place in range(len(text) - length + 1)
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
