"""Recorded answers of PubMed and arXiv: what we read in them is what the parsers of others read in them."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import arxiv
import pytest
from arxiv import _feed as arxiv_feed
from Bio import Entrez

from knowledge.connectors.arxiv import read_page
from knowledge.connectors.markup import parse
from knowledge.connectors.pubmed import read_fetched, read_search
from knowledge.connectors.pubmed_articles import read_articles
from knowledge.errors import ConnectorError, ConnectorRejected, QueryRejected
from knowledge.records import PartialDate, Record
from knowledge.tests import corpora

pytestmark = pytest.mark.conformance

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def folder_of(corpus: corpora.Corpus) -> Path:
    """Without a package index the test is skipped, unless REQUIRE_CONFORMANCE is set."""
    try:
        return corpus.available()
    except corpora.NotDownloadable as error:
        if os.environ.get("REQUIRE_CONFORMANCE"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def entrez() -> Path:
    return folder_of(corpora.BIOPYTHON)


@pytest.fixture(scope="module")
def recorded() -> Path:
    return folder_of(corpora.ARXIV)


def oracle(path: Path) -> Any:
    """What biopython reads; it knows the DTDs, and would give markup as markup."""
    with path.open("rb") as stream:
        return Entrez.read(stream, validate=False)


_INLINE = re.compile(r"</?(?:[biu]|su[bp]|(?:mml:)?m[a-z]+)(?:\s[^<>]*)?/?>")
_ISOTOPE = re.compile(
    r"<(?:mml:)?mmultiscripts>\s*(.*?)<(?:mml:)?mprescripts\s*/?>(?:</(?:mml:)?mprescripts>)?\s*"
    r"<(?:mml:)?none\s*/?>(?:</(?:mml:)?none>)?(.*?)</(?:mml:)?mmultiscripts>",
    re.DOTALL,
)


def settled(markup: str) -> str:
    """Text without markup, spaces and our sign for exponents: what two ways of resolving inline markup share.

    The number of an isotope is written behind the element, and stands in front of it.
    """
    return re.sub(r"[\s^_]+", "", _INLINE.sub("", _ISOTOPE.sub(r"\2\1", markup)))


def parts_of(moment: PartialDate | None) -> str:
    return "" if moment is None else str(moment)


def joined(given: Any) -> str:
    """A date of biopython's as ISO, as far as it goes."""
    if not given:
        return ""
    if "MedlineDate" in given:
        year, _, rest = given["MedlineDate"].partition(" ")
        return f"{year}-{MONTHS.index(rest[:3]) + 1:02}" if rest[:3] in MONTHS else year
    text = str(given.get("Year", ""))
    if month := given.get("Month"):
        text += f"-{int(month) if month.isdigit() else MONTHS.index(month) + 1:02}"
        if day := given.get("Day"):
            text += f"-{int(day):02}"
    return text


