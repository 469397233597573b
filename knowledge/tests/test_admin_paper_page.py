"""The page of a paper: what it says of its text, its worth, its record and its history, and to whom."""

import re
from datetime import date
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.tests.staff import signed_in, staff
from knowledge import indexing
from knowledge.admin import looks
from knowledge.models import Document, Finding, Harvest, Outcome, Paper, Source, Topic
from knowledge.tasks import evaluate_search
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def client():
    return signed_in(staff("knowledge.view_paper"))


def shown(client, paper: Paper, **query) -> str:
    answer = client.get(f"/admin/knowledge/paper/{paper.pk}/read/", query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def add_outcome(paper: Paper, **fields) -> Outcome:
    source, _ = Source.objects.get_or_create(name="PubMed", connector="pubmed")
    harvest = Harvest.objects.create(run_id=fields.pop("run_id", uuid4()), source=source, query={})
    return Outcome.objects.create(
        harvest=harvest, paper=paper, source_id_there="1", **{"result": "new", **fields}
    )


def test_the_abstract_is_shown_by_passages_each_with_an_anchor(client):
    paper = Paper.objects.create(
        title="Aspirin",
        abstract=[
            {"label": "METHODS", "text": "We gave aspirin to people. " * 20},
            {"label": "RESULTS", "text": "Attacks were fewer."},
        ],
    )
    indexing.index_papers([paper])
    passages = list(paper.parts.get().passages.values_list("pk", flat=True))
    page = shown(client, paper, q="attacks")
    assert len(passages) > 1
    assert re.findall(r'id="passage-(\d+)"', page) == [str(pk) for pk in sorted(passages)]
    assert '<strong class="know-section">METHODS</strong>' in page
    assert '<strong class="know-section">RESULTS</strong> <mark>Attacks</mark> were fewer.' in page


def test_a_paper_without_abstract_says_so(client):
    assert "Its sources give no abstract" in shown(client, shelve("Only a title"))


def test_long_lists_of_authors_are_folded(client):
    people = [{"family": f"Author{number:02}", "given": "Ada"} for number in range(30)]
    page = shown(client, shelve("Crowd", authors=people))
    assert "22 more authors" in page
    assert page.index("Ada Author07") < page.index("22 more authors") < page.index("Ada Author08")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"published_on": date(2024, 3, 1), "published_precision": "month"}, "Mar 2024"),
        ({"published_on": date(2024, 3, 9), "published_precision": "day"}, "9 Mar 2024"),
        ({"published_on": date(2024, 1, 1), "published_precision": "year"}, "2024"),
        ({"published_on": date(2000, 11, 1), "published_text": "2000 Nov-Dec"}, "2000 Nov-Dec"),
        ({"year": 1987}, "1987"),
        ({}, ""),
    ],
)
def test_dates_are_as_precise_as_they_are_known(fields, words):
    assert looks.published(Paper(title="Dated", **fields)) == words


def test_a_retraction_stands_above_all_with_where_it_was_announced(client):
    paper = shelve(
        "Wrong",
        "It was wrong.",
        is_retracted=True,
        is_corrected=True,
        notices=[
            {"relation": "comment_in", "pmid": "3", "reference": "BMJ. 2021"},
            {"relation": "erratum_in", "doi": "10.1000/erratum"},
            {"relation": "retraction_in", "pmid": "123", "reference": "Lancet. 2025;1:2"},
            {"relation": "no such relation", "reference": "Nowhere"},
            "nonsense",
        ],
    )
    page = shown(client, paper)
    order = [
        page.index(words)
        for words in (
            "<strong>Retracted in</strong>",
            "<strong>Corrected in</strong>",
            "<strong>Commented on in</strong>",
        )
    ]
    assert order == sorted(order)
    assert order[0] < page.index('id="abstract"')
    assert (
        '<a class="know-plain" href="https://pubmed.ncbi.nlm.nih.gov/123/" rel="noreferrer">Lancet. 2025;1:2</a>'
        in page
    )
    assert 'href="https://doi.org/10.1000/erratum"' in page
    assert "Nowhere" not in page


def test_a_retraction_without_a_notice_is_told_too(client):
    assert "This paper was retracted: do not rely on it." in shown(client, shelve("Wrong", is_retracted=True))


def test_identifiers_are_links_and_other_schemes_are_not(client):
    paper = shelve(
        "Linked",
        doi="10.1000/a<b>?c#d",
        pmid="1",
        pmcid="PMC2",
        arxiv_id="2611.00003",
        url="javascript:alert(1)",
        pdf_url="https://papers.example/a.pdf",
    )
    page = shown(client, paper)
    for address in (
        "https://doi.org/10.1000/a%3Cb%3E%3Fc%23d", "https://pubmed.ncbi.nlm.nih.gov/1/",
        "https://pmc.ncbi.nlm.nih.gov/articles/PMC2/", "https://arxiv.org/abs/2611.00003", "https://papers.example/a.pdf",
    ):  # fmt: skip
        assert f'href="{address}"' in page
    assert "javascript:" not in page


def test_whatever_a_record_says_is_shown_as_text(client):
    topic = Topic.objects.create(name=EVIL)
    paper = shelve(
        EVIL, EVIL, original_title=EVIL, journal=EVIL, authors=[{"family": EVIL, "affiliations": [EVIL]}], keywords=[EVIL],
        types=[EVIL], categories=[EVIL], languages=[EVIL], sources=[EVIL], mesh=[{"name": EVIL, "qualifiers": [{"name": EVIL}]}],
        details={"volume": EVIL, "issue": EVIL, "pages": EVIL, "comment": EVIL}, provenance={EVIL: EVIL},
        notices=[{"relation": "comment_in", "reference": EVIL}],
    )  # fmt: skip
    Finding.objects.create(paper=paper, topic=topic)
    add_outcome(paper, reason=EVIL)
    reader = signed_in(staff("knowledge.view_paper", "knowledge.view_outcome", name="reader"))
    page = shown(reader, paper, q=EVIL)
    assert "<img" not in page
    assert "&lt;" in page


