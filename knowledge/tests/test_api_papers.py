"""Papers and statistics over the API."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from jobs.models import AuditEvent
from knowledge.models import Answer, Citation, Document, Finding, Paper, Question, Topic
from knowledge.tests.api_client import KNOWLEDGE, client_with, get, send
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db

PAPERS, STATISTICS = f"{KNOWLEDGE}papers/", f"{KNOWLEDGE}statistics/"
UNKNOWN = 2**31 - 1


@pytest.fixture
def client():
    return client_with("view_paper", "view_document", "delete_paper")


def titles(client, **query):
    return [paper["title"] for paper in get(client, PAPERS, query)["results"]]


def test_a_paper_tells_everything_that_is_known_and_who_said_it(client):
    topic = Topic.objects.create(name="Hearts")
    paper = shelve(
        "Aspirin",
        abstract=[{"label": "AIM", "text": "To know."}, {"label": "RESULTS", "text": "Known."}],
        doi="10.1000/x",
        pmid="31",
        authors=[{"family": "Curie", "given": "Marie"}],
        published_on=date(2024, 5, 1),
        published_precision="month",
        year=2024,
        mesh=[{"name": "Aspirin", "is_major": True}],
        notices=[{"relation": "retraction_in", "pmid": "32", "reference": "J Test 2025"}],
        is_retracted=True,
        sources=["pubmed"],
        provenance={"title": "pubmed"},
    )
    Finding.objects.create(topic=topic, paper=paper)
    told = get(client, f"{PAPERS}{paper.pk}/")
    assert (told["doi"], told["published"], told["authors"]) == ("10.1000/x", "2024-05", ["Marie Curie"])
    assert told["abstract_text"] == "AIM: To know.\n\nRESULTS: Known."
    assert told["abstract"][1] == {"label": "RESULTS", "category": "", "text": "Known."}
    assert told["notices"] == [
        {"relation": "retraction_in", "pmid": "32", "doi": "", "reference": "J Test 2025"}
    ]
    assert (told["is_retracted"], told["provenance"], told["passages"]) == (True, {"title": "pubmed"}, 1)
    (finding,) = told["findings"]
    assert (finding["topic"], finding["topic_name"], finding["research_job"]) == (topic.pk, "Hearts", None)
    (listed,) = get(client, PAPERS)["results"]
    assert "abstract" not in listed
    assert listed.items() <= told.items()


def test_papers_are_listed_in_pages_the_latest_first(client, django_assert_max_num_queries):
    for number in range(5):
        shelve(f"Paper {number}")
    with django_assert_max_num_queries(6):
        page = get(client, PAPERS, {"page_size": 2})
    assert [paper["title"] for paper in page["results"]] == ["Paper 4", "Paper 3"]
    rest = client.get(page["next"]).json()
    assert [paper["title"] for paper in rest["results"]] == ["Paper 2", "Paper 1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"source": ["arxiv", "feeds"]}, {"New"}),
        ({"min_year": 2015}, {"New"}),
        ({"max_year": 2015}, {"Old"}),
        ({"type": "Review"}, {"Old"}),
        ({"category": "cs.LG"}, {"New"}),
        ({"language": "de"}, {"Old"}),
        ({"retracted": True}, {"Old"}),
        ({"doi": "https://doi.org/10.1000/ABC"}, {"New"}),
        ({"doi": "no doi"}, set()),
        ({"pmid": "7"}, {"Old"}),
        ({"title": "nE"}, {"New"}),
        ({"first_seen_before": "2020-01-01T00:00:00Z"}, {"Old"}),
    ],
)
def test_papers_are_filtered(client, query, expected):
    shelve("New", year=2024, sources=["arxiv"], categories=["cs.LG"], doi="10.1000/abc")
    shelve(
        "Old", year=2001, sources=["pubmed"], types=["Review"], languages=["de"], is_retracted=True, pmid="7",
        first_seen_at=timezone.now() - timedelta(days=5000),
    )  # fmt: skip
    assert set(titles(client, **query)) == expected


def test_papers_of_a_topic_are_those_that_were_found_for_it(client):
    topic = Topic.objects.create(name="Hearts")
    Finding.objects.create(topic=topic, paper=shelve("Found"))
    shelve("Not found")
    assert titles(client, topic=topic.pk) == ["Found"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"source": "gopher"}, "source"),
        ({"topic": "x"}, "topic"),
        ({"min_year": "x"}, "min_year"),
        ({"cursor": "x"}, "cursor"),
    ],
)
def test_filters_that_make_no_sense_are_refused_by_name(client, query, field):
    assert field in get(client, PAPERS, query, 400)["fields"]


def test_unknown_papers_are_told_as_such(client):
    get(client, f"{PAPERS}{UNKNOWN}/", status=404)
    send(client, "delete", f"{PAPERS}{UNKNOWN}/", status=404)


def test_a_deleted_paper_is_gone_and_the_trail_knows_who_did_it(client):
    paper = shelve("Aspirin")
    send(client, "delete", f"{PAPERS}{paper.pk}/", status=204)
    assert not Paper.objects.exists()
    assert AuditEvent.objects.get(action="deleted").user == client.user


def test_a_paper_that_an_answer_cites_is_not_deleted(client):
    paper = shelve("Aspirin")
    answer = Answer.objects.create(question=Question.objects.create(text="?"), state="answered", writer="x")
    Citation.objects.create(answer=answer, number=1, paper=paper, title="Aspirin", quote="Aspirin")
    told = send(client, "delete", f"{PAPERS}{paper.pk}/", status=409)
    assert "cites" in told["message"]
    assert Paper.objects.exists()
    assert not AuditEvent.objects.exists()


def test_seeing_and_deleting_need_their_own_permissions():
    paper = shelve("Aspirin")
    get(client_with(), PAPERS, status=403)
    send(client_with("view_paper"), "delete", f"{PAPERS}{paper.pk}/", status=403)


# Statistics


def test_an_empty_index_has_statistics(client):
    told = get(client, STATISTICS)
    assert (told["total_documents"], told["total_chunks"], told["knowledge_level"]) == (0, 0, "none")
    assert (told["indexed_date"], told["last_update"], told["search_mode"]) == (None, None, "sparse")
    assert told["documents_by_source"] == told["categories"] == {}


def test_statistics_count_what_is_there(client):
    topic = Topic.objects.create(name="Hearts", updated_at=timezone.now())
    Topic.objects.create(name="Empty")
    both = shelve("Aspirin", "Aspirin prevents.", sources=["pubmed", "europepmc"])
    shelve("Heparin", "Heparin helps.", sources=["pubmed"], is_retracted=True)
    Finding.objects.create(topic=topic, paper=both)
    Document.objects.create(title="Manual", sha256="0" * 64, category="manuals", state="queued")
    Document.objects.create(title="Bad", sha256="1" * 64, state="failed", problem="It is empty.")
    with registered(letters := Letters()):
        embed_all(letters)
    shelve("Novelty", "Not embedded.")
    told = get(client, STATISTICS)
    assert (told["total_documents"], told["total_papers"], told["retracted_papers"]) == (5, 3, 1)
    assert (told["total_chunks"], told["knowledge_level"], told["search_mode"]) == (3, "basic", "hybrid")
    assert (told["topics_covered"], told["total_topics"]) == (1, 2)
    assert told["documents_by_source"] == {"pubmed": 2, "europepmc": 1, "upload": 2}
    assert told["categories"] == {"manuals": 1, "": 1}
    assert told["processing_queue"] == {
        "queued": 1, "processing": 0, "completed": 0, "failed": 1, "total": 2,
    }  # fmt: skip
    assert told["vectors"] == [
        {"model": "letters:26", "dimension": 26, "state": "live", "vectors": 2, "missing": 1}
    ]
    assert told["index_size_mb"] > 0
    assert told["indexed_date"] and told["last_update"]
