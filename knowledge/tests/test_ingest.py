"""Storing records: each paper once, as its sources say it now."""

import random
import threading
from dataclasses import replace
from datetime import date

import pytest
from django.contrib.auth.models import User
from django.db import connection

from knowledge import indexing, joining
from knowledge.ingest import known, store
from knowledge.models import (
    Answer,
    Citation,
    Embedding,
    Finding,
    JudgedQuery,
    Judgement,
    Paper,
    PaperRecord,
    Part,
    Passage,
    Question,
    SparseSegment,
    Topic,
)
from knowledge.records import Author, MeshTerm, Notice, PartialDate, Record, Relation, Section
from knowledge.search.engine import Mode as SearchMode
from knowledge.search.engine import search
from knowledge.tests.shelf import Letters, embed_all, registered

pytestmark = pytest.mark.django_db

LONG = " ".join(f"Sentence number {number} says something of note about insulin." for number in range(40))


def record(source="pubmed", **fields):
    """A record that says enough to be known by its title."""
    given = {
        "source_id": fields.get("pmid") or fields.get("doi") or fields.get("arxiv_id") or "1",
        "title": "Insulin and the outcome of long stays",
        "authors": (Author("Lovelace", "Ada"),),
        "abstract": (Section("Insulin was given. It helped."),),
        "published": PartialDate(date(2026, 10, 1)),
        "revised": PartialDate(date(2026, 11, 1)),
    }
    return Record(source=source, **{**given, **fields})


def store_one(*args, **fields):
    (stored,) = store([record(*args, **fields)])
    return stored


def day(number):
    return PartialDate(date(2026, 11, number))


def found(query):
    return [hit.part.title for hit in search(query, mode=SearchMode.SPARSE)]


# What is new, and what is not


def test_a_new_paper_is_stored_with_its_words():
    stored = store_one(pmid="1", doi="10.1000/a")
    assert (stored.result, stored.reason) == ("new", "")
    paper = Paper.objects.get()
    assert (paper.pmid, paper.doi, paper.year, paper.sources) == ("1", "10.1000/a", 2026, ["pubmed"])
    assert paper.provenance["abstract"] == "pubmed"
    assert Part.objects.get().paper == paper
    assert found("insulin helped") == [paper.title]


def test_the_same_again_writes_nothing_but_that_it_was_seen():
    store_one(pmid="1")
    before = dict(Paper.objects.values().get())
    passages = set(Passage.objects.values_list("pk", flat=True)), SparseSegment.objects.count()
    stored = store_one(pmid="1")
    assert (stored.result, stored.reason, stored.paper) == ("known", "", Paper.objects.get())
    after = dict(Paper.objects.values().get())
    assert {name for name in before if before[name] != after[name]} == {"fetched_at"}
    assert (set(Passage.objects.values_list("pk", flat=True)), SparseSegment.objects.count()) == passages


def test_a_record_that_comes_twice_in_one_batch_is_one_paper():
    first, second = store([record(pmid="1"), record(pmid="1")])
    assert (first.result, second.result) == ("new", "known")
    assert first.paper == second.paper == Paper.objects.get()


def test_outcomes_come_in_the_order_of_their_records():
    records = [
        record(pmid=str(number), title=f"Insulin and outcome number {number}") for number in range(1, 30)
    ]
    assert [one.record for one in store(records)] == records


# By what papers are known


@pytest.mark.parametrize(
    "name, value", [("doi", "10.1000/a"), ("pmid", "7"), ("pmcid", "PMC7"), ("arxiv_id", "2611.00007")]
)
def test_any_identifier_tells_a_paper_at_another_source(name, value):
    store_one("pubmed", **{name: value}, source_id="A")
    stored = store_one(
        "europepmc", **{name: value}, source_id="B", title="Quite another wording of the title"
    )
    assert stored.paper == Paper.objects.get()
    assert set(stored.paper.sources) == {"pubmed", "europepmc"}


