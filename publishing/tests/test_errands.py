"""Changing and taking back what is published: it goes on until it is done, or somebody has to look."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.errors import IllegalState
from jobs.models import Alert, JobRun
from jobs.outbound import Limits
from publishing import errands, posts, publications, tasks
from publishing.errands import MOST_TRIES
from publishing.models import Post, Publication
from publishing.publishers import exchange
from publishing.tests.factories import make_publication, make_publisher, make_run
from publishing.tests.receiver import Receiver

pytestmark = pytest.mark.django_db

State = Publication.State


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch):
    settings.PUBLISHING_SETTLING_SECONDS = settings.PUBLISHING_RETRY_SECONDS = 0
    monkeypatch.setattr(exchange, "LIMITS", Limits(connect_seconds=2, read_seconds=0.2, total_seconds=2))


@pytest.fixture
def receiver(settings):
    with Receiver().running() as running:
        settings.OUTBOUND_ALLOWED_HOSTS = [running.host]
        running.slow_seconds = 0.4
        yield running


@pytest.fixture
def publisher(receiver):
    return make_publisher(settings=receiver.settings(), secrets=receiver.secrets())


@pytest.fixture
def published(publisher) -> Publication:
    publication = make_publication(publisher)
    publications.carry_out(publication.pk)
    publication.refresh_from_db()
    assert publication.state == State.PUBLISHED and publication.revision == 1
    return publication


def text_there(receiver: Receiver, publication: Publication) -> str:
    return receiver.text_of(str(publication.marker))


def changed(publication: Publication, html: str = "<p>New text</p>") -> Post:
    return posts.write(publication.post, {"body_html": html}, by=None)


def latest(publication: Publication) -> Publication:
    return Publication.objects.get(pk=publication.pk)


def test_a_change_reaches_the_publisher_at_once_and_the_post_stays_published(receiver, published):
    post = changed(published)
    run = JobRun.objects.get(job="publishing.update_publications")
    result = tasks.update_publications(make_run(), **run.parameters)
    row = latest(published)
    assert result.done == 1 and "New text" in text_there(receiver, row)
    assert (row.errand, row.revision, post.revision) == ("", 2, 2)
    assert Post.objects.get().status == "published"
    assert [(a.what, a.outcome) for a in row.attempts.all()] == [("sent", "published"), ("updated", "done")]
    assert receiver.count(str(row.marker)) == 1


@pytest.mark.parametrize("fault", ["dropped", "cut", "half", "slow", "busy", "broken", "proxy_gave_up"])
def test_whatever_happens_on_the_wire_the_change_is_there_in_the_end(receiver, published, fault):
    changed(published)
    left = [fault]
    receiver.fault = lambda marker: left.pop() if left else ""
    errands.carry_out(published.pk)
    assert latest(published).errand == "update" and latest(published).state == State.PUBLISHED
    while errands.carry_out(published.pk):
        pass
    assert latest(published).errand == "" and "New text" in text_there(receiver, published)
    assert receiver.count(str(published.marker)) == 1


def test_a_change_during_a_change_is_carried_there_as_well(receiver, published):
    changed(published, "<p>Second</p>")
    turn = errands._take(published.pk, None)
    assert turn is not None and errands.carry_out(published.pk) is None
    taken, _ = turn
    ended = errands._try(taken, errands.Errand.UPDATE)
    changed(published, "<p>Third</p>")
    row = latest(published)
    row.lease, row.leased_until = taken.lease, taken.leased_until
    errands._settle(row, errands.Errand.UPDATE, 2, ended)
    assert latest(published).errand == "update" and latest(published).revision == 2
    errands.carry_out(published.pk)
    assert "Third" in text_there(receiver, published) and latest(published).revision == 3


def test_the_worker_that_carries_it_may_die(receiver, published):
    changed(published)
    assert errands._take(published.pk, None) is not None
    assert errands.carry_out(published.pk) is None
    Publication.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    errands.carry_out(published.pk)
    assert "New text" in text_there(receiver, published)
    assert [a.outcome for a in latest(published).attempts.all()] == ["published", "unknown", "done"]


def test_a_worker_that_was_taken_for_dead_writes_only_into_its_own_attempt(receiver, published, monkeypatch):
    changed(published)
    carried = errands._try
    tried: list[object] = []

    def overtaken(row, errand):
        if not tried:
            tried.append(row)
            Publication.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
            tried.append(errands._take(published.pk, None))
        return carried(row, errand)

    monkeypatch.setattr(errands, "_try", overtaken)
    errands.carry_out(published.pk)
    late, current = latest(published).attempts.order_by("pk")[1:]
    assert late.outcome == "done" and (current.outcome, current.ended_at) == ("", None)
    assert latest(published).errand == "update"


def test_what_is_refused_is_left_to_people_with_an_alert_until_somebody_tries_again(receiver, published):
    changed(published)
    receiver.fault = lambda marker: "forbidden"
    run = make_run()
    result = tasks.update_publications(run)
    row = latest(published)
    assert result.stuck == 1 and row.is_left_to_people and "401" in row.reason
    assert list(run.failed_units) == [f"{row} ({row.pk})"]
    assert Publication.objects.left_to_people().get() == row
    assert Alert.objects.get(kind="publishing.post_unchanged").subject_id == str(row.publisher_id)
    assert errands.carry_out(row.pk) is None
    receiver.fault = lambda marker: ""
    errands.try_again(row, by=User.objects.create_user("editor"))
    errands.carry_out(row.pk)
    assert latest(published).errand == "" and not Publication.objects.left_to_people().exists()
    with pytest.raises(IllegalState, match="nothing left"):
        errands.try_again(latest(published), by=None)


def test_it_is_not_tried_for_ever(receiver, published):
    changed(published)
    receiver.fault = lambda marker: "broken"
    for _ in range(MOST_TRIES):
        assert errands.carry_out(published.pk) is not None
    assert latest(published).is_left_to_people and errands.carry_out(published.pk) is None


def test_a_post_is_taken_back_from_everywhere_and_then_is_withdrawn(receiver, published):
    posts.withdraw(published.post, by=None, trigger=JobRun.Trigger.API)
    assert Post.objects.get().status == "published"
    result = tasks.update_publications(make_run(), post_id=published.post_id)
    assert result.done == 1 and receiver.count(str(published.marker)) == 0
    assert (latest(published).state, Post.objects.get().status) == ("withdrawn", "withdrawn")
    with pytest.raises(IllegalState, match="withdrawn"):
        changed(published)


def test_taking_back_wins_over_a_change(receiver, published):
    posts.withdraw(published.post, by=None, trigger=JobRun.Trigger.API)
    changed(published)
    assert latest(published).errand == "withdraw"


def test_what_cannot_be_taken_back_somewhere_is_taken_back_nowhere(published, monkeypatch):
    from publishing.publishers.webhook import Webhook

    monkeypatch.setattr(Webhook, "can_withdraw", False)
    with pytest.raises(IllegalState, match="cannot be taken back from Publisher"):
        posts.withdraw(published.post, by=None, trigger=JobRun.Trigger.API)
    monkeypatch.setattr(Webhook, "can_update", False)
    changed(published)
    assert latest(published).errand == "" and "cannot be changed there" in latest(published).reason


def test_a_post_that_is_nowhere_or_on_its_way_cannot_be_taken_back(publisher):
    waiting = make_publication(publisher)
    with pytest.raises(IllegalState, match="publishing cannot be taken back"):
        posts.withdraw(waiting.post, by=None, trigger=JobRun.Trigger.API)
    Post.objects.update(status="failed")
    with pytest.raises(IllegalState, match="No publisher has it"):
        posts.withdraw(waiting.post, by=None, trigger=JobRun.Trigger.API)


def test_a_disabled_publisher_gets_changes_once_it_is_enabled(receiver, publisher, published):
    publisher.is_enabled = False
    publisher.save()
    changed(published)
    assert errands.carry_out(published.pk) is None
    publisher.is_enabled = True
    publisher.save()
    assert errands.carry_out(published.pk) is not None and "New text" in text_there(receiver, published)


def test_a_failed_post_is_mended_and_sent_again(receiver, publisher):
    receiver.fault = lambda marker: "forbidden"
    publication = make_publication(publisher)
    publications.carry_out(publication.pk)
    assert Post.objects.get().status == "failed"
    changed(publication)
    receiver.fault = lambda marker: ""
    publications.send_again(latest(publication), by=None)
    publications.carry_out(publication.pk)
    assert latest(publication).revision == 2 and "New text" in text_there(receiver, publication)
