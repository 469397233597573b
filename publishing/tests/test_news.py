"""Posts of what has just come in."""

import pytest
from pytest_httpserver import HTTPServer

from jobs.models import JobRun
from publishing import controls, tasks
from publishing.models import FeedItem, Source
from publishing.news import keyword_of, write_of_news
from publishing.tests.factories import allow, entry, make_agent, make_item, make_run, make_source, rss

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(httpserver: HTTPServer, settings) -> Source:
    allow(settings, httpserver)
    feed = rss(*(entry(number, f"The ferry number {number} was sold") for number in range(1, 6)))
    httpserver.expect_request("/feed").respond_with_data(feed, content_type="application/rss+xml")
    return make_source(url=httpserver.url_for("/feed"), auto_generate=True)


def begun() -> list[dict[str, object]]:
    runs = JobRun.objects.filter(job="publishing.generate_post").order_by("id")
    return list(runs.values_list("parameters", flat=True))


def test_three_posts_at_most_are_begun_of_what_a_poll_brought_each_with_its_item_topic_and_keyword(source):
    agent = make_agent(sources=[source])
    result = tasks.monitor_feed(make_run(), source_id=source.pk)
    assert (result.new, result.posts_triggered) == (5, 3)
    newest = list(FeedItem.objects.order_by("-pk")[:3])
    assert [order["item_id"] for order in begun()] == [item.pk for item in newest]
    assert [order["topic"] for order in begun()] == [item.title for item in newest]
    assert {order["agent_id"] for order in begun()} == {agent.pk}
    assert all("ferry" in str(order["keyword"]).lower() for order in begun())


def test_a_round_begins_posts_too_and_says_how_many(source):
    make_agent(sources=[source])
    assert tasks.monitor_feeds(make_run()).posts_triggered == 3


def test_what_is_not_new_is_not_written_about_again(source):
    make_agent(sources=[source])
    tasks.monitor_feed(make_run(), source_id=source.pk)
    assert tasks.monitor_feed(make_run(), source_id=source.pk, force=True).posts_triggered == 0
    assert len(begun()) == 3


def test_an_item_is_begun_once_for_an_agent_however_often_it_is_asked_until_it_is_replayed(source):
    make_agent(sources=[source])
    tasks.monitor_feed(make_run(), source_id=source.pk)
    write_of_news(source.pk)
    assert len(begun()) == 3
    FeedItem.objects.update(state=FeedItem.State.FAILED)
    controls.replay(FeedItem.objects.all(), by=None)
    write_of_news(source.pk)
    assert len(begun()) == 6


@pytest.mark.parametrize(
    ("says_source", "says_caller", "posts"), [(False, None, 0), (False, True, 3), (True, False, 0)]
)
def test_who_asks_for_the_poll_may_decide_otherwise_than_the_source(source, says_source, says_caller, posts):
    make_agent(sources=[source])
    Source.objects.update(auto_generate=says_source)
    result = tasks.monitor_feed(make_run(), source_id=source.pk, auto_generate=says_caller)
    assert result.posts_triggered == posts == len(begun())


def test_disabled_agents_and_those_of_other_sources_write_nothing(source):
    make_agent(sources=[source], is_enabled=False)
    make_agent()
    assert tasks.monitor_feed(make_run(), source_id=source.pk).posts_triggered == 0


def test_the_keyword_of_an_item_is_what_tells_it_from_the_others_of_its_source():
    source = make_source(language="en")
    for title in ("The council meets on Monday", "The council meets on Tuesday"):
        make_item(source, title=title)
    item = make_item(source, title="The council buys a sea rescue boat")
    assert keyword_of(item) == "rescue boat"
