"""Making two stored papers one, when a source shows that they are."""

from functools import reduce

from django.db.models import Exists, OuterRef, Q, QuerySet

from knowledge.models import Citation, Finding, Judgement, Outcome, Paper, PaperRecord

#: Tables whose rows a paper that is joined to another hands over, and of what a paper has only one row each.
#: Its parts go with it: they are made of its text, and the text is that of the other now.
HANDED_OVER: dict[type[Citation | Finding | Judgement | Outcome | PaperRecord], tuple[str, ...]] = {
    PaperRecord: (),
    Outcome: (),
    Citation: (),
    Finding: ("topic", "research_job"),
    Judgement: ("query",),
}


def join(paper: Paper, other: Paper) -> None:
    """Hand everything that belongs to `other` over to `paper`, and delete it. The caller holds both.

    What `paper` has already (a finding of the same topic, a judgement of the same query) stays as it is. Answers keep
    what they quoted; their citations name `paper` from now on.
    """
    for model, keys in HANDED_OVER.items():
        rows: QuerySet[Citation | Finding | Judgement | Outcome | PaperRecord] = (
            model._default_manager.filter(paper=other)
        )
        if keys:
            alike = reduce(Q.__or__, (Q(**{key: OuterRef(key)}) for key in keys))
            rows = rows.exclude(Exists(model._default_manager.filter(alike, paper=paper)))
        rows.update(paper=paper)
    Paper.objects.filter(pk=paper.pk, first_seen_at__gt=other.first_seen_at).update(
        first_seen_at=other.first_seen_at
    )
    other.delete()
