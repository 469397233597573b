"""arXiv: what its connector asks, and what it makes of the answers."""

from datetime import date, timedelta

import pytest

from knowledge import connectors
from knowledge.connectors import Query, Window
from knowledge.connectors.arxiv import read_page, translated
from knowledge.connectors.names import split_name
from knowledge.errors import AnswerUnreadable, ConnectorUnavailable, QueryRejected
from knowledge.records import Author
from knowledge.tests.arxiv_server import ArxivServer
from knowledge.tests.library import Library
from knowledge.tests.papers import numbered

pytestmark = pytest.mark.django_db

ARXIV = connectors.get("arxiv")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("insulin", "all:insulin"),
        ("diabetes mellitus", "all:diabetes AND all:mellitus"),
        ('"diabetes mellitus" OR stroke', 'all:"diabetes mellitus" OR all:stroke'),
        ("COVID-19", 'all:"COVID-19"'),
        ("state-of-the-art (rag OR llm)", 'all:"state-of-the-art" AND (all:rag OR all:llm)'),
        ("insulin NOT mice", "all:insulin ANDNOT all:mice"),
        ("insulin AND NOT mice", "all:insulin ANDNOT all:mice"),
        ('"diabetes mellitus"[MeSH Terms]', 'all:"diabetes mellitus"'),
        ('ti:"graph networks" AND cat:cs.LG', 'ti:"graph networks" AND cat:cs.LG'),
        ("C++", 'all:"C++"'),
    ],
)
def test_words_become_arxivs_syntax_and_that_stays_as_it_is(text, meant):
    assert translated(text) == meant


@pytest.mark.parametrize("text", ["AND", "( )", "[tag]"])
def test_a_query_without_a_word_is_refused(text):
    with pytest.raises(QueryRejected, match="no word"):
        ARXIV.preview(Query(text))


def test_a_hyphen_is_no_operator(arxiv: ArxivServer, library):
    library.add(numbered(1, title="COVID-19 and insulin"), numbered(2, title="COVID and insulin"))
    (batch,) = ARXIV.batches(Query("COVID-19"))
    assert [record.title for record in batch.records] == ["COVID-19 and insulin"]


def test_the_range_of_dates_is_one_that_arxiv_takes(arxiv: ArxivServer, library):
    ARXIV.preview(Query("insulin", Window(date(2026, 11, 10), date(2026, 11, 20))))
    assert arxiv.requests[0].fields["search_query"] == (
        "(all:insulin) AND submittedDate:[202611030000 TO 202611202359]"
    )


def test_every_field_of_an_entry_is_read(arxiv: ArxivServer, library: Library):
    library.add(
        numbered(
            7,
            authors=(("Blaha", "Stephen"), ("Beethoven", "Ludwig van")),
            collective="The ATLAS Collaboration",
            categories=("cs.LG", "stat.ML"),
            journal_reference="Phys. Rev. D 76, 013009 (2007)",
            comment="32 pages",
            version=2,
            revised=date(2026, 11, 18),
        )
    )
    (batch,) = ARXIV.batches(Query("insulin"))
    (record,) = batch.records
    assert (record.arxiv_id, record.version, record.source_id) == ("2611.00007", 2, "2611.00007")
    assert record.authors == (
        Author("Blaha", "Stephen", "S"),
        Author("van Beethoven", "Ludwig", "L"),
        Author(collective="The ATLAS Collaboration"),
    )
    assert record.categories == ("cs.LG", "stat.ML") and record.types == ("Preprint",)
    assert (str(record.published), str(record.revised)) == ("2026-11-08", "2026-11-18")
    assert (record.doi, record.journal_reference, record.comment) == (
        *("10.1000/test.7", "Phys. Rev. D 76, 013009 (2007)"),
        "32 pages",
    )
    assert record.url == "https://arxiv.org/abs/2611.00007v2"
    assert record.pdf_url == "https://arxiv.org/pdf/2611.00007v2"
    assert record.abstract_text == "Insulin was given to 7 people with diabetes."


@pytest.mark.parametrize(
    ("comment", "is_retracted"),
    [
        ("This paper has been withdrawn by the author due to an error", True),
        ("Withdrawn", True),
        ("12 pages; supersedes a withdrawn paper", False),
    ],
)
def test_a_withdrawn_paper_counts_as_retracted(arxiv, library, comment, is_retracted):
    library.add(numbered(1, comment=comment))
    (batch,) = ARXIV.batches(Query("insulin"))
    assert batch.records[0].is_retracted is is_retracted