def expected_of(found: Any) -> dict[str, object]:
    """Biopython's article by the names of our fields."""
    citation, article = found["MedlineCitation"], found["MedlineCitation"]["Article"]
    journal, issue = article["Journal"], article["Journal"]["JournalIssue"]
    names = {name.attributes["IdType"]: str(name) for name in found["PubmedData"]["ArticleIdList"]}
    by_location = [str(name) for name in article["ELocationID"] if name.attributes["EIdType"] == "doi"]
    printed, electronic = joined(issue["PubDate"]), [joined(moment) for moment in article["ArticleDate"]]
    history = {moment.attributes["PubStatus"]: moment for moment in found["PubmedData"]["History"]}
    return {
        "pmid": str(citation["PMID"]),
        "version": int(citation["PMID"].attributes["Version"]),
        "pmcid": names.get("pmc", ""),
        "doi": (by_location or [names.get("doi", "")])[0].lower(),
        "title": settled(article["ArticleTitle"]),
        "authors": [
            (
                str(author.get("LastName", "")),
                str(author.get("ForeName", "")),
                str(author.get("Initials", "")),
                str(author.get("CollectiveName", "")),
                [settled(place["Affiliation"]) for place in author.get("AffiliationInfo", [])],
            )
            for author in article.get("AuthorList", [])
        ],
        "abstract": [
            (part.attributes.get("Label", ""), part.attributes.get("NlmCategory", ""), settled(part))
            if hasattr(part, "attributes")
            else ("", "", settled(part))
            for part in article.get("Abstract", {}).get("AbstractText", [])
        ],
        "journal": str(journal["Title"]),
        "journal_abbreviation": str(journal["ISOAbbreviation"]),
        "issn": str(journal["ISSN"]),
        "volume": str(issue.get("Volume", "")),
        "issue": str(issue.get("Issue", "")),
        "pages": str(article["Pagination"]["MedlinePgn"]),
        "published": {printed, *electronic},
        "entered": joined(history["entrez"]),
        "revised": joined(citation["DateRevised"]),
        "mesh": [
            (
                str(heading["DescriptorName"]),
                heading["DescriptorName"].attributes["UI"],
                [
                    (str(name), name.attributes["UI"], name.attributes["MajorTopicYN"] == "Y")
                    for name in heading["QualifierName"]
                ],
            )
            for heading in citation.get("MeshHeadingList", [])
        ],
        "major": [
            str(heading["DescriptorName"])
            for heading in citation.get("MeshHeadingList", [])
            if "Y"
            in {
                name.attributes["MajorTopicYN"]
                for name in [heading["DescriptorName"], *heading["QualifierName"]]
            }
        ],
        "keywords": list(dict.fromkeys(settled(word) for words in citation["KeywordList"] for word in words)),
        "types": [str(kind) for kind in article["PublicationTypeList"]],
        "languages": [{"eng": "en", "fre": "fr"}[name] for name in article["Language"]],
        "notices": [
            (note.attributes["RefType"].lower(), str(note.get("PMID", "")), settled(note["RefSource"]))
            for note in citation.get("CommentsCorrectionsList", [])
            if note.attributes["RefType"] != "Cites"
        ],
    }


def said_by(record: Record) -> dict[str, object]:
    """Our record in the same shape."""
    plain = (
        "pmid",
        "version",
        "pmcid",
        "doi",
        "journal",
        "journal_abbreviation",
        "issn",
        "volume",
        "issue",
        "pages",
    )
    return {
        **{name: getattr(record, name) for name in plain},
        "title": settled(record.title),
        "authors": [
            (
                author.family,
                author.given,
                author.initials,
                author.collective,
                [settled(place) for place in author.affiliations],
            )
            for author in record.authors
        ],
        "abstract": [(part.label, part.category, settled(part.text)) for part in record.abstract],
        "published": parts_of(record.published),
        "entered": parts_of(record.entered),
        "revised": parts_of(record.revised),
        "mesh": [
            (term.name, term.id, [(part.name, part.id, part.is_major) for part in term.qualifiers])
            for term in record.mesh
        ],
        "major": [term.name for term in record.mesh if term.is_major],
        "keywords": [settled(word) for word in record.keywords],
        "types": list(record.types),
        "languages": list(record.languages),
        "notices": [
            (notice.relation.replace("_", ""), notice.pmid, settled(notice.reference))
            for notice in record.notices
        ],
    }


def test_every_article_is_read_like_biopython_reads_it(entrez):
    compared = 0
    for path in sorted(entrez.glob("pubmed*.xml")):
        expected = [expected_of(found) for found in oracle(path)["PubmedArticle"]]
        articles = read_articles(parse(path.read_bytes()))
        assert articles.problems == () and len(articles.records) == len(expected), path.name
        for record, wanted in zip(articles.records, expected, strict=True):
            said = said_by(record)
            assert said.pop("published") in wanted.pop("published"), path.name  # type: ignore[operator]  # both are texts
            assert said == wanted, path.name
            compared += len(said) + 1
            assert not re.search(r"</?(?:i|b|u|sub|sup|mml:\w+)\b", record.title + record.abstract_text)
    assert compared == 8 * 22


