"""Europe PMC, through its REST service."""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings

from jobs.outbound import OutboundResponse
from knowledge.connectors.asking import Busy, Question, Service, ask
from knowledge.connectors.base import Batch, Connector, Preview, Problem, Query
from knowledge.connectors.languages import three_letters, two_letters
from knowledge.connectors.markup import clean
from knowledge.connectors.registry import register
from knowledge.errors import AnswerUnreadable, ConnectorRejected, QueryRejected
from knowledge.rates import NOBODY, Attendance, Pace
from knowledge.records import (
    Author,
    MeshTerm,
    Notice,
    PartialDate,
    Record,
    Relation,
    Section,
    clean_doi,
    clean_pmcid,
    clean_pmid,
)

KIND = "europepmc"
PAGE = 100
#: So many identifiers fit into one search.
_LOOKED_UP_TOGETHER = 20
_FIRST_MARK = "*"
_DATES = {"entered": "FIRST_IDATE", "revised": "UPDATE_DATE", "published": "FIRST_PDATE"}
_HEADING = re.compile(r"<h4[^>]*>(.*?)</h4>", re.IGNORECASE | re.DOTALL)
_RAISED = re.compile(r"(?<=\d)<sup>\s*", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,300}>")
_BLOCK = re.compile(r"</?(?:p|br|li|ul|ol|h\d|div)\b[^<>]{0,300}>", re.IGNORECASE)
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")
_RELATIONS = {
    "retraction in": Relation.RETRACTED_IN,
    "retraction of": Relation.RETRACTS,
    "partial retraction in": Relation.PARTLY_RETRACTED_IN,
    "partial retraction of": Relation.PARTLY_RETRACTS,
    "erratum in": Relation.CORRECTED_IN,
    "erratum for": Relation.CORRECTS,
    "corrected and republished in": Relation.REPUBLISHED_IN,
    "corrected and republished from": Relation.REPUBLISHES,
    "retracted and republished in": Relation.RETRACTED_IN,
    "retracted and republished from": Relation.RETRACTS,
    "expression of concern in": Relation.CONCERN_IN,
    "expression of concern for": Relation.CONCERN_ABOUT,
    "update in": Relation.UPDATED_IN,
    "update of": Relation.UPDATES,
    "comment in": Relation.COMMENTED_IN,
    "comment on": Relation.COMMENTS,
}

Fields = Mapping[str, Any]


@register
class EuropePMC(Connector):
    """Papers and preprints of the life sciences, from the European Bioinformatics Institute: PubMed, PMC and preprint servers."""

    kind, label = KIND, "Europe PMC"
    overlap = timedelta(days=2)
    looks_up = "doi"

    def preview(self, query: Query, attendance: Attendance = NOBODY) -> Preview:
        search = self._search(self.checked(query))
        answer = self._ask({"query": search, "pageSize": "1", "resultType": "idlist"}, attendance)
        return Preview(search, _hits(answer))

    def batches(self, query: Query, cursor: str = "", attendance: Attendance = NOBODY) -> Iterator[Batch]:
        query = self.checked(query)
        mark, given = _place(cursor)
        search = self._search(query)
        while True:
            answer = self._ask(self._parameters(query, search, mark), attendance)
            results = _results(answer)[: query.max_results - given]
            given += len(results)
            total = min(_hits(answer), query.max_results)
            following = str(answer.get("nextCursorMark") or "")
            # The service ends with the mark that was sent, or with none.
            is_last = not results or given >= total or following in {"", mark}
            records, problems = _read(results)
            yield Batch(
                records,
                cursor="" if is_last else json.dumps({"mark": following, "given": given}),
                total=total,
                problems=problems,
                warnings=_shortage(given, total) if is_last else (),
            )
            if is_last:
                return
            mark = following

    def lookup(self, identifiers: Sequence[str], attendance: Attendance = NOBODY) -> Iterator[Batch]:
        wanted = list(dict.fromkeys(identifiers))
        for start in range(0, len(wanted), _LOOKED_UP_TOGETHER):
            asked = wanted[start : start + _LOOKED_UP_TOGETHER]
            proper = [doi for doi in asked if clean_doi(doi) and '"' not in doi]
            records: tuple[Record, ...] = ()
            problems: tuple[Problem, ...] = ()
            if proper:
                search = " OR ".join(f'DOI:"{doi}"' for doi in proper)
                given = {
                    "query": search,
                    "pageSize": str(PAGE),
                    "resultType": "core",
                    "cursorMark": _FIRST_MARK,
                }
                records, problems = _read(_results(self._ask(given, attendance)))
            known = {record.doi for record in records}
            missing = tuple(doi for doi in asked if clean_doi(doi) not in known)
            yield Batch(records, total=len(wanted), problems=problems, missing=missing)

    def _parameters(self, query: Query, search: str, mark: str) -> dict[str, str]:
        asked = {
            "query": search,
            "resultType": "core",
            "pageSize": str(min(PAGE, query.max_results)),
            "cursorMark": mark,
        }
        return asked | ({"sort": "P_PDATE_D desc"} if query.order == "newest" else {})

    def _search(self, query: Query) -> str:
        conditions = [f"({' '.join(query.text.split())})", "(SRC:MED OR SRC:PMC OR SRC:PPR)"]
        if query.window is not None:
            last = query.window.until or date(3000, 12, 31)
            field = _DATES[query.window.by]
            conditions.append(f"{field}:[{self.since(query.window).isoformat()} TO {last.isoformat()}]")
        if query.has_abstract:
            conditions.append("HAS_ABSTRACT:Y")
        if query.language:
            conditions.append(f"LANG:{three_letters(query.language)}")
        search = " AND ".join(conditions)
        return f'{search} NOT PUB_TYPE:"Retracted Publication"' if query.leave_out_retracted else search

    def _ask(self, asked: dict[str, str], attendance: Attendance) -> Fields:
        sent = urlencode({**asked, "format": "json"})
        return ask(_service(), Question(f"{settings.EUROPEPMC_URL}/search?{sent}"), _read_answer, attendance)