def test_title_year_and_first_author_tell_a_paper_without_a_common_identifier():
    store_one("pubmed", pmid="1")
    stored = store_one("arxiv", arxiv_id="2611.00001", title="INSULIN, and the outcome of: Long Stays!")
    assert stored.paper == Paper.objects.get()
    assert (stored.paper.pmid, stored.paper.arxiv_id) == ("1", "2611.00001")


@pytest.mark.parametrize(
    "other",
    [
        {"title": "Insulin and the outcome of short stays"},
        {"published": PartialDate(date(2025, 10, 1))},
        {"published": None},
        {"authors": (Author("Curie", "Marie"),)},
        {"authors": ()},
        {"pmid": "2"},
    ],
)
def test_papers_that_differ_in_any_of_these_are_two(other):
    store_one("pubmed", pmid="1")
    assert store_one("europepmc", **{"source_id": "B", **other}).result == "new"
    assert Paper.objects.count() == 2


def test_titles_that_many_papers_have_tell_nothing():
    store_one("pubmed", pmid="1", title="Author's reply")
    assert store_one("arxiv", arxiv_id="2611.00001", title="Author's reply").result == "new"


def test_two_papers_of_one_source_are_two_however_alike_they_look():
    first = store_one("feeds", source_id="week 1")
    assert store_one("feeds", source_id="week 2").paper != first.paper


def test_accents_and_case_do_not_make_another_paper():
    store_one("pubmed", pmid="1", authors=(Author("Müller", "Ada"),), title="Über Insulin und seine Wirkung")
    assert (
        store_one(
            "arxiv",
            arxiv_id="2611.1",
            authors=(Author("MULLER", "A"),),
            title="Uber Insulin und seine Wirkung",
        ).result
        != "new"
    )


def test_the_doi_that_arxiv_gives_says_no_more_than_the_arxiv_id():
    store_one("arxiv", arxiv_id="2611.00001")
    stored = store_one(
        "europepmc", doi="10.48550/arxiv.2611.00001", title="Put in other words by somebody else"
    )
    assert stored.paper == Paper.objects.get()
    assert (stored.paper.doi, stored.paper.arxiv_id) == ("", "2611.00001")


def test_a_feeds_entry_is_known_by_its_name_there():
    store_one("feeds", source_id="https://who.example/1", authors=(), title="Guideline on insulin")
    stored = store_one(
        "feeds", source_id="https://who.example/1", authors=(), title="Guideline on insulin, revised"
    )
    assert (stored.result, stored.reason) == ("updated", "Changed: title.")
    assert Paper.objects.count() == 1


def test_known_are_those_whose_papers_are_here():
    store_one(pmid="1", doi="10.1000/a")
    there = record("europepmc", doi="10.1000/a", source_id="B")
    assert known([there, record(pmid="2", title="Quite another subject altogether")]) == [there]


# Two that turn out to be one


def two_papers():
    first = store_one("pubmed", pmid="1", title="Insulin one and its long outcome").paper
    second = store_one(
        "europepmc", doi="10.1000/a", title="Insulin two and its long outcome", keywords=("sugar",)
    ).paper
    assert first != second
    return first, second


def test_a_record_that_names_two_papers_joins_them():
    first, second = two_papers()
    stored = store_one("arxiv", arxiv_id="2611.00001", doi="10.1000/a", pmid="1")
    assert (stored.result, stored.paper.pk) == ("updated", first.pk)
    assert f"paper {second.pk} is the same" in stored.reason
    paper = Paper.objects.get()
    assert (paper.doi, paper.pmid, paper.arxiv_id, paper.keywords) == (
        "10.1000/a",
        "1",
        "2611.00001",
        ["sugar"],
    )
    assert paper.title == "Insulin one and its long outcome"
    assert paper.records.count() == 3
    assert found("insulin") == [paper.title]


@pytest.mark.parametrize("bad", [False, True])
def test_papers_that_are_joined_within_their_batch_are_told_as_one(bad):
    given = [
        record("pubmed", pmid="1", title="Insulin one and its long outcome"),
        record("europepmc", doi="10.1000/a", title="Insulin two and its long outcome"),
        record("arxiv", arxiv_id="2611.00001", doi="10.1000/a", pmid="1"),
        *([record(pmid="9", title="\x00")] if bad else []),
    ]
    stored = store(given)
    assert {one.paper for one in stored[:3]} == {Paper.objects.get()}


