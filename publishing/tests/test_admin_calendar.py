"""The page of the calendar: what it shows to whom, in which zone, and posts that are moved in place."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.tests.staff import signed_in, staff
from publishing import agents
from publishing.models import Post, Publication
from publishing.tests.factories import make_agent, make_post, make_publisher

pytestmark = pytest.mark.django_db

CALENDAR = "/admin/publishing/post/calendar/"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def client():
    return signed_in(staff("publishing.view_post", "publishing.publish_post", "publishing.view_agent"))


@pytest.fixture
def tomorrow() -> datetime:
    return (timezone.now() + timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0)


def scheduled(at: datetime, **fields) -> Post:
    post = make_post(status=Post.Status.SCHEDULED, scheduled_at=at, **fields)
    Publication.objects.create(post=post, publisher=make_publisher(), due_at=at, next_attempt_at=at)
    return post


def page(client, at: datetime, **query) -> str:
    answer = client.get(CALENDAR, {"date": f"{at:%Y-%m-%d}", **query})
    assert answer.status_code == 200
    return str(answer.content.decode())


def move(client, post: Post, typed: str, **more):
    return client.post(
        f"{CALENDAR}?date={post.scheduled_at:%Y-%m-%d}", {"post": post.pk, "at": typed, **more}
    )


def test_each_state_has_a_symbol_and_a_word(client, tomorrow):
    scheduled(tomorrow, title="A plan")
    make_post(status="missed", scheduled_at=tomorrow, title="Too late")
    make_post(status="unconfirmed", scheduled_at=tomorrow, title="Who knows")
    shown = page(client, tomorrow)
    for words, symbol in (
        ("A plan: Scheduled", "schedule"),
        ("Too late: Missed", "event_busy"),
        ("Who knows: Unconfirmed", "help"),
    ):
        summary = shown[shown.index(words) :][:200]
        assert f'aria-hidden="true">{symbol}</span>' in summary


def test_titles_and_names_are_shown_as_text(client, tomorrow):
    agent = agents.save(make_agent(name=EVIL), {}, cron="0 8 * * *", by=None)
    scheduled(tomorrow, title=EVIL, agent=agent)
    make_post(status="approved", title=EVIL, agent=agent)
    shown = page(client, tomorrow)
    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt; writes" in shown


def test_times_are_those_of_the_chosen_zone_which_is_remembered(client):
    scheduled(datetime(2036, 7, 31, 22, 30, tzinfo=UTC), title="Around midnight")
    query = {"date": "2036-08-01", "view": "week"}
    shown = client.get(CALENDAR, {**query, "zone": "Europe/Warsaw"}).content.decode()
    assert "00:30 Around midnight" in shown
    assert "Times in Europe/Warsaw" in shown
    assert "00:30 Around midnight" in client.get(CALENDAR, query).content.decode()
    client.cookies.clear()


def test_a_zone_that_there_is_not_and_other_nonsense_is_left_out(client):
    answer = client.get(
        CALENDAR,
        {"zone": "Mars/Base", "date": "yesterday", "agent": "x", "publisher": "9" * 30, "view": "year"},
    )
    assert answer.status_code == 200
    assert "Times in UTC" in answer.content.decode()
    assert not answer.cookies.get("time_zone")
    assert client.get(CALENDAR, {"date": "0001-01-01"}).status_code == 200


def test_more_posts_than_fit_are_in_the_list_of_that_day(client, tomorrow):
    for minute in range(11):
        scheduled(tomorrow + timedelta(minutes=minute), title=f"Number {minute}")
    make_post(title="Elsewhere")
    shown = page(client, tomorrow)
    assert "+7 more" in shown
    address = f"/admin/publishing/post/?day={tomorrow:%Y-%m-%d}"
    assert address in shown
    listed = client.get(address).content.decode()
    assert "Number 10" in listed
    assert "Elsewhere" not in listed


def test_a_post_is_moved_to_what_was_typed_in_the_zone_of_the_page(client, tomorrow):
    post = scheduled(tomorrow)
    answer = client.post(f"{CALENDAR}?zone=Europe/Warsaw", {"post": post.pk, "at": "2036-07-01T09:15"})
    assert answer.status_code == 302
    post.refresh_from_db()
    assert post.scheduled_at == datetime(2036, 7, 1, 7, 15, tzinfo=UTC)
    assert post.publications.get().due_at == post.scheduled_at
    assert "1 Jul 2036, 09:15 Europe/Warsaw" in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("2020-01-01T09:00", "This moment has passed."),
        ("soon", "Write a date and a time"),
        ("", "This field is required."),
    ],
)
def test_a_refusal_stands_at_the_post_with_what_was_typed(client, tomorrow, typed, why):
    post = scheduled(tomorrow)
    answer = move(client, post, typed)
    shown = answer.content.decode()
    assert answer.status_code == 200
    at_post = shown[shown.index(f'id="post-{post.pk}"') :]
    assert "open" in at_post[:120]
    assert why in at_post[:2500]
    assert f'value="{typed}"' in at_post[:2500]
    post.refresh_from_db()
    assert post.scheduled_at == tomorrow


def test_another_post_of_the_agent_within_the_hour_is_warned_of_and_may_be_ignored(client, tomorrow):
    agent = make_agent()
    first = scheduled(tomorrow, agent=agent, title="The first")
    second = scheduled(tomorrow + timedelta(hours=5), agent=agent)
    typed = f"{tomorrow + timedelta(minutes=30):%Y-%m-%dT%H:%M}"
    shown = move(client, second, typed).content.decode()
    assert f"Within the hour of it {agent} has another post: “{first}”" in shown
    second.refresh_from_db()
    assert second.scheduled_at == tomorrow + timedelta(hours=5)
    assert move(client, second, typed, anyway="yes").status_code == 302
    second.refresh_from_db()
    assert second.scheduled_at == tomorrow + timedelta(minutes=30)


def test_only_what_is_scheduled_is_moved(client, tomorrow):
    post = make_post(status="published", scheduled_at=tomorrow, published_at=tomorrow)
    shown = move(client, post, "2036-07-01T09:15").content.decode()
    assert "Only what is scheduled is moved here" in shown
    assert client.post(CALENDAR, {"post": "none", "at": "2036-07-01T09:15"}).status_code == 404


def test_who_may_only_look_sees_no_form_and_moves_nothing(tomorrow):
    looker = signed_in(staff("publishing.view_post"))
    agents.save(make_agent(name="Secret writer"), {}, cron="0 8 * * *", by=None)
    post = scheduled(tomorrow)
    shown = page(looker, tomorrow)
    assert 'name="at"' not in shown
    assert "Secret writer writes" not in shown
    assert move(looker, post, "2036-07-01T09:15").status_code == 403
    assert signed_in(staff(name="stranger")).get(CALENDAR).status_code == 403
    post.refresh_from_db()
    assert post.scheduled_at == tomorrow


def test_what_it_costs_does_not_grow_with_posts_and_agents(client, tomorrow):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as found:
            page(client, tomorrow)
        return len(found)

    agent = agents.save(make_agent(publishers=[make_publisher()]), {}, cron="0 8 * * *", by=None)
    scheduled(tomorrow, agent=agent)
    before = queries()
    for number in range(5):
        agent = agents.save(make_agent(publishers=[make_publisher()]), {}, cron="0 9 * * *", by=None)
        for day in range(4):
            scheduled(tomorrow + timedelta(days=day, minutes=number), agent=agent)
    assert queries() <= before
    assert before <= 25


def test_times_are_offered_without_seconds_which_the_field_would_hold_on_to(client, tomorrow):
    post = scheduled(tomorrow + timedelta(seconds=7))
    assert f'value="{tomorrow:%Y-%m-%dT%H:%M}:00"' in page(client, tomorrow)
    form = client.get(f"/admin/publishing/post/{post.pk}/schedule/").context["form"]
    assert form["at"].initial == tomorrow