@pytest.mark.parametrize("broken", [{}, [], "text", 7, [None], [{"label": None}], [{"text": 3}]])
def test_records_of_another_shape_do_no_harm(client, broken):
    paper = shelve("Odd")
    lists = broken if isinstance(broken, list) else []
    Paper.objects.filter(pk=paper.pk).update(
        authors=lists, mesh=lists, notices=lists, details=broken, provenance=broken
    )
    shown(client, paper)


def test_it_can_be_cited_in_plain_words_and_in_bibtex():
    paper = Paper(
        pk=7,
        title="50% of {cats} & dogs_",
        authors=[
            {"family": "van der Waals", "given": "Johannes", "initials": "JD"},
            {"collective": "The {X} Group"},
        ],
        journal="Lancet",
        year=2020,
        details={"volume": "12", "issue": "3", "pages": "45-50"},
        doi="10.1000/x",
    )
    assert looks.reference(paper) == (
        "van der Waals JD, The {X} Group. 50% of {cats} & dogs_. Lancet. 2020;12(3):45-50. doi:10.1000/x."
    )
    entry = looks.bibtex(paper)
    assert entry.startswith("@article{vanderwaals2020-7,\n")
    assert r"  title = {50\% of \{cats\} \& dogs\_}," in entry
    assert r"  author = {van der Waals, Johannes and {The \{X\} Group}}," in entry
    assert "  pages = {45--50}," in entry
    paper.is_retracted = True
    assert looks.reference(paper).startswith("RETRACTED: ")


def test_provenance_is_told_field_by_field(client):
    page = shown(client, shelve("Known", provenance={"title": "pubmed", "journal_reference": "arxiv"}))
    assert "<dt>Title</dt><dd>PubMed</dd>" in page
    assert "<dt>Journal reference</dt><dd>arXiv</dd>" in page


def test_its_history_is_for_those_who_may_see_it_and_runs_for_those_who_may_see_them(client):
    paper = shelve("Known")
    run = evaluate_search.enqueue()
    add_outcome(paper, run_id=run.pk, reason="Its abstract changed.", result="updated")
    assert "Its abstract changed." not in shown(client, paper)
    reader = signed_in(staff("knowledge.view_paper", "knowledge.view_outcome", name="reader"))
    page = shown(reader, paper)
    assert "Its abstract changed." in page
    assert str(run.pk) not in page
    operator = signed_in(
        staff("knowledge.view_paper", "knowledge.view_outcome", "jobs.view_jobrun", name="operator")
    )
    assert f"/admin/jobs/jobrun/{run.pk}/change/" in shown(operator, paper)


def test_similar_papers_are_the_nearest_and_never_retracted_or_itself(client):
    with registered(letters := Letters()):
        paper = shelve("aab", "aab aab")
        assert "They are found when it has vectors" in shown(client, paper)
        near, far = shelve("aaab", "aab aaab"), shelve("zzz", "zzz zz")
        shelve("aabb", "aab aab", is_retracted=True)
        embed_all(letters)
        page = shown(client, paper)
    similar = page[page.index("Similar papers") : page.index("Cite as")]
    assert re.findall(r"/paper/(\d+)/read/", similar) == [str(near.pk), str(far.pk)]


def test_an_unknown_paper_is_not_there_and_strangers_see_none(client):
    paper = shelve("Known")
    assert client.get("/admin/knowledge/paper/999999/read/").status_code == 404
    stranger = signed_in(staff("knowledge.view_topic", name="stranger"))
    assert stranger.get(f"/admin/knowledge/paper/{paper.pk}/read/").status_code == 403


def test_what_the_page_costs_does_not_grow_with_its_history():
    reader = signed_in(
        staff("knowledge.view_paper", "knowledge.view_outcome", "knowledge.view_topic", "jobs.view_jobrun")
    )
    paper = shelve("Known", "Text.")

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            shown(reader, paper)
        return len(found)

    add_outcome(paper)
    Finding.objects.create(paper=paper, topic=Topic.objects.create(name="First"))
    queries()
    before = queries()
    for number in range(5):
        add_outcome(paper)
        Finding.objects.create(paper=paper, topic=Topic.objects.create(name=f"Topic {number}"))
    assert queries() == before
    assert before < 25


# Documents


def test_a_document_is_read_some_pages_at_a_time_with_the_same_anchors():
    reader = signed_in(staff("knowledge.view_document"))
    text = "\n\n".join(f"Sentence {number} is about {EVIL} aspirin." for number in range(400))
    document = Document.objects.create(title=EVIL, text=text, sha256="a", filename=EVIL)
    indexing.index_documents([document])
    parts = list(document.parts.order_by("number"))
    assert len(parts) > 2
    address = f"/admin/knowledge/document/{document.pk}/read/"
    page = reader.get(f"{address}?part=2&q=aspirin").content.decode()
    first = [part.passages.order_by("position").values_list("pk", flat=True)[0] for part in parts]
    assert f'id="passage-{first[1]}"' in page
    assert f'id="passage-{first[0]}"' not in page
    assert f"Part 2 of {len(parts)}" in page
    assert "<img" not in page
    assert "<mark>aspirin</mark>" in page
    for odd in ("0", "99", "x", ""):
        assert reader.get(address, {"part": odd}).status_code == 200
    assert signed_in(staff("knowledge.view_paper", name="other")).get(address).status_code == 403
