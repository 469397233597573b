"""What stands beside the text of a post: how it scores, what it stands on, how it was written, where it is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from publishing import assessment, posts, provenance
from publishing.admin.post_looks import score_tone
from publishing.models import Generation, Post, PostSource, UsageRecord
from publishing.provenance import Passage

_VERDICTS = {"good": "good", "rather rare": "warn", "rather frequent": "warn"}


@dataclass(frozen=True)
class ShownSource:
    """A source with the passages of the post that link to it."""

    row: PostSource
    passages: list[Passage]

    @property
    def url(self) -> str:
        """Its address, if a browser may follow it."""
        return self.row.url if urlsplit(self.row.url).scheme in ("http", "https") else ""


@dataclass
class ShownStep:
    """A step of the writing, with what its calls of a model cost."""

    name: str
    ended_at: datetime | None = None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: Decimal = Decimal(0)
    seconds: float = 0
    models: dict[str, None] = field(default_factory=dict)
    is_estimated: bool = False

    def add(self, record: UsageRecord) -> None:
        self.calls += record.calls
        self.tokens_in += record.tokens_in
        self.tokens_out += record.tokens_out
        self.cost += record.cost
        self.seconds += record.seconds
        self.models[record.model] = None
        self.is_estimated |= record.is_estimated


def review(post: Post) -> dict[str, Any]:
    """What is said about the text of a post, saved or only typed."""
    found = assessment.assess(post, url=_address(post))
    score = found.score
    return {
        "score": score,
        "tone": score_tone(score.total),
        "advice": found.advice,
        "snippet": found.snippet,
        "readability": score.readability,
        "keywords": [(use, _VERDICTS.get(use.verdict, "bad")) for use in score.keywords],
        "json_ld": found.json_ld,
        "problems": found.problems,
        "duplicate": found.duplicate,
        **sources(post),
    }


def sources(post: Post) -> dict[str, Any]:
    """What the post stands on, and what each of its passages links to."""
    rows = list(post.sources.all()) if post.pk else []
    passages = provenance.passages(post.body_html, rows)
    told = [passage for passage in passages if not passage.is_reference]
    return {
        "sources": [ShownSource(row, provenance.of_source(row.position, passages)) for row in rows],
        "passages": told,
        "unsupported": sum(passage.is_unsupported for passage in told),
        "prose": sum(not passage.is_heading for passage in told),
    }


def trace(generation: Generation) -> dict[str, Any]:
    """How a post was written: each step with its calls, and all of them together."""
    steps = {step.name: ShownStep(step.name, step.ended_at) for step in generation.steps.all()}
    records: Sequence[UsageRecord] = sorted(generation.usage.all(), key=lambda record: record.pk)
    total = ShownStep("All")
    for record in records:
        steps.setdefault(record.step, ShownStep(record.step)).add(record)
        total.add(record)
    return {"steps": list(steps.values()), "total": total, "models": ", ".join(total.models)}


def generation_of(post: Post) -> Generation | None:
    """How it was written; None for what people wrote."""
    return getattr(post, "generation", None)


def _address(post: Post) -> str:
    if not post.slug:
        return posts.address_of(Post(slug="new-post", canonical_url=post.canonical_url))
    return posts.address_of(post)
