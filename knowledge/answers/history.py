"""Who sees which questions, taking them away, and how answering does."""

from collections import Counter
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AbstractUser
from django.db import transaction
from django.db.models import Count, QuerySet

from jobs import audit, ledger
from knowledge.answers.asking import run_of
from knowledge.models import Answer, Feedback, Question

VIEW_ALL = "knowledge.view_all_questions"


@dataclass(frozen=True)
class Figures:
    """How some questions were answered."""

    questions: int
    answered: int
    refused: int
    #: Those without an answer yet.
    waiting: int
    #: Refusals by their code.
    refusals: dict[str, int]
    #: Answers and refusals by writer.
    writers: dict[str, int]
    citations: int
    helpful: int
    not_helpful: int

    @property
    def answered_share(self) -> float | None:
        """Of those that were answered or refused; None before there are any."""
        done = self.answered + self.refused
        return self.answered / done if done else None


def seen_by(user: AbstractUser) -> QuerySet[Question]:
    """The questions that somebody may read: their own, or everybody's."""
    if user.has_perm(VIEW_ALL):
        return Question.objects.all()
    return Question.objects.filter(asked_by_id=user.pk)


@transaction.atomic
def delete(question: Question, *, by: AbstractBaseUser | None) -> None:
    """Delete a question with its answer, and stop the run that is to answer it."""
    run = run_of(question)
    if run is not None and run.is_active:
        ledger.cancel(run.pk, by=by)
    audit.record(by, question, "Deleted a question and its answer.", action=audit.DELETION)
    question.delete()


def figures(questions: QuerySet[Question]) -> Figures:
    """How these were answered."""
    given = Answer.objects.filter(question__in=questions)
    states = Counter(dict(given.values_list("state").annotate(count=Count("pk")).order_by()))
    codes = given.filter(state=Answer.State.REFUSED).values_list("details__refusal")
    opinions = dict(
        Feedback.objects.filter(answer__in=given).values_list("is_helpful").annotate(count=Count("pk"))
    )
    total = questions.count()
    return Figures(
        questions=total,
        answered=states[Answer.State.ANSWERED],
        refused=states[Answer.State.REFUSED],
        waiting=total - states.total(),
        refusals={code: count for code, count in codes.annotate(count=Count("pk")).order_by() if code},
        writers=dict(given.values_list("writer").annotate(count=Count("pk")).order_by()),
        citations=given.aggregate(count=Count("citations"))["count"],
        helpful=opinions.get(True, 0),
        not_helpful=opinions.get(False, 0),
    )
