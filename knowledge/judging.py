"""What people say that the search should find. Admin and API call these."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction

from jobs import audit
from jobs.errors import InvalidInput
from knowledge.models import JudgedQuery, Judgement, Paper

#: Not at all, partly, well.
GRADES = (0, 1, 2)


class InvalidJudgedQuery(InvalidInput):
    """The judged query cannot be like that."""


class InvalidJudgement(InvalidInput):
    """A paper cannot be judged like that."""


@transaction.atomic
def save(
    query: JudgedQuery,
    changes: Mapping[str, Any],
    *,
    judgements: Sequence[tuple[Paper, int]] | None = None,
    by: AbstractBaseUser | None,
) -> JudgedQuery:
    """Make or change a judged query; `judgements` are all there are, None leaves them. Raises InvalidJudgedQuery."""
    is_new = query.pk is None
    if not is_new:
        query = JudgedQuery.objects.select_for_update().get(pk=query.pk)
    for name, value in changes.items():
        setattr(query, name, value)
    query.text = " ".join(query.text.split())
    _check(query, judgements)
    query.save()
    if judgements is not None:
        query.judgements.all().delete()
        Judgement.objects.bulk_create(
            Judgement(query=query, paper=paper, grade=grade) for paper, grade in judgements
        )
    action = audit.ADDITION if is_new else audit.CHANGE
    audit.record(by, query, "Added." if is_new else "Changed.", action=action)
    return query


def delete(query: JudgedQuery, *, by: AbstractBaseUser | None) -> None:
    """Delete a judged query with its judgements; evaluations that were made stay as they are."""
    with transaction.atomic():
        audit.record(by, query, "Deleted.", action=audit.DELETION)
        query.delete()


@transaction.atomic
def judge(query: JudgedQuery, grades: Mapping[int, int | None], *, by: AbstractBaseUser | None) -> int:
    """Keep how well papers (by id) answer a query; None takes a grade back. Gives how many changed.

    Raises InvalidJudgement for a grade that there is not, and for papers that are gone.
    """
    wrong = sorted({str(grade) for grade in grades.values() if grade is not None and grade not in GRADES})
    if wrong:
        raise InvalidJudgement({"grade": [f"Grades are 0, 1 and 2, not {', '.join(wrong)}."]})
    known = set(Paper.objects.filter(pk__in=grades).values_list("pk", flat=True))
    if gone := sorted(set(grades) - known):
        raise InvalidJudgement({"paper": [f"There is no paper {', '.join(map(str, gone))}."]})
    # Two people who judge one query do it one after the other.
    JudgedQuery.objects.select_for_update().get(pk=query.pk)
    before = dict(query.judgements.values_list("paper", "grade"))
    changed = {paper: grade for paper, grade in grades.items() if before.get(paper) != grade}
    query.judgements.filter(paper__in=changed).delete()
    Judgement.objects.bulk_create(
        Judgement(query=query, paper_id=paper, grade=grade)
        for paper, grade in changed.items()
        if grade is not None
    )
    if changed:
        audit.record(by, query, f"Judged {len(changed)} paper{'s' if len(changed) != 1 else ''}.")
    return len(changed)


def _check(query: JudgedQuery, judgements: Sequence[tuple[Paper, int]] | None) -> None:
    problems: dict[str, list[str]] = {}
    try:
        query.full_clean()
    except ValidationError as error:
        problems = {"query" if name == "text" else name: why for name, why in error.message_dict.items()}
    papers = [paper.pk for paper, _ in judgements or []]
    if twice := [paper for paper in papers if papers.count(paper) > 1]:
        problems["judgements"] = [f"The paper {twice[0]} is judged twice."]
    if problems:
        raise InvalidJudgedQuery(problems)
