"""Storing what connectors give: each paper once, as its sources say it now, and indexed in the same transaction.

A paper is known by DOI, else PMID, PMCID, arXiv id, the source's own name for it, and last by title, year and first
author. A record that shows two papers to be one makes them one. When identifiers contradict each other the strongest
decides, and the outcome says which one was not believed.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from knowledge import identity, indexing, joining, merging
from knowledge.chunking import Mode
from knowledge.models import KnowledgePolicy, Outcome, Paper, PaperRecord
from knowledge.models.paper import IDENTIFIERS
from knowledge.records import PartialDate, Record

Result = Outcome.Result

#: Papers are stored by one process at a time: making vectors takes a hundred times longer, and two that store parts of
#: one paper under different names could not be told apart by any constraint.
_LOCK = 0x616C6D61_6E616333
#: What makes a record impossible to store; the others of its batch are stored without it.
_BAD = (ValidationError, DataError, IntegrityError, ValueError)


@dataclass(frozen=True)
class Stored:
    """What became of one record."""

    record: Record
    #: None when it could not be stored.
    paper: Paper | None
    result: Outcome.Result
    #: Why it failed, what changed, or which identifier was not believed.
    reason: str = ""


def store(records: Sequence[Record], *, mode: Mode | None = None) -> list[Stored]:
    """Store records in the order in which they come; what became of each, in the same order.

    In one transaction, with the words of what is new or has changed; vectors follow (`knowledge.processing`). New
    papers are cut into passages by `mode`, else as the policy says.
    """
    mode = mode or Mode(KnowledgePolicy.current().mode)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        return _as_they_are_now(_stored(list(records), mode))


def known(records: Iterable[Record]) -> list[Record]:
    """Those of the records whose papers are here already, by what names them."""
    wanted = list(records)
    shelf = _Shelf(wanted)
    return [record for record in wanted if shelf.has(identity.normalised(record))]


def _stored(records: list[Record], mode: Mode) -> list[Stored]:
    """All together; when one spoils it, each half by itself."""
    try:
        with transaction.atomic():
            shelf = _Shelf(records)
            stored = [shelf.put(record) for record in records]
            shelf.write(mode)
            return stored
    except _BAD as error:
        if len(records) == 1:
            return [Stored(records[0], None, Result.FAILED, _said(error))]
    middle = len(records) // 2
    return _stored(records[:middle], mode) + _stored(records[middle:], mode)


def _as_they_are_now(stored: list[Stored]) -> list[Stored]:
    """The same, also for papers that a later record of the batch has joined to others."""
    ids = {one.paper.pk for one in stored if one.paper is not None and one.paper.pk is not None}
    left = set(Paper.objects.filter(pk__in=ids).values_list("pk", flat=True))
    return [
        one if one.paper is None or one.paper.pk in left else replace(one, paper=_paper_of(one.record))
        for one in stored
    ]


def _paper_of(record: Record) -> Paper:
    rows = PaperRecord.objects.select_related("paper")
    return rows.get(source=record.source, source_id=record.source_id).paper


def _said(error: Exception) -> str:
    if isinstance(error, ValidationError) and hasattr(error, "message_dict"):
        reasons = [f"{name}: {' '.join(found)}" for name, found in error.message_dict.items()]
        return f"It cannot be stored: {'; '.join(reasons)}"
    return f"It cannot be stored: {str(error).strip().splitlines()[0] or type(error).__name__}"


class _Shelf:
    """The papers that some records may be about, as they are at this moment; the caller holds the lock."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._now = timezone.now()
        self._rows: dict[tuple[str, str], PaperRecord] = {}
        self._of_paper: dict[int, list[PaperRecord]] = defaultdict(list)
        self._papers: dict[int, Paper] = {}
        self._seen: set[int] = set()
        self._unread: set[int] = set()
        wanted = [identity.normalised(record) for record in records]
        for source, of_source in groupby(sorted(wanted, key=lambda one: one.source), lambda one: one.source):
            names = [record.source_id for record in of_source]
            for row in PaperRecord.objects.filter(source=source, source_id__in=names):
                self._rows[source, row.source_id] = row
        self._load({row.paper_id for row in self._rows.values()} | _found(wanted))

    def _load(self, ids: set[int]) -> None:
        """Locked, so that nobody deletes a paper that is about to be described."""
        papers = Paper.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
        self._papers = {paper.pk: paper for paper in papers}
        for row in PaperRecord.objects.filter(paper__in=self._papers).order_by("pk"):
            row = self._rows.setdefault((row.source, row.source_id), row)
            self._of_paper[row.paper_id].append(row)

    def has(self, record: Record) -> bool:
        return (record.source, record.source_id) in self._rows or bool(self._matches(record))

    def put(self, record: Record) -> Stored:
        """Store one record, and say what became of it."""
        given, record = record, identity.normalised(record)
        row = self._rows.get((record.source, record.source_id))
        content = merging.content_of(record)
        if row is None:
            return self._place(given, record, content, None)
        is_same, before = row.content == content, merging.believed(row)
        if is_same or _is_older(record, before):
            self._seen.add(row.pk)
            reason = "" if is_same else f"A newer version is here: {_version(before)}."
            return Stored(given, self._papers[row.paper_id], Result.KNOWN, reason)
        return self._place(given, record, content, row)

    def _place(
        self, given: Record, record: Record, content: dict[str, object], row: PaperRecord | None
    ) -> Stored:
        """Find the paper that the record is about, or make it; join papers that turn out to be one."""
        own = self._papers[row.paper_id] if row is not None else None
        same, left_out, notes = self._chosen(record, row, own)
        row = row or PaperRecord(source=record.source, source_id=record.source_id)
        row.content, row.left_out, row.fetched_at = content, left_out, self._now
        if not same:
            return self._add(given, row, notes)
        paper, *others = sorted(same, key=lambda one: one.pk)
        for other in others:
            notes.append(f"It shows that paper {other.pk} is the same, which was joined to it.")
            self._join(paper, other)
        self._put_row(row, paper)
        changed = self._refill(paper)
        told = merging.told(paper, changed)
        result = Result.UPDATED if told or others else Result.KNOWN
        return Stored(given, paper, result, " ".join(filter(None, [told, *notes])))

    def _chosen(
        self, record: Record, row: PaperRecord | None, own: Paper | None
    ) -> tuple[list[Paper], list[str], list[str]]:
        """The papers that the record is about, which of its identifiers are not believed, and why."""
        names = identity.identifiers(record)
        same = [own] if own is not None else []
        left_out: list[str] = []
        notes: list[str] = []
        for name, paper in self._matches(record):
            if paper in same or name in left_out:
                continue
            if not same and not self._is_apart(record, paper):
                same.append(paper)
                for clash in identity.clashes(names, self._names(paper, but=row)):
                    left_out.append(clash)
                    notes.append(
                        f"Its {identity.LABELS[clash]} {names[clash]} is not that of the paper with its "
                        f"{identity.LABELS[name]}, and was left out."
                    )
            elif not same or self._clash(record, left_out, paper, same, row):
                left_out.append(name)
                notes.append(
                    f"Its {identity.LABELS[name]} {names[name]} is another paper's ({paper.pk}), and was left out."
                )
            else:
                same.append(paper)
        if not same:
            same = self._of_title(record, left_out)
        return same, left_out, notes

    def _matches(self, record: Record) -> list[tuple[str, Paper]]:
        """Papers that an identifier of the record names, the strongest first."""
        wanted = identity.identifiers(record)
        return [
            (name, paper)
            for name, value in wanted.items()
            for paper in self._papers.values()
            if getattr(paper, name) == value
        ]

    def _of_title(self, record: Record, left_out: Iterable[str]) -> list[Paper]:
        """The paper with the same title, year and first author, unless anything says that it is another one."""
        key = identity.title_key(record)
        names = identity.identifiers(record, left_out)
        for paper in self._papers.values():
            is_same = bool(key) and paper.title_key == key and not identity.clashes(names, self._names(paper))
            if is_same and record.source not in {row.source for row in self._of_paper[paper.pk]}:
                return [paper]
        return []

    def _is_apart(self, record: Record, paper: Paper) -> bool:
        """Whether the record's own source has the paper under another name and other identifiers: it knows them apart."""
        names = identity.identifiers(record)
        others = [row for row in self._of_paper[paper.pk] if row.source == record.source]
        return any(
            identity.clashes(names, _names(row)) for row in others if row.source_id != record.source_id
        )

    def _clash(
        self,
        record: Record,
        left_out: Iterable[str],
        paper: Paper,
        same: Iterable[Paper],
        row: PaperRecord | None,
    ) -> bool:
        """Whether a paper cannot be the one that the record and other papers are."""
        others = [identity.identifiers(record, left_out), *(self._names(one, but=row) for one in same)]
        return any(identity.clashes(one, self._names(paper, but=row)) for one in others)

    def _names(self, paper: Paper, but: PaperRecord | None = None) -> dict[str, str]:
        """What names a paper by all its sources, or by all but one word that is being replaced."""
        rows = self._of_paper[paper.pk]
        if not rows:
            return {name: value for name in IDENTIFIERS if (value := getattr(paper, name))}
        return {name: value for one in rows if one is not but for name, value in _names(one).items()}

    def _add(self, given: Record, row: PaperRecord, notes: list[str]) -> Stored:
        paper = Paper(first_seen_at=self._now, fetched_at=self._now)
        merging.fill(paper, [merging.believed(row)])
        paper.clean_fields()
        paper.save(force_insert=True)
        self._papers[paper.pk] = paper
        self._put_row(row, paper)
        self._unread.add(paper.pk)
        return Stored(given, paper, Result.NEW, " ".join(notes))

    def _put_row(self, row: PaperRecord, paper: Paper) -> None:
        row.paper = paper
        row.clean_fields()
        row.save()
        self._rows[row.source, row.source_id] = row
        if row not in self._of_paper[paper.pk]:
            self._of_paper[paper.pk].append(row)

    def _join(self, paper: Paper, other: Paper) -> None:
        """Make another paper part of this one."""
        del self._papers[other.pk]
        self._unread.discard(other.pk)
        for row in self._of_paper.pop(other.pk, []):
            row.paper = paper
            self._of_paper[paper.pk].append(row)
        joining.join(paper, other)

    def _refill(self, paper: Paper) -> set[str]:
        changed = merging.fill(paper, map(merging.believed, self._of_paper[paper.pk]))
        paper.fetched_at = self._now
        paper.clean_fields()
        paper.save(update_fields=[*changed, "fetched_at"])
        if merging.is_text(changed):
            self._unread.add(paper.pk)
        return changed

    def write(self, mode: Mode) -> None:
        """What is cheaper for all at once: the words of changed papers, and that the others were seen."""
        indexing.index_papers([self._papers[pk] for pk in sorted(self._unread)], mode)
        seen = PaperRecord.objects.filter(pk__in=self._seen)
        Paper.objects.filter(pk__in=seen.values("paper")).update(fetched_at=self._now)
        seen.update(fetched_at=self._now)


def _found(records: Sequence[Record]) -> set[int]:
    """Papers with an identifier or the title of any of these records."""
    found: set[int] = set()
    for name in IDENTIFIERS:
        values = {value for record in records if (value := getattr(record, name))}
        if values:
            # The empty value is excluded in words, so that the partial index is used.
            named = Paper.objects.exclude(**{name: ""}).filter(**{f"{name}__in": values})
            found.update(named.values_list("pk", flat=True))
    keys = {key for record in records if (key := identity.title_key(record))}
    found.update(Paper.objects.filter(title_key__in=keys).values_list("pk", flat=True))
    return found


def _names(row: PaperRecord) -> dict[str, str]:
    return {
        name: row.content[name] for name in IDENTIFIERS if row.content.get(name) and name not in row.left_out
    }


def _is_older(record: Record, than: Record) -> bool:
    """Whether a source's word is older than what the same source said before."""
    if record.version is not None and than.version is not None and record.version != than.version:
        return record.version < than.version
    return _day(record.revised) < _day(than.revised) if record.revised and than.revised else False


def _day(day: PartialDate | None) -> int:
    return day.first.toordinal() if day else 0


def _version(record: Record) -> str:
    return f"version {record.version}" if record.version else f"of {record.revised}"
