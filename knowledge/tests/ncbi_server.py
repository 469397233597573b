"""A server that behaves like NCBI's E-utilities for PubMed: `esearch` with history, and `efetch`."""

import json
import re
from datetime import date, datetime
from xml.sax.saxutils import escape, quoteattr

from knowledge.tests.library import Library, Paper, has, select, tokens
from knowledge.tests.service_server import Asked, Reply, ServiceServer

MOST = 9_999
_DATES = {"edat": "entered", "mdat": "revised", "pdat": "published"}
_TAGGED = re.compile(r'^"?(?P<text>.*?)"?\[(?P<tag>[^\]]*)\]$')
_FIELDS = {"title", "title/abstract", "mesh terms", "mesh", "all fields", "la", "pt", "ti", "tiab", "mh"}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


class NcbiServer(ServiceServer):
    """Faults of its own: `busy_inside` (the error with status 200), `error_inside`, `no_history`, `short` (a page without
    its last article), `entities`."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.library = library
        self.per_second = 3
        self.keys: set[str] = set()
        #: The searches that are remembered: WebEnv and query key, and their PMIDs.
        self.history: dict[tuple[str, str], list[str]] = {}

    def busy(self) -> Reply:
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Reply(429, b'{"error":"API rate limit exceeded","count":"4"}', headers)

    def special(self, fault: str, asked: Asked) -> Reply:
        if fault == "busy_inside":
            return Reply(
                200, b'{"error":"API rate limit exceeded","api-key":"1.2.3.4","count":"4","limit":"3"}'
            )
        if fault == "error_inside":
            return _xml(
                "<eSearchResult><ERROR>Search Backend failed: Couldn't resolve #exLinkSrv2</ERROR></eSearchResult>"
            )
        if fault == "no_history":
            self.history.clear()
            return self.respond(asked)
        if fault == "entities":
            return Reply(200, b'<!DOCTYPE x [<!ENTITY a "bang">]><PubmedArticleSet>&a;</PubmedArticleSet>')
        if fault == "short":
            whole = self.respond(asked).body
            start = whole.rindex(b"<PubmedArticle>")
            return Reply(200, whole[:start] + b"</PubmedArticleSet>")
        return super().special(fault, asked)

    def respond(self, asked: Asked) -> Reply:
        key = asked.fields.get("api_key")
        if key is not None and key not in self.keys:
            said = {"error": "API key invalid", "api-key": key, "type": "ip", "status": "unknown"}
            return Reply(400, json.dumps(said).encode())
        if asked.fields.get("db") != "pubmed":
            return _xml("<eSearchResult><ERROR>Invalid db name specified</ERROR></eSearchResult>")
        if asked.path.endswith("/esearch.fcgi"):
            return self._search(asked.fields)
        if asked.path.endswith("/efetch.fcgi"):
            return self._fetch(asked.fields)
        return Reply(404, b"not found")

    @property
    def shelf(self) -> list[Paper]:
        """What PubMed has, the newest first."""
        found = [paper for paper in self.library.papers if paper.pmid and paper.entered <= self.library.today]
        return sorted(found, key=lambda paper: (paper.entered, int(paper.pmid)), reverse=True)

    def _search(self, fields: dict[str, str]) -> Reply:
        term = fields.get("term", "").strip()
        if not term:
            return _xml(
                "<eSearchResult><ERROR>Empty term and query_key - nothing todo</ERROR></eSearchResult>"
            )
        unknown = [found for found in tokens(term) if self._is_unknown(found)]
        found = select(term, self.shelf, lambda token, paper: token in unknown or _fits(token, paper))
        if unknown and len(unknown) == len([token for token in tokens(term) if token not in "() AND OR NOT"]):
            found = []
        found = [paper for paper in found if self._is_within(paper, fields)]
        if fields.get("sort") == "pub_date":
            found.sort(key=lambda paper: paper.published, reverse=True)
        ids = [paper.pmid for paper in found]
        start, most = int(fields.get("retstart", "0")), min(int(fields.get("retmax", "20")), MOST)
        shown = ids[:MOST][start : start + most]
        remembered = self._remember(ids) if fields.get("usehistory") == "y" else ""
        errors = "".join(f"<PhraseNotFound>{escape(phrase)}</PhraseNotFound>" for phrase in unknown)
        if errors:
            errors = f"<ErrorList>{errors}</ErrorList>"
        if not ids:
            errors += "<WarningList><OutputMessage>No items found.</OutputMessage></WarningList>"
        listed = "".join(f"<Id>{name}</Id>\n" for name in shown)
        return _xml(
            f"<eSearchResult><Count>{len(ids)}</Count><RetMax>{len(shown)}</RetMax><RetStart>{start}</RetStart>"
            f"{remembered}<IdList>{listed}</IdList><TranslationSet/>"
            f"<QueryTranslation>{escape(self._translated(term, unknown))}</QueryTranslation>{errors}</eSearchResult>",
            '<!DOCTYPE eSearchResult PUBLIC "-//NLM//DTD esearch 20060628//EN" '
            '"https://eutils.ncbi.nlm.nih.gov/eutils/dtd/20060628/esearch.dtd">',
        )

    def _translated(self, term: str, unknown: list[str]) -> str:
        known = [token for token in tokens(term) if token not in unknown]
        return " ".join(
            token
            if token in {"(", ")", "AND", "OR", "NOT"} or "[" in token
            else f'"{token.strip(chr(34))}"[All Fields]'
            for token in known
        )

    def _is_unknown(self, token: str) -> bool:
        """Whether it is a phrase that no paper has: PubMed says so, and leaves it out."""
        if token in {"(", ")", "AND", "OR", "NOT"} or "[" in token or token == "hasabstract":
            return False
        return not any(has(paper, token) for paper in self.library.papers)

    def _remember(self, ids: list[str]) -> str:
        web_env, key = f"MCID_{len(self.history):024x}", "1"
        self.history[web_env, key] = ids
        return f"<QueryKey>{key}</QueryKey><WebEnv>{web_env}</WebEnv>"

    def _is_within(self, paper: Paper, fields: dict[str, str]) -> bool:
        """NCBI takes both ends of a range of dates, or none: one alone is ignored."""
        if "mindate" not in fields or "maxdate" not in fields:
            return True
        day: date = getattr(paper, _DATES[fields.get("datetype", "pdat")])
        first, last = (datetime.strptime(fields[name], "%Y/%m/%d").date() for name in ("mindate", "maxdate"))
        return first <= day <= last

    def _fetch(self, fields: dict[str, str]) -> Reply:
        if "id" in fields:
            ids = fields["id"].split(",")
        else:
            remembered = self.history.get((fields.get("WebEnv", ""), fields.get("query_key", "")))
            if remembered is None:
                return _xml("<eFetchResult>\n\t<ERROR>Unable to obtain query #1</ERROR>\n</eFetchResult>")
            ids = remembered
        start, most = int(fields.get("retstart", "0")), int(fields.get("retmax", str(len(ids))))
        shelf = {paper.pmid: paper for paper in self.shelf}
        found = [shelf[name] for name in ids[start : start + most] if name in shelf]
        body = "\n".join(book(paper) if paper.is_book else article(paper) for paper in found)
        return _xml(
            f"<PubmedArticleSet>{body}</PubmedArticleSet>",
            '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" '
            '"https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">',
        )


def _fits(token: str, paper: Paper) -> bool:
    if token == "hasabstract":
        return bool(paper.abstract)
    if match := _TAGGED.match(token):
        tag, text = match["tag"].lower(), match["text"]
        if tag == "la":
            return paper.language == text.lower()
        if tag in {"pt", "publication type"}:
            return text.lower() in {kind.lower() for kind in paper.types}
        return tag in _FIELDS and has(paper, text)
    return has(paper, token)


def _xml(body: str, doctype: str = "") -> Reply:
    content = f'<?xml version="1.0" ?>\n{doctype}\n{body}'.encode()
    return Reply(200, content, {"Content-Type": "text/xml; charset=UTF-8"})


def _date(day: date) -> str:
    return f"<Year>{day.year}</Year><Month>{day.month:02}</Month><Day>{day.day:02}</Day>"


def _issue_date(paper: Paper) -> str:
    if paper.medline_date:
        return f"<MedlineDate>{escape(paper.medline_date)}</MedlineDate>"
    return f"<Year>{paper.published.year}</Year><Month>{_MONTHS[paper.published.month - 1]}</Month>"


def _authors(paper: Paper) -> str:
    people = "".join(
        f'<Author ValidYN="Y"><LastName>{escape(family)}</LastName><ForeName>{escape(given)}</ForeName>'
        f"<Initials>{escape(''.join(name[0] for name in given.split()))}</Initials></Author>"
        for family, given in paper.authors
    )
    group = f'<Author ValidYN="Y"><CollectiveName>{escape(paper.collective)}</CollectiveName></Author>'
    people += group if paper.collective else ""
    return f'<AuthorList CompleteYN="Y" Type="authors">{people}</AuthorList>' if people else ""


def _abstract(paper: Paper) -> str:
    parts = "".join(
        f"<AbstractText{f' Label={quoteattr(label)} NlmCategory={quoteattr(label)}' if label else ''}>{escape(text)}</AbstractText>"
        for label, text in paper.abstract
    )
    return f"<Abstract>{parts}</Abstract>" if parts else ""


def _names(paper: Paper) -> str:
    names = [("pubmed", paper.pmid), ("pmc", paper.pmcid), ("doi", paper.doi)]
    found = "".join(f'<ArticleId IdType="{kind}">{escape(name)}</ArticleId>' for kind, name in names if name)
    return f"<ArticleIdList>{found}</ArticleIdList>"


def _history(paper: Paper) -> str:
    return f'<History><PubMedPubDate PubStatus="entrez">{_date(paper.entered)}</PubMedPubDate></History>'


def article(paper: Paper) -> str:
    """As `efetch` writes it."""
    mesh = "".join(
        f'<MeshHeading><DescriptorName UI="D000000" MajorTopicYN="N">{escape(name)}</DescriptorName></MeshHeading>'
        for name in paper.mesh
    )
    keywords = "".join(f'<Keyword MajorTopicYN="N">{escape(word)}</Keyword>' for word in paper.keywords)
    notices = "".join(
        f'<CommentsCorrections RefType="{kind}"><RefSource>J Tests. 2026</RefSource><PMID Version="1">{pmid}</PMID></CommentsCorrections>'
        for kind, pmid in paper.notices
    )
    types = "".join(f'<PublicationType UI="D016428">{escape(kind)}</PublicationType>' for kind in paper.types)
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="{paper.version}">{paper.pmid}</PMID>'
        f'<DateRevised>{_date(paper.revised)}</DateRevised><Article PubModel="Print"><Journal>'
        f'<ISSN IssnType="Print">1234-5678</ISSN><JournalIssue CitedMedium="Print"><Volume>{escape(paper.volume)}</Volume>'
        f"<Issue>{escape(paper.issue)}</Issue><PubDate>{_issue_date(paper)}</PubDate></JournalIssue>"
        f"<Title>{escape(paper.journal)}</Title><ISOAbbreviation>J Tests</ISOAbbreviation></Journal>"
        f"<ArticleTitle>{paper.title_markup or escape(paper.title)}</ArticleTitle>"
        f"<Pagination><MedlinePgn>{escape(paper.pages)}</MedlinePgn></Pagination>{_abstract(paper)}{_authors(paper)}"
        f"<Language>{paper.language}</Language><PublicationTypeList>{types}</PublicationTypeList></Article>"
        f"{f'<CommentsCorrectionsList>{notices}</CommentsCorrectionsList>' if notices else ''}"
        f"{f'<MeshHeadingList>{mesh}</MeshHeadingList>' if mesh else ''}"
        f"{f'<KeywordList>{keywords}</KeywordList>' if keywords else ''}</MedlineCitation>"
        f"<PubmedData>{_history(paper)}<PublicationStatus>ppublish</PublicationStatus>{_names(paper)}"
        "<ReferenceList><Reference><Citation>Another.</Citation><ArticleIdList>"
        '<ArticleId IdType="pubmed">1</ArticleId><ArticleId IdType="doi">10.1000/not-mine</ArticleId></ArticleIdList>'
        "</Reference></ReferenceList></PubmedData></PubmedArticle>"
    )


def book(paper: Paper) -> str:
    """A chapter of a book, as `efetch` writes it."""
    return (
        f'<PubmedBookArticle><BookDocument><PMID Version="1">{paper.pmid}</PMID>{_names(paper)}'
        "<Book><Publisher><PublisherName>StatPearls Publishing</PublisherName></Publisher>"
        f"<BookTitle>{escape(paper.journal)}</BookTitle><PubDate><Year>{paper.published.year}</Year></PubDate></Book>"
        f"<ArticleTitle>{paper.title_markup or escape(paper.title)}</ArticleTitle><Language>{paper.language}</Language>"
        f'{_authors(paper)}<PublicationType UI="D000072643">Study Guide</PublicationType>{_abstract(paper)}'
        f"</BookDocument><PubmedBookData>{_history(paper)}{_names(paper)}</PubmedBookData></PubmedBookArticle>"
    )
