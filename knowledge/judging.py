"""Saying what a good search finds: papers graded for a query, by people."""

from collections.abc import Mapping

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from jobs import audit
from jobs.errors import InvalidInput
from knowledge.models import JudgedQuery, Judgement, Paper

#: Not at all, partly, well.
GRADES = (0, 1, 2)


class InvalidJudgement(InvalidInput):
    """A paper cannot be judged like that."""


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
