"""Europe PMC: what its connector asks, and what it makes of the answers."""

import pytest

from knowledge import connectors
from knowledge.connectors import Query, Window
from knowledge.connectors.europepmc import plain, read_record, sections
from knowledge.errors import ConnectorUnavailable, QueryRejected
from knowledge.records import Author, Relation, Section
from knowledge.tests.europepmc_server import EuropePmcServer
from knowledge.tests.literature import Literature
from knowledge.tests.papers import DETAILED, numbered

pytestmark = pytest.mark.django_db

EUROPEPMC = connectors.get("europepmc")


@pytest.mark.parametrize("ends_without_mark", [False, True])
def test_pages_are_read_to_the_last_whichever_way_it_ends(
    europepmc: EuropePmcServer, literature, ends_without_mark
):
    europepmc.ends_without_mark = ends_without_mark
    europepmc.page_size = 10
    literature.add(*map(numbered, range(30)))
    batches = list(EUROPEPMC.batches(Query("insulin")))
    assert [len(batch.records) for batch in batches] == [10, 10, 10]
    assert len({record.doi for batch in batches for record in batch.records}) == 30
    assert batches[-1].warnings == ()


def test_a_list_that_ends_too_early_is_told_of(europepmc: EuropePmcServer, literature):
    europepmc.page_size = 10
    literature.add(*map(numbered, range(30)))
    europepmc.faults = ["", "stuck"]
    batches = list(EUROPEPMC.batches(Query("insulin")))
    assert batches[-1].warnings == ("Europe PMC gave 20 of 30 papers.",)
    assert batches[-1].cursor == ""


def test_the_mark_is_quoted_once(europepmc: EuropePmcServer, literature):
    europepmc.page_size = 10
    literature.add(*map(numbered, range(15)))
    list(EUROPEPMC.batches(Query("insulin")))
    assert [asked.fields["cursorMark"] for asked in europepmc.requests] == ["*", "AoE/+MTA==="]


def test_every_field_of_a_paper_is_read(europepmc: EuropePmcServer, literature):
    literature.add(DETAILED)
    (batch,) = EUROPEPMC.batches(Query("cells"))
    (record,) = batch.records
    assert record.title == "CO2 and 10^9 cells: a trial."
    assert record.abstract == (
        Section("Insulin & others, p < 0.05.", "BACKGROUND"),
        Section("Ca2+ rose.", "RESULTS"),
    )
    assert (record.source_id, record.pmid, record.pmcid) == ("MED:30000001", "30000001", "PMC1234567")
    assert record.authors[1:] == (Author("Curie", "Marie", "M"), Author(collective="The TEST Study Group"))
    assert (record.journal, record.journal_abbreviation, record.volume) == (
        "Journal of Tests",
        "J Tests",
        "12",
    )
    assert record.languages == ("fr",) and record.types[1] == "Randomized controlled trial"
    assert (str(record.published), str(record.entered)) == ("1998-12-01", "2026-11-02")
    assert [term.name for term in record.mesh] == ["Diabetes Mellitus", "Insulin"]


def test_preprints_have_their_server_and_version(europepmc: EuropePmcServer, literature):
    literature.add(numbered(1, pmid="", preprint_id="PPR500", version=3, types=("Preprint",)))
    (batch,) = EUROPEPMC.batches(Query("insulin"))
    (record,) = batch.records
    assert (record.source_id, record.pmid, record.publisher, record.version) == (
        "PPR:PPR500",
        "",
        "medRxiv",
        3,
    )
    assert record.types == ("Preprint",)


def test_a_retraction_is_seen(europepmc: EuropePmcServer, literature: Literature):
    literature.add(numbered(1))
    literature.retract("30000001", numbered(9, title="Retraction of insulin"))
    (batch,) = EUROPEPMC.batches(Query("outcome"))
    (record,) = batch.records
    assert record.is_retracted
    assert (record.notices[0].relation, record.notices[0].pmid) == (Relation.RETRACTED_IN, "30000009")
    (batch,) = EUROPEPMC.batches(Query("outcome", leave_out_retracted=True))
    assert batch.records == ()


def test_conditions_are_added_to_the_whole_topic(europepmc: EuropePmcServer, literature: Literature):
    window = Window(literature.today, literature.today)
    EUROPEPMC.preview(Query("insulin OR stroke", window, language="en", has_abstract=True))
    assert europepmc.requests[0].fields["query"] == (
        "(insulin OR stroke) AND (SRC:MED OR SRC:PMC OR SRC:PPR) AND FIRST_IDATE:[2026-11-18 TO 2026-11-20] "
        "AND HAS_ABSTRACT:Y AND LANG:eng"
    )


def test_an_error_inside_an_answer_is_told_in_the_services_words(europepmc: EuropePmcServer):
    europepmc.faults = ["error_inside"]
    with pytest.raises(QueryRejected, match="Invalid resource requested"):
        EUROPEPMC.preview(Query("insulin"))


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"hitCount": "3"}', b'{"hitCount": -1}'])
def test_json_that_is_no_answer_is_not_taken_for_no_papers(europepmc: EuropePmcServer, body):
    reply = type(europepmc.busy())
    europepmc.respond = lambda asked: reply(200, body)  # type: ignore[method-assign]  # the stand-in answers so
    with pytest.raises(ConnectorUnavailable):
        EUROPEPMC.preview(Query("insulin"))


@pytest.mark.parametrize(
    "strange",
    [
        {"authorList": None, "authorString": "Blaha S, Lovelace AB."},
        {"authorList": {"author": "none"}, "authorString": "Blaha S, Lovelace AB."},
        {"journalInfo": [], "pubTypeList": "x", "commentCorrectionList": {"commentCorrection": [None, 3]}},
        {"doi": None, "abstractText": None, "language": None, "pmid": 12},
    ],
)
def test_fields_of_unexpected_shape_are_left_out(strange):
    record = read_record({"id": "12", "source": "MED", "title": "Insulin", **strange})
    assert (record.title, record.pmid) == ("Insulin", "12")
    if "authorString" in strange:
        assert [author.short_name for author in record.authors] == ["Blaha S", "Lovelace AB"]


def test_html_becomes_text():
    assert plain("<p>a<br/>b</p> &lt;i&gt; x<sup>2</sup> 10<sup>-3</sup>") == "a b <i> x2 10^-3"
    assert sections("Before. <h4>Aims: </h4><p>One.</p><h4>Empty</h4><h4>Results</h4>Two.") == (
        *(Section("Before."), Section("One.", "Aims")),
        Section("Two.", "Results"),
    )
