"""Records: identifiers, dates, provenance, and the way through JSON."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.records import (
    Author,
    MeshTerm,
    Notice,
    PartialDate,
    Precision,
    Record,
    Relation,
    Section,
    clean_doi,
    clean_pmcid,
    clean_pmid,
)

FULL = Record(
    source="pubmed",
    source_id="1",
    title="Insulin",
    pmid="1",
    authors=(Author("Curie", "Marie", "M", orcid="0000-0001"), Author(collective="A Group")),
    abstract=(Section("Text.", "AIMS", "OBJECTIVE"),),
    published=PartialDate(date(2026, 11, 1), Precision.MONTH, "2026 Nov-Dec"),
    mesh=(MeshTerm("Insulin", "D1", True, (MeshTerm("therapy", "Q1"),)),),
    notices=(Notice(Relation.RETRACTED_IN, "2"),),
)


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        ("10.1000/ABC.1", "10.1000/abc.1"),
        ("https://doi.org/10.1000/abc", "10.1000/abc"),
        ("http://dx.doi.org/10.1000/a%2Fb", "10.1000/a/b"),
        ("doi: 10.1000/abc.", "10.1000/abc"),
        ("10.1/short", ""),
        ("see 10.1000/abc", ""),
        ("", ""),
    ],
)
def test_dois_are_written_one_way(text, doi):
    assert clean_doi(text) == doi


def test_numbers_of_pubmed_are_written_one_way():
    assert [clean_pmcid(text) for text in ("PMC0123", "pmc123.2", "123", "PMX1", "")] == ["PMC123"] * 3 + [
        ""
    ] * 2
    assert [clean_pmid(text) for text in ("0012", " 7 ", "0", "x", "", "١٢")] == ["12", "7", "", "", "", ""]


def test_records_survive_the_way_through_json():
    assert Record.from_json(FULL.as_json()) == FULL
    assert FULL.as_json()["published"] == {
        "first": "2026-11-01",
        "precision": "month",
        "text": "2026 Nov-Dec",
    }
    assert "doi" not in FULL.as_json()


def test_provenance_names_who_said_each_field():
    other = Record("europepmc", "MED:1", "Insulin!", doi="10.1000/x", types=("Review",), notices=FULL.notices)
    both = FULL.merged_with(other)
    assert (both.title, both.doi, both.types) == ("Insulin", "10.1000/x", ("Review",))
    assert both.notices == FULL.notices
    assert both.provenance == {
        **dict.fromkeys(["title", "pmid", "authors", "abstract", "published", "mesh", "notices"], "pubmed"),
        **dict.fromkeys(["doi", "types"], "europepmc"),
    }


def test_a_retraction_that_only_one_source_knows_is_kept():
    other = Record("europepmc", "MED:1", "Insulin", types=("Retracted publication",))
    plain = Record("pubmed", "1", "Insulin", types=("Journal Article",))
    assert plain.merged_with(other).is_retracted


@given(st.integers(), st.none() | st.integers(), st.none() | st.integers())
def test_dates_of_any_numbers_are_as_precise_as_they_make_sense(year, month, day):
    moment = PartialDate.of(year, month, day)
    if moment is None:
        assert not 1000 <= year <= 9999
        return
    assert moment.first.year == year
    if moment.precision != Precision.YEAR:
        assert moment.first.month == month
    if moment.precision == Precision.DAY:
        assert moment.first.day == day
    assert len(str(moment)) == {"year": 4, "month": 7, "day": 10}[moment.precision]
