"""Posts and publications in the admin: written, decided on, published, sent again, and only by those who may."""

import pytest

from jobs.models import JobRun
from jobs.tests.staff import signed_in, staff
from publishing.models import Post, Publication
from publishing.publications import State
from publishing.tests.factories import make_post, make_publication, make_publisher

pytestmark = pytest.mark.django_db

POSTS, PUBLICATIONS = "/admin/publishing/post/", "/admin/publishing/publication/"
EVERY = ("view", "add", "change", "delete", "review", "publish")


@pytest.fixture
def client():
    return signed_in(staff(*(f"publishing.{what}_post" for what in EVERY), "publishing.view_publication"))


def act(client, page, action, *rows, **more):
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    answer = client.post(page, data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_post_is_written_and_its_html_made_harmless(client):
    fields = {"title": "Hello, World!", "body_html": "<p>Hi<script>x()</script></p>", "language": "en"}
    answer = client.post(f"{POSTS}add/", fields)
    assert answer.status_code == 302, answer.context["errors"]
    post = Post.objects.get()
    assert (post.slug, post.body_html, post.status) == ("hello-world", "<p>Hi</p>", "draft")
    assert post.transitions.get().after == "draft"
    answer = client.post(f"{POSTS}{post.pk}/change/", {**fields, "title": "Bye", "slug": post.slug})
    assert answer.status_code == 302
    post.refresh_from_db()
    assert (post.title, post.slug) == ("Bye", "hello-world")


def test_posts_are_approved_and_published_from_the_list(client):
    post, publisher = make_post(), make_publisher()
    assert "Approve?" in act(client, POSTS, "approve", post)
    post.refresh_from_db()
    assert post.status == "draft"
    assert "Approved: 1." in act(client, POSTS, "approve", post, confirmed="yes")
    assert str(publisher) in act(client, POSTS, "publish", post)
    assert not JobRun.objects.filter(job="publishing.publish_post").exists()
    page = act(client, POSTS, "publish", post, confirmed="yes", publishers=[publisher.pk])
    assert "On their way: 1." in page
    run = JobRun.objects.get(job="publishing.publish_post")
    assert (run.parameters, run.trigger) == ({"post_id": post.pk}, "admin")
    page = client.get(f"{POSTS}{post.pk}/change/").content.decode()
    assert "draft → approved" in page
    assert "approved → publishing" in page


def test_what_is_on_its_way_is_shown_and_not_edited(client):
    publication = make_publication(make_publisher(), state=State.UNCONFIRMED, reason="No answer.")
    Post.objects.update(status=Post.Status.UNCONFIRMED)
    address = f"{POSTS}{publication.post_id}/"
    page = client.get(f"{address}change/").content.decode()
    assert "No answer." in page
    assert "not change it while it is on its way" in page
    refused = client.post(
        f"{address}change/", {"title": "Other", "body_html": "<p>Other</p>", "language": "en"}
    )
    assert refused.status_code == 403
    assert "a post that is unconfirmed cannot be changed" in refused.content.decode()
    assert client.post(f"{address}delete/", {"post": "yes"}).status_code == 403
    assert "cannot become approved" in act(client, POSTS, "approve", publication.post, confirmed="yes")
    assert Post.objects.get().title == publication.post.title


def test_a_failed_publication_is_sent_again_and_a_published_one_is_not(client):
    publisher = make_publisher()
    failed = make_publication(publisher, state=State.FAILED, reason="status 401")
    there = make_publication(publisher, state=State.PUBLISHED)
    page = act(client, PUBLICATIONS, "send_again", failed, there)
    assert "To be sent again: 1." in page
    assert "A publication that is published cannot be sent again now." in page
    failed.refresh_from_db()
    assert failed.state == State.WAITING
    assert "None yet." in client.get(f"{PUBLICATIONS}{failed.pk}/change/").content.decode()


def test_who_may_only_look_finds_no_action_and_can_use_none():
    looker = signed_in(staff("publishing.view_post", "publishing.view_publication"))
    publication = make_publication(make_publisher(), state=State.FAILED)
    draft = make_post()
    for page, actions in (
        (POSTS, ("submit", "approve", "reject", "publish")),
        (PUBLICATIONS, ("send_again",)),
    ):
        shown = looker.get(page).content.decode()
        for action in actions:
            assert f'value="{action}"' not in shown
            looker.post(page, {"action": action, "_selected_action": [draft.pk], "confirmed": "yes"})
    assert looker.post(f"{POSTS}add/", {"title": "Mine", "body_html": "x"}).status_code == 403
    draft.refresh_from_db()
    assert (draft.status, Publication.objects.get(pk=publication.pk).state) == ("draft", State.FAILED)
