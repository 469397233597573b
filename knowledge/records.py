"""What connectors say about a paper: frozen dataclasses, all text plain and clean, all identifiers normalised."""

import dataclasses
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Self, TypeVar
from urllib.parse import unquote

from pydantic import TypeAdapter

T = TypeVar("T")

_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
_DOI_PREFIX = re.compile(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", re.IGNORECASE)
_PMCID = re.compile(r"(?:PMC)?(\d{1,12})(?:\.\d+)?", re.IGNORECASE)
_PMID = re.compile(r"\d{1,12}")


class Precision(StrEnum):
    """How much of a date is known."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"


@dataclass(frozen=True, order=True)
class PartialDate:
    """A date of which perhaps only the year or the month is known."""

    #: The first day that may be meant.
    first: date
    precision: Precision = Precision.DAY
    #: As the source wrote it, if that says more, such as "2000 Nov-Dec" or "1998 Spring".
    text: str = ""

    @classmethod
    def of(cls, year: int, month: int | None = None, day: int | None = None, text: str = "") -> Self | None:
        """The date of its parts, as precise as they make sense; None for a year that is none."""
        if not 1000 <= year <= 9999:
            return None
        if month is None or not 1 <= month <= 12:
            return cls(date(year, 1, 1), Precision.YEAR, text)
        if day is not None:
            try:
                return cls(date(year, month, day), Precision.DAY, text)
            except ValueError:
                pass  # there is no such day: the month is all that is known
        return cls(date(year, month, 1), Precision.MONTH, text)

    def __str__(self) -> str:
        return self.first.isoformat()[: {"year": 4, "month": 7, "day": 10}[self.precision]]


@dataclass(frozen=True)
class Author:
    """A person (`family`, perhaps `given`), or a group that signs together (`collective`)."""

    family: str = ""
    given: str = ""
    initials: str = ""
    suffix: str = ""
    collective: str = ""
    orcid: str = ""
    affiliations: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """For people to read: "Ada B. Lovelace Jr", or the group's name."""
        parts = (self.given or self.initials, self.family, self.suffix)
        return self.collective or " ".join(part for part in parts if part)

    @property
    def short_name(self) -> str:
        """As references have it: "Lovelace AB", or the group's name."""
        return self.collective or " ".join(part for part in (self.family, self.initials) if part)


@dataclass(frozen=True)
class Section:
    """A part of an abstract. Abstracts without parts have one section without a label."""

    text: str
    #: As printed, such as "MATERIALS AND METHODS".
    label: str = ""
    #: One of few words for it, such as "METHODS", where the source says.
    category: str = ""


@dataclass(frozen=True)
class MeshTerm:
    """A heading of the Medical Subject Headings, perhaps narrowed by qualifiers."""

    name: str
    id: str = ""
    #: Whether the paper is mainly about it.
    is_major: bool = False
    qualifiers: tuple["MeshTerm", ...] = ()


class Relation(StrEnum):
    """How another publication changes what this one is worth. The `_in` ones point at a notice, the others from one."""

    RETRACTED_IN = "retraction_in"
    RETRACTS = "retraction_of"
    PARTLY_RETRACTED_IN = "partial_retraction_in"
    PARTLY_RETRACTS = "partial_retraction_of"
    CORRECTED_IN = "erratum_in"
    CORRECTS = "erratum_for"
    REPUBLISHED_IN = "corrected_and_republished_in"
    REPUBLISHES = "corrected_and_republished_from"
    CONCERN_IN = "expression_of_concern_in"
    CONCERN_ABOUT = "expression_of_concern_for"
    UPDATED_IN = "update_in"
    UPDATES = "update_of"
    COMMENTED_IN = "comment_in"
    COMMENTS = "comment_on"


@dataclass(frozen=True)
class Notice:
    """A publication that retracts, corrects or comments on this one, or is retracted ... by it."""

    relation: Relation
    pmid: str = ""
    doi: str = ""
    #: Where it stands, as the source cites it.
    reference: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The same for one notice, however sources describe it."""
        return self.relation, self.pmid or self.doi or self.reference


@dataclass(frozen=True)
class Record:
    """One paper, preprint, book chapter or guideline, as one source describes it."""

    #: The connector that says so.
    source: str
    #: The source's own name for it, without a version.
    source_id: str
    title: str
    pmid: str = ""
    pmcid: str = ""
    #: Lower case, without an address in front.
    doi: str = ""
    #: Without its version.
    arxiv_id: str = ""
    #: Of the text; None where the source counts no versions.
    version: int | None = None
    #: In the paper's own language, where that is not English.
    original_title: str = ""
    authors: tuple[Author, ...] = ()
    abstract: tuple[Section, ...] = ()
    #: The journal, or the book of a chapter.
    journal: str = ""
    journal_abbreviation: str = ""
    issn: str = ""
    volume: str = ""
    issue: str = ""
    pages: str = ""
    #: A whole reference in the author's words, where the parts are not known.
    journal_reference: str = ""
    publisher: str = ""
    #: First publication, in print or electronic.
    published: PartialDate | None = None
    #: When the source first had it.
    entered: PartialDate | None = None
    #: When the source last changed it.
    revised: PartialDate | None = None
    mesh: tuple[MeshTerm, ...] = ()
    keywords: tuple[str, ...] = ()
    #: Kinds of publication, such as "Review"; in the source's words.
    types: tuple[str, ...] = ()
    #: Subjects by the source's own scheme, the main one first.
    categories: tuple[str, ...] = ()
    #: ISO 639 codes, of two letters where there are such.
    languages: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    comment: str = ""
    #: Where people read about it.
    url: str = ""
    pdf_url: str = ""
    #: Who said it, by the name of the field; filled in when the record is made.
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.provenance:
            object.__setattr__(self, "provenance", dict.fromkeys(self.filled(), self.source))

    def filled(self) -> list[str]:
        """Names of the fields that say something about the paper."""
        return [name for name in _FIELDS if getattr(self, name) not in ("", (), None)]

    @property
    def abstract_text(self) -> str:
        """The whole abstract, labels in front of their parts."""
        return "\n\n".join(
            f"{part.label}: {part.text}" if part.label else part.text for part in self.abstract
        )

    @property
    def year(self) -> int | None:
        return self.published.first.year if self.published else None

    @property
    def is_retracted(self) -> bool:
        """Whether nobody should rely on it any more. Not true of the notice that retracts another."""
        return bool(self._types & {"retracted publication", "withdrawn"}) or self._has(Relation.RETRACTED_IN)

    @property
    def is_corrected(self) -> bool:
        """Whether a notice corrects a part of it."""
        return self._has(Relation.CORRECTED_IN, Relation.REPUBLISHED_IN, Relation.PARTLY_RETRACTED_IN)

    @property
    def is_doubted(self) -> bool:
        """Whether its journal has published an expression of concern."""
        return self._has(Relation.CONCERN_IN)

    @property
    def is_notice(self) -> bool:
        """Whether it only says something about another publication: a retraction or an erratum."""
        return bool(self._types & {"retraction of publication", "published erratum", "retraction notice"})

    @property
    def _types(self) -> set[str]:
        return {kind.lower() for kind in self.types}

    def _has(self, *relations: Relation) -> bool:
        return any(notice.relation in relations for notice in self.notices)

    def merged_with(self, other: "Record") -> "Record":
        """This record, with what only the other one knows; retractions and corrections of both.

        The caller decides that both are the same paper.
        """
        gained = {name: getattr(other, name) for name in other.filled() if name not in self.filled()}
        said = {**{name: other.provenance.get(name, other.source) for name in gained}, **self.provenance}
        joined = {
            "notices": _each_once([*self.notices, *other.notices], lambda notice: notice.key),
            "types": _each_once([*self.types, *other.types], str.casefold),
        }
        return dataclasses.replace(self, **{**gained, **joined, "provenance": said})

    def as_json(self) -> dict[str, Any]:
        """As JSON that `from_json` reads: for messages between jobs."""
        found: dict[str, Any] = _ADAPTER.dump_python(self, mode="json", exclude_defaults=True)
        return found

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Record":
        """Raises pydantic's ValidationError for what `as_json` did not write."""
        return _ADAPTER.validate_python(dict(stored))


def _each_once(items: Iterable[T], key: Callable[[T], Hashable]) -> tuple[T, ...]:
    """Of those that are the same by their key, the first."""
    found: dict[Hashable, T] = {}
    for item in items:
        found.setdefault(key(item), item)
    return tuple(found.values())


_FIELDS = tuple(
    item.name for item in dataclasses.fields(Record) if item.name not in {"source", "source_id", "provenance"}
)
_ADAPTER = TypeAdapter(Record)


def clean_doi(text: str) -> str:
    """The DOI in lower case and without an address in front; "" for what is none."""
    match = _DOI.fullmatch(unquote(_DOI_PREFIX.sub("", text.strip())).rstrip(".,;"))
    return match[0].lower() if match else ""


def clean_pmcid(text: str) -> str:
    """ "PMC" and a number, without a version; "" for what is none."""
    match = _PMCID.fullmatch(text.strip())
    return f"PMC{int(match[1])}" if match else ""


def clean_pmid(text: str) -> str:
    """The number without leading zeros; "" for what is none."""
    text = text.strip()
    return str(int(text)) if text.isascii() and _PMID.fullmatch(text) and int(text) else ""
