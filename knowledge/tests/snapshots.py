"""What the knowledge base holds, told without ids and times: two that hold the same are equal."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from knowledge.models import Embedding, Finding, Outcome, Paper, Passage, SparsePosting, SparseSegment

_NOT_SAID = {"id", "first_seen_at", "fetched_at"}


def papers() -> dict[str, dict[str, Any]]:
    """All that is known of each paper."""
    return {
        _name(values): {name: value for name, value in values.items() if name not in _NOT_SAID}
        for values in Paper.objects.values()
    }


def passages() -> set[tuple[Any, ...]]:
    return {
        (_name(values), *(values[name] for name in ("position", "start", "end", "text", "text_hash")))
        for values in _with_paper(
            Passage.objects, "part__paper", "position", "start", "end", "text", "text_hash"
        )
    }


def vectors() -> dict[tuple[str, int], tuple[str, list[float]]]:
    """By paper and place: the text it is of, and the numbers."""
    return {
        (_name(values), values["passage__position"]): (
            values["text_hash"],
            np.array(values["vector"], dtype=float).round(2).tolist(),
        )
        for values in _with_paper(
            Embedding.objects, "passage__part__paper", "passage__position", "text_hash", "vector"
        )
    }


def words() -> dict[str, dict[str, int]]:
    """How often each paper has each word, as the index says; parts that are gone left out."""
    names = {
        values["parts"]: _name(values)
        for values in Paper.objects.exclude(parts=None).values("parts", "doi", "pmid", "arxiv_id", "title")
    }
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for segment in SparseSegment.objects.all():
        parts = np.frombuffer(segment.parts, dtype="<i8")
        for posting in SparsePosting.objects.filter(segment=segment):
            places = np.frombuffer(posting.ordinals, dtype="<u4")
            for place, count in zip(places, np.frombuffer(posting.counts, dtype="u1"), strict=True):
                if (name := names.get(int(parts[place]))) is not None:
                    assert posting.term not in found[name], f"{name} has {posting.term} twice in the index"
                    found[name][posting.term] = int(count)
    return dict(found)


def findings() -> set[tuple[str, str]]:
    return {
        (_name(values), values["topic__name"])
        for values in _with_paper(Finding.objects, "paper", "topic__name")
    }


def outcomes() -> set[tuple[str, ...]]:
    """What became of each paper in each harvest, whatever run it was."""
    rows = Outcome.objects.values_list(
        "harvest__topic__name", "harvest__source__name", "source_id_there", "result"
    )
    return set(rows)


def whole() -> dict[str, Any]:
    """Everything that an update leaves behind."""
    return {
        "papers": papers(),
        "passages": passages(),
        "vectors": vectors(),
        "words": words(),
        "findings": findings(),
        "outcomes": outcomes(),
    }


def _with_paper(rows: Any, paper: str, *fields: str) -> Any:
    for values in rows.exclude(**{paper: None}).values(
        *fields, f"{paper}__doi", f"{paper}__pmid", f"{paper}__arxiv_id", f"{paper}__title"
    ):
        yield {name.removeprefix(f"{paper}__"): value for name, value in values.items()}


def _name(values: Mapping[str, Any]) -> str:
    return str(values["doi"] or values["pmid"] or values["arxiv_id"] or values["title"])
