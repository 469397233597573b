"""The sample guidelines: a feed of our own, so that the first start needs no network."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from knowledge.connectors.feed_documents import read_document
from knowledge.models import Source, Topic
from knowledge.sample.guidelines import NOTICE, PATH, guidelines, newest_first
from knowledge.sample.load import NAME, Loaded, load_sample_guidelines, topics_to_show

BASE = "http://127.0.0.1:8000"


@pytest.fixture
def sample_world(settings: Any) -> None:
    settings.SAMPLE_WORLD_URL = BASE


def test_the_feed_is_read_by_our_connector(client: Client, sample_world: None) -> None:
    answer = client.get(PATH)

    document = read_document(answer.content, BASE + PATH)

    assert not document.problems and len(document.records) == len(guidelines()) == 14
    for record in document.records:
        assert "sample guideline" in record.title.lower()
        assert NOTICE in record.abstract_text and len(record.abstract_text) > 400
        assert client.get(record.url.removeprefix(BASE)).status_code == 200


@pytest.mark.parametrize("day", [date(2026, 1, 1), date(2026, 11, 22), date(2031, 2, 28)])
def test_all_are_within_the_longest_window_and_none_is_of_the_future(day: date) -> None:
    for one in newest_first(day):
        assert day - timedelta(days=90) < one.reviewed_on(day) <= day


def test_a_guideline_keeps_its_date_for_weeks() -> None:
    day = date(2026, 11, 22)
    for one in guidelines().values():
        dates = {one.reviewed_on(day + timedelta(days=later)) for later in range(84)}
        assert len(dates) == 2 or dates == {day}


def test_without_the_sample_world_there_is_nothing(client: Client, settings: Any) -> None:
    settings.SAMPLE_WORLD_URL = ""
    assert client.get(PATH).status_code == 404
    assert client.get(next(iter(guidelines().values())).path).status_code == 404


def test_an_unknown_guideline_is_404(client: Client, sample_world: None) -> None:
    assert client.get("/sample/knowledge/nothing/").status_code == 404
    assert client.post(PATH).status_code == 405


@pytest.mark.django_db
def test_only_the_samples_are_asked_for_their_topic() -> None:
    Source.objects.create(name="PubMed", connector="pubmed")

    assert load_sample_guidelines(BASE) == Loaded(created=True)

    topic = Topic.objects.get(name=NAME)
    assert topics_to_show() == [topic.pk]
    asked = {query.source.name: (query.text, query.is_enabled) for query in topic.queries.all()}
    assert asked == {NAME: ("*", True), "PubMed": ("", False)}


@pytest.mark.django_db
def test_the_feed_follows_to_another_port_and_nothing_else_changes() -> None:
    load_sample_guidelines(BASE)
    assert load_sample_guidelines(BASE) == Loaded()

    assert load_sample_guidelines("http://127.0.0.1:8001/") == Loaded(moved=True)

    assert Source.objects.get().addresses == ["http://127.0.0.1:8001" + PATH]


@pytest.mark.django_db
def test_whoever_deletes_the_samples_is_not_contradicted() -> None:
    load_sample_guidelines(BASE)
    Topic.objects.all().delete()
    Source.objects.all().delete()

    assert load_sample_guidelines(BASE) == Loaded()
    assert topics_to_show() == [] and not Source.objects.exists()