def test_everything_that_belongs_to_a_joined_paper_is_handed_over():
    first, second = two_papers()
    shared, other = Topic.objects.create(name="shared"), Topic.objects.create(name="other")
    for paper, topic in ((first, shared), (second, shared), (second, other)):
        Finding.objects.create(paper=paper, topic=topic)
    question = Question.objects.create(text="?", asked_by=User.objects.create(username="asker"))
    answer = Answer.objects.create(question=question, state="answered", writer="extractive")
    Citation.objects.create(
        answer=answer, number=1, paper=second, passage=Passage.objects.filter(part__paper=second).first(),
        title="Two", quote="It helped.",
    )  # fmt: skip
    query = JudgedQuery.objects.create(text="insulin")
    Judgement.objects.create(query=query, paper=second, grade=2)
    store_one("arxiv", arxiv_id="2611.00001", doi="10.1000/a", pmid="1")
    assert set(first.findings.values_list("topic__name", flat=True)) == {"shared", "other"}
    assert first.findings.count() == 2
    citation = Citation.objects.get()
    assert (citation.paper, citation.passage, citation.quote) == (first, None, "It helped.")
    assert Judgement.objects.get().paper == first


def test_joining_hands_over_every_table_that_names_papers():
    """A table that is forgotten here would lose its rows with a joined paper."""
    naming = {relation.related_model for relation in Paper._meta.related_objects}
    assert naming == {*joining.HANDED_OVER, Part}


# Identifiers that contradict each other


def test_the_stronger_identifier_decides_and_the_outcome_says_so():
    first = store_one("pubmed", pmid="1", doi="10.1000/a", title="Insulin one and its long outcome").paper
    second = store_one("pubmed", pmid="2", doi="10.1000/b", title="Insulin two and its long outcome").paper
    stored = store_one("europepmc", doi="10.1000/a", pmid="2", source_id="B")
    assert stored.paper == first
    assert "PMID 2 is not that of the paper with its DOI" in stored.reason
    assert set(Paper.objects.values_list("pk", "pmid", "doi")) == {
        (first.pk, "1", "10.1000/a"),
        (second.pk, "2", "10.1000/b"),
    }


def test_a_record_with_a_contradiction_is_known_the_next_time():
    store_one("pubmed", pmid="1", doi="10.1000/a")
    store_one("europepmc", doi="10.1000/a", pmid="2", source_id="B")
    assert store_one("europepmc", doi="10.1000/a", pmid="2", source_id="B").result == "known"


def test_two_papers_of_one_source_with_one_doi_stay_two():
    """PubMed has letters and replies that share a DOI."""
    first = store_one("pubmed", pmid="1", doi="10.1000/a")
    second = store_one("pubmed", pmid="2", doi="10.1000/a", title="A reply to what was said of insulin")
    assert second.result == "new"
    assert "DOI 10.1000/a is another paper's" in second.reason
    assert set(Paper.objects.values_list("pmid", "doi")) == {("1", "10.1000/a"), ("2", "")}
    for again in (first, second):
        assert store([again.record])[0].result == "known"


def test_papers_that_contradict_each_other_are_not_joined():
    first = store_one("pubmed", pmid="1", title="Insulin one and its long outcome").paper
    store_one("europepmc", doi="10.1000/a", pmid="2", title="Insulin two and its long outcome")
    stored = store_one("pubmed", pmid="1", doi="10.1000/a", title="Insulin one and its long outcome")
    assert stored.paper == first
    assert "DOI 10.1000/a is another paper's" in stored.reason
    assert Paper.objects.count() == 2


def test_a_source_may_correct_an_identifier():
    store_one("pubmed", pmid="1", doi="10.1000/wrong")
    stored = store_one("pubmed", pmid="1", doi="10.1000/right", revised=day(2))
    assert stored.reason == "Changed: DOI, date of revision."
    assert Paper.objects.get().doi == "10.1000/right"


