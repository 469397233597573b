"""The world's papers, as far as tests need them: one shelf that all stand-ins of services read from.

Papers are added, revised and retracted from one night to the next; each service shows those it would have.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Paper:
    """One paper. It is at a service if it has the service's name for it."""

    title: str
    abstract: tuple[tuple[str, str], ...]
    pmid: str = ""
    pmcid: str = ""
    doi: str = ""
    arxiv_id: str = ""
    #: Of the preprint server that Europe PMC reads, such as PPR100.
    preprint_id: str = ""
    #: As XML, where the title has inline markup; it stands for `title`.
    title_markup: str = ""
    authors: tuple[tuple[str, str], ...] = (("Lovelace", "Ada Byron"),)
    collective: str = ""
    journal: str = "Journal of Tests"
    volume: str = "12"
    issue: str = "3"
    pages: str = "101-9"
    #: The day of the services that list it.
    entered: date = date(2026, 11, 1)
    revised: date = date(2026, 11, 1)
    published: date = date(2026, 10, 28)
    #: In MEDLINE's words, where the issue has no proper date.
    medline_date: str = ""
    version: int = 1
    mesh: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    types: tuple[str, ...] = ("Journal Article",)
    #: As MEDLINE codes it.
    language: str = "eng"
    #: Kind of notice ("RetractionIn") and the notice's PMID.
    notices: tuple[tuple[str, str], ...] = ()
    categories: tuple[str, ...] = ("q-bio.QM",)
    journal_reference: str = ""
    comment: str = ""
    is_book: bool = False

    @property
    def text(self) -> str:
        parts = [self.title, *(text for _, text in self.abstract), *self.mesh, *self.keywords]
        return words(" ".join(parts))

    @property
    def is_retracted(self) -> bool:
        return "Retracted Publication" in self.types


@dataclass
class Library:
    """All papers. `today` is the day of whatever is done next."""

    today: date = date(2026, 11, 20)
    papers: list[Paper] = field(default_factory=list)

    def add(self, *papers: Paper) -> None:
        """New papers, as entered today unless they say otherwise."""
        self.papers += papers

    def find(self, name: str) -> Paper:
        """The paper with this PMID, DOI or arXiv id."""
        return next(paper for paper in self.papers if name in {paper.pmid, paper.doi, paper.arxiv_id})

    def revise(self, name: str, **changes: object) -> Paper:
        """Change a paper; its version goes up and its day of revision is today."""
        paper = self.find(name)
        changed = replace(paper, revised=self.today, version=paper.version + 1, **changes)  # type: ignore[arg-type]  # fields of a paper
        self.papers[self.papers.index(paper)] = changed
        return changed

    def retract(self, name: str, notice: Paper) -> None:
        """Retract a paper by a notice, which is a paper of its own."""
        paper = self.find(name)
        changed = replace(
            paper,
            revised=self.today,
            types=(*paper.types, "Retracted Publication"),
            notices=(*paper.notices, ("RetractionIn", notice.pmid)),
        )
        self.papers[self.papers.index(paper)] = changed
        kinds = ("Retraction of Publication",)
        self.add(replace(notice, types=kinds, notices=(("RetractionOf", paper.pmid),), entered=self.today))

    def next_day(self, days: int = 1) -> None:
        self.today += timedelta(days=days)


def words(text: str) -> str:
    """Lower-case words, with a blank around each."""
    return f" {' '.join(_WORD.findall(text.lower()))} "


def has(paper: Paper, phrase: str) -> bool:
    return words(phrase) in paper.text


_TOKEN = re.compile(
    r'\(|\)|"[^"]*"(?:\[[^\]]*\])?|[\w.\-]+:(?:\[[^\]]*\]|"[^"]*"|[^\s()]+)|[^\s()"\[]+(?:\[[^\]]*\])?'
)
_OPERATORS = {"AND", "OR", "NOT", "ANDNOT"}


class Unreadable(Exception):
    """The query makes no sense."""


def tokens(query: str) -> list[str]:
    return _TOKEN.findall(query)


def select(query: str, papers: list[Paper], leaf: Callable[[str, Paper], bool]) -> list[Paper]:
    """The papers that fit a query with AND, OR, NOT, ANDNOT and brackets, read from left to right as Entrez does.

    Terms side by side are joined by AND. `leaf` decides about one term.
    """
    found = tokens(query)
    selected = [paper for paper in papers if _Reading(iter(found), paper, leaf).holds()]
    return selected


class _Reading:
    def __init__(self, found: Iterator[str], paper: Paper, leaf: Callable[[str, Paper], bool]) -> None:
        self._found = found
        self._paper = paper
        self._leaf = leaf

    def holds(self, is_inner: bool = False) -> bool:
        value: bool | None = None
        operator = "AND"
        for token in self._found:
            if token == ")":
                if is_inner:
                    break
                raise Unreadable("a bracket too many")
            if token in _OPERATORS:
                operator = "NOT" if token == "ANDNOT" or (token == "NOT" and operator == "AND") else token
                continue
            term = self.holds(is_inner=True) if token == "(" else self._leaf(token, self._paper)
            value = term if value is None else self._joined(value, operator, term)
            operator = "AND"
        if value is None:
            raise Unreadable("nothing to look for")
        return value

    @staticmethod
    def _joined(value: bool, operator: str, term: bool) -> bool:
        if operator == "OR":
            return value or term
        return value and not term if operator == "NOT" else value and term
