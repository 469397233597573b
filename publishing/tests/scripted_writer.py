"""A writer that does what a test tells it, and counts what it was asked for."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

import pytest
from pydantic import JsonValue

from publishing.writers import Body, Brief, Meta, Outline, Step, Usage, Writer, WriterError
from publishing.writers.registry import _writers

USAGE = Usage(model="scripted-1", tokens_in=1_000, tokens_out=500, cost=Decimal("0.25"), seconds=0.1, calls=1)
ESTIMATE = Usage(tokens_in=4_000, tokens_out=2_000, cost=Decimal(1))
WORDS = "The tide tables of the harbour have been read by everybody who fishes there. "


class ScriptedWriter(Writer):
    """Every step costs a quarter of a dollar; `failures` are raised by the steps they are named after."""

    kind, label = "scripted", "Scripted"

    def __init__(self) -> None:
        self.made: Counter[str] = Counter()
        self.failures: dict[str, list[WriterError]] = {}
        self.html = f"<h2>Tides</h2><p>{WORDS * 40}</p>"
        self.title = "What the tide tables of the harbour tell those who fish there"
        self.most_items: int | None = None

    def estimate(self, brief: Brief) -> Usage:
        return ESTIMATE

    def outline(self, brief: Brief) -> Step[Outline]:
        self._count("outline")
        return Step({"ids": [item.id for item in brief.items]}, USAGE)

    def body(self, brief: Brief, outline: Mapping[str, JsonValue]) -> Step[Body]:
        self._count("body")
        ids = [item.id for item in brief.items][: self.most_items]
        return Step(Body(html=self.html, item_ids=ids, notes=["It is scripted."]), USAGE)

    def meta(self, brief: Brief, body: Body) -> Step[Meta]:
        self._count("meta")
        return Step(
            Meta(
                title=self.title,
                meta_title=self.title[:70],
                meta_description="How to read the tide tables of the harbour. " * 3,
                excerpt="How to read them.",
                keywords=["tide tables", "harbour", "fishing", "boats", "moon"],
            ),
            USAGE,
        )

    def _count(self, step: str) -> None:
        self.made[step] += 1
        if self.failures.get(step):
            raise self.failures[step].pop(0)


def install(monkeypatch: pytest.MonkeyPatch) -> ScriptedWriter:
    writer = ScriptedWriter()
    monkeypatch.setitem(_writers, writer.kind, writer)
    return writer