def test_every_search_is_read_like_biopython_reads_it(entrez):
    searches = sorted(entrez.glob("esearch*.xml"))
    assert len(searches) == 7
    for path in searches:
        wanted, found = oracle(path), read_search(parse(path.read_bytes()))
        assert found.count == int(wanted["Count"]), path.name
        assert found.ids == tuple(map(str, wanted["IdList"])), path.name
        assert settled(found.translation) == settled(wanted["QueryTranslation"]), path.name
        assert found.web_env == str(wanted.get("WebEnv", "")), path.name
        assert found.query_key == str(wanted.get("QueryKey", "")), path.name
        unknown = wanted.get("ErrorList", {}).get("PhraseNotFound", [])
        assert len(found.warnings) == len(unknown), path.name
        assert all(phrase in warning for phrase, warning in zip(unknown, found.warnings, strict=True))


def answers_of_others(entrez: Path) -> Iterator[Path]:
    for path in sorted(entrez.glob("*.xml")):
        if not path.name.startswith(("pubmed", "esearch")):
            yield path


def test_answers_of_other_programs_are_errors_of_ours_and_never_no_papers(entrez):
    """`esummary`, `epost`, `elink` and the rest: an answer that was not asked for must not look like an empty one."""
    others = list(answers_of_others(entrez))
    assert len(others) >= 28
    for path in others:
        for read in (read_fetched, read_search):
            with pytest.raises(ConnectorError) as caught:
                read(parse(path.read_bytes()))
            assert str(caught.value).endswith("."), path.name


def test_errors_inside_an_answer_are_told_in_the_services_words(entrez):
    with pytest.raises(ConnectorRejected, match="Invalid db name specified: nothing"):
        read_fetched(parse((entrez / "epost2.xml").read_bytes()))


@dataclass(frozen=True)
class Recorded:
    name: str
    status: int
    body: bytes


def recordings(folder: Path) -> list[Recorded]:
    found = []
    for path in sorted(folder.glob("*.json")):
        given = json.loads(path.read_text())
        found.append(Recorded(path.name, given["status_code"], given["body"].encode("latin-1")))
    return found


def test_every_recorded_answer_of_arxiv_is_read_like_its_package_reads_it(recorded):
    answers = recordings(recorded)
    assert len(answers) == 20
    compared = 0
    for answer in answers:
        if answer.status != 200:
            continue
        page, feed = read_page(answer.body), arxiv_feed.parse(answer.body)
        assert page.total == feed.header.total_results, answer.name
        assert page.start == feed.header.start_index, answer.name
        results = feed.results
        assert page.problems == () and len(page.records) == len(results), answer.name
        for record, result in zip(page.records, results, strict=True):
            assert said_of_arxiv(record) == expected_of_arxiv(result), answer.name
            compared += 1
    assert compared > 190


def expected_of_arxiv(result: arxiv.Result) -> dict[str, object]:
    return {
        "id": result.get_short_id(),
        "title": " ".join(result.title.split()),
        "summary": " ".join(result.summary.split()),
        "authors": [" ".join(author.name.split()) for author in result.authors],
        "published": result.published.date(),
        "updated": result.updated.date(),
        "comment": " ".join((result.comment or "").split()),
        "journal": " ".join((result.journal_ref or "").split()),
        "doi": (result.doi or "").split(" ")[0].lower().removeprefix("https://doi.org/"),
        "primary": result.primary_category,
        "categories": sorted(result.categories),
        "pdf": result.pdf_url,
        "page": result.entry_id.replace("http:", "https:"),
    }


def said_of_arxiv(record: Record) -> dict[str, object]:
    assert record.published is not None and record.revised is not None
    return {
        "id": f"{record.arxiv_id}v{record.version}",
        "title": record.title,
        "summary": record.abstract_text,
        "authors": [author.name for author in record.authors],
        "published": record.published.first,
        "updated": record.revised.first,
        "comment": record.comment,
        "journal": record.journal_reference,
        "doi": record.doi,
        "primary": record.categories[0],
        "categories": sorted(record.categories),
        "pdf": record.pdf_url,
        "page": record.url.replace("http:", "https:"),
    }


def test_the_recorded_refusal_of_arxiv_is_about_the_query(recorded):
    (answer,) = [answer for answer in recordings(recorded) if answer.status == 400]
    with pytest.raises(QueryRejected, match="incorrect id format for abc"):
        read_page(answer.body)