def _read_answer(answer: OutboundResponse) -> Fields:
    try:
        said = json.loads(answer.body)
    except ValueError as error:
        raise AnswerUnreadable("Europe PMC's answer is not JSON.") from error
    if not isinstance(said, dict):
        raise AnswerUnreadable("Europe PMC's answer is not what a search gives.")
    if reason := clean(str(said.get("errMsg") or "")):
        code = str(said.get("errCode") or "")
        if "limit" in reason.lower() or code == "429":
            raise Busy(reason)
        if code.startswith("5"):
            raise AnswerUnreadable(f"Europe PMC: {reason}")
        raise QueryRejected(f"Europe PMC: {reason}")
    _hits(said)
    return said


def _hits(answer: Fields) -> int:
    hits = answer.get("hitCount")
    if not isinstance(hits, int) or hits < 0:
        raise AnswerUnreadable("Europe PMC's answer does not say how many papers there are.")
    return hits


def _results(answer: Fields) -> list[Fields]:
    found = _mapping(answer.get("resultList")).get("result")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _shortage(given: int, total: int) -> tuple[str, ...]:
    return (f"Europe PMC gave {given:,} of {total:,} papers.",) if given < total else ()


def _read(results: Sequence[Fields]) -> tuple[tuple[Record, ...], tuple[Problem, ...]]:
    records, problems = [], []
    for entry in results:
        name = f"{_text(entry, 'source')}:{_text(entry, 'id')}"
        if not _text(entry, "id") or not plain(_text(entry, "title")):
            problems.append(Problem(name, "A paper without an identifier or a title."))
        else:
            records.append(read_record(entry))
    return tuple(records), tuple(problems)


def read_record(entry: Fields) -> Record:
    """What one result of the type "core" says."""
    source, number = _text(entry, "source"), _text(entry, "id")
    issue = _mapping(entry.get("journalInfo"))
    journal = _mapping(issue.get("journal"))
    book = _mapping(entry.get("bookOrReportDetails"))
    version = _text(entry, "versionNumber")
    return Record(
        source=KIND,
        source_id=f"{source}:{number}",
        title=plain(_text(entry, "title")),
        pmid=clean_pmid(_text(entry, "pmid") or (number if source == "MED" else "")),
        pmcid=clean_pmcid(_text(entry, "pmcid") or (number if source == "PMC" else "")),
        doi=clean_doi(_text(entry, "doi")),
        version=int(version) if version.isdigit() else None,
        authors=tuple(map(_author, _list(entry, "authorList", "author"))) or _signed(entry),
        abstract=sections(_text(entry, "abstractText")),
        journal=_text(journal, "title"),
        journal_abbreviation=_text(journal, "isoabbreviation") or _text(journal, "medlineAbbreviation"),
        issn=_text(journal, "issn") or _text(journal, "essn"),
        volume=_text(issue, "volume"),
        issue=_text(issue, "issue"),
        pages=_text(entry, "pageInfo"),
        publisher=_text(book, "publisher"),
        published=_date(entry, "firstPublicationDate") or _date(entry, "pubYear"),
        entered=_date(entry, "firstIndexDate") or _date(entry, "dateOfCreation"),
        revised=_date(entry, "dateOfRevision"),
        mesh=tuple(map(_mesh, _list(entry, "meshHeadingList", "meshHeading"))),
        keywords=_words(entry, "keywordList", "keyword"),
        types=_types(entry, source),
        languages=tuple(filter(None, [two_letters(_text(entry, "language"))])),
        notices=tuple(_notices(entry)),
        url=f"https://europepmc.org/article/{source}/{number}",
        pdf_url=_pdf(entry),
    )


