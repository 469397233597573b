"""The way of a post: what people decide, when it goes out, and that it goes out once."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from jobs.errors import IllegalState
from jobs.models import JobRun
from publishing import posts, rounds
from publishing.models import Post
from publishing.posts import InvalidPost
from publishing.tests.factories import make_post, make_publisher, make_run

pytestmark = pytest.mark.django_db

Status = Post.Status
HOUR = timedelta(hours=1)


@pytest.fixture
def ada():
    return User.objects.create_user("ada")


@pytest.fixture
def publisher():
    return make_publisher(settings={"url": "http://blog.example/"}, secrets={"key": "k" * 24})


def way(post):
    return [step.after for step in post.transitions.all()]


def test_a_post_goes_from_draft_over_review_to_its_time(ada, publisher):
    post = make_post()
    posts.decide(post, Status.IN_REVIEW, by=ada)
    posts.decide(post, Status.APPROVED, by=ada, note="Fine.")
    posts.schedule(post, timezone.now() + HOUR, [publisher], by=ada)
    assert way(post) == ["in_review", "approved", "scheduled"]
    step = post.transitions.get(after="approved")
    assert (step.before, step.by, step.note) == ("in_review", ada, "Fine.")
    posts.decide(post, Status.DRAFT, by=ada)
    post.refresh_from_db()
    assert (post.status, post.scheduled_at, post.publications.count()) == (Status.DRAFT, None, 0)


@pytest.mark.parametrize("status", [Status.PUBLISHING, Status.UNCONFIRMED, Status.PUBLISHED])
def test_what_went_out_is_not_decided_on_or_scheduled_any_more(ada, publisher, status):
    post = make_post(status=status, published_at=timezone.now())
    for decision in (Status.DRAFT, Status.IN_REVIEW, Status.APPROVED, Status.PUBLISHED):
        with pytest.raises(IllegalState):
            posts.decide(post, decision, by=ada)
    with pytest.raises(IllegalState):
        posts.schedule(post, timezone.now() + HOUR, [publisher], by=ada)


def test_a_time_that_has_passed_and_no_publisher_are_refused(ada, publisher):
    post = make_post()
    with pytest.raises(InvalidPost, match="This moment has passed"):
        posts.schedule(post, timezone.now() - HOUR, [publisher], by=ada)
    with pytest.raises(InvalidPost, match="at least one publisher"):
        posts.schedule(post, timezone.now() + HOUR, [], by=ada)
    publisher.is_enabled = False
    with pytest.raises(InvalidPost, match="is disabled"):
        posts.schedule(post, timezone.now() + HOUR, [publisher], by=ada)
    assert way(post) == []


def test_a_scheduled_post_is_moved_to_another_time_and_publisher(ada, publisher):
    post, other = make_post(), make_publisher()
    posts.schedule(post, timezone.now() + HOUR, [publisher], by=ada)
    later = timezone.now() + 2 * HOUR
    posts.schedule(post, later, [other], by=ada)
    publication = post.publications.get()
    assert (publication.publisher, publication.due_at, publication.next_attempt_at) == (other, later, later)


def test_only_posts_whose_time_has_come_are_begun_and_only_once(publisher):
    now = timezone.now()
    due = make_post(status=Status.SCHEDULED, scheduled_at=now - timedelta(seconds=1))
    make_post(status=Status.SCHEDULED, scheduled_at=now + HOUR)
    make_post()
    assert rounds.begin_due(make_run()) == 1
    assert rounds.begin_due(make_run()) == 0
    run = JobRun.objects.get(job="publishing.publish_post")
    assert run.parameters == {"post_id": due.pk}
    due.refresh_from_db()
    assert due.status == Status.PUBLISHING


@pytest.mark.django_db(transaction=True)
def test_two_rounds_at_the_same_time_begin_each_post_once():
    now = timezone.now()
    for _ in range(20):
        make_post(status=Status.SCHEDULED, scheduled_at=now)
    begun = []

    def work():
        begun.append(rounds.begin_due(make_run()))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(begun) == 20
    assert JobRun.objects.filter(job="publishing.publish_post").count() == 20
