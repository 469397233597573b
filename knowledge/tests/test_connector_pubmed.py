"""PubMed: what its connector asks, and what it makes of the answers."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection

from knowledge import connectors
from knowledge.connectors import Query, Window
from knowledge.connectors.markup import parse
from knowledge.connectors.pubmed_articles import read_articles, read_date
from knowledge.errors import AnswerUnreadable, ConnectorRejected, ConnectorUnavailable, QueryRejected
from knowledge.records import Author, Notice, Precision, Record, Relation, Section
from knowledge.tests.literature import Literature
from knowledge.tests.ncbi_server import NcbiServer
from knowledge.tests.papers import DETAILED, numbered

pytestmark = pytest.mark.django_db

PUBMED = connectors.get("pubmed")


def only(query: str = "cells OR insulin") -> Record:
    (batch,) = PUBMED.batches(Query(query))
    (record,) = batch.records
    return record


def found(query: Query) -> list[str]:
    return [record.pmid for batch in PUBMED.batches(query) for record in batch.records]


def test_every_field_of_an_article_is_read(ncbi, literature):
    literature.add(DETAILED)
    record = only()
    assert record.title == "CO2 and 10^9 cells: a trial."
    assert record.abstract == (
        Section("Insulin & others, p < 0.05.", "BACKGROUND", "BACKGROUND"),
        Section("Ca2+ rose.", "RESULTS", "RESULTS"),
    )
    assert record.abstract_text.startswith("BACKGROUND: Insulin & others, p < 0.05.\n\nRESULTS: ")
    assert record.authors == (
        Author("van der Waals", "Johannes Diderik", "JD"),
        Author("Curie", "Marie", "M"),
        Author(collective="The TEST Study Group"),
    )
    assert (record.pmid, record.pmcid, record.doi) == ("30000001", "PMC1234567", "10.1000/test.1")
    assert (record.journal, record.volume, record.issue, record.pages) == (
        "Journal of Tests",
        "12",
        "3",
        "101-9",
    )
    assert (str(record.published), record.published and record.published.text) == (
        "1998-12",
        "1998 Dec-1999 Jan",
    )
    assert str(record.entered) == "2026-11-02"
    assert [term.name for term in record.mesh] == ["Diabetes Mellitus", "Insulin"]
    assert record.keywords == ("trial", "cells")
    assert record.types == ("Journal Article", "Randomized Controlled Trial")
    assert record.languages == ("fr",)
    assert record.url == "https://pubmed.ncbi.nlm.nih.gov/30000001/"
    assert record.provenance["doi"] == record.provenance["abstract"] == "pubmed"
    assert "arxiv_id" not in record.provenance


def test_a_chapter_of_a_book_is_read_like_an_article(ncbi, literature):
    literature.add(numbered(1), numbered(2, title="Insulin, a chapter", journal="StatPearls", is_book=True))
    chapter = next(record for record in PUBMED.lookup(["30000002"]).__next__().records)
    assert (chapter.title, chapter.journal, chapter.publisher) == (
        *("Insulin, a chapter", "StatPearls"),
        "StatPearls Publishing",
    )
    assert chapter.types == ("Study Guide",) and chapter.authors[0].family == "Lovelace"
    assert str(chapter.published) == "2026" and chapter.doi == "10.1000/test.2"
    assert sorted(found(Query("insulin"))) == ["30000001", "30000002"]


def test_a_retraction_is_seen_on_both_sides(ncbi, literature: Literature):
    literature.add(numbered(1), numbered(2))
    literature.retract(
        "30000001", numbered(9, title="Retraction: Insulin and outcome 1", revised=literature.today)
    )
    window = Window(literature.today, by="revised")
    records = {
        record.pmid: record for batch in PUBMED.batches(Query("insulin", window)) for record in batch.records
    }
    assert set(records) == {"30000001", "30000009"}
    retracted, notice = records["30000001"], records["30000009"]
    assert retracted.is_retracted and not retracted.is_notice
    assert retracted.notices == (Notice(Relation.RETRACTED_IN, "30000009", reference="J Tests. 2026"),)
    assert notice.is_notice and not notice.is_retracted
    assert notice.notices[0].relation == Relation.RETRACTS


def test_an_erratum_and_a_concern_are_no_retraction(ncbi, literature):
    literature.add(numbered(1, notices=(("ErratumIn", "7"), ("ExpressionOfConcernIn", "8"), ("Cites", "9"))))
    record = only()
    assert record.is_corrected and record.is_doubted and not record.is_retracted
    assert len(record.notices) == 2


def test_a_phrase_that_pubmed_does_not_know_is_told_of(ncbi, literature):
    literature.add(numbered(1))
    preview = PUBMED.preview(Query('insulin AND "xylozymb"'))
    assert preview.hits == 1 and '"insulin"[All Fields]' in preview.translated
    assert len(preview.warnings) == 1 and "xylozymb" in preview.warnings[0]
    (batch,) = PUBMED.batches(Query('insulin AND "xylozymb"'))
    assert batch.warnings == preview.warnings
    assert PUBMED.preview(Query("xylozymb")).hits == 0


def test_conditions_are_added_to_the_whole_topic(ncbi, literature: Literature):
    literature.add(
        numbered(1),
        numbered(2, language="fre"),
        numbered(3, abstract=()),
        numbered(4, types=("Journal Article", "Retracted Publication")),
    )
    query = Query("insulin OR outcome", language="en", has_abstract=True, leave_out_retracted=True)
    assert found(query) == ["30000001"]
    term = ncbi.requests[0].fields["term"]
    assert term == '(insulin OR outcome) AND hasabstract AND eng[la] NOT "retracted publication"[pt]'


def test_who_asks_is_said_with_every_request(ncbi: NcbiServer, literature, settings):
    settings.NCBI_API_KEY = "key-1"
    ncbi.keys = {"key-1"}
    literature.add(numbered(1))
    only()
    assert len(ncbi.requests) == 2
    for asked in ncbi.requests:
        fields = asked.fields
        assert (fields["tool"], fields["email"], fields["api_key"]) == (
            *("almanac", "literature@almanac.example"),
            "key-1",
        )
    assert PUBMED.warnings() == ()
    settings.NCBI_EMAIL = ""
    assert "NCBI_EMAIL" in PUBMED.warnings()[0]


def test_a_wrong_key_is_told_at_once_and_not_shown(ncbi: NcbiServer, settings):
    settings.NCBI_API_KEY = "my-secret-key"
    with pytest.raises(ConnectorRejected, match="does not accept NCBI_API_KEY") as caught:
        PUBMED.preview(Query("insulin"))
    assert "my-secret-key" not in str(caught.value)
    assert len(ncbi.requests) == 1


@pytest.mark.parametrize("fault", ["busy_inside", "error_inside"])
def test_errors_with_status_200_are_errors(ncbi: NcbiServer, literature, fault, monkeypatch):
    monkeypatch.setattr("knowledge.connectors.asking.TRIES", 2)
    literature.add(numbered(1))
    ncbi.faults = [fault]
    assert PUBMED.preview(Query("insulin")).hits == 1
    ncbi.fault = lambda asked: fault
    with pytest.raises(ConnectorUnavailable, match=r"rate limit|Search Backend failed"):
        PUBMED.preview(Query("insulin"))


def test_entities_are_refused(ncbi: NcbiServer, literature):
    literature.add(numbered(1))
    ncbi.fault = lambda asked: "entities" if "efetch" in asked.path else ""
    with pytest.raises(AnswerUnreadable, match="entities"):
        only()


def test_a_forgotten_search_is_begun_again(ncbi: NcbiServer, literature):
    literature.add(*map(numbered, range(450)))
    batches = PUBMED.batches(Query("insulin", max_results=450))
    first = next(batches)
    ncbi.faults = ["no_history"]
    rest = [record.pmid for batch in batches for record in batch.records]
    assert len(rest) == len(set(rest)) == 450, "it begins at the start: nothing is missed"
    ncbi.history.clear()
    resumed = list(PUBMED.batches(Query("insulin", max_results=450), first.cursor))
    assert sum(len(batch.records) for batch in resumed) == 450


def test_a_history_that_is_lost_again_and_again_is_a_failure(ncbi: NcbiServer, literature):
    literature.add(numbered(1))
    ncbi.fault = lambda asked: "no_history" if "efetch" in asked.path else ""
    with pytest.raises(ConnectorUnavailable, match="Unable to obtain query"):
        only()


def test_an_incomplete_page_is_asked_for_again_and_told_of_if_it_stays_so(ncbi: NcbiServer, literature):
    literature.add(*map(numbered, range(3)))
    ncbi.faults = ["", "short"]
    assert len(found(Query("insulin"))) == 3
    ncbi.faults = ["", "short", "short"]
    (batch,) = PUBMED.batches(Query("insulin"))
    assert len(batch.records) == 2
    assert batch.warnings == ("PubMed gave 2 of 3 papers; the others come with the next look.",)


def test_a_long_query_is_sent_as_a_form(ncbi: NcbiServer, literature):
    literature.add(numbered(1))
    long = " OR ".join(["insulin", *(f'"diabetes of kind {number}"[tiab]' for number in range(100))])
    assert PUBMED.preview(Query(long)).hits == 1
    (asked,) = ncbi.requests
    assert asked.method == "POST" and asked.address_length < 100
    assert asked.fields["term"] == f"({long})"


def test_refusals_in_words_are_told_in_words(ncbi: NcbiServer, settings):
    settings.PUBMED_URL = f"{ncbi.address}/elsewhere"
    ncbi.respond = lambda asked: ncbi.special("error_inside", asked)  # type: ignore[method-assign]  # the stand-in answers so
    with pytest.raises(AnswerUnreadable, match="Search Backend failed"):
        PUBMED.preview(Query("insulin"))


def test_one_unreadable_article_does_not_spoil_its_page():
    page = parse(
        b"""<PubmedArticleSet>
        <PubmedArticle><MedlineCitation><PMID Version="1">1</PMID><Article><ArticleTitle/></Article></MedlineCitation></PubmedArticle>
        <PubmedArticle><MedlineCitation/></PubmedArticle>
        <PubmedArticle><MedlineCitation><PMID Version="2">0002</PMID><Article>
            <ArticleTitle>[Not Available].</ArticleTitle><VernacularTitle>Ein Titel.</VernacularTitle></Article></MedlineCitation></PubmedArticle>
        <DeleteCitation><PMID Version="1">3</PMID></DeleteCitation></PubmedArticleSet>"""
    )
    articles = read_articles(page)
    assert [(record.pmid, record.title, record.version) for record in articles.records] == [
        ("2", "Ein Titel.", 2)
    ]
    assert [problem.source_id for problem in articles.problems] == ["1", ""]
    assert articles.deleted == ("3",)


@pytest.mark.parametrize(
    ("xml", "meant", "precision"),
    [
        ("<Year>2026</Year><Month>Feb</Month><Day>30</Day>", "2026-02", Precision.MONTH),
        ("<Year>2026</Year><Month>2</Month><Day>3</Day>", "2026-02-03", Precision.DAY),
        ("<Year>1990</Year><Season>Spring</Season>", "1990", Precision.YEAR),
        ("<MedlineDate>2000 Nov-Dec</MedlineDate>", "2000-11", Precision.MONTH),
        ("<MedlineDate>1998 Dec-1999 Jan</MedlineDate>", "1998-12", Precision.MONTH),
        ("<MedlineDate>2000 Dec 23-30</MedlineDate>", "2000-12", Precision.MONTH),
        ("<MedlineDate>Spring 1999</MedlineDate>", "1999", Precision.YEAR),
        ("<MedlineDate>1976-1977</MedlineDate>", "1976", Precision.YEAR),
    ],
)
def test_dates_are_as_precise_as_they_are_known(xml, meant, precision):
    moment = read_date(parse(f"<PubDate>{xml}</PubDate>".encode()))
    assert moment is not None and (str(moment), moment.precision) == (meant, precision)


@pytest.mark.parametrize(
    "xml", ["", "<Year>soon</Year>", "<Year>0</Year>", "<MedlineDate>in press</MedlineDate>"]
)
def test_what_is_no_date_is_none(xml):
    assert read_date(parse(f"<PubDate>{xml}</PubDate>".encode())) is None


def test_a_window_without_an_end_is_sent_with_both_ends(ncbi: NcbiServer, literature):
    PUBMED.preview(Query("insulin", Window(date(2026, 11, 10))))
    fields = ncbi.requests[0].fields
    assert (fields["datetype"], fields["mindate"], fields["maxdate"]) == ("edat", "2026/11/08", "3000/12/31")


@pytest.mark.django_db(transaction=True)
def test_three_requests_a_second_are_kept_by_all_threads_together(ncbi: NcbiServer, literature, settings):
    """The server counts, and would refuse the fourth."""
    settings.PUBMED_SPACING_SECONDS = 0.37
    ncbi.per_second = 3
    literature.add(numbered(1))
    at_once = threading.Barrier(3)

    def ask() -> int:
        try:
            at_once.wait(timeout=20)
            return sum(PUBMED.preview(Query("insulin")).hits for _ in range(3))
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert [done.result(timeout=60) for done in [pool.submit(ask) for _ in range(3)]] == [3, 3, 3]
    assert ncbi.refused == 0 and len(ncbi.requests) == 9


def test_nonsense_is_refused_in_pubmeds_words(ncbi: NcbiServer):
    ncbi.respond = lambda asked: type(ncbi.busy())(  # type: ignore[method-assign]  # the stand-in answers so
        200, b"<eSearchResult><ERROR>Invalid query syntax near the end</ERROR></eSearchResult>"
    )
    with pytest.raises(QueryRejected, match="Invalid query syntax near the end"):
        PUBMED.preview(Query("insulin"))
    assert len(ncbi.requests) == 1
