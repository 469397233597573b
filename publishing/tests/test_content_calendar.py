"""The calendar: posts on the day they go out in the zone of whoever looks, and when agents will write."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from publishing import agents, content_calendar
from publishing.content_calendar import SHOWN, Wanted
from publishing.models import Post, Publication
from publishing.tests.factories import make_agent, make_post, make_publisher, put_on_site

pytestmark = pytest.mark.django_db

WARSAW, UTC_ZONE = ZoneInfo("Europe/Warsaw"), ZoneInfo("UTC")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATE = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)


def scheduled(at: datetime, **fields) -> Post:
    return make_post(status=Post.Status.SCHEDULED, scheduled_at=at, **fields)


def shown(view="month", zone=UTC_ZONE, writers=(), **wanted):
    days = content_calendar.days_of(view, date(2026, 11, 22))
    found = content_calendar.calendar(days, zone, wanted=Wanted(**wanted), writers=writers, now=NOW)
    return {day.date: day for day in found}


def test_a_month_has_every_week_that_it_has_a_part_in():
    days = content_calendar.days_of("month", date(2026, 11, 22))
    assert (days[0], days[-1], len(days)) == (date(2026, 10, 26), date(2026, 12, 6), 42)
    assert content_calendar.days_of("month", date(2027, 2, 9))[-1] == date(2027, 2, 28)
    assert content_calendar.days_of("week", date(2026, 11, 22))[0] == date(2026, 11, 16)


def test_the_day_of_a_post_is_that_of_the_zone():
    post = scheduled(LATE)
    assert shown()[date(2026, 11, 22)].posts == [post]
    assert shown(zone=WARSAW)[date(2026, 11, 23)].posts == [post]
    assert shown(zone=WARSAW)[date(2026, 11, 22)].is_empty


def test_each_post_has_one_day_however_it_stands():
    there = put_on_site(at=NOW - timedelta(days=3), scheduled_at=NOW - timedelta(days=4)).post
    failed = make_post(status="failed", scheduled_at=NOW - timedelta(days=2))
    at_once = make_post(status="publishing")
    Publication.objects.create(post=at_once, publisher=make_publisher(), due_at=NOW - timedelta(days=1))
    make_post(status="draft")
    days = {day: one.posts for day, one in shown().items() if one.posts}
    assert days == {
        date(2026, 11, 19): [there],
        date(2026, 11, 20): [failed],
        date(2026, 11, 21): [at_once],
    }


def test_of_many_posts_a_day_some_are_shown_and_the_others_counted():
    for minute in range(SHOWN + 7):
        scheduled(NOW + timedelta(minutes=minute), title=f"Number {minute}")
    day = shown()[date(2026, 11, 22)]
    assert [post.title for post in day.posts] == [f"Number {minute}" for minute in range(SHOWN)]
    assert day.more == 7


def test_agents_will_write_when_their_schedules_say_from_now_on():
    agent = agents.save(make_agent(), {}, cron="0 8,20 * * *", by=None)
    idle = agents.save(make_agent(), {}, cron="0 9 * * *", by=None)
    agents.set_enabled(idle, False, by=None)
    days = shown(writers=type(agent).objects.complete())
    today, tomorrow = days[date(2026, 11, 22)].writings, days[date(2026, 11, 23)].writings
    assert [(one.agent, one.at.hour, one.times) for one in today] == [(agent, 20, 1)]
    assert [(one.agent, one.at.hour, one.times) for one in tomorrow] == [(agent, 8, 2)]
    assert days[date(2026, 11, 21)].is_empty


def test_posts_and_writings_are_narrowed_to_an_agent_or_a_publisher():
    publisher = make_publisher()
    mine = agents.save(make_agent(publishers=[publisher]), {}, cron="0 8 * * *", by=None)
    other = agents.save(make_agent(), {}, cron="0 9 * * *", by=None)
    post = scheduled(NOW, agent=mine)
    Publication.objects.create(post=post, publisher=publisher, due_at=NOW)
    scheduled(NOW, agent=other)
    for wanted in ({"agent_id": mine.pk}, {"publisher_id": publisher.pk}):
        days = shown(writers=type(mine).objects.complete(), **wanted)
        assert days[date(2026, 11, 22)].posts == [post]
        assert [one.agent for one in days[date(2026, 11, 23)].writings] == [mine]


def test_posts_of_the_same_agent_within_the_hour_are_close():
    agent, now = make_agent(), timezone.now()
    post = scheduled(now + timedelta(days=2), agent=agent)
    near = scheduled(now + timedelta(days=1), agent=agent)
    scheduled(now + timedelta(days=1), agent=make_agent())
    at = now + timedelta(days=1)
    assert content_calendar.close_to(post, at + timedelta(minutes=59)) == near
    assert content_calendar.close_to(post, at - timedelta(minutes=59)) == near
    assert content_calendar.close_to(post, at + timedelta(minutes=60)) is None
    assert content_calendar.close_to(near, at) is None
    assert content_calendar.close_to(scheduled(at), at) is None