# Who is believed


def test_each_field_comes_from_whom_it_is_believed_first_whatever_came_first():
    pubmed = record("pubmed", doi="10.1000/a", pmid="1", journal="By PubMed", abstract=())
    europe = record(
        "europepmc", doi="10.1000/a", source_id="MED:1", journal="By Europe PMC", keywords=("sugar",)
    )
    preprint = record("arxiv", doi="10.1000/a", arxiv_id="2611.00001", version=2, categories=("q-bio",))
    seen = []
    chance = random.Random(1)
    for _ in range(4):
        Paper.objects.all().delete()
        given = [pubmed, europe, preprint]
        chance.shuffle(given)
        for one in given:
            store([one])
        paper = Paper.objects.get()
        assert paper.journal == "By PubMed"
        assert (paper.provenance["journal"], paper.provenance["abstract"]) == ("pubmed", "europepmc")
        assert (paper.version, paper.provenance["version"]) == (2, "arxiv")
        assert paper.sources == ["pubmed", "europepmc", "arxiv"]
        ignored = {"id", "fetched_at", "first_seen_at"}
        seen.append(
            {name: value for name, value in Paper.objects.values().get().items() if name not in ignored}
        )
    assert all(one == seen[0] for one in seen)


def test_what_a_source_takes_back_is_gone():
    store_one("pubmed", pmid="1", keywords=("sugar",))
    store_one("pubmed", pmid="1", revised=day(2))
    assert Paper.objects.get().keywords == []


def test_another_source_that_adds_nothing_leaves_a_paper_known():
    store_one("pubmed", pmid="1", doi="10.1000/a")
    stored = store_one("europepmc", doi="10.1000/a", source_id="MED:1")
    assert (stored.result, stored.reason) == ("known", "")


def test_what_another_source_adds_is_an_update_that_says_what():
    store_one("pubmed", pmid="1", doi="10.1000/a")
    stored = store_one(
        "europepmc", doi="10.1000/a", pmcid="PMC1", mesh=(MeshTerm("Insulin"),), source_id="MED:1"
    )
    assert (stored.result, stored.reason) == ("updated", "Changed: PMCID, MeSH terms.")


# Versions


def test_a_newer_version_replaces_the_text_and_its_words():
    store_one("arxiv", arxiv_id="2611.00001", version=1)
    stored = store_one("arxiv", arxiv_id="2611.00001", version=2, abstract=(Section("Metformin was given."),))
    assert (stored.result, stored.reason) == ("updated", "Changed: abstract, version.")
    assert (found("metformin"), found("helped")) == ([stored.paper.title], [])


@pytest.mark.parametrize(
    "newer, older", [({"version": 2}, {"version": 1}), ({"revised": day(9)}, {"revised": day(8)})]
)
def test_an_older_version_never_overwrites_a_newer_one(newer, older):
    store_one("arxiv", arxiv_id="2611.00001", **newer)
    stored = store_one("arxiv", arxiv_id="2611.00001", **older, abstract=(Section("Outdated."),))
    assert stored.result == "known"
    assert "A newer version is here" in stored.reason
    assert found("outdated") == []


def test_changes_beside_the_text_leave_passages_alone():
    store_one("pubmed", pmid="1")
    before = list(Passage.objects.values_list("pk", flat=True))
    assert store_one("pubmed", pmid="1", revised=day(2), mesh=(MeshTerm("Insulin"),)).result == "updated"
    assert list(Passage.objects.values_list("pk", flat=True)) == before


def test_passages_whose_text_stays_keep_their_vectors():
    with registered(letters := Letters()):
        store_one("pubmed", pmid="1", abstract=(Section(LONG),))
        made = embed_all(letters)
        letters.asked.clear()
        store_one(
            "pubmed", pmid="1", revised=day(2), abstract=(Section(LONG), Section("Metformin was given, too."))
        )
        assert made > 3
        assert 0 < embed_all(letters) < made
        assert Embedding.objects.count() == Passage.objects.count()
        for embedding in Embedding.objects.select_related("passage"):
            assert embedding.text_hash == embedding.passage.text_hash