def test_a_new_version_is_found_and_has_its_number(arxiv: ArxivServer, library: Library):
    library.add(*(numbered(number, revised=date(2026, 11, 1)) for number in range(150)))
    library.revise("2611.00042", title="Insulin, second version")
    window = Window(library.today, by="revised")
    batches = list(ARXIV.batches(Query("insulin", window, max_results=1_000)))
    assert len(arxiv.requests) == 1, "it stops at the first paper that is older"
    assert arxiv.requests[0].fields["sortBy"] == "lastUpdatedDate"
    changed = [record for batch in batches for record in batch.records if record.version == 2]
    assert [record.title for record in changed] == ["Insulin, second version"]


def test_an_empty_page_before_the_end_is_asked_for_again(arxiv: ArxivServer, library):
    library.add(*map(numbered, range(150)))
    arxiv.faults = ["", "empty", "empty"]
    records = [
        record for batch in ARXIV.batches(Query("insulin", max_results=150)) for record in batch.records
    ]
    assert len({record.arxiv_id for record in records}) == 150
    arxiv.fault = lambda asked: "empty"
    with pytest.raises(AnswerUnreadable, match="150 papers, but its page from 0 on is empty"):
        list(ARXIV.batches(Query("insulin")))


def test_errors_are_entries_of_a_feed_with_any_status(arxiv: ArxivServer, library):
    library.add(numbered(1))
    with pytest.raises(QueryRejected, match="invalid date range"):
        ARXIV.preview(Query("submittedDate:[2026 TO 2027]"))
    arxiv.faults = ["error_with_200"]
    with pytest.raises(QueryRejected, match="incorrect id format for abc"):
        ARXIV.preview(Query("insulin"))
    assert len(arxiv.requests) == 2, "a refusal is not tried again"


def test_too_many_requests_without_a_time_wait_ten_seconds_and_longer_each_time(arxiv, library, monkeypatch):
    held: list[tuple[str, float]] = []
    monkeypatch.setattr(
        "knowledge.rates.hold", lambda service, seconds, reason: held.append((reason, seconds))
    )
    arxiv.fault = lambda asked: "busy"
    with pytest.raises(ConnectorUnavailable, match="Rate exceeded"):
        ARXIV.preview(Query("insulin"))
    assert held == [
        ("Rate exceeded.", 10),
        ("Rate exceeded.", 30),
        ("Rate exceeded.", 90),
        ("Rate exceeded.", 270),
    ]


@pytest.mark.django_db(transaction=True)
def test_the_stand_ins_own_limit_is_kept(arxiv: ArxivServer, library, settings):
    """A third of a second here for three seconds there: the server refuses what comes too soon or at once."""
    settings.ARXIV_SPACING_SECONDS = 0.34
    arxiv.per_second = 3
    library.add(*map(numbered, range(350)))
    records = [
        record for batch in ARXIV.batches(Query("insulin", max_results=350)) for record in batch.records
    ]
    assert len(records) == 350 and len(arxiv.requests) == 4 and arxiv.refused == 0


def test_what_lies_beyond_arxivs_reach_is_told(arxiv: ArxivServer, library, monkeypatch):
    monkeypatch.setattr("knowledge.connectors.arxiv.MOST", 120)
    library.add(*map(numbered, range(150)))
    batches = list(ARXIV.batches(Query("insulin", max_results=1_000)))
    assert sum(len(batch.records) for batch in batches) == 120
    assert batches[-1].warnings and batches[-1].cursor == ""


def test_an_entry_without_an_identifier_is_a_problem_of_its_own():
    page = read_page(
        b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:o="http://a9.com/-/spec/opensearch/1.1/">
        <o:totalResults>2</o:totalResults><o:startIndex>0</o:startIndex>
        <entry><id>http://arxiv.org/abs/2611.1v1</id></entry>
        <entry><id>http://arxiv.org/abs/hep-th/9901001v3</id><title>Old style</title></entry></feed>"""
    )
    assert [(record.arxiv_id, record.version) for record in page.records] == [("hep-th/9901001", 3)]
    assert len(page.problems) == 1 and page.count == 2


@pytest.mark.parametrize(
    ("name", "author"),
    [
        ("Ada B. Lovelace", Author("Lovelace", "Ada B.", "AB")),
        ("Jean-Luc Picard", Author("Picard", "Jean-Luc", "JL")),
        ("Ludwig van der Rohe", Author("van der Rohe", "Ludwig", "L")),
        ("Martin King Jr.", Author("King", "Martin", "M", suffix="Jr.")),
        ("Plato", Author("Plato")),
        ("CMS Collaboration", Author(collective="CMS Collaboration")),
        ("Van Morrison", Author("Morrison", "Van", "V")),
    ],
)
def test_names_in_one_piece_are_split(name, author):
    assert split_name(name) == author
    assert author.name == name


def test_the_window_never_begins_before_there_was_an_arxiv(arxiv: ArxivServer, library):
    ARXIV.preview(Query("insulin", Window(date(1900, 1, 1) + timedelta(days=9))))
    assert "[199108010000 TO" in arxiv.requests[0].fields["search_query"]
