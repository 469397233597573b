"""A paper is what its sources say of it together. Here stands who is believed first, and how their words become one."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

from knowledge import identity
from knowledge.models import Paper, PaperRecord
from knowledge.records import PartialDate, Record

#: Whose word counts first where sources differ, field by field; what only a later one knows is taken from it. Libraries
#: describe what was published, preprint servers what was handed in, feeds what somebody writes about it. Others come last.
PRECEDENCE = ("pubmed", "europepmc", "arxiv", "feeds")

#: What records know that papers have no column for.
_DETAILS = (
    "journal_abbreviation", "issn", "volume", "issue", "pages", "journal_reference", "publisher", "comment",
)  # fmt: skip
#: What a change of a paper is called in outcomes; fields that are not listed are not worth telling.
_TOLD = {
    "title": "title",
    "abstract": "abstract",
    "authors": "authors",
    "version": "version",
    "doi": "DOI",
    "pmid": "PMID",
    "pmcid": "PMCID",
    "arxiv_id": "arXiv id",
    "journal": "journal",
    "published_on": "date",
    "mesh": "MeSH terms",
    "keywords": "keywords",
    "types": "types",
    "categories": "categories",
    "languages": "languages",
    "notices": "notices",
    "details": "details",
    "url": "address",
    "pdf_url": "address of the PDF",
    "revised_on": "date of revision",
}
#: What the search reads.
_TEXT = {"title", "abstract"}


def rank(source: str) -> tuple[int, str]:
    """Sorts connectors by whose word counts first."""
    return (PRECEDENCE.index(source) if source in PRECEDENCE else len(PRECEDENCE), source)


def believed(row: PaperRecord) -> Record:
    """What a source said, without what is known to be another paper's."""
    content = {name: value for name, value in row.content.items() if name not in row.left_out}
    return Record.from_json(content)


def content_of(record: Record) -> dict[str, Any]:
    """A record as it is stored; equal contents say the same."""
    content = record.as_json()
    content.pop("provenance", None)  # one source's record is that source's
    return content


def merged(records: Iterable[Record]) -> Record:
    """One record of all; the same whatever order they came in."""
    ordered = sorted(records, key=_order)
    together = reduce(Record.merged_with, ordered)
    # A version counts texts of the preprint server; PubMed's count of its own records says nothing about them.
    counted = next((record for record in ordered if record.arxiv_id and record.version), None)
    if counted is None:
        return together
    said = {**together.provenance, "version": counted.source}
    return replace(together, version=counted.version, provenance=said)


def _order(record: Record) -> tuple[object, ...]:
    """Whose word counts first, then the newer, then any order that stays."""
    revised = record.revised or record.entered or record.published
    return (
        rank(record.source),
        -(record.version or 0),
        -revised.first.toordinal() if revised else 0,
        record.source_id,
    )


def fill(paper: Paper, records: Iterable[Record]) -> set[str]:
    """Make the paper what these records say; the names of the fields that changed. Saves nothing."""
    columns = _columns(list(records))
    changed = {name for name, value in columns.items() if getattr(paper, name) != value}
    for name in changed:
        setattr(paper, name, columns[name])
    return changed


def is_text(changed: set[str]) -> bool:
    """Whether the search has to read the paper again."""
    return bool(changed & _TEXT)


def told(paper: Paper, changed: set[str]) -> str:
    """What changed, as a sentence; "" for what nobody wants to know."""
    if "is_retracted" in changed:
        return "It has been retracted." if paper.is_retracted else "It is not retracted any more."
    names = [label for name, label in _TOLD.items() if name in changed]
    return f"Changed: {', '.join(names)}." if names else ""


def _columns(records: list[Record]) -> dict[str, Any]:
    record = merged(records)
    content = record.as_json()
    return {
        **{name: getattr(record, name) for name in identity.LABELS},
        "version": record.version,
        "title": record.title,
        "original_title": record.original_title,
        "authors": content.get("authors", []),
        "journal": record.journal,
        **_published(record.published),
        "year": record.year,
        "entered_on": record.entered.first if record.entered else None,
        "revised_on": record.revised.first if record.revised else None,
        "abstract": content.get("abstract", []),
        "mesh": content.get("mesh", []),
        "keywords": list(record.keywords),
        "types": list(record.types),
        "categories": list(record.categories),
        "languages": list(record.languages),
        "url": record.url,
        "pdf_url": record.pdf_url,
        "details": {name: content[name] for name in _DETAILS if content.get(name)},
        "notices": content.get("notices", []),
        "is_retracted": record.is_retracted,
        "is_corrected": record.is_corrected,
        "is_doubted": record.is_doubted,
        "is_notice": record.is_notice,
        "sources": sorted({one.source for one in records}, key=rank),
        "provenance": dict(record.provenance),
        "title_key": identity.title_key(record),
    }


def _published(day: PartialDate | None) -> dict[str, Any]:
    if day is None:
        return {"published_on": None, "published_precision": "", "published_text": ""}
    return {
        "published_on": day.first,
        "published_precision": day.precision.value,
        "published_text": day.text[:100],
    }
