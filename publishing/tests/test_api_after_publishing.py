"""What is asked over the API of posts that went out: to take them back, and to try again what did not work."""

import pytest
from django.utils import timezone

from jobs.models import JobRun
from publishing.models import Post, Publication
from publishing.publications import State
from publishing.tests.api_client import client_with, post
from publishing.tests.factories import make_post, make_publication, make_publisher, put_on_site

pytestmark = pytest.mark.django_db

POSTS, PUBLICATIONS = "/api/v1/posts/", "/api/v1/publications/"


@pytest.fixture
def client():
    return client_with("publish_post")


def test_a_published_post_is_taken_back_by_a_run(client):
    publication = put_on_site()
    started = post(client, f"{POSTS}{publication.post_id}/withdraw/", status=202)
    run = JobRun.objects.get(pk=started["id"])
    assert (run.job, run.trigger) == ("publishing.update_publications", "api")
    assert run.requested_by == client.user
    publication.refresh_from_db()
    assert publication.errand == Publication.Errand.WITHDRAW


def test_what_no_publisher_has_or_gives_back_is_not_taken_back(client):
    draft = make_post()
    answer = post(client, f"{POSTS}{draft.pk}/withdraw/", status=409)
    assert answer["message"] == "A post that is draft cannot be taken back."
    stuck = make_publication(make_publisher("no-such-kind", name="Old blog"), state=State.PUBLISHED)
    Post.objects.filter(pk=stuck.post_id).update(status="published", published_at=timezone.now())
    answer = post(client, f"{POSTS}{stuck.post_id}/withdraw/", status=409)
    assert answer["message"] == "It cannot be taken back from Old blog."
    assert not JobRun.objects.exists()


def test_an_errand_that_was_left_to_people_is_tried_again_once(client):
    left = make_publication(
        make_publisher(), state=State.PUBLISHED, errand="update", next_attempt_at=None, attempts_made=12
    )
    answer = post(client, f"{PUBLICATIONS}{left.pk}/try-again/")
    assert answer["attempts_made"] == 0
    assert answer["next_attempt_at"] is not None
    refused = post(client, f"{PUBLICATIONS}{left.pk}/try-again/", status=409)
    assert refused["message"] == "There is nothing left to try."


def test_both_need_the_permission_to_publish():
    looker = client_with("view_post", "change_post", "review_post", "view_publication")
    publication = put_on_site()
    post(looker, f"{POSTS}{publication.post_id}/withdraw/", status=403)
    post(looker, f"{PUBLICATIONS}{publication.pk}/try-again/", status=403)
    publication.refresh_from_db()
    assert publication.errand == ""


def test_what_is_not_there_is_not_found(client):
    post(client, f"{POSTS}999/withdraw/", status=404)
    post(client, f"{PUBLICATIONS}999/try-again/", status=404)
