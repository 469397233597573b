"""A server that behaves like Europe PMC's search."""

import base64
import json
import re
from datetime import date
from typing import Any

from knowledge.tests.library import Library, Paper, Unreadable, has, select
from knowledge.tests.service_server import Asked, Reply, ServiceServer

_RANGE = re.compile(r"\[(\d{4}-\d\d-\d\d) TO (\d{4}-\d\d-\d\d)\]")
_DATES = {"FIRST_IDATE": "entered", "UPDATE_DATE": "revised", "FIRST_PDATE": "published"}
_NOTICES = {"RetractionIn": "Retraction in", "RetractionOf": "Retraction of", "ErratumIn": "Erratum in"}
LARGEST_PAGE = 1_000


class EuropePmcServer(ServiceServer):
    """`ends_without_mark`: whether the last page names no next mark, or the one that was sent. A fault of its own:
    `stuck` (the same mark again, though there is more), `error_inside`."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.library = library
        self.ends_without_mark = False
        #: Largest pages that are really given, whatever is asked for.
        self.page_size = LARGEST_PAGE

    def busy(self) -> Reply:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Reply(429, b"Too Many Requests", headers)

    def special(self, fault: str, asked: Asked) -> Reply:
        if fault == "stuck":
            said = json.loads(self.respond(asked).body)
            return _json(said | {"nextCursorMark": asked.fields["cursorMark"]})
        if fault == "error_inside":
            return _json({"version": "6.9", "errCode": 404, "errMsg": "Invalid resource requested"})
        return super().special(fault, asked)

    @property
    def shelf(self) -> list[Paper]:
        known = [paper for paper in self.library.papers if paper.entered <= self.library.today]
        return [paper for paper in known if paper.pmid or paper.pmcid or paper.preprint_id]

    def respond(self, asked: Asked) -> Reply:
        fields = asked.fields
        if not asked.path.endswith("/rest/search") or fields.get("format") != "json":
            return Reply(404, b"not found")
        if not fields.get("query", "").strip():
            return _json({"version": "6.9", "errCode": 400, "errMsg": "Query parameter is missing"})
        size = int(fields.get("pageSize", "25"))
        if not 1 <= size <= LARGEST_PAGE:
            return _json({"version": "6.9", "errCode": 400, "errMsg": "Invalid page size"})
        size = min(size, self.page_size)
        try:
            found = select(fields["query"], self.shelf, _fits)
        except Unreadable as error:
            return _json({"version": "6.9", "errCode": 400, "errMsg": f"Syntax: {error}"})
        if fields.get("sort") == "P_PDATE_D desc":
            found.sort(key=lambda paper: paper.published, reverse=True)
        mark = fields.get("cursorMark", "*")
        start = 0 if mark == "*" else _start(mark)
        if start is None:
            return _json({"version": "6.9", "errCode": 400, "errMsg": "Unable to parse 'cursorMark'"})
        shown = found[start : start + size]
        following = _mark(start + len(shown)) if shown else mark
        answer = {"version": "6.9", "hitCount": len(found), "request": {"cursorMark": mark, "pageSize": size}}
        # Like the service: the page behind the last paper is empty, and repeats the mark.
        if shown or not self.ends_without_mark:
            answer["nextCursorMark"] = following
        is_core = fields.get("resultType") == "core"
        return _json(
            answer
            | {"resultList": {"result": [result(paper) if is_core else _brief(paper) for paper in shown]}}
        )


def _mark(start: int) -> str:
    """With the signs of Base64 that must be quoted in an address, once."""
    return "AoE/+" + base64.b64encode(str(start).encode()).decode() + "=="


def _start(mark: str) -> int | None:
    if not (mark.startswith("AoE/+") and mark.endswith("==")):
        return None
    return int(base64.b64decode(mark.removeprefix("AoE/+").removesuffix("==") + "=="))


def _fits(token: str, paper: Paper) -> bool:
    field, is_field, value = token.partition(":")
    if not is_field:
        return has(paper, token)
    if field in _DATES:
        match = _RANGE.fullmatch(value)
        if match is None:
            raise Unreadable(f"a range of dates cannot be {value}")
        day: date = getattr(paper, _DATES[field])
        return match[1] <= day.isoformat() <= match[2]
    value = value.strip('"')
    known = {
        "SRC": [_source(paper)],
        "DOI": [paper.doi],
        "EXT_ID": [paper.pmid],
        "LANG": [paper.language],
        "PUB_TYPE": list(paper.types),
        "HAS_ABSTRACT": ["Y" if paper.abstract else "N"],
    }
    return value in known[field] if field in known else has(paper, value)


def _source(paper: Paper) -> str:
    return "MED" if paper.pmid else "PMC" if paper.pmcid else "PPR"


def _json(content: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status, json.dumps(content).encode(), {"Content-Type": "application/json;charset=UTF-8"})


def _brief(paper: Paper) -> dict[str, Any]:
    return {"id": paper.pmid or paper.pmcid or paper.preprint_id, "source": _source(paper)}


def result(paper: Paper) -> dict[str, Any]:
    """One result of the type "core"."""
    abstract = "".join(f"<h4>{label}</h4>{text}" if label else text for label, text in paper.abstract)
    people = [
        {"fullName": f"{family} {given[0]}", "lastName": family, "firstName": given, "initials": given[0]}
        for family, given in paper.authors
    ]
    found: dict[str, Any] = _brief(paper) | {
        "pmid": paper.pmid,
        "pmcid": paper.pmcid,
        "doi": paper.doi,
        "title": paper.title_markup or paper.title,
        "authorString": ", ".join(f"{family} {given[0]}" for family, given in paper.authors) + ".",
        "authorList": {
            "author": [*people, *([{"collectiveName": paper.collective}] if paper.collective else [])]
        },
        "abstractText": abstract,
        "language": paper.language,
        "pubTypeList": {"pubType": [kind.lower() for kind in paper.types]},
        "keywordList": {"keyword": list(paper.keywords)},
        "meshHeadingList": {
            "meshHeading": [{"majorTopic_YN": "N", "descriptorName": name} for name in paper.mesh]
        },
        "commentCorrectionList": {
            "commentCorrection": [
                {
                    "id": pmid,
                    "source": "MED",
                    "type": _NOTICES[kind],
                    "reference": "J Tests. 2026",
                    "orderIn": 1,
                }
                for kind, pmid in paper.notices
            ]
        },
        "firstPublicationDate": paper.published.isoformat(),
        "firstIndexDate": paper.entered.isoformat(),
        "dateOfRevision": paper.revised.isoformat(),
        "pageInfo": paper.pages,
    }
    if paper.preprint_id:
        found |= {"bookOrReportDetails": {"publisher": "medRxiv"}, "versionNumber": paper.version}
    else:
        journal = {"title": paper.journal, "isoabbreviation": "J Tests", "issn": "1234-5678"}
        found["journalInfo"] = {"volume": paper.volume, "issue": paper.issue, "journal": journal}
    return {name: value for name, value in found.items() if value}
