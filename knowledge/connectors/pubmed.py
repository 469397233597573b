"""PubMed, through NCBI's E-utilities."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from django.conf import settings
from lxml import etree

from jobs.outbound import OutboundResponse
from knowledge.connectors.asking import Busy, Question, Service, ask
from knowledge.connectors.base import Batch, Connector, Preview, Query, Window
from knowledge.connectors.languages import three_letters
from knowledge.connectors.markup import children, parse, text_of
from knowledge.connectors.pubmed_articles import KIND, Articles, read_articles
from knowledge.connectors.registry import register
from knowledge.errors import AnswerUnreadable, ConnectorRejected, ConnectorUnavailable, QueryRejected
from knowledge.rates import NOBODY, Attendance, Pace

PAGE = 200
#: PubMed lists no more of one search.
MOST = 9_999
#: Longer addresses are cut on their way; what would not fit is sent as a form.
LONGEST_URL = 1_000

_DATES = {"entered": "edat", "revised": "mdat", "published": "pdat"}
_ORDERS = {"newest": "pub_date", "relevance": "relevance"}
_LATER = ("backend", "temporarily", "timeout", "timed out", "try again", "unavailable", "internal error")
_HISTORY = ("history", "webenv", "unable to obtain query", "query_key", "cookie")
_YOURS = ("empty term", "syntax", "query is too", "date")
_WARNINGS = {
    "PhraseNotFound": "PubMed does not know “{}” and has left it out.",
    "FieldNotFound": "PubMed has no field “{}”.",
    "PhraseIgnored": "PubMed ignores “{}”.",
    "QuotedPhraseNotFound": "PubMed does not have the phrase “{}” and has looked for its words.",
}


@dataclass(frozen=True)
class Found:
    """An answer of `esearch`."""

    count: int
    ids: tuple[str, ...] = ()
    web_env: str = ""
    query_key: str = ""
    translation: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Place:
    """Where a reading has got to, as its cursor says."""

    web_env: str
    query_key: str
    start: int
    total: int


class _HistoryLost(ConnectorUnavailable):
    """PubMed has forgotten the search whose pages we read: it keeps them for some hours."""


@register
class PubMed(Connector):
    """Abstracts of biomedical papers, more than 37 million, from the US National Library of Medicine."""

    kind, label = KIND, "PubMed"
    #: Days of entry are days of Maryland's calendar, and lists of a day grow until its end.
    overlap = timedelta(days=2)
    looks_up = "pmid"

    def preview(self, query: Query, attendance: Attendance = NOBODY) -> Preview:
        found = self._search(self.checked(query), attendance, most=0)
        return Preview(found.translation, found.count, found.warnings)

    def batches(self, query: Query, cursor: str = "", attendance: Attendance = NOBODY) -> Iterator[Batch]:
        query = self.checked(query)
        warnings: tuple[str, ...] = ()
        place = _place(cursor)
        if place is None:
            place, warnings = self._begin(query, attendance)
        restarts = 0
        while True:
            try:
                batch, place = self._page(place, attendance)
            except _HistoryLost:
                restarts += 1
                if restarts > 2:
                    raise
                place, warnings = self._begin(query, attendance)
                continue
            yield replace(batch, warnings=warnings + batch.warnings)
            if not batch.cursor:
                return
            warnings = ()

    def lookup(self, identifiers: Sequence[str], attendance: Attendance = NOBODY) -> Iterator[Batch]:
        wanted = list(dict.fromkeys(identifiers))
        for start in range(0, len(wanted), PAGE):
            asked = wanted[start : start + PAGE]
            found = self._fetch({"id": ",".join(asked)}, attendance)
            known = {record.pmid for record in found.records} | {
                problem.source_id for problem in found.problems
            }
            yield Batch(
                found.records,
                total=len(wanted),
                problems=found.problems,
                missing=tuple(name for name in asked if name not in known),
            )

    def warnings(self) -> tuple[str, ...]:
        if settings.NCBI_EMAIL:
            return ()
        return ("NCBI_EMAIL is not set: NCBI asks for an address, and may block programs that give none.",)

    def _begin(self, query: Query, attendance: Attendance) -> tuple[_Place, tuple[str, ...]]:
        found = self._search(query, attendance, most=1)
        total = min(found.count, query.max_results, MOST)
        if found.count and not (found.web_env and found.query_key):
            raise AnswerUnreadable("PubMed found papers, but has not remembered the search.")
        warnings = found.warnings
        if total < min(found.count, query.max_results):
            warnings += (
                f"PubMed lists only the first {MOST:,} of {found.count:,} papers; narrow the window.",
            )
        return _Place(found.web_env, found.query_key, 0, total), warnings

    def _page(self, place: _Place, attendance: Attendance) -> tuple[Batch, _Place]:
        wanted = min(PAGE, place.total - place.start)
        if wanted <= 0:
            return Batch((), total=place.total), place
        found = self._fetch_page(place, wanted, attendance)
        warnings: tuple[str, ...] = ()
        if found.count < wanted:  # now and then pages come incomplete
            again = self._fetch_page(place, wanted, attendance)
            found = max(found, again, key=lambda articles: articles.count)
            if found.count < wanted:
                warnings = (
                    f"PubMed gave {found.count} of {wanted} papers; the others come with the next look.",
                )
        after = replace(place, start=place.start + wanted)
        return Batch(
            found.records,
            cursor=json.dumps(asdict(after)) if after.start < place.total else "",
            total=place.total,
            problems=found.problems,
            missing=found.deleted,
            warnings=warnings,
        ), after

    def _search(self, query: Query, attendance: Attendance, *, most: int) -> Found:
        asked = {"term": _term(query), "retmax": str(most), "usehistory": "y", "sort": _ORDERS[query.order]}
        if query.window is not None:
            asked |= self._dates(query.window)
        return ask(
            _service(),
            _question("esearch.fcgi", asked),
            lambda answer: read_search(_root(answer)),
            attendance,
        )

    def _dates(self, window: Window) -> dict[str, str]:
        """NCBI takes both ends or none; the year 3000 is its word for "no end"."""
        last = window.until or date(3000, 12, 31)
        return {
            "datetype": _DATES[window.by],
            "mindate": self.since(window).strftime("%Y/%m/%d"),
            "maxdate": last.strftime("%Y/%m/%d"),
        }

    def _fetch_page(self, place: _Place, wanted: int, attendance: Attendance) -> Articles:
        return self._fetch(
            {
                "WebEnv": place.web_env,
                "query_key": place.query_key,
                "retstart": str(place.start),
                "retmax": str(wanted),
            },
            attendance,
        )

    def _fetch(self, asked: dict[str, str], attendance: Attendance) -> Articles:
        return ask(
            _service(),
            _question("efetch.fcgi", asked),
            lambda answer: read_fetched(_root(answer)),
            attendance,
        )


def read_search(root: etree._Element) -> Found:
    """What an answer of `esearch` says."""
    _refuse_error(root)
    count = text_of(root.find("Count"))
    if root.tag != "eSearchResult" or not count.isdigit():
        raise AnswerUnreadable("PubMed's answer to a search has no count.")
    warnings = [
        pattern.format(text_of(element))
        for name, pattern in _WARNINGS.items()
        for element in (*children(root, f"ErrorList/{name}"), *children(root, f"WarningList/{name}"))
    ]
    return Found(
        count=int(count),
        ids=tuple(map(text_of, children(root, "IdList/Id"))),
        web_env=text_of(root.find("WebEnv")),
        query_key=text_of(root.find("QueryKey")),
        translation=text_of(root.find("QueryTranslation")),
        warnings=tuple(warnings),
    )


def read_fetched(root: etree._Element) -> Articles:
    """What an answer of `efetch` says. An answer of another program is an error, never an empty page."""
    _refuse_error(root)
    if root.tag != "PubmedArticleSet":
        raise AnswerUnreadable(f"PubMed answered with a {root.tag} instead of articles.")
    return read_articles(root)


def _root(answer: OutboundResponse) -> etree._Element:
    """The answer's XML; E-utilities answer with JSON when something is wrong, also with status 200."""
    if answer.body[:200].lstrip()[:1] == b"{":
        _refuse_json(answer.body)
    return parse(answer.body)


