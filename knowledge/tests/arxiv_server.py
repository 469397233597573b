"""A server that behaves like arXiv's query interface."""

import re
from datetime import date, datetime
from urllib.parse import quote
from xml.sax.saxutils import escape

from knowledge.tests.library import Library, Paper, Unreadable, has, select
from knowledge.tests.service_server import Asked, Reply, ServiceServer

_IDENTIFIER = re.compile(r"(\d{4}\.\d{4,5}|[a-z\-]+(?:\.[A-Z]{2})?/\d{7})(?:v(\d+))?")
_RANGE = re.compile(r"submittedDate:\[(\d{12}) TO (\d{12})\]")
_ORDERS = {"submittedDate": lambda paper: paper.entered, "lastUpdatedDate": lambda paper: updated(paper)}
LARGEST_SLICE, FURTHEST = 2_000, 30_000


class ArxivServer(ServiceServer):
    """Faults of its own: `empty` (a page without entries though there are more), `error_with_200`."""

    one_at_a_time = True

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.library = library
        self.per_second = 1 / 3

    def busy(self) -> Reply:
        """No word about when to come back."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Reply(429, b"Rate exceeded.", headers)

    def special(self, fault: str, asked: Asked) -> Reply:
        if fault == "empty":
            whole = self.respond(asked).body.decode()
            return _atom(re.sub(r"<entry>.*</entry>", "", whole, flags=re.DOTALL))
        if fault == "error_with_200":
            return _error("incorrect id format for abc", 200)
        return super().special(fault, asked)

    @property
    def shelf(self) -> list[Paper]:
        return [
            paper for paper in self.library.papers if paper.arxiv_id and paper.entered <= self.library.today
        ]

    def respond(self, asked: Asked) -> Reply:
        fields = asked.fields
        if not asked.path.endswith("/query"):
            return Reply(404, b"not found")
        start, most = int(fields.get("start", "0")), int(fields.get("max_results", "10"))
        if most > LARGEST_SLICE:
            return _error(f"max_results must be less than {LARGEST_SLICE}", 400)
        if start + most > FURTHEST:
            return _error("start + max_results must be less than 30000", 400)
        try:
            found = self._found(fields)
        except Unreadable as error:
            return _error(str(error), 400)
        order = fields.get("sortBy", "relevance")
        if order in _ORDERS:
            is_descending = fields.get("sortOrder", "descending") == "descending"
            found.sort(key=_ORDERS[order], reverse=is_descending)
        return _atom(_feed(found, start, most, fields.get("search_query", "")))

    def _found(self, fields: dict[str, str]) -> list[Paper]:
        if names := fields.get("id_list"):
            return [paper for name in names.split(",") if (paper := self._named(name)) is not None]
        query = fields.get("search_query", "")
        if not query.strip():
            raise Unreadable("search_query or id_list must be given")
        return select(query, self.shelf, _fits)

    def _named(self, name: str) -> Paper | None:
        match = _IDENTIFIER.fullmatch(name)
        if match is None:
            raise Unreadable(f"incorrect id format for {name}")
        return next((paper for paper in self.shelf if paper.arxiv_id == match[1]), None)


def _fits(token: str, paper: Paper) -> bool:
    field, is_field, value = token.partition(":")
    if field == "submittedDate":
        match = _RANGE.fullmatch(token)
        if match is None:
            raise Unreadable(f"invalid date range {value}")
        day = f"{paper.entered:%Y%m%d}1200"
        return match[1] <= day <= match[2]
    if not is_field:
        return has(paper, token)
    if field == "cat":
        return value in paper.categories
    if not value.startswith('"') and "-" in value:
        first, _, second = value.partition("-")  # an operator for its parser: the one without the other
        return has(paper, first) and not has(paper, second)
    return has(paper, value)


def _atom(body: str, status: int = 200) -> Reply:
    return Reply(status, body.encode(), {"Content-Type": "application/atom+xml; charset=utf-8"})


def _frame(entries: str, total: int, start: int, most: int, title: str) -> str:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" '
        f'xmlns="http://www.w3.org/2005/Atom"><id>https://arxiv.org/api/xyz</id><title>{escape(title)}</title>'
        f"<updated>2026-11-20T00:00:00Z</updated><opensearch:itemsPerPage>{most}</opensearch:itemsPerPage>"
        f"<opensearch:totalResults>{total}</opensearch:totalResults>"
        f"<opensearch:startIndex>{start}</opensearch:startIndex>{entries}</feed>"
    )


def _feed(found: list[Paper], start: int, most: int, query: str) -> str:
    entries = "".join(map(_entry, found[start : start + most]))
    return _frame(entries, len(found), start, most, f"arXiv Query: search_query={query}")


def _error(reason: str, status: int) -> Reply:
    where = f"https://arxiv.org/api/errors#{quote(reason.replace(' ', '_'))}"
    entry = (
        f"<entry><id>{where}</id><title>Error</title><updated>2026-11-20T00:00:00Z</updated>"
        f"<summary>{escape(reason)}</summary><author><name>arXiv api core</name></author></entry>"
    )
    return _atom(_frame(entry, 1, 0, 1, "arXiv Search Results"), status)


def updated(paper: Paper) -> date:
    """The day of its last version; what else is said about a paper changes no version."""
    return paper.revised if paper.version > 1 else paper.entered


def _moment(day: date) -> str:
    return datetime(day.year, day.month, day.day, 12).isoformat() + "Z"


def _entry(paper: Paper) -> str:
    name = f"{paper.arxiv_id}v{paper.version}"
    authors = "".join(
        f"<author><name>{escape(f'{given} {family}')}</name></author>" for family, given in paper.authors
    )
    if paper.collective:
        authors += f"<author><name>{escape(paper.collective)}</name></author>"
    more = "".join(
        f"<arxiv:{field}>{escape(value)}</arxiv:{field}>"
        for field, value in [
            ("comment", paper.comment),
            ("journal_ref", paper.journal_reference),
            ("doi", paper.doi),
        ]
        if value
    )
    categories = "".join(
        f'<category term="{term}" scheme="http://arxiv.org/schemas/atom"/>' for term in paper.categories
    )
    return (
        f"<entry><id>http://arxiv.org/abs/{name}</id><title>{escape(paper.title)}</title>"
        f"<updated>{_moment(updated(paper))}</updated>"
        f'<link href="https://arxiv.org/abs/{name}" rel="alternate" type="text/html"/>'
        f'<link href="https://arxiv.org/pdf/{name}" rel="related" type="application/pdf" title="pdf"/>'
        f"<summary>  {escape(' '.join(text for _, text in paper.abstract))}\n</summary>{categories}"
        f"<published>{_moment(paper.entered)}</published>{more}"
        f'<arxiv:primary_category term="{paper.categories[0]}"/>{authors}</entry>'
    )
