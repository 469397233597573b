"""The search page: what it shows to whom, what its address keeps, and what it says when something is wrong."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.tests.staff import signed_in, staff
from knowledge import indexing
from knowledge.models import Document, Finding, Paper, Topic
from knowledge.search.engine import forget_queries
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db

SEARCH = "/admin/knowledge/search/"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def client():
    return signed_in(staff("knowledge.view_paper"))


@pytest.fixture
def letters():
    forget_queries()
    with registered(embedder := Letters()):
        yield embedder
    forget_queries()


def shown(client, **query) -> str:
    answer = client.get(SEARCH, query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def titles(page: str) -> list[str]:
    """The titles of the results, without marks."""
    found = re.findall(r"<h3><a class=\"jobs-link\" href=\"[^\"]*\">(.*?)</a></h3>", page, re.DOTALL)
    return [re.sub(r"</?mark>", "", title) for title in found]


def test_a_result_tells_where_it_is_from_and_what_speaks_for_and_against_it(client, letters):
    shelve(
        "Aspirin and the heart",
        "Aspirin prevents heart attacks.",
        journal="The Lancet",
        year=2001,
        sources=["pubmed"],
        authors=[
            {"family": name, "initials": "A"} for name in ("Curie", "Noether", "Franklin", "Hopper", "Elion")
        ],
        is_corrected=True,
    )
    embed_all(letters)
    page = shown(client, q="aspirin")
    assert titles(page) == ["Aspirin and the heart"]
    assert "<mark>Aspirin</mark> prevents heart attacks." in page
    for words in ("Curie A, Noether A, Franklin A and 2 more", "The Lancet", "2001", "PubMed"):
        assert f"<span>{words}</span>" in page
    assert "Corrected" in page
    assert "Outdated" in page
    assert re.search(r"<span>meaning 0\.\d\d</span><span>words \d+\.\d</span>", page)
    assert re.search(r"<strong>1</strong> result <span class=\"jobs-faint\">in \d+ ms", page)


def test_a_result_leads_to_its_passage_on_the_page_of_the_paper(client):
    paper = shelve("Aspirin", "It was tried long ago. " * 40 + "Then aspirin prevented heart attacks.")
    page = shown(client, q="aspirin heart")
    address = re.search(rf'href="(/admin/knowledge/paper/{paper.pk}/read/[^"#]*)#(passage-\d+)"', page)
    assert address
    reading = client.get(address[1].replace("&amp;", "&")).content.decode()
    assert f'id="{address[2]}"' in reading
    assert "<mark>aspirin</mark>" in reading


def test_what_papers_say_is_shown_as_text(client):
    shelve(
        f"Aspirin {EVIL}",
        f"Aspirin {EVIL} helps.",
        journal=EVIL,
        authors=[{"collective": EVIL}],
        types=[EVIL],
        languages=[EVIL],
        sources=[EVIL],
    )
    Topic.objects.create(name=EVIL)
    page = shown(client, q=f"aspirin {EVIL}", type=EVIL)
    assert "<img" not in page
    assert "&lt;<mark>img src</mark>=<mark>x onerror</mark>=<mark>alert</mark>(" in page


def test_the_box_leads_to_an_address_that_keeps_only_what_says_something(client):
    topic = Topic.objects.create(name="Heart disease")
    answer = client.post(
        SEARCH,
        {"q": " aspirin ", "topic": topic.pk, "source": "", "type": "Review", "language": "", "year_from": "2010",
         "year_to": "", "retracted": "exclude", "mode": "hybrid"},
    )  # fmt: skip
    assert answer.status_code == 302
    assert answer.url == f"{SEARCH}?q=aspirin&topic={topic.pk}&type=Review&year_from=2010"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"source": "pubmed"}, "Source: PubMed"),
        ({"type": "Review"}, "Type: Review"),
        ({"language": "fr"}, "Language: fr"),
        ({"year_from": 2015}, "From 2015"),
        ({"year_from": 2015, "year_to": 2016}, "Up to 2016"),
        ({"retracted": "only"}, "Retracted: only these"),
    ],
)
def test_filters_restrict_what_is_found_and_can_be_taken_off_one_by_one(client, query, words):
    shelve("Wanted", "Aspirin.", sources=["pubmed"], types=["Review"], languages=["fr"], year=2016,
           is_retracted=query.get("retracted") == "only")  # fmt: skip
    shelve("Another", "Aspirin.", sources=["arxiv"], types=["Preprint"], languages=["en"], year=2010)
    page = shown(client, q="aspirin", **query)
    assert titles(page) == ["Wanted"]
    assert words in page
    name = list(query)[-1]
    without = re.search(rf'<a href="(\?[^"]*)" title="Without this filter">{re.escape(words)}', page)
    assert without
    assert name not in without[1]


def test_a_topic_restricts_to_what_was_found_for_it(client):
    topic = Topic.objects.create(name="Heart disease")
    Finding.objects.create(paper=shelve("Wanted", "Aspirin."), topic=topic)
    shelve("Another", "Aspirin.")
    page = shown(client, q="aspirin", topic=topic.pk)
    assert titles(page) == ["Wanted"]
    assert "Topic: Heart disease" in page


def test_what_does_not_fit_is_left_out_and_told(client):
    shelve("Aspirin", "Aspirin.")
    page = shown(
        client, q="aspirin", year_from="soon", mode="magic", topic="9" * 30, page="0", source="nowhere"
    )
    assert titles(page) == ["Aspirin"]
    for name in ("year from", "mode", "topic", "page", "source"):
        assert f"Left out, {name}:" in page


@pytest.mark.parametrize(
    "query", ["\x00", "%", "'; DROP TABLE knowledge_paper; --", "🫀" * 500, "((", "a" * 5000]
)
def test_odd_queries_are_searched_for_or_refused_and_never_an_error(client, query):
    shelve("Aspirin", "Aspirin.")
    shown(client, q=query)
    assert Paper.objects.count() == 1


def test_pages_show_ten_each_and_the_last_one_the_rest(client):
    for number in range(12):
        shelve(f"Paper {number:02}", "Aspirin.")
    first, second = shown(client, q="aspirin"), shown(client, q="aspirin", page=2)
    assert len(titles(first)) == 10
    assert len(titles(second)) == 2
    assert not set(titles(first)) & set(titles(second))
    assert 'href="?q=aspirin&amp;page=2" rel="next"' in first
    assert 'href="?q=aspirin" rel="prev"' in second
    assert 'start="11"' in second


def test_a_page_that_there_is_not_leads_back_to_the_first(client):
    shelve("Aspirin", "Aspirin.")
    page = shown(client, q="aspirin", page=3)
    assert titles(page) == []
    assert "begin with the first one" in page


def test_where_nothing_is_found_the_page_says_what_to_try(client):
    shelve("Aspirin", "Aspirin.", year=2000)
    page = shown(client, q="aspirin", year_from=2010, year_to=2005, mode="sparse")
    assert "Nothing was found" in page
    assert "turn the years round" in page
    assert 'href="?q=aspirin">Look without filters' in page
    assert "Also show retracted papers" in page
    assert "by meaning and by words at once" in page


def test_without_papers_the_page_says_where_they_come_from(client):
    assert "There are no papers yet" in shown(client)


def test_retracted_papers_are_marked_where_they_are_shown(client):
    shelve("Wrong", "Aspirin.", is_retracted=True)
    assert titles(shown(client, q="aspirin")) == []
    page = shown(client, q="aspirin", retracted="include")
    assert titles(page) == ["Wrong"]
    assert "Retracted" in page[page.index("<article") :]


def test_when_meanings_cannot_be_compared_words_are_and_the_page_says_so(client):
    forget_queries()
    with registered(letters := Letters()):
        shelve("Aspirin", "Aspirin helps.")
        embed_all(letters)
    page = shown(client, q="aspirin")  # the model of the vectors is not installed any more
    assert titles(page) == ["Aspirin"]
    assert "Meanings cannot be compared now" in page
    assert "letters" in page
    assert "<span>meaning" not in page


def test_before_there_are_vectors_the_page_says_that_only_words_are_looked_for(client):
    shelve("Aspirin", "Aspirin helps.")
    assert "There are no vectors yet" in shown(client, q="aspirin")
    assert "There are no vectors yet" not in shown(client, q="aspirin", mode="sparse")


def test_documents_are_shown_to_those_who_may_see_documents(client):
    document = Document.objects.create(title="Guideline", text="Aspirin helps.", sha256="a", filename="a.pdf")
    indexing.index_documents([document])
    shelve("Paper", "Aspirin.")
    assert titles(shown(client, q="aspirin")) == ["Paper"]
    reader = signed_in(staff("knowledge.view_paper", "knowledge.view_document", name="reader"))
    page = shown(reader, q="aspirin")
    assert set(titles(page)) == {"Guideline", "Paper"}
    assert f"/admin/knowledge/document/{document.pk}/read/?q=aspirin&amp;part=1#passage-" in page


def test_only_those_who_may_see_papers_search_them():
    assert signed_in(staff("knowledge.view_topic")).get(SEARCH).status_code == 403
    assert signed_in(staff(name="other")).post(SEARCH, {"q": "x"}).status_code == 403


def test_what_a_page_costs_does_not_grow_with_its_results(client, letters):
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            shown(client, q="aspirin")
        return len(found)

    shelve("Paper", "Aspirin.", sources=["pubmed"])
    embed_all(letters)
    shown(client, q="aspirin")
    before = queries()
    for number in range(9):
        shelve(f"Paper {number}", "Aspirin.", sources=["pubmed"])
    embed_all(letters)
    assert queries() <= before + 8  # the word index has one more segment for each
    assert before < 32