def _refuse_json(body: bytes) -> None:
    try:
        said = json.loads(body)
    except ValueError as error:
        raise AnswerUnreadable("PubMed's answer is neither XML nor JSON.") from error
    reason = str(said.get("error") or said.get("ERROR") or "") if isinstance(said, dict) else ""
    if "rate limit" in reason.lower():
        raise Busy(reason)
    _refuse(reason or "an answer that says nothing")


def _refuse_error(root: etree._Element) -> None:
    error = root if root.tag == "ERROR" else root.find("ERROR")
    if error is not None:
        _refuse(text_of(error) or "an error without a reason")


def _refuse(reason: str) -> None:
    """Raise what a reason of NCBI's means."""
    said, sentence = reason.lower(), f"PubMed: {reason.rstrip('.')}."
    if "rate limit" in said:
        raise Busy(reason)
    if "api key" in said or "api_key" in said:
        raise ConnectorRejected("PubMed does not accept NCBI_API_KEY.")
    if any(sign in said for sign in _LATER):
        raise AnswerUnreadable(sentence)
    if any(sign in said for sign in _HISTORY):
        raise _HistoryLost(sentence)
    if any(sign in said for sign in _YOURS):
        raise QueryRejected(sentence)
    raise ConnectorRejected(sentence)


def _term(query: Query) -> str:
    conditions = [f"({query.text.strip()})"]
    if query.has_abstract:
        conditions.append("hasabstract")
    if query.language:
        conditions.append(f"{three_letters(query.language)}[la]")
    term = " AND ".join(conditions)
    return f'{term} NOT "retracted publication"[pt]' if query.leave_out_retracted else term


def _question(program: str, asked: dict[str, str]) -> Question:
    """A request; one that is too long for an address is sent as a form."""
    known = {"db": "pubmed", "retmode": "xml", "tool": settings.NCBI_TOOL, "email": settings.NCBI_EMAIL}
    known["api_key"] = settings.NCBI_API_KEY
    sent = urlencode({name: value for name, value in {**known, **asked}.items() if value})
    address = f"{settings.PUBMED_URL}/{program}"
    if len(address) + len(sent) < LONGEST_URL:
        return Question(f"{address}?{sent}")
    return Question(address, sent.encode())


def _service() -> Service:
    return Service("PubMed", Pace("pubmed", settings.PUBMED_SPACING_SECONDS))


def _place(cursor: str) -> _Place | None:
    """Where a cursor points; None for the start."""
    if not cursor:
        return None
    try:
        return _Place(**json.loads(cursor))
    except (ValueError, TypeError) as error:
        raise ConnectorRejected("This is not a cursor of PubMed's.") from error
