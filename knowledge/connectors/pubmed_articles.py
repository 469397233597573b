"""What PubMed's XML says about articles and book chapters."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from knowledge.connectors.base import Problem
from knowledge.connectors.languages import two_letters
from knowledge.connectors.markup import children, clean, text_of
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

KIND = "pubmed"

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_YEAR_AND_MONTH = re.compile(r"\b(1[5-9]\d\d|2[01]\d\d)\b(?:\W*([A-Za-z]{3}))?")
_NOT_A_TITLE = {"", "[not available].", "[not available]"}
_RELATIONS = {
    "RetractionIn": Relation.RETRACTED_IN,
    "RetractionOf": Relation.RETRACTS,
    "RetractedandRepublishedIn": Relation.RETRACTED_IN,
    "RetractedandRepublishedFrom": Relation.RETRACTS,
    "PartialRetractionIn": Relation.PARTLY_RETRACTED_IN,
    "PartialRetractionOf": Relation.PARTLY_RETRACTS,
    "ErratumIn": Relation.CORRECTED_IN,
    "ErratumFor": Relation.CORRECTS,
    "CorrectedandRepublishedIn": Relation.REPUBLISHED_IN,
    "CorrectedandRepublishedFrom": Relation.REPUBLISHES,
    "ExpressionOfConcernIn": Relation.CONCERN_IN,
    "ExpressionOfConcernFor": Relation.CONCERN_ABOUT,
    "UpdateIn": Relation.UPDATED_IN,
    "UpdateOf": Relation.UPDATES,
    "CommentIn": Relation.COMMENTED_IN,
    "CommentOn": Relation.COMMENTS,
}


@dataclass(frozen=True)
class Articles:
    """One page of `efetch`."""

    records: tuple[Record, ...]
    problems: tuple[Problem, ...]
    #: What PubMed has deleted.
    deleted: tuple[str, ...]

    @property
    def count(self) -> int:
        return len(self.records) + len(self.problems) + len(self.deleted)


def read_articles(root: etree._Element) -> Articles:
    """All articles and chapters below a PubmedArticleSet; what cannot be one of them is a problem of its own."""
    records, problems = [], []
    for entry in root:
        if entry.tag not in {"PubmedArticle", "PubmedBookArticle"}:
            continue
        name = clean_pmid(entry.findtext("MedlineCitation/PMID") or entry.findtext("BookDocument/PMID") or "")
        record = _article(entry) if entry.tag == "PubmedArticle" else _chapter(entry)
        if not name:
            problems.append(Problem("", "An article without a PMID."))
        elif not record.title:
            problems.append(Problem(name, "An article without a title."))
        else:
            records.append(record)
    deleted = tuple(clean_pmid(found.text or "") for found in children(root, "DeleteCitation/PMID"))
    return Articles(tuple(records), tuple(problems), deleted)


def _article(entry: etree._Element) -> Record:
    citation = entry.find("MedlineCitation")
    article = entry.find("MedlineCitation/Article")
    issue = entry.find("MedlineCitation/Article/Journal/JournalIssue")
    identifiers = _identifiers(children(entry, "PubmedData/ArticleIdList/ArticleId"))
    doi = _valid_doi(article) or clean_doi(identifiers.get("doi", ""))
    pmid = clean_pmid(_text(citation, "PMID"))
    original_title = text_of(_find(article, "VernacularTitle"))
    title = text_of(_find(article, "ArticleTitle"))
    return Record(
        source=KIND,
        source_id=pmid,
        pmid=pmid,
        pmcid=clean_pmcid(identifiers.get("pmc", "")),
        doi=doi,
        version=_version(_find(citation, "PMID")),
        title=original_title if title.lower() in _NOT_A_TITLE else title,
        original_title=original_title,
        authors=_authors(children(article, "AuthorList[@Type='authors']/Author"))
        or _authors(children(article, "AuthorList/Author")),
        abstract=_abstract(article, citation),
        journal=_text(article, "Journal/Title"),
        journal_abbreviation=_text(article, "Journal/ISOAbbreviation")
        or _text(citation, "MedlineJournalInfo/MedlineTA"),
        issn=_text(article, "Journal/ISSN") or _text(citation, "MedlineJournalInfo/ISSNLinking"),
        volume=_text(issue, "Volume"),
        issue=_text(issue, "Issue"),
        pages=_pages(article),
        published=_earliest(
            read_date(_find(issue, "PubDate")), *map(read_date, children(article, "ArticleDate"))
        ),
        entered=_history(entry.find("PubmedData/History"), "entrez", "pubmed"),
        revised=read_date(_find(citation, "DateRevised")),
        mesh=tuple(map(_mesh, children(citation, "MeshHeadingList/MeshHeading"))),
        keywords=_texts(citation, "KeywordList/Keyword"),
        types=_texts(article, "PublicationTypeList/PublicationType"),
        languages=_languages(article),
        notices=tuple(_notices(citation)),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/",
    )


def _chapter(entry: etree._Element) -> Record:
    document = entry.find("BookDocument")
    book = entry.find("BookDocument/Book")
    identifiers = _identifiers(children(document, "ArticleIdList/ArticleId"))
    identifiers |= _identifiers(children(entry, "PubmedBookData/ArticleIdList/ArticleId"))
    pmid = clean_pmid(_text(document, "PMID"))
    book_title = text_of(_find(book, "BookTitle"))
    original_title = text_of(_find(document, "VernacularTitle"))
    return Record(
        source=KIND,
        source_id=pmid,
        pmid=pmid,
        pmcid=clean_pmcid(identifiers.get("pmc", "")),
        doi=clean_doi(identifiers.get("doi", "")),
        version=_version(_find(document, "PMID")),
        title=text_of(_find(document, "ArticleTitle")) or original_title or book_title,
        original_title=original_title,
        authors=_authors(children(document, "AuthorList[@Type='authors']/Author"))
        or _authors(children(book, "AuthorList[@Type='authors']/Author"))
        or _authors(children(document, "AuthorList/Author"))
        or _authors(children(book, "AuthorList/Author")),
        abstract=_sections(children(document, "Abstract/AbstractText")),
        journal=book_title,
        volume=_text(book, "Volume"),
        pages=_pages(document),
        publisher=_text(book, "Publisher/PublisherName"),
        published=read_date(_find(document, "ContributionDate"))
        or read_date(_find(book, "PubDate"))
        or read_date(_find(book, "BeginningDate")),
        entered=_history(entry.find("PubmedBookData/History"), "entrez", "pubmed"),
        revised=read_date(_find(document, "DateRevised")),
        keywords=_texts(document, "KeywordList/Keyword"),
        types=_texts(document, "PublicationType") or ("Book Chapter",),
        languages=_languages(document),
        url=f"https://pubmed.ncbi.nlm.nih.gov/{pmid}/",
    )


def read_date(element: etree._Element | None) -> PartialDate | None:
    """A date of PubMed's: in parts, in parts with a season, or a MedlineDate such as "1998 Dec-1999 Jan"."""
    if element is None:
        return None
    if loose := _text(element, "MedlineDate"):
        match = _YEAR_AND_MONTH.search(loose)
        return PartialDate.of(int(match[1]), _month(match[2] or ""), text=loose) if match else None
    year, day = _text(element, "Year"), _text(element, "Day")
    season = _text(element, "Season")
    return PartialDate.of(
        int(year) if _is_number(year) else 0,
        _month(_text(element, "Month")),
        int(day) if _is_number(day) else None,
        text=f"{year} {season}" if season else "",
    )


