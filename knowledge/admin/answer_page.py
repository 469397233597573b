"""The page of a question: its answer sentence by sentence, what each stands on, or why there is none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from jobs.admin.base import user_of
from jobs.models import JobRun
from knowledge import answers
from knowledge.admin import box, looks, rows
from knowledge.admin.looks import Label, Link
from knowledge.admin.search_page import address_of
from knowledge.answers.shown import NOT_ADVICE
from knowledge.models import Answer, Citation, Feedback, Part, Question

#: Own questions that are listed beside.
HISTORY = 8
#: Seconds after which a page that waits for its answer looks again.
AGAIN = 3
_ADVICE = {
    "nothing_indexed": "There are no papers here yet: they come in with the updates of the topics.",
    "nothing_passes_filters": "Take filters off and ask again.",
    "nothing_similar": "Name the substance, disease or method in English, or search: it lists what comes nearest. What no topic brings in cannot be answered.",
    "only_retracted": "What speaks about it was retracted. Ask again when an update has brought in newer papers.",
    "nothing_to_quote": "Search instead: titles and short notes can be read, but not quoted as answers.",
    "writer_not_set_up": "Ask with the writer that quotes, which needs no key.",
    "writer_failed": "Ask again later, or with the writer that quotes.",
    "nothing_supported": "Search instead, and read the passages themselves.",
}


@dataclass(frozen=True)
class Cited:
    """A citation as the page shows it."""

    citation: Citation
    url: str
    facts: Sequence[str]
    labels: Sequence[Label]
    links: Sequence[Link]

    @property
    def is_retracted(self) -> bool:
        return self.citation.paper is not None and self.citation.paper.is_retracted


@dataclass(frozen=True)
class ShownSentence:
    """A sentence with what it stands on."""

    text: str
    cited: Sequence[Cited]
    #: "86 %": how far the cited passages support it, by the check.
    support: str


@dataclass(frozen=True)
class ShownStatement:
    """What one expert said in one round."""

    role: str
    round: int
    sentences: Sequence[ShownSentence]


class AnswerPage:
    """Everything about one question."""

    def __init__(self, request: HttpRequest, question: Question) -> None:
        self.request = request
        self.question = question
        self.answer: Answer | None = getattr(question, "answer", None)
        self.cited = {one.citation.number: one for one in self._citations()}

    def response(self) -> HttpResponse:
        answer, question = self.answer, self.question
        run = None if answer else answers.run_of(question)
        is_waiting = run is not None and run.is_active
        details: Mapping[str, Any] = answer.details if answer else {}
        context: dict[str, Any] = {
            **admin.site.each_context(self.request),
            **box.context(self.request, box.of_question(question)),
            "opts": Question._meta,
            "title": "Answer" if answer else "Question",
            "question": question,
            "answer": answer,
            "sentences": self._sentences(answer.sentences) if answer else [],
            "citations": list(self.cited.values()),
            "retracted_since": [one for one in self.cited.values() if one.is_retracted],
            "statements": self._statements() if answer else [],
            "writer": _label(answer.writer) if answer else "",
            "advice": _ADVICE.get(str(details.get("refusal", "")), ""),
            "details": details,
            "retrieved": self._retrieved() if answer else [],
            "run": run,
            "run_url": _run_url(self.request, run),
            "is_waiting": is_waiting,
            "again": AGAIN,
            "feedback": self._feedback(),
            "may_judge": answer is not None and self.request.user.has_perm(box.ASK),
            "history": self._history(),
            "disclaimer": NOT_ADVICE,
            "is_own": question.asked_by_id == user_of(self.request).pk,
        }
        return TemplateResponse(self.request, "admin/knowledge/question/page.html", context)

    def _citations(self) -> Iterable[Cited]:
        if self.answer is None:
            return
        outdated = looks.outdated_before()
        found = self.answer.citations.select_related("passage__part", "paper", "document").order_by("number")
        for one in found:
            yield Cited(
                citation=one,
                url=self._address(one),
                facts=_facts(one),
                labels=looks.labels(one.paper, outdated) if one.paper else [],
                links=looks.links(one.paper) if one.paper else [],
            )

    def _address(self, citation: Citation) -> str:
        """The passage in its place; the top of the text when it was cut anew since."""
        if citation.passage is not None:
            return address_of(citation.passage.part, citation.passage.pk, self.question.text)
        part = Part(paper_id=citation.paper_id, document_id=citation.document_id, number=0)
        return address_of(part, None)

    def _sentences(self, stored: Iterable[Mapping[str, Any]]) -> list[ShownSentence]:
        return [
            ShownSentence(
                text=str(one.get("text", "")),
                cited=[self.cited[number] for number in one.get("numbers", ()) if number in self.cited],
                support=f"{one['support']:.0%}" if isinstance(one.get("support"), int | float) else "",
            )
            for one in stored
        ]

    def _statements(self) -> list[ShownStatement]:
        if self.answer is None:
            return []
        return [
            ShownStatement(
                role=str(one.get("role", "")).replace("_", " ").capitalize(),
                round=int(one.get("round", 0)),
                sentences=self._sentences(one.get("sentences", ())),
            )
            for one in self.answer.perspectives
        ]

    def _retrieved(self) -> list[tuple[Mapping[str, Any], str]]:
        """What was found, with its address while it is there."""
        found = [one for one in (self.answer.retrieved if self.answer else []) if isinstance(one, Mapping)]
        ids = [one["passage"] for one in found if isinstance(one.get("passage"), int)]
        parts = Part.objects.filter(passages__in=ids).defer("text").in_bulk()
        by_passage = {
            passage: parts[part]
            for passage, part in Part.objects.filter(pk__in=parts).values_list("passages", "pk")
        }
        return [
            (one, address_of(by_passage[key], key) if (key := one.get("passage")) in by_passage else "")
            for one in found
        ]

    def _feedback(self) -> Feedback | None:
        """What the reader has said of it."""
        if self.answer is None:
            return None
        return self.answer.feedback.filter(given_by_id=user_of(self.request).pk).first()

    def _history(self) -> list[Question]:
        own = Question.objects.filter(asked_by_id=user_of(self.request).pk).select_related("answer")
        return list(own.exclude(pk=self.question.pk).order_by("-asked_at", "-pk")[:HISTORY])


def _facts(citation: Citation) -> list[str]:
    if paper := citation.paper:
        facts = [looks.in_short(looks.authors(paper)), paper.journal, looks.published(paper)]
    elif document := citation.document:
        facts = ["Document", document.filename, str(document.year or "")]
    else:
        facts = []
    return [fact for fact in facts if fact]


def _label(kind: str) -> str:
    return dict(answers.choices()).get(kind, kind)


def _run_url(request: HttpRequest, run: JobRun | None) -> bool:
    """Whether the person may open the page of the run."""
    return run is not None and bool(rows.visible_runs(request, [run.pk]))
