"""Posts, publishers and publications over the API: the whole way, refusals, secrets that never come back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.models import JobRun
from publishing import publishers, rounds, tasks
from publishing.models import Post, Publication, Publisher
from publishing.tests.api_client import client_with, patch, post
from publishing.tests.factories import make_post, make_publication, make_publisher, make_run, put_on_site
from publishing.tests.receiver import Receiver

pytestmark = pytest.mark.django_db

POSTS, PUBLISHERS, PUBLICATIONS = "/api/v1/posts/", "/api/v1/publishers/", "/api/v1/publications/"
KEY = "a signing key of at least 24 bytes"


@pytest.fixture
def client():
    return client_with(is_superuser=True)


@pytest.fixture
def receiver(settings):
    with Receiver().running() as running:
        settings.OUTBOUND_ALLOWED_HOSTS = [running.host]
        yield running


def test_a_post_is_written_approved_published_and_seen_at_its_publisher(client, receiver):
    settings = {"url": receiver.url, "status_url": receiver.url, "key": KEY}
    publisher = post(client, PUBLISHERS, {"name": "Blog", "kind": "webhook", "settings": settings}, 201)
    written = post(
        client, POSTS, {"title": "Hello, World!", "body_html": "<p>Hi<script>x()</script></p>"}, 201
    )
    assert (written["slug"], written["status"], written["body_html"]) == ("hello-world", "draft", "<p>Hi</p>")
    address = f"{POSTS}{written['id']}/"
    post(client, f"{address}approve/", {"note": "Nice."})
    started = post(client, f"{address}publish/", {"publishers": [publisher["id"]]}, 202)
    assert started["job"] == "publishing.publish_post"
    result = tasks.publish_post(make_run(), post_id=written["id"])
    assert (result.published, result.reasons) == (1, {})
    found = client.get(address).json()
    assert found["status"] == "published"
    assert [step["after"] for step in found["transitions"]] == [
        "draft",
        "approved",
        "publishing",
        "published",
    ]
    (publication,) = client.get(f"{PUBLICATIONS}?post={written['id']}").json()["results"]
    assert publication["remote_url"] == f"http://blog.example/{publication['marker']}"
    assert receiver.posts == {publication["marker"]: 1}
    detail = client.get(f"{PUBLICATIONS}{publication['id']}/").json()
    assert [attempt["outcome"] for attempt in detail["attempts"]] == ["published"]


def test_a_scheduled_post_goes_out_when_its_time_has_come(client, receiver):
    publisher = make_publisher(settings={"url": receiver.url}, secrets={"key": KEY})
    draft = make_post()
    at = timezone.now() + timedelta(minutes=5)
    body = {"scheduled_at": at.isoformat(), "publishers": [publisher.pk]}
    assert post(client, f"{POSTS}{draft.pk}/schedule/", body)["status"] == "scheduled"
    assert rounds.begin_due(make_run()) == 0
    now = timezone.now()
    Post.objects.update(scheduled_at=now)
    Publication.objects.update(due_at=now, next_attempt_at=now)
    assert tasks.publish_scheduled_posts(make_run()) == 1
    run = JobRun.objects.get(job="publishing.publish_post")
    assert tasks.publish_post(make_run(), **run.parameters).published == 1
    assert len(receiver.posts) == 1


def test_secrets_are_written_and_never_read(client):
    publisher = make_publisher(settings={"url": "http://blog.example/"}, secrets={"key": KEY})
    address = f"{PUBLISHERS}{publisher.pk}/"
    found = client.get(address)
    assert found.json()["secrets_set"] == ["key"]
    assert KEY not in found.content.decode()
    changed = client.patch(address, {"settings": {"url": "http://other.example/"}}, format="json")
    assert changed.status_code == 200
    publisher.refresh_from_db()
    assert publisher.settings["url"] == "http://other.example/"
    assert publisher.secrets.open()["key"] == KEY


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"url": "ftp://blog.example", "key": KEY}, "settings.url"),
        ({"url": "http://blog.example", "key": "short"}, "settings.key"),
        ({"url": "http://blog.example"}, "settings.key"),
        ({"url": "http://blog.example", "key": KEY, "colour": "red"}, "settings.colour"),
    ],
)
def test_settings_that_do_not_fit_their_kind_are_refused_with_the_field(client, settings, field):
    said = post(client, PUBLISHERS, {"name": "Blog", "kind": "webhook", "settings": settings}, 400)
    assert field in said["fields"]
    assert not Publisher.objects.exists()


def test_an_unknown_kind_publisher_or_time_is_refused(client):
    said = post(client, PUBLISHERS, {"name": "Blog", "kind": "telegraph", "settings": {}}, 400)
    assert (
        f"known: {', '.join(sorted(kind.name for kind in publishers.all_kinds()))}."
        in said["fields"]["kind"][0]
    )
    address = f"{POSTS}{make_post().pk}/"
    said = post(client, f"{address}publish/", {"publishers": [2**31 - 1]}, 400)
    assert said["fields"]["publishers"] == ["There is no publisher 2147483647."]
    body = {"publishers": [make_publisher().pk], "scheduled_at": "2020-01-01T00:00:00Z"}
    assert post(client, f"{address}schedule/", body, 400)["fields"]["scheduled_at"]


def test_what_went_out_is_neither_changed_nor_deleted_nor_published_again(client):
    publication = make_publication(make_publisher())
    address = f"{POSTS}{publication.post_id}/"
    assert client.patch(address, {"title": "Other"}, format="json").status_code == 409
    assert client.delete(address).status_code == 409
    post(client, f"{address}publish/", {"publishers": [publication.publisher_id]}, 409)
    post(client, f"{PUBLICATIONS}{publication.pk}/send-again/", status=409)
    post(client, f"{PUBLICATIONS}{publication.pk}/confirm/", status=409)
    assert client.delete(f"{PUBLISHERS}{publication.publisher_id}/").status_code == 409


def test_two_posts_of_one_title_have_two_addresses(client):
    body = {"title": "Hello", "body_html": "<p>Hi</p>"}
    assert [post(client, POSTS, body, 201)["slug"] for _ in range(3)] == ["hello", "hello-2", "hello-3"]


def test_a_disabled_publisher_gets_nothing_until_it_is_enabled(client, receiver):
    publisher = make_publisher(settings={"url": receiver.url}, secrets={"key": KEY})
    publication = make_publication(publisher)
    post(client, f"{PUBLISHERS}{publisher.pk}/disable/")
    assert tasks.publish_post(make_run(), post_id=publication.post_id).published == 0
    post(client, f"{PUBLISHERS}{publisher.pk}/enable/")
    assert tasks.retry_failed_publications(make_run()).published == 1


def test_the_test_of_a_publisher_says_what_was_found(client, receiver):
    publisher = make_publisher(settings={"url": receiver.url}, secrets={"key": KEY})
    assert post(client, f"{PUBLISHERS}{publisher.pk}/test/", status=202)["job"] == "publishing.test_publisher"
    assert "status 200" in tasks.test_publisher(make_run(), publisher_id=publisher.pk)


def test_what_went_out_is_changed_and_taken_back_where_it_is(client):
    shown = put_on_site(title="Old")
    address = f"{POSTS}{shown.post_id}/"
    assert patch(client, address, {"title": "New"})["title"] == "New"
    (row,) = client.get(address).json()["publications"]
    assert (row["state"], row["errand"]) == ("published", "update")
    run = post(client, f"{address}withdraw/", status=202)
    job = JobRun.objects.get(pk=run["id"])
    tasks.update_publications(ActiveRun(job.pk, attempt=1), **job.parameters)
    assert client.get(address).json()["status"] == "withdrawn"
    assert client.get(f"/blog/posts/{shown.post.slug}/").status_code == 404
    post(client, f"{address}withdraw/", status=409)


def test_a_draft_cannot_be_taken_back(client):
    assert "draft" in post(client, f"{POSTS}{make_post().pk}/withdraw/", status=409)["message"]


def test_changing_what_readers_see_needs_the_right_to_publish():
    shown, writer = put_on_site(), client_with("change_post")
    said = patch(writer, f"{POSTS}{shown.post_id}/", {"title": "Mine"}, 403)
    assert "publishing.publish_post" in said["message"]
    assert patch(writer, f"{POSTS}{make_post().pk}/", {"title": "Mine"})["title"] == "Mine"


def test_a_change_that_was_left_to_people_is_tried_again(client):
    shown = put_on_site()
    address = f"{PUBLICATIONS}{shown.pk}/try-again/"
    post(client, address, status=409)
    Publication.objects.filter(pk=shown.pk).update(errand="update", next_attempt_at=None)
    assert post(client, address)["next_attempt_at"] is not None