def _month(text: str) -> int | None:
    if _is_number(text):
        return int(text)
    start = text[:3].lower()
    return _MONTHS.index(start) + 1 if start in _MONTHS else None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4


def _find(element: etree._Element | None, path: str) -> etree._Element | None:
    return None if element is None else element.find(path)


def _text(element: etree._Element | None, path: str) -> str:
    return text_of(_find(element, path))


def _texts(element: etree._Element | None, path: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(text_of, children(element, path)))))


def _version(pmid: etree._Element | None) -> int | None:
    text = "" if pmid is None else pmid.get("Version", "")
    return int(text) if _is_number(text) else None


def _identifiers(found: Iterator[etree._Element]) -> dict[str, str]:
    return {element.get("IdType", ""): text_of(element) for element in found}


def _valid_doi(article: etree._Element | None) -> str:
    for found in children(article, "ELocationID[@EIdType='doi']"):
        if found.get("ValidYN", "Y") == "Y" and (doi := clean_doi(text_of(found))):
            return doi
    return ""


def _pages(parent: etree._Element | None) -> str:
    if pages := _text(parent, "Pagination/MedlinePgn"):
        return pages
    first, last = _text(parent, "Pagination/StartPage"), _text(parent, "Pagination/EndPage")
    return f"{first}-{last}" if first and last and first != last else first


