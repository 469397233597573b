"""What people do with posts in the admin: each by its own permission, refused in words, one or many at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from jobs.models import JobRun
from jobs.tests.staff import signed_in, staff
from publishing.models import Post, Publication, Publisher
from publishing.tests.factories import make_agent, make_post, make_publisher, put_on_site

pytestmark = pytest.mark.django_db

POSTS = "/admin/publishing/post/"
PERMISSION = {
    "submit": "change_post",
    "approve": "review_post",
    "reject": "review_post",
    "schedule": "publish_post",
    "publish": "publish_post",
    "withdraw": "publish_post",
}
STATE = {
    "submit": "draft",
    "approve": "in_review",
    "reject": "approved",
    "schedule": "approved",
    "publish": "draft",
}
EVERY = ("view", "add", "change", "delete", "review", "publish")


def who_may(*names: str, name: str = "editor"):
    return signed_in(staff("publishing.view_post", *(f"publishing.{one}" for one in names), name=name))


@pytest.fixture
def client():
    return signed_in(staff(*(f"publishing.{what}_post" for what in EVERY)))


@pytest.fixture
def publisher():
    return make_publisher("site", name="Blog")


def post_for(action: str) -> Post:
    """One that it can be done with."""
    return put_on_site().post if action == "withdraw" else make_post(status=STATE[action])


def typed(action: str) -> dict[str, object]:
    publishers = list(Publisher.objects.values_list("pk", flat=True))
    given: dict[str, dict[str, object]] = {
        "reject": {"note": "More about seals."},
        "schedule": {"at": "2036-07-01T09:00", "publishers": publishers},
        "publish": {"publishers": publishers},
    }
    return given.get(action, {})


@pytest.mark.parametrize("action", PERMISSION)
def test_each_needs_its_permission_also_behind_its_button(action, publisher):
    post = post_for(action)
    others = set(PERMISSION.values()) - {PERMISSION[action]}
    outsider, insider = who_may(*others), who_may(PERMISSION[action], name="insider")
    address = f"{POSTS}{post.pk}/{action}/"
    before = post.status
    assert address not in outsider.get(f"{POSTS}{post.pk}/change/").content.decode()
    assert outsider.get(address).status_code == 403
    assert outsider.post(address, typed(action)).status_code == 403
    data = {"action": action, "_selected_action": [post.pk], "confirmed": "yes", **typed(action)}
    outsider.post(POSTS, data)
    post.refresh_from_db()
    assert (post.status, JobRun.objects.count()) == (before, 0)
    assert address in insider.get(f"{POSTS}{post.pk}/change/").content.decode()
    assert insider.get(address).status_code == 200
    answer = insider.post(address, typed(action))
    assert answer.status_code == 302, answer.context["form"].errors
    post.refresh_from_db()
    assert post.status != before or JobRun.objects.exists()


@pytest.mark.parametrize("action", PERMISSION)
def test_who_may_not_see_posts_does_nothing_with_them(action, publisher):
    post = post_for(action)
    blind = signed_in(staff(*(f"publishing.{one}" for one in set(PERMISSION.values()))))
    assert blind.post(f"{POSTS}{post.pk}/{action}/", typed(action)).status_code == 403
    assert not JobRun.objects.exists()


@pytest.mark.parametrize("action", PERMISSION)
def test_what_the_state_forbids_is_refused_in_words(client, publisher, action):
    post = make_post(status="publishing")
    address = f"{POSTS}{post.pk}/{action}/"
    assert address not in client.get(f"{POSTS}{post.pk}/change/").content.decode()
    assert "that cannot be done while the post is publishing" in client.get(address).content.decode()
    answer = client.post(address, typed(action))
    assert answer.status_code == 200
    assert "A post that is publishing cannot be" in answer.content.decode()


def test_sending_back_needs_words_which_are_kept(client):
    post = make_post(status="in_review")
    address = f"{POSTS}{post.pk}/reject/"
    assert "This field is required." in client.post(address, {"note": ""}).content.decode()
    client.post(address, {"note": "More about <seals>."})
    step = post.transitions.get()
    assert (step.after, step.note, str(step.by)) == ("draft", "More about <seals>.", "staff")
    assert "“More about &lt;seals&gt;.”" in client.get(f"{POSTS}{post.pk}/change/").content.decode()


def test_scheduling_offers_the_publishers_and_the_hour_of_the_agent(client, publisher):
    other = make_publisher(name="Newsletter")
    make_publisher(name="Gone", is_enabled=False)
    agent = make_agent(publishers=[other], timezone="Europe/Warsaw", publish_at="10:00")
    post = make_post(status="approved", agent=agent)
    answer = client.get(f"{POSTS}{post.pk}/schedule/")
    form = answer.context["form"]
    assert form["publishers"].value() == [other.pk]
    assert form["at"].initial.astimezone(agent.zone).strftime("%H:%M") == "10:00"
    assert form["at"].initial > timezone.now()
    page = answer.content.decode()
    assert "Blog" in page and "Gone" not in page


def test_scheduling_warns_of_a_post_of_the_same_agent_and_goes_on_when_told(client, publisher):
    agent = make_agent()
    at = datetime(2036, 7, 1, 9, 30, tzinfo=UTC)
    make_post(status="scheduled", scheduled_at=at, agent=agent, title="The first")
    post = make_post(status="approved", agent=agent)
    given = {"at": "2036-07-01T09:00", "publishers": [publisher.pk]}
    page = client.post(f"{POSTS}{post.pk}/schedule/", given).content.decode()
    assert "has another post: “The first”" in page and 'value="2036-07-01T09:00:00"' in page
    post.refresh_from_db()
    assert post.status == "approved"
    assert client.post(f"{POSTS}{post.pk}/schedule/", {**given, "anyway": "yes"}).status_code == 302
    post.refresh_from_db()
    assert (post.status, post.scheduled_at) == ("scheduled", at - timedelta(minutes=30))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"at": "2020-01-01T09:00"}, "This moment has passed."),
        ({"at": "2036-07-01T09:00", "publishers": []}, "Choose at least one publisher."),
        ({"at": "2036-03-30T02:30", "zone": "Europe/Warsaw"}, "This time does not exist in Europe/Warsaw"),
        ({"at": "later"}, "Write a date and a time"),
    ],
)
def test_a_moment_that_cannot_be_is_refused_in_place(client, publisher, given, why):
    post = make_post(status="approved")
    address = f"{POSTS}{post.pk}/schedule/?zone={given.pop('zone', 'UTC')}"
    answer = client.post(address, {"publishers": [publisher.pk], **given})
    assert answer.status_code == 200
    assert why in answer.content.decode()
    post.refresh_from_db()
    assert (post.status, post.scheduled_at) == ("approved", None)


def test_publishing_now_goes_where_was_chosen_and_names_the_run(publisher):
    make_publisher(name="Newsletter")
    client = signed_in(staff("publishing.view_post", "publishing.publish_post", "jobs.view_jobrun"))
    post = make_post()
    answer = client.post(f"{POSTS}{post.pk}/publish/", {"publishers": [publisher.pk]}, follow=True)
    run = JobRun.objects.get()
    assert (run.job, run.trigger, str(run.requested_by)) == ("publishing.publish_post", "admin", "staff")
    assert f"/admin/jobs/jobrun/{run.pk}/change/" in answer.content.decode()
    assert [row.publisher for row in Publication.objects.all()] == [publisher]


def test_many_are_published_each_where_its_agent_publishes(client, publisher):
    other = make_publisher(name="Newsletter")
    one = make_post(agent=make_agent(publishers=[publisher]))
    two = make_post(agent=make_agent(publishers=[other]))
    nowhere = make_post(title="Nowhere to go")
    data = {"action": "publish", "_selected_action": [one.pk, two.pk, nowhere.pk]}
    assert "On their way" not in client.post(POSTS, data, follow=True).content.decode()
    assert not JobRun.objects.exists()
    page = client.post(POSTS, {**data, "confirmed": "yes"}, follow=True).content.decode()
    assert "On their way: 2." in page
    assert "Nowhere to go: Choose at least one publisher." in page
    places = {row.post_id: row.publisher for row in Publication.objects.all()}
    assert places == {one.pk: publisher, two.pk: other}


def test_many_are_taken_back_after_a_question_and_refusals_are_told_one_by_one(client):
    there, draft = put_on_site().post, make_post(title="A <draft>")
    data = {"action": "withdraw", "_selected_action": [there.pk, draft.pk]}
    page = client.post(POSTS, data).content.decode()
    assert "Take it back from every publisher that has it?" in page and "A &lt;draft&gt;" in page
    assert not JobRun.objects.exists()
    page = client.post(POSTS, {**data, "confirmed": "yes"}, follow=True).content.decode()
    assert "To be taken back: 1." in page
    assert "A &lt;draft&gt;: A post that is draft cannot be taken back." in page
    assert JobRun.objects.get().job == "publishing.update_publications"


def test_many_are_sent_back_with_one_note(client):
    rows = [make_post(status="in_review") for _ in range(3)]
    data = {"action": "reject", "_selected_action": [row.pk for row in rows], "confirmed": "yes"}
    assert "This field is required." in client.post(POSTS, {**data, "note": " "}).content.decode()
    client.post(POSTS, {**data, "note": "Shorter, please."})
    assert [row.transitions.get().note for row in rows] == ["Shorter, please."] * 3


def test_a_draft_is_deleted_and_what_went_out_is_not(client):
    draft, there = make_post(), put_on_site().post
    assert "Delete" in client.get(f"{POSTS}{draft.pk}/change/").content.decode()
    assert client.post(f"{POSTS}{draft.pk}/delete/", {"post": "yes"}).status_code == 302
    assert client.post(f"{POSTS}{there.pk}/delete/", {"post": "yes"}).status_code == 403
    assert list(Post.objects.all()) == [there]


def test_the_list_counts_each_state_and_shows_how_it_stands_at_each_publisher(client, publisher):
    put_on_site(title="There", score=71, word_count=1234)
    make_post(title="A draft", score=20)
    failed = make_post(title="Broken", status="failed")
    Publication.objects.create(
        post=failed, publisher=publisher, state="failed", reason="status <401>", due_at=timezone.now()
    )
    page = client.get(POSTS).content.decode()
    for words in (
        "All <small>3</small>",
        "Draft <small>1</small>",
        "Failed <small>1</small>",
        "In review <small>0</small>",
    ):
        assert words in page
    assert "Failed. status &lt;401&gt;" in page and "1,234" in page
    assert titles(client, "status__exact=failed") == {"Broken"}
    assert titles(client, "trouble=yes") == {"Broken"}
    assert titles(client, "trouble=poor") == {"A draft"}
    assert titles(client, "q=draft") == {"A draft"}
    assert titles(client, f"publisher={publisher.pk}") == {"There", "Broken"}
    assert titles(client, "agent=none") == {"There", "A draft", "Broken"}


def titles(client, query: str) -> set[str]:
    answer = client.get(f"{POSTS}?{query}")
    assert answer.status_code == 200, query
    return {post.title for post in answer.context["cl"].result_list}


def test_the_list_asks_the_database_no_more_for_more_posts(client, django_assert_max_num_queries):
    for _ in range(30):
        put_on_site(agent=make_agent())
    with django_assert_max_num_queries(16):
        client.get(POSTS)
