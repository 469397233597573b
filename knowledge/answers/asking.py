"""Asking: checks a question, answers it at once or has a worker do it, and keeps all of it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from jobs.context import ActiveRun
from jobs.definitions import enqueue, get_job
from jobs.models import JobRun
from jobs.storable import clean_text
from knowledge.answers import fallback, registry
from knowledge.answers.base import Brief, OnStep, Writer, nobody
from knowledge.answers.errors import InvalidQuestion, UnknownWriter, WriterError, WriterUnavailable
from knowledge.answers.keeping import Checked, Composed, check, keep
from knowledge.answers.retrieval import Refusal, Retrieved, retrieve
from knowledge.models import Answer, KnowledgePolicy, Question
from knowledge.search.filters import Filters, Retracted

#: Characters of a question, and parts that an answer may stand on.
LONGEST, MOST_PAPERS, PAPERS = 1000, 100, 20
#: With fewer similar parts, arXiv is asked if that was wished for.
FEWEST_GOOD = 2
JOB = "knowledge.answer_question"
#: The parts of the work of a worker with their shares of the time.
STEPS = {"Searching": 5, "Asking arXiv": 10, "Writing": 75, "Checking": 10}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a question is to be answered."""

    writer: str = registry.DEFAULT_KIND
    #: Whether the writer's experts discuss it first.
    perspectives: bool = False
    max_papers: int = PAPERS
    #: None: what the policy says.
    threshold: float | None = None
    #: Whether arXiv is asked when too little is found here.
    arxiv: bool = False


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What came of a question."""

    question_id: int
    state: str
    reason: str
    sentences: int
    rejected: int


def ask(
    text: str,
    *,
    filters: Filters | None = None,
    session: UUID | None = None,
    writer: str = registry.DEFAULT_KIND,
    perspectives: bool = False,
    max_papers: int = PAPERS,
    threshold: float | None = None,
    arxiv: bool = False,
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger = JobRun.Trigger.CODE,
) -> Question:
    """Ask a question. Its `answer` is there at once, unless a worker has to write it: then `run_of(question)` does.

    Raises InvalidQuestion; EmbedderUnavailable and EmbedderRefused when the model of the stored vectors cannot be asked.
    """
    wish = Wish(
        writer=writer, perspectives=perspectives, max_papers=max_papers, threshold=threshold, arxiv=arxiv
    )
    chosen = _checked(text, wish)
    question = Question(
        text=clean_text(text).strip(),
        filters=_stored(filters or Filters()),
        session=session or uuid4(),
        asked_by_id=None if by is None else by.pk,
    )
    if reason := chosen.why_not():
        keep(question, _not_set_up(question, wish, reason))
    elif chosen.is_slow:
        _enqueue(question, wish, by, trigger)
    else:
        began = time.monotonic()
        retrieved = _search(question, wish)
        if wish.arxiv and retrieved.good < FEWEST_GOOD:
            _enqueue(question, wish, by, trigger)
        else:
            keep(question, _composed(chosen, retrieved, wish, began))
    return question


def run_of(question: Question) -> JobRun | None:
    """The run that writes or wrote its answer; None for questions that were answered at once."""
    return JobRun.objects.filter(idempotency_key=_key(question)).first()


def answer(run: ActiveRun, question_id: int, wish: Wish) -> Answered:
    """Answer a question that waits for it; what is answered already stays as it is.

    Raises WriterUnavailable while another attempt may help; else a writer that fails is a refusal with its reason.
    """
    question = Question.objects.get(pk=question_id)
    known = Answer.objects.filter(question=question).first()
    if known is None:
        began = time.monotonic()
        chosen = registry.get(wish.writer)
        run.step("Searching")
        retrieved = _search(question, wish)
        asked: dict[str, Any] = {}
        if wish.arxiv and retrieved.good < FEWEST_GOOD:
            run.step("Asking arXiv")
            fetched = fallback.fetch(run, question.text)
            asked = {"arxiv": fetched.found, "arxiv_new": fetched.new, "arxiv_problem": fetched.problem}
            retrieved = _search(question, wish)
        run.step("Writing")

        def on_step(text: str, done: int, total: int) -> None:
            run.report(done, total, text)

        composed = _composed(chosen, retrieved, wish, began, on_step=on_step, is_last=_is_last(run))
        run.step("Checking")
        composed = replace(composed, details={**composed.details, **asked})
        known = keep(question, composed, run_id=run.id)
    return Answered(
        question_id=question.pk,
        state=known.state,
        reason=known.reason,
        sentences=len(known.sentences),
        rejected=len(known.rejected),
    )


def _is_last(run: ActiveRun) -> bool:
    row = JobRun.objects.filter(pk=run.id).only("max_attempts").first()
    return row is None or run.attempt >= row.max_attempts


def _checked(text: str, wish: Wish) -> Writer:
    """The writer; raises InvalidQuestion with everything that is wrong."""
    wrong: dict[str, list[str]] = {}
    length = len(text.strip())
    if not length:
        wrong["text"] = ["Ask something."]
    elif length > LONGEST:
        wrong["text"] = [f"A question has at most {LONGEST} characters; this one has {length}."]
    elif not any(letter.isalnum() for letter in text):
        wrong["text"] = ["There is no word in it."]
    if not 1 <= wish.max_papers <= MOST_PAPERS:
        wrong["max_papers"] = [f"Use a number from 1 to {MOST_PAPERS}."]
    if wish.threshold is not None and not 0 <= wish.threshold <= 1:
        wrong["threshold"] = ["Use a number from 0 to 1."]
    writer: Writer | None = None
    try:
        writer = registry.get(wish.writer)
    except UnknownWriter as error:
        wrong["writer"] = [str(error)]
    if writer is not None and wish.perspectives and not writer.roles:
        wrong["perspectives"] = [f"The writer {wish.writer!r} knows no experts; ask one that does."]
    if wrong or writer is None:
        raise InvalidQuestion(wrong)
    return writer


@transaction.atomic
def _enqueue(question: Question, wish: Wish, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    question.save()
    parameters = {"question_id": question.pk, **asdict(wish)}
    return enqueue(get_job(JOB), parameters, trigger=trigger, requested_by=by, idempotency_key=_key(question))


def _key(question: Question) -> str:
    return f"{JOB}:{question.pk}"


def _search(question: Question, wish: Wish) -> Retrieved:
    threshold = wish.threshold
    if threshold is None:
        threshold = KnowledgePolicy.current().answer_threshold
    return retrieve(question.text, filters=filters_of(question), limit=wish.max_papers, threshold=threshold)


def _composed(
    writer: Writer,
    retrieved: Retrieved,
    wish: Wish,
    began: float,
    *,
    on_step: OnStep = nobody,
    is_last: bool = True,
) -> Composed:
    if retrieved.why_not:
        return _refused(writer, retrieved, retrieved.why_not, retrieved.code, began)
    if not any(passage.sentences for passage in retrieved.brief.found):
        reason = "What was found has no whole sentence that could be quoted."
        return _refused(writer, retrieved, reason, Refusal.NOTHING_TO_QUOTE, began)
    try:
        draft = writer.write(retrieved.brief, perspectives=wish.perspectives, on_step=on_step)
    except WriterError as error:
        # What was paid for once is not asked for again by itself.
        if isinstance(error, WriterUnavailable) and not is_last and error.usage is None:
            raise
        failed = _refused(
            writer, retrieved, f"The writer gave no answer. {error}", Refusal.WRITER_FAILED, began
        )
        return replace(failed, usage=error.usage)
    return Composed(
        writer=writer.kind,
        retrieved=retrieved,
        checked=check(draft, retrieved.brief),
        usage=draft.usage,
        details=_took(began),
    )


def _refused(
    writer: Writer, retrieved: Retrieved, reason: str, code: Refusal | None, began: float
) -> Composed:
    return Composed(writer.kind, retrieved, Checked(), reason, code, details=_took(began))


def _not_set_up(question: Question, wish: Wish, reason: str) -> Composed:
    nothing = Retrieved(Brief(question.text, ()), 0.0, wish.threshold or 0.0, 0)
    text = f"The writer {wish.writer!r} is not set up. {reason}"
    return Composed(wish.writer, nothing, Checked(), text, Refusal.WRITER_NOT_SET_UP)


def _took(began: float) -> dict[str, Any]:
    return {"seconds": round(time.monotonic() - began, 3)}


def _stored(filters: Filters) -> dict[str, Any]:
    """Filters as JSON; those that restrict nothing are left out."""
    given = {
        field.name: getattr(filters, field.name)
        for field in fields(filters)
        if getattr(filters, field.name) != field.default
    }
    return {
        name: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in given.items()
    }


def filters_of(question: Question) -> Filters:
    """What the question was restricted to."""
    stored: Mapping[str, Any] = question.filters
    given = {name: stored[name] for name in stored if name in Filters.__dataclass_fields__}
    if "retracted" in given:
        given["retracted"] = Retracted(given["retracted"])
    return Filters(**given)
