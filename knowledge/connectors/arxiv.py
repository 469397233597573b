"""arXiv, through its query interface."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from lxml import etree

from jobs.outbound import OutboundResponse
from knowledge.connectors.asking import Question, Service, ask
from knowledge.connectors.base import Batch, Connector, Preview, Problem, Query
from knowledge.connectors.markup import children, parse, text_of
from knowledge.connectors.names import split_name
from knowledge.connectors.registry import register
from knowledge.connectors.terms import terms
from knowledge.errors import AnswerUnreadable, ConnectorRejected, QueryRejected
from knowledge.rates import NOBODY, Attendance, Pace
from knowledge.records import PartialDate, Record, Section, clean_doi

KIND = "arxiv"
PAGE = 100
#: arXiv answers no request that reaches further.
MOST = 30_000
#: The day from which on there are papers.
_FIRST_DAY = date(1991, 8, 1)
_LAST_DAY = date(2999, 12, 31)

_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
_FIELD = re.compile(r"\b(?:ti|au|abs|co|jr|cat|rn|id|all|submittedDate):")
_ABSTRACT_PAGE = re.compile(r"/abs/(?P<id>[^\s?#]+?)(?:v(?P<version>\d{1,4}))?$")
_IDENTIFIER = re.compile(r"(?:\d{4}\.\d{4,5}|[a-z\-]+(?:\.[A-Z]{2})?/\d{7})")
_WITHDRAWN = re.compile(
    r"\s*(?:(?:this|the)\s+(?:\w+\s+){0,2}(?:has been|is|was|have been)\s+)?(?:temporarily\s+)?withdrawn\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Page:
    """One answer of the query interface."""

    total: int
    start: int
    records: tuple[Record, ...]
    problems: tuple[Problem, ...] = ()

    @property
    def count(self) -> int:
        return len(self.records) + len(self.problems)


@register
class ArXiv(Connector):
    """Preprints of physics, mathematics, computer science, quantitative biology and neighbours."""

    kind, label = KIND, "arXiv"
    #: Papers that moderators keep back appear under the day they were submitted.
    overlap = timedelta(days=7)
    looks_up = "arxiv_id"

    def preview(self, query: Query, attendance: Attendance = NOBODY) -> Preview:
        query = self.checked(query)
        page = self._ask(self._parameters(query, start=0, wanted=1), 0, attendance)
        notes = (
            ()
            if not self._is_by_revision(query)
            else ("arXiv cannot count by day of revision: this is all.",)
        )
        return Preview(self._search(query), page.total, notes)

    def batches(self, query: Query, cursor: str = "", attendance: Attendance = NOBODY) -> Iterator[Batch]:
        query = self.checked(query)
        start = _start(cursor)
        is_last = False
        while not is_last:
            wanted = min(PAGE, query.max_results - start, MOST - start)
            page = self._ask(self._parameters(query, start=start, wanted=max(wanted, 1)), start, attendance)
            total = min(page.total, query.max_results, MOST)
            start += page.count
            # The newest changes come first: behind a paper that is too old there are only such.
            is_last = start >= total or not all(
                self._is_recent(record, query) for record in page.records[-1:]
            )
            warnings = (f"arXiv lists only the first {MOST:,} papers.",) if is_last and start >= MOST else ()
            yield Batch(
                tuple(record for record in page.records if self._is_within(record, query)),
                cursor="" if is_last else json.dumps({"start": start}),
                total=total,
                problems=page.problems,
                warnings=warnings,
            )

    def lookup(self, identifiers: Sequence[str], attendance: Attendance = NOBODY) -> Iterator[Batch]:
        wanted = list(dict.fromkeys(identifiers))
        for first in range(0, len(wanted), PAGE):
            asked = wanted[first : first + PAGE]
            # One name that is none, and arXiv refuses all.
            proper = [name for name in asked if _IDENTIFIER.fullmatch(name)]
            found: tuple[Record, ...] = ()
            if proper:
                given = {"id_list": ",".join(proper), "start": "0", "max_results": str(PAGE)}
                found = self._ask(given, 0, attendance).records
            known = {record.arxiv_id for record in found}
            yield Batch(found, total=len(wanted), missing=tuple(name for name in asked if name not in known))

    def _ask(self, asked: dict[str, str], start: int, attendance: Attendance) -> Page:
        def read(answer: OutboundResponse) -> Page:
            page = read_page(answer.body)
            if not page.count and page.total > start:
                raise AnswerUnreadable(
                    f"arXiv has {page.total:,} papers, but its page from {start} on is empty."
                )
            return page

        return ask(_service(), Question(f"{settings.ARXIV_URL}/query?{urlencode(asked)}"), read, attendance)

    def _parameters(self, query: Query, *, start: int, wanted: int) -> dict[str, str]:
        order = "relevance" if query.order == "relevance" else "submittedDate"
        return {
            "search_query": self._search(query),
            "start": str(start),
            "max_results": str(wanted),
            "sortBy": "lastUpdatedDate" if self._is_by_revision(query) else order,
            "sortOrder": "descending",
        }

    def _search(self, query: Query) -> str:
        search = f"({translated(query.text)})"
        if query.window is None or self._is_by_revision(query):
            return search
        first = max(self.since(query.window), _FIRST_DAY)
        last = min(query.window.until or _LAST_DAY, _LAST_DAY)
        return f"{search} AND submittedDate:[{first:%Y%m%d}0000 TO {last:%Y%m%d}2359]"

    def _is_recent(self, record: Record, query: Query) -> bool:
        """Whether it was changed within the window. arXiv can sort by that, but not filter."""
        if query.window is None or not self._is_by_revision(query) or record.revised is None:
            return True
        return record.revised.first >= self.since(query.window)

    def _is_within(self, record: Record, query: Query) -> bool:
        """Whether it is neither too old nor too new for a window of revisions."""
        until = query.window.until if query.window is not None and self._is_by_revision(query) else None
        is_too_new = until is not None and record.revised is not None and record.revised.first > until
        return self._is_recent(record, query) and not is_too_new

    @staticmethod
    def _is_by_revision(query: Query) -> bool:
        return query.window is not None and query.window.by == "revised"


def translated(text: str) -> str:
    """The query in arXiv's syntax: as it is if it names fields, else every word and phrase anywhere in the paper."""
    if _FIELD.search(text):
        return " ".join(text.split())
    said = terms(text)
    if not any(term.is_word for term in said):
        raise QueryRejected("The query has no word to look for.")
    parts: list[str] = []
    for term in said:
        if term.is_word:
            if parts and parts[-1] not in {"(", "AND", "OR", "ANDNOT"}:
                parts.append("AND")
            # A hyphen or a dot in a word that is not quoted would be read as an operator.
            parts.append(f"all:{term.text}" if term.text.isalnum() else f'all:"{term.text}"')
        elif term.text == "NOT":
            if parts and parts[-1] == "AND":
                parts.pop()
            parts.append("ANDNOT")
        else:
            if term.text == "(" and parts and parts[-1] not in {"(", "AND", "OR", "ANDNOT"}:
                parts.append("AND")
            parts.append(term.text)
    return " ".join(parts).replace("( ", "(").replace(" )", ")")