def _languages(parent: etree._Element | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(two_letters, _texts(parent, "Language")))))


def _authors(found: Iterator[etree._Element]) -> tuple[Author, ...]:
    return tuple(_author(element) for element in found if element.get("ValidYN", "Y") == "Y")


def _author(element: etree._Element) -> Author:
    orcid = next((text_of(name) for name in children(element, "Identifier[@Source='ORCID']")), "")
    return Author(
        family=_text(element, "LastName"),
        given=_text(element, "ForeName"),
        initials=_text(element, "Initials"),
        suffix=_text(element, "Suffix"),
        collective=_text(element, "CollectiveName"),
        orcid=orcid.rpartition("/")[2],
        affiliations=_texts(element, "AffiliationInfo/Affiliation"),
    )


def _abstract(article: etree._Element | None, citation: etree._Element | None) -> tuple[Section, ...]:
    """The abstract; where there is none, one that somebody else supplied, in English if there is a choice."""
    return (
        _sections(children(article, "Abstract/AbstractText"))
        or _sections(children(citation, "OtherAbstract[@Language='eng']/AbstractText"))
        or _sections(children(citation, "OtherAbstract/AbstractText"))
    )


def _sections(found: Iterator[etree._Element]) -> tuple[Section, ...]:
    sections = []
    for element in found:
        category = element.get("NlmCategory", "")
        if text := text_of(element):
            label = clean(element.get("Label", ""))
            sections.append(
                Section(
                    text,
                    "" if label == "UNLABELLED" else label,
                    "" if category in {"UNASSIGNED", "UNLABELLED"} else category,
                )
            )
    return tuple(sections)


def _mesh(heading: etree._Element) -> MeshTerm:
    qualifiers = tuple(map(_term, children(heading, "QualifierName")))
    descriptor = heading.find("DescriptorName")
    term = MeshTerm("") if descriptor is None else _term(descriptor)
    is_major = term.is_major or any(qualifier.is_major for qualifier in qualifiers)
    return MeshTerm(term.name, term.id, is_major, qualifiers)


def _term(element: etree._Element) -> MeshTerm:
    return MeshTerm(text_of(element), element.get("UI", ""), element.get("MajorTopicYN") == "Y")


def _notices(citation: etree._Element | None) -> Iterator[Notice]:
    for element in children(citation, "CommentsCorrectionsList/CommentsCorrections"):
        relation = _RELATIONS.get(element.get("RefType", ""))
        if relation is not None:
            reference = _text(element, "RefSource")
            cited = re.search(r"\bdoi:\s*(\S+)", reference, re.IGNORECASE)
            yield Notice(
                relation,
                pmid=clean_pmid(_text(element, "PMID")),
                doi=clean_doi(cited[1]) if cited else "",
                reference=reference,
            )


def _history(history: etree._Element | None, *statuses: str) -> PartialDate | None:
    for status in statuses:
        if moment := read_date(_find(history, f"PubMedPubDate[@PubStatus='{status}']")):
            return moment
    return None


def _earliest(*dates: PartialDate | None) -> PartialDate | None:
    """The first of the dates; of two that may be the same, the more precise one."""
    known = [moment for moment in dates if moment is not None]
    if not known:
        return None
    vague = min(known, key=lambda moment: moment.first)
    within = [moment for moment in known if str(moment).startswith(str(vague))]
    return max(within, key=lambda moment: len(str(moment)))
