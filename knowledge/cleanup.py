"""Deleting what is old, as the policy says. What a kept answer cites stays, whatever its age."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from jobs.context import ActiveRun
from knowledge.models import (
    Citation,
    Document,
    Finding,
    Judgement,
    KnowledgePolicy,
    Outcome,
    Paper,
    Part,
    SparseSegment,
)
from knowledge.search import sparse

#: Rows of one transaction.
BATCH = 200
#: So many of each kind are named in the result.
NAMED = 50
#: When so large a share of what the word index names is gone, it is made anew.
_STALE = 0.2


@dataclass
class Kind:
    """What went of one kind of thing, or would go."""

    #: What was made before this moment is old; None: nothing is.
    before: datetime | None
    deleted: int = 0
    #: Old, too, but cited by kept answers.
    cited: int = 0
    #: The first of what went.
    names: list[str] = field(default_factory=list)


@dataclass
class Cleaned:
    """What a cleaning did, or with `dry_run` what it would have done."""

    dry_run: bool
    documents: Kind
    papers: Kind
    outcomes: Kind
    #: Whether the word index forgot parts that were gone.
    index_rebuilt: bool = False


def what_is_old(*, days: int | None = None) -> Cleaned:
    """What a cleaning would delete now, without going through all of it."""
    found = _nothing_yet(days, dry_run=True)
    for kind, rows, name in _kinds(found):
        if kind.before is not None:
            kind.cited, going = _parted(rows(kind.before))
            kind.deleted = going.count()
            kind.names = [name(row) for row in going.order_by("pk")[:NAMED]] if name is not None else []
    return found


def clean(run: ActiveRun, *, days: int | None = None, dry_run: bool = False) -> Cleaned:
    """Delete old documents, papers and outcomes in small transactions; killed, it goes on the next time.

    `days` is for documents alone, instead of the policy's age.
    """
    found = _nothing_yet(days, dry_run=dry_run)
    for kind, rows, name in _kinds(found):
        run.check()
        if kind.before is not None:
            _drain(run, kind, rows(kind.before), name, dry_run=dry_run)
    if not dry_run:
        run.step("Tidying the word index")
        found.index_rebuilt = tidy_word_index()
    verb = "Would delete" if dry_run else "Deleted"
    counts = f"{found.documents.deleted:,} documents, {found.papers.deleted:,} papers, {found.outcomes.deleted:,} outcomes"
    run.log(f"{verb} {counts}.")
    return found


def old_documents(before: datetime) -> QuerySet[Document]:
    """Documents that were uploaded before, but for those that are being read."""
    return Document.objects.filter(created_at__lt=before, state__in=["ready", "failed"]).only(
        "pk", "title", "filename", "created_at"
    )


def old_papers(before: datetime) -> QuerySet[Paper]:
    """Papers that no source has given since, that belong to no topic or research job, and that nobody has judged."""
    return Paper.objects.filter(
        ~Exists(Finding.objects.filter(paper=OuterRef("pk"))),
        ~Exists(Judgement.objects.filter(paper=OuterRef("pk"))),
        fetched_at__lt=before,
    ).only("pk", "title")


def old_outcomes(before: datetime) -> QuerySet[Outcome]:
    """What became of single papers in runs before."""
    return Outcome.objects.filter(at__lt=before).only("pk")


def tidy_word_index() -> bool:
    """Make the word index anew when much of what it names is gone; whether it was."""
    named = sum(SparseSegment.objects.values_list("size", flat=True))
    gone = named - Part.objects.count()
    if gone <= named * _STALE:
        return False
    sparse.rebuild()
    return True


def _nothing_yet(days: int | None, *, dry_run: bool) -> Cleaned:
    now = timezone.now()
    policy = KnowledgePolicy.current()
    return Cleaned(
        dry_run,
        documents=Kind(_before(now, policy.keep_documents_days if days is None else days)),
        papers=Kind(_before(now, policy.keep_papers_days)),
        outcomes=Kind(_before(now, policy.keep_outcomes_days)),
    )


def _kinds(
    found: Cleaned,
) -> list[tuple[Kind, Callable[[datetime], QuerySet[Any]], Callable[[Any], str] | None]]:
    """Each kind with its old rows by age, and what names one; outcomes have no names."""
    return [
        (found.documents, old_documents, _document_name),
        (found.papers, old_papers, str),
        (found.outcomes, old_outcomes, None),
    ]


def _before(now: datetime, days: int | None) -> datetime | None:
    return None if days is None else now - timedelta(days=days)


def _document_name(document: Document) -> str:
    return f"{document.filename or document.title} ({document.created_at:%Y-%m-%d})"


def _drain(
    run: ActiveRun, kind: Kind, old: QuerySet[Any], name: Callable[[Any], str] | None, *, dry_run: bool
) -> None:
    kind.cited, old = _parted(old)
    total = old.count()
    text = f"{'Looking at' if dry_run else 'Deleting'} old {old.model._meta.verbose_name_plural}"
    for batch in _batches(old):
        gone = batch if dry_run else _delete(old, [row.pk for row in batch])
        if name is not None:
            kind.names += [name(row) for row in gone[: max(NAMED - len(kind.names), 0)]]
        kind.deleted += len(gone)
        run.report(kind.deleted, total, text)


def _parted(old: QuerySet[Any]) -> tuple[int, QuerySet[Any]]:
    """How many of the old rows kept answers cite, and the others."""
    if old.model not in (Document, Paper):
        return 0, old
    cites = Exists(Citation.objects.filter(**{str(old.model._meta.model_name): OuterRef("pk")}))
    return old.filter(cites).count(), old.filter(~cites)


def _batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """All rows, some at a time, by their keys; each is seen once, whether it is deleted or not."""
    after = 0
    while batch := list(rows.filter(pk__gt=after).order_by("pk")[:BATCH]):
        after = batch[-1].pk
        yield batch


def _delete(old: QuerySet[Any], keys: list[int]) -> list[Any]:
    """Delete those that are still old and uncited now that nobody can change them; what is in use is left for next time."""
    with transaction.atomic():
        rows = list(old.filter(pk__in=keys).order_by("pk").select_for_update(skip_locked=True, of=("self",)))
        old.model._default_manager.filter(pk__in=[row.pk for row in rows]).delete()
    return rows
