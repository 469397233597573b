from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from publishing import tasks
from publishing.feeds import parse
from publishing.models import FeedItem, Source
from publishing.sample.load import load_sample_world
from publishing.sample.world import LENGTH, feeds
from publishing.tests.factories import make_run, make_source
from publishing.tests.test_feed_conformance import dangers

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def world(settings) -> str:
    address = "http://127.0.0.1:8000"
    settings.SAMPLE_WORLD_URL = address
    return address


@pytest.mark.parametrize(
    "path", ["/sample/harbour-notes.xml", "/sample/slow-kitchen.json", "/sample/harbour-notes/1/"]
)
def test_without_the_setting_there_is_no_sample_world(client: Client, settings, path):
    settings.SAMPLE_WORLD_URL = ""
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", list(feeds()))
def test_every_sample_feed_is_a_good_feed_of_its_format(client: Client, world, name):
    sample = feeds()[name]
    response = client.get(sample.path)
    feed = parse(response.content, content_type=response["Content-Type"], base_url=world + sample.path)
    assert (feed.format, feed.title, feed.language, len(feed.items)) == (
        sample.format, sample.title, sample.language.lower() if sample.format == "atom" else sample.language, LENGTH,
    )  # fmt: skip
    for item in feed.items:
        assert item.identity.startswith("guid:") and item.published_at and item.best_html and item.author
        assert item.url.startswith(f"{world}/sample/{name}/") and dangers(item.best_html) == []
        assert client.get(item.url.removeprefix(world)).status_code == 200


def test_a_sample_feed_is_not_sent_again_to_those_who_have_it(client: Client, world):
    first = client.get("/sample/backyard-sky.xml")
    headers = {"If-None-Match": first["ETag"], "If-Modified-Since": first["Last-Modified"]}
    assert client.get("/sample/backyard-sky.xml", headers=headers).status_code == 304
    assert client.get("/sample/backyard-sky.xml", headers={"If-None-Match": '"other"'}).status_code == 200
    assert client.post("/sample/backyard-sky.xml").status_code == 405


def test_unknown_feeds_and_entries_of_the_future_are_not_found(client: Client, world):
    assert client.get("/sample/nothing.xml").status_code == 404
    assert client.get("/sample/harbour-notes/99999999/").status_code == 404


def test_news_come_with_time_and_keep_their_numbers():
    feed = feeds()["harbour-notes"]
    before, after = feed.entries(NOON), feed.entries(NOON + timedelta(hours=3))
    assert after[1:] == before[:-1]
    assert after[0].published_at - before[0].published_at == timedelta(hours=3)
    assert [entry.number for entry in feed.entries(datetime(2020, 1, 1, tzinfo=UTC))] == [0]


@pytest.mark.django_db
def test_loading_the_sample_world_twice_changes_nothing_and_another_port_moves_it():
    other = make_source(url="http://127.0.0.1:8000/mine.xml")
    first = load_sample_world("http://127.0.0.1:8000")
    assert (first.created, first.moved) == (3, 0)
    Source.objects.update(is_enabled=False)
    second = load_sample_world("http://127.0.0.1:8000/")
    assert (second.created, second.moved) == (0, 0)
    third = load_sample_world("http://127.0.0.1:8017")
    assert (third.created, third.moved, Source.objects.count()) == (0, 3, 4)
    assert (
        Source.objects.filter(url__startswith="http://127.0.0.1:8017/sample/", is_enabled=False).count() == 3
    )
    other.refresh_from_db()
    assert other.url == "http://127.0.0.1:8000/mine.xml"


@pytest.mark.django_db
def test_the_command_needs_an_address(capsys, settings):
    call_command("load_sample_world", base_url="http://127.0.0.1:8000")
    assert capsys.readouterr().out == "Sample world: 3 sources and 3 agents created, 0 sources moved.\n"
    with pytest.raises(CommandError, match="--base-url"):
        call_command("load_sample_world", base_url="")


@pytest.mark.django_db(transaction=True)
def test_the_main_job_polls_the_sample_world_over_http(live_server, settings):
    settings.PUBLISHING_HOST_SPACING_SECONDS = 0
    settings.SAMPLE_WORLD_URL = live_server.url
    settings.OUTBOUND_ALLOWED_HOSTS = [live_server.url.removeprefix("http://")]
    load_sample_world(live_server.url)
    result = tasks.monitor_feeds(make_run())
    assert (result.polled, result.failed, result.new_items) == (3, 0, 18)
    assert FeedItem.objects.waiting().count() == 18
    Source.objects.update(next_poll_at=NOON)
    result = tasks.monitor_feeds(make_run())
    assert (result.polled, result.unchanged, result.new_items) == (3, 3, 0)
    assert set(Source.objects.values_list("last_status", flat=True)) == {304}
