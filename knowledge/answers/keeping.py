"""Writes answers down: question, answer and citations in one transaction, and only of passages that still stand."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from chat.usage import Usage
from jobs.storable import clean_json, clean_text
from knowledge.answers.base import Brief, Draft, Found, Statement
from knowledge.answers.retrieval import Refusal, Retrieved
from knowledge.answers.verify import Verdict, verify
from knowledge.models import Answer, Citation, Passage, Question


@dataclass
class Checked:
    """A draft after the check: what may be shown, what not, and what everybody said."""

    supported: list[Verdict] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    statements: list[tuple[Statement, list[Verdict]]] = field(default_factory=list)

    @property
    def cited(self) -> list[int]:
        """The passages, in the order in which they are cited."""
        shown = [*self.supported, *(verdict for _, verdicts in self.statements for verdict in verdicts)]
        return list(dict.fromkeys(key for verdict in shown for key in verdict.said.passages))

    def without(self, gone: set[int]) -> None:
        """Take out what cites passages that do not stand any more."""
        reason = "A passage that it cites was deleted or retracted while the answer was written."
        kept = []
        for verdict in self.supported:
            if gone & set(verdict.said.passages):
                self.rejected.append(_rejection(verdict, reason))
            else:
                kept.append(verdict)
        self.supported = kept
        self.statements = [
            (statement, [verdict for verdict in verdicts if not gone & set(verdict.said.passages)])
            for statement, verdicts in self.statements
        ]


@dataclass(frozen=True)
class Composed:
    """All that is to be kept of an answer."""

    writer: str
    retrieved: Retrieved
    checked: Checked = field(default_factory=Checked)
    why_not: str = ""
    code: Refusal | None = None
    usage: Usage | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def check(draft: Draft, brief: Brief) -> Checked:
    """Let the check look at every sentence of a draft, those of the experts too."""
    checked = Checked()
    for verdict in verify(draft.sentences, brief):
        if verdict.is_supported:
            checked.supported.append(verdict)
        else:
            checked.rejected.append(_rejection(verdict, verdict.reason))
    for statement in draft.statements:
        verdicts = verify(statement.sentences, brief)
        checked.statements.append((statement, [verdict for verdict in verdicts if verdict.is_supported]))
        checked.rejected += [
            {**_rejection(verdict, verdict.reason), "role": statement.role, "round": statement.round}
            for verdict in verdicts
            if not verdict.is_supported
        ]
    return checked


def _rejection(verdict: Verdict, reason: str) -> dict[str, Any]:
    return {"text": verdict.said.text, "passages": list(verdict.said.passages), "reason": reason}


@transaction.atomic
def keep(question: Question, composed: Composed, *, run_id: UUID | None = None) -> Answer:
    """Store an answer with its citations; the one that is there already when the question was answered meanwhile."""
    if question._state.adding:
        question.save()
    else:
        Question.objects.select_for_update().get(pk=question.pk)
        if known := Answer.objects.filter(question=question).first():
            return known
    checked = composed.checked
    standing = _standing(checked.cited, composed.retrieved.brief)
    checked.without(set(checked.cited) - set(standing))
    why_not, code = composed.why_not, composed.code
    if not why_not and not checked.supported:
        code = Refusal.NOTHING_SUPPORTED
        why_not = _nothing_left(checked.rejected)
    numbers = {key: number for number, key in enumerate([] if why_not else checked.cited, start=1)}
    answer = Answer(
        question=question,
        state=Answer.State.REFUSED if why_not else Answer.State.ANSWERED,
        reason=clean_text(why_not),
        writer=composed.writer,
        sentences=[] if why_not else _shown(checked.supported, numbers),
        rejected=clean_json(checked.rejected),
        perspectives=[] if why_not else _statements(checked.statements, numbers),
        retrieved=[_found(passage) for passage in composed.retrieved.brief.found],
        details=_details(composed, code),
        run_id=run_id,
    )
    answer.save()
    found = composed.retrieved.brief.by_id
    Citation.objects.bulk_create(
        Citation(
            answer=answer,
            number=number,
            passage=standing[key],
            paper_id=found[key].paper,
            document_id=found[key].document,
            title=found[key].title,
            quote=found[key].text,
        )
        for key, number in numbers.items()
    )
    question.answer = answer
    return answer


def _standing(cited: Iterable[int], brief: Brief) -> dict[int, Passage]:
    """Those of the passages that still have the text that was read, held until the answer is stored."""
    known = brief.by_id
    rows = Passage.objects.filter(pk__in=list(cited)).select_related("part__paper")
    return {
        passage.pk: passage
        for passage in rows.select_for_update(of=("self",), no_key=True)
        if passage.text == known[passage.pk].text
        and not (
            passage.part.paper is not None
            and passage.part.paper.is_retracted
            and not known[passage.pk].is_retracted
        )
    }


def _nothing_left(rejected: Sequence[Mapping[str, Any]]) -> str:
    if not rejected:
        return "The passages that were found say nothing that answers the question."
    first = rejected[0]["reason"]
    return f"No sentence stood up to the check ({len(rejected)} rejected). The first: {first}"


def _shown(verdicts: Sequence[Verdict], numbers: Mapping[int, int]) -> list[dict[str, Any]]:
    return [
        {
            "text": clean_text(verdict.said.text),
            "numbers": [numbers[key] for key in dict.fromkeys(verdict.said.passages)],
            "support": verdict.support,
        }
        for verdict in verdicts
    ]


def _statements(
    statements: Sequence[tuple[Statement, list[Verdict]]], numbers: Mapping[int, int]
) -> list[dict[str, Any]]:
    return [
        {"role": statement.role, "round": statement.round, "sentences": _shown(verdicts, numbers)}
        for statement, verdicts in statements
    ]


def _found(passage: Found) -> dict[str, Any]:
    return {
        "passage": passage.id,
        "paper": passage.paper,
        "document": passage.document,
        "title": clean_text(passage.title),
        "similarity": None if passage.similarity is None else round(passage.similarity, 4),
        "score": round(passage.score, 4),
    }


def _details(composed: Composed, code: Refusal | None) -> dict[str, Any]:
    known = composed.retrieved
    details: dict[str, Any] = {
        "best": round(known.best, 4),
        "threshold": known.threshold,
        "good": known.good,
        "space": known.brief.embedder.space().name if known.brief.embedder is not None else "",
        **composed.details,
    }
    if code is not None:
        details["refusal"] = code.value
    if composed.usage is not None and composed.usage.calls:
        details["usage"] = _usage(composed.usage)
    found_json: dict[str, Any] = clean_json(details)
    return found_json


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "model": usage.model,
        "calls": usage.calls,
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "tokens_cached": usage.tokens_cached,
        "cost": None if usage.price is None else str(Decimal(usage.cost)),
        "seconds": round(usage.seconds, 3),
        "is_estimated": usage.is_estimated,
        "is_doubtful": usage.is_doubtful,
    }