def plain(markup: str) -> str:
    """Text of the service's HTML as one line; exponents of numbers get a "^"."""
    text = _BLOCK.sub(" ", _RAISED.sub("^", markup))
    return clean(html.unescape(_TAG.sub("", text)))


def sections(markup: str) -> tuple[Section, ...]:
    """An abstract, cut at its headings."""
    first, *others = _HEADING.split(markup)
    parts = [("", first), *zip(others[::2], others[1::2], strict=True)]
    return tuple(Section(text, plain(label).rstrip(":")) for label, body in parts if (text := plain(body)))


def _types(entry: Fields, source: str) -> tuple[str, ...]:
    types = [kind[:1].upper() + kind[1:] for kind in _words(entry, "pubTypeList", "pubType")]
    if source == "PPR" and "Preprint" not in types:
        types.append("Preprint")
    return tuple(types)


def _signed(entry: Fields) -> tuple[Author, ...]:
    """Authors of results that have them only in one line, such as "Blaha S, Lovelace AB."."""
    found = []
    for name in filter(None, (part.strip() for part in _text(entry, "authorString").rstrip(".").split(","))):
        family, _, initials = name.rpartition(" ")
        found.append(Author(family=family, initials=initials) if family else Author(family=initials))
    return tuple(found)


def _author(entry: Fields) -> Author:
    orcid = _mapping(entry.get("authorId"))
    details = _list(entry, "authorAffiliationDetailsList", "authorAffiliation")
    affiliations = [_text(detail, "affiliation") for detail in details] or [_text(entry, "affiliation")]
    return Author(
        family=_text(entry, "lastName") or ("" if entry.get("collectiveName") else _text(entry, "fullName")),
        given=_text(entry, "firstName"),
        initials=_text(entry, "initials"),
        collective=_text(entry, "collectiveName"),
        orcid=_text(orcid, "value") if orcid.get("type") == "ORCID" else "",
        affiliations=tuple(filter(None, affiliations)),
    )


def _mesh(entry: Fields) -> MeshTerm:
    qualifiers = tuple(
        MeshTerm(_text(found, "qualifierName"), is_major=found.get("majorTopic_YN") == "Y")
        for found in _list(entry, "meshQualifierList", "meshQualifier")
    )
    is_major = entry.get("majorTopic_YN") == "Y" or any(qualifier.is_major for qualifier in qualifiers)
    return MeshTerm(_text(entry, "descriptorName"), is_major=is_major, qualifiers=qualifiers)


def _notices(entry: Fields) -> Iterator[Notice]:
    for found in _list(entry, "commentCorrectionList", "commentCorrection"):
        relation = _RELATIONS.get(_text(found, "type").lower())
        if relation is not None:
            pmid = clean_pmid(_text(found, "id")) if found.get("source") == "MED" else ""
            yield Notice(relation, pmid=pmid, reference=_text(found, "reference"))


def _pdf(entry: Fields) -> str:
    for found in _list(entry, "fullTextUrlList", "fullTextUrl"):
        address = _text(found, "url")
        if found.get("documentStyle") == "pdf" and address.startswith(("http://", "https://")):
            return address
    return ""


def _date(entry: Fields, name: str) -> PartialDate | None:
    match = _DATE.match(_text(entry, name))
    return PartialDate.of(*(int(part) if part else None for part in match.groups())) if match else None  # type: ignore[arg-type]  # the year is there


def _mapping(value: Any) -> Fields:
    return value if isinstance(value, dict) else {}


def _list(entry: Fields, outer: str, inner: str) -> list[Fields]:
    found = _mapping(entry.get(outer)).get(inner)
    return [part for part in found if isinstance(part, dict)] if isinstance(found, list) else []


def _words(entry: Fields, outer: str, inner: str) -> tuple[str, ...]:
    found = _mapping(entry.get(outer)).get(inner)
    words = [plain(word) for word in found if isinstance(word, str)] if isinstance(found, list) else []
    return tuple(dict.fromkeys(filter(None, words)))


def _text(entry: Fields, name: str) -> str:
    value = entry.get(name)
    return clean(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _service() -> Service:
    return Service("Europe PMC", Pace("europepmc", settings.EUROPEPMC_SPACING_SECONDS))


def _place(cursor: str) -> tuple[str, int]:
    """The mark to send, and how many records came before it."""
    if not cursor:
        return _FIRST_MARK, 0
    try:
        place = json.loads(cursor)
        return str(place["mark"]), int(place["given"])
    except (ValueError, TypeError, KeyError) as error:
        raise ConnectorRejected("This is not a cursor of Europe PMC's.") from error