# Retractions


NOTICE = Notice(Relation.RETRACTED_IN, pmid="99", reference="J Tests. 2026")


def test_a_retraction_takes_a_paper_out_of_the_search_at_once():
    store_one("pubmed", pmid="1")
    assert found("insulin")
    stored = store_one(
        "pubmed", pmid="1", revised=day(2), notices=(NOTICE,), types=("Retracted Publication",)
    )
    assert (stored.result, stored.reason) == ("updated", "It has been retracted.")
    paper = Paper.objects.get()
    assert paper.is_retracted
    assert paper.notices == [{"relation": "retraction_in", "pmid": "99", "reference": "J Tests. 2026"}]
    assert found("insulin") == []


def test_one_source_that_knows_of_a_retraction_is_enough():
    store_one("pubmed", pmid="1", doi="10.1000/a")
    store_one("europepmc", doi="10.1000/a", source_id="MED:1", notices=(NOTICE,))
    assert Paper.objects.get().is_retracted


def test_a_retraction_that_is_taken_back_is_gone():
    store_one("pubmed", pmid="1", notices=(NOTICE,))
    stored = store_one("pubmed", pmid="1", revised=day(2))
    assert stored.reason == "It is not retracted any more."
    assert found("insulin")


# What cannot be stored


@pytest.mark.parametrize(
    "bad, reason",
    [
        ({"title": "A NUL \x00 in it"}, "NUL"),
        ({"title": "Half a sign \ud800 of two"}, "surrogates"),
        ({"title": ""}, "title: This field cannot be blank."),
        ({"doi": "10.1000/" + "a" * 400}, "doi: Ensure this value has at most 300 characters"),
        ({"languages": ("e" * 40,)}, "languages"),
        ({"abstract": (Section("In the abstract \x00"),)}, "cannot be stored"),
    ],
)
def test_what_cannot_be_stored_fails_with_its_reason_and_spoils_nothing_else(bad, reason):
    good = [record(pmid=str(number), title=f"Insulin and outcome number {number}") for number in range(1, 8)]
    spoilt = replace(record(pmid="99"), **bad)
    stored = store([*good[:3], spoilt, *good[3:]])
    assert [one.result for one in stored] == ["new"] * 3 + ["failed"] + ["new"] * 4
    assert reason in stored[3].reason
    assert stored[3].paper is None
    assert Paper.objects.count() == PaperRecord.objects.count() == Part.objects.count() == 7


def test_a_newer_version_that_cannot_be_stored_leaves_the_paper_as_it_was():
    store_one("pubmed", pmid="1")
    before = Paper.objects.values().get()
    assert store_one("pubmed", pmid="1", revised=day(2), title="\x00").result == "failed"
    assert Paper.objects.values().get() == before


# Many at once


@pytest.mark.django_db(transaction=True)
def test_workers_that_store_the_same_papers_at_once_store_each_once():
    records = [
        record(pmid=str(number), title=f"Insulin and outcome number {number}") for number in range(1, 9)
    ]
    doubles = [replace(one, source="europepmc", source_id=f"MED:{one.pmid}") for one in records]
    ready = threading.Barrier(4)
    failures = []

    def work(given):
        try:
            ready.wait()
            store(given)
        except Exception as error:  # noqa: BLE001 - told by the test
            failures.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=work, args=[given])
        for given in (records, records[::-1], doubles, doubles[::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Paper.objects.count() == Part.objects.count() == 8
    assert PaperRecord.objects.count() == 16


def test_the_index_holds_each_word_once_after_an_update():
    store_one("pubmed", pmid="1")
    paper = Paper.objects.get()
    store_one("pubmed", pmid="1", revised=day(2), abstract=(Section("Metformin was given."),))
    paper.refresh_from_db()
    assert indexing.index_papers([paper]) == indexing.Indexed(0, 0)
    assert Part.objects.count() == 1