def read_page(body: bytes) -> Page:
    """What an answer says. Raises QueryRejected for arXiv's entries of error, AnswerUnreadable for what is no feed."""
    root = parse(body)
    if root.tag != f"{_ATOM}feed":
        raise AnswerUnreadable("arXiv's answer is no Atom feed.")
    entries = list(children(root, f"{_ATOM}entry"))
    for entry in entries:
        if "/api/errors" in _text(entry, f"{_ATOM}id"):
            raise QueryRejected(f"arXiv: {_text(entry, f'{_ATOM}summary') or 'an error without a reason'}.")
    total, start = _text(root, f"{_SEARCH}totalResults"), _text(root, f"{_SEARCH}startIndex")
    if not total.isdigit():
        raise AnswerUnreadable("arXiv's answer does not say how many papers there are.")
    records, problems = [], []
    for entry in entries:
        record = _record(entry)
        if isinstance(record, Problem):
            problems.append(record)
        else:
            records.append(record)
    return Page(int(total), int(start) if start.isdigit() else 0, tuple(records), tuple(problems))


def _record(entry: etree._Element) -> Record | Problem:
    address = _text(entry, f"{_ATOM}id")
    match = _ABSTRACT_PAGE.search(address)
    title = _text(entry, f"{_ATOM}title")
    if match is None or not title:
        return Problem(address, "An entry without an identifier or a title.")
    links = {
        link.get("title") or link.get("rel") or "": link.get("href", "")
        for link in children(entry, f"{_ATOM}link")
    }
    primary = [element.get("term", "") for element in children(entry, f"{_ARXIV}primary_category")]
    others = [element.get("term", "") for element in children(entry, f"{_ATOM}category")]
    abstract, comment = _text(entry, f"{_ATOM}summary"), _text(entry, f"{_ARXIV}comment")
    is_withdrawn = bool(_WITHDRAWN.match(comment) or _WITHDRAWN.match(abstract))
    published = _moment(_text(entry, f"{_ATOM}published"))
    return Record(
        source=KIND,
        source_id=match["id"],
        arxiv_id=match["id"],
        version=int(match["version"] or 1),
        title=title,
        doi=clean_doi((_text(entry, f"{_ARXIV}doi").split() or [""])[0]),
        authors=tuple(
            split_name(_text(author, f"{_ATOM}name"), _texts(author, f"{_ARXIV}affiliation"))
            for author in children(entry, f"{_ATOM}author")
        ),
        abstract=(Section(abstract),) if abstract else (),
        journal_reference=_text(entry, f"{_ARXIV}journal_ref"),
        published=published,
        entered=published,
        revised=_moment(_text(entry, f"{_ATOM}updated")),
        types=("Preprint", "Withdrawn") if is_withdrawn else ("Preprint",),
        categories=tuple(dict.fromkeys(filter(None, [*primary, *others]))),
        comment=comment,
        url=links.get("alternate") or address,
        pdf_url=links.get("pdf", ""),
    )


def _text(element: etree._Element, path: str) -> str:
    return text_of(element.find(path))


def _texts(element: etree._Element, path: str) -> tuple[str, ...]:
    return tuple(filter(None, map(text_of, children(element, path))))


def _moment(text: str) -> PartialDate | None:
    try:
        return PartialDate(datetime.fromisoformat(text).date())
    except ValueError:
        return None


def _service() -> Service:
    # Its 429 names no time; waits of two minutes have been seen.
    return Service(
        "arXiv", Pace("arxiv", settings.ARXIV_SPACING_SECONDS, one_at_a_time=True), hold_seconds=10
    )


def _start(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(json.loads(cursor)["start"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConnectorRejected("This is not a cursor of arXiv's.") from error
