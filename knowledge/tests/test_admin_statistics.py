"""The page of index statistics, and knowledge's panel of the admin's first page."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.tests.staff import signed_in, staff
from knowledge.models import Document, Finding, Harvest, Paper, Source, Topic
from knowledge.tasks import evaluate_search
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db

STATISTICS = "/admin/knowledge/statistics/"
PANEL = "/admin/overview/knowledge/"
EVIL = "<img src=x onerror=alert(1)>"


def text_of(answer) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


def client_of(*permissions: str, name: str = "staff"):
    return signed_in(staff(*(f"knowledge.{permission}" for permission in permissions), name=name))


def harvested(topic: Topic, source: Source, **fields) -> Harvest:
    return Harvest.objects.create(
        run_id=fields.pop("run_id", uuid4()), topic=topic, source=source, query={}, **fields
    )


@pytest.fixture
def source():
    return Source.objects.create(name="PubMed", connector="pubmed")


@pytest.fixture
def topic():
    return Topic.objects.create(name="Diabetes")


# Statistics


def test_the_figures_of_the_index_are_shown():
    with registered(letters := Letters()):
        shelve("One", "Text.", sources=["pubmed"], types=["Review"], languages=["en"], year=2020)
        embed_all(letters)
        shelve("Two", "Text.", sources=["arxiv"], is_retracted=True, year=2022)
        Document.objects.create(title="A", sha256="a", state="queued")
        page = text_of(client_of("view_paper").get(STATISTICS))
    for words in (
        "<strong>2</strong>", "1 of them retracted", "level of knowledge: basic", "1 waiting, 0 failed", "letters:26",
        "1 of 2 passages, 1 waiting", "PubMed", "arXiv", "Review",
        'aria-label="Papers by year of publication: 2 papers in all, the most in 2020: 1."',
    ):  # fmt: skip
        assert words in page


def test_an_empty_index_has_a_page_too():
    page = text_of(client_of("view_paper").get(STATISTICS))
    assert "level of knowledge: none" in page
    assert "papers are found by their words alone" in page


def test_new_papers_are_plotted_by_week():
    now = timezone.now()
    for days in (0, 1, 100, 400):
        Paper.objects.create(title=f"{days}", first_seen_at=now - timedelta(days=days))
    page = text_of(client_of("view_paper").get(STATISTICS))
    assert 'aria-label="New papers by week: 3 papers in all' in page


def test_updates_are_for_those_who_may_see_them_and_runs_for_those_who_may_see_runs(topic, source):
    run = evaluate_search.enqueue()
    harvested(topic, source, run_id=run.pk, state="failed", problem=f"No answer. {EVIL}")
    assert "No answer." not in text_of(client_of("view_paper").get(STATISTICS))
    page = text_of(client_of("view_paper", "view_harvest", name="reader").get(STATISTICS))
    assert "No answer. &lt;img" in page
    assert str(run.pk) not in page
    operator = signed_in(
        staff("knowledge.view_paper", "knowledge.view_harvest", "jobs.view_jobrun", name="operator")
    )
    assert f"/admin/jobs/jobrun/{run.pk}/change/" in text_of(operator.get(STATISTICS))


def test_statistics_are_for_those_who_may_see_papers():
    assert client_of("view_topic").get(STATISTICS).status_code == 403


def test_what_statistics_cost_does_not_grow(topic, source):
    client = client_of("view_paper", "view_harvest")

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            text_of(client.get(STATISTICS))
        return len(found)

    harvested(topic, source)
    queries()
    before = queries()
    for number in range(5):
        shelve(f"Paper {number}", "Text.", sources=["pubmed"], year=2000 + number)
        harvested(Topic.objects.create(name=f"Topic {number}"), source)
    assert queries() == before
    assert before < 25


# The first page


def test_the_panel_tells_what_came_in_what_fails_and_when_the_next_update_is(topic, source):
    for number in range(6):
        shelve(f"New {number}", "Text.")
    Paper.objects.create(title="Old", first_seen_at=timezone.now() - timedelta(days=30))
    harvested(topic, source, state="failed", problem="It was asleep.")
    Source.objects.update(problem="It does not answer.")
    page = text_of(client_of("view_paper", "view_topic", "view_source").get(PANEL))
    assert "<strong>6</strong> new papers in the last 7 days" in page
    assert "New 5" in page
    assert "Old" not in page
    assert "PubMed: It was asleep." in page
    assert "It does not answer." in page
    assert "no update is planned" in page


def test_a_topic_that_went_well_since_fails_no_more(topic, source):
    client = client_of("view_topic")
    harvested(topic, source, state="failed", problem="It was asleep.")
    assert "It was asleep." in text_of(client.get(PANEL))
    harvested(topic, source, state="done")
    assert "It was asleep." not in text_of(client.get(PANEL))
    harvested(topic, source, state="failed", problem="It fell asleep again.")
    Topic.objects.update(is_enabled=False)
    assert "asleep" not in text_of(client.get(PANEL))


def test_the_panel_shows_each_what_they_may_see(topic, source):
    Finding.objects.create(paper=shelve(EVIL, "Text."), topic=topic)
    harvested(topic, source, state="failed", problem=EVIL)
    Source.objects.update(problem=EVIL)
    assert "Failing topics" not in text_of(client_of("view_paper", name="a").get(PANEL))
    assert "new paper" not in text_of(client_of("view_topic", name="b").get(PANEL))
    assert client_of("view_document", name="c").get(PANEL).status_code == 404
    page = text_of(client_of("view_paper", "view_topic", "view_source", name="d").get(PANEL))
    assert "<img" not in page


def test_the_panel_costs_the_same_with_more_topics(topic, source):
    client = client_of("view_paper", "view_topic", "view_source")

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            text_of(client.get(PANEL))
        return len(found)

    harvested(topic, source, state="failed", problem="x")
    queries()
    before = queries()
    for number in range(4):
        harvested(Topic.objects.create(name=f"Topic {number}"), source, state="failed", problem="x")
        shelve(f"Paper {number}", "Text.")
    assert queries() == before
