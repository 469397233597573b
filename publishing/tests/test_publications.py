"""Exactly once: whatever happens on the wire or to the worker, no post is published twice, and none is lost."""

import random
import time
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from jobs.errors import IllegalState
from jobs.outbound import Limits
from publishing import publications, rounds
from publishing.models import Post, Publication
from publishing.publications import LOOK_YOURSELF, State, Turn, carry_out, take
from publishing.publishers import exchange
from publishing.tests.factories import make_publication, make_publisher, make_run
from publishing.tests.receiver import FAULTS, Receiver

pytestmark = pytest.mark.django_db

KEY = "a signing key of at least 24 bytes"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch, settings):
    """Nothing waits, and a slow answer is one of more than a fifth of a second."""
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
    return make_publisher(settings={"url": receiver.url, "status_url": receiver.url}, secrets={"key": KEY})


@pytest.fixture
def blind(receiver):
    """A publisher that cannot be asked what it has."""
    return make_publisher(settings={"url": receiver.url}, secrets={"key": KEY})


def met_by(receiver, *faults):
    """The next requests meet these, one after the other; then all is well."""
    left = list(faults)
    receiver.fault = lambda marker: left.pop(0) if left else ""


def until_settled(publication, most=20):
    """Do what is due until nothing is; gives every state it was in."""
    states: list[str] = []
    for _ in range(most):
        row = carry_out(publication.pk)
        publication.refresh_from_db()
        if not states or states[-1] != publication.state:
            states.append(publication.state)
        if row is None and publication.next_attempt_at is None:
            break
    return states


def test_a_post_is_published_once_and_its_address_is_kept(receiver, publisher):
    publication = make_publication(publisher)
    assert until_settled(publication) == [State.PUBLISHED]
    assert publication.remote_url == f"http://blog.example/{publication.marker}"
    assert receiver.posts[str(publication.marker)] == 1
    assert publication.post.status == Post.Status.PUBLISHED
    assert carry_out(publication.pk) is None
    assert receiver.posts[str(publication.marker)] == 1


@pytest.mark.parametrize("fault", ["cut", "half", "slow", "broken_but_kept", "proxy_gave_up"])
def test_a_post_whose_answer_is_lost_is_found_and_not_sent_again(receiver, publisher, fault):
    met_by(receiver, fault)
    publication = make_publication(publisher)
    assert until_settled(publication) == [State.UNCONFIRMED, State.PUBLISHED]
    assert receiver.posts[str(publication.marker)] == 1
    assert [attempt.outcome for attempt in publication.attempts.all()] == ["unknown", "found"]


@pytest.mark.parametrize("fault", ["dropped", "broken"])
def test_a_post_that_is_known_not_to_be_there_is_sent_again(receiver, publisher, fault):
    met_by(receiver, fault)
    publication = make_publication(publisher)
    assert until_settled(publication) == [State.UNCONFIRMED, State.WAITING, State.PUBLISHED]
    assert receiver.posts[str(publication.marker)] == 1
    outcomes = [attempt.outcome for attempt in publication.attempts.all()]
    assert outcomes == ["unknown", "absent", "absent", "published"]


def test_a_post_that_is_not_found_at_first_is_looked_for_once_more(receiver, publisher):
    met_by(receiver, "dropped")
    publication = make_publication(publisher)
    carry_out(publication.pk)  # sent
    carry_out(publication.pk)  # not found
    receiver.posts[str(publication.marker)] += 1  # the server is through with it only now
    assert until_settled(publication) == [State.PUBLISHED]
    assert receiver.count(str(publication.marker)) == 1


def test_an_answer_that_is_no_json_is_still_an_answer(receiver, publisher):
    met_by(receiver, "wrong_json")
    publication = make_publication(publisher)
    assert until_settled(publication) == [State.PUBLISHED]
    assert publication.remote_url == ""


def test_a_busy_receiver_is_asked_again_after_the_time_it_names(receiver, publisher):
    met_by(receiver, "busy")
    receiver.retry_after = "120"
    publication = make_publication(publisher)
    carry_out(publication.pk)
    publication.refresh_from_db()
    assert publication.state == State.WAITING
    assert publication.next_attempt_at is not None
    assert timedelta(seconds=110) < publication.next_attempt_at - timezone.now() < timedelta(seconds=121)
    assert carry_out(publication.pk) is None


def test_a_refusal_is_final_and_says_why(receiver, publisher):
    met_by(receiver, "forbidden")
    publication = make_publication(publisher)
    assert until_settled(publication) == [State.FAILED]
    assert "answered with status 401: who are you?" in publication.reason
    assert publication.post.status == Post.Status.FAILED


def test_a_receiver_that_cannot_be_reached_got_nothing_and_is_tried_again(receiver, publisher, settings):
    closed = "127.0.0.1:9"
    settings.OUTBOUND_ALLOWED_HOSTS = [receiver.host, closed]
    publisher.settings["url"] = f"http://{closed}/"
    publisher.save()
    publication = make_publication(publisher)
    carry_out(publication.pk)
    publication.refresh_from_db()
    assert (publication.state, publication.attempts.get().outcome) == (State.WAITING, "later")


def test_without_a_way_to_look_a_person_decides(receiver, blind):
    met_by(receiver, "cut")
    publication = make_publication(blind)
    assert until_settled(publication) == [State.UNCONFIRMED]
    assert publication.reason.endswith(LOOK_YOURSELF)
    assert publication.post.status == Post.Status.UNCONFIRMED
    publications.confirm(publication, url="http://blog.example/it", by=None)
    publication.refresh_from_db()
    assert (publication.state, publication.remote_url) == (State.PUBLISHED, "http://blog.example/it")
    publication.post.refresh_from_db()
    assert publication.post.status == Post.Status.PUBLISHED
    assert receiver.posts[str(publication.marker)] == 1


def test_a_worker_that_dies_while_it_sends_leaves_a_post_that_is_looked_for(receiver, publisher):
    publication = make_publication(publisher)
    turn = take(publication.pk, run_id=None)
    assert isinstance(turn, Turn)
    publications._send(turn)  # the request went out; then the worker is gone
    assert carry_out(publication.pk) is None  # nobody else touches it while the lease holds
    Publication.objects.update(leased_until=timezone.now() - HOUR)
    assert until_settled(publication) == [State.UNCONFIRMED, State.PUBLISHED]
    assert receiver.posts[str(publication.marker)] == 1


def test_a_worker_that_dies_before_it_sends_leaves_a_post_that_is_sent(receiver, publisher):
    publication = make_publication(publisher)
    take(publication.pk, run_id=None)
    Publication.objects.update(leased_until=timezone.now() - HOUR)
    assert until_settled(publication) == [State.UNCONFIRMED, State.WAITING, State.PUBLISHED]
    assert receiver.posts[str(publication.marker)] == 1


def test_what_comes_too_late_is_missed_and_never_sent(receiver, publisher):
    publication = make_publication(publisher, due_at=timezone.now() - 2 * HOUR)
    run = make_run()
    assert rounds.publish(run, publication.post_id).missed == 1
    assert list(run.failed_units.values()) == ["Missed. It could not be sent in time."]
    publication.refresh_from_db()
    assert publication.state == State.MISSED
    assert receiver.posts == {}
    assert publication.post.status == Post.Status.MISSED
    publications.send_again(publication, by=None)
    assert until_settled(publication) == [State.PUBLISHED]


def test_what_waits_at_a_disabled_publisher_is_missed_at_its_time(receiver, publisher):
    publisher.is_enabled = False
    publisher.save()
    waiting = make_publication(publisher)
    too_late = make_publication(publisher, due_at=timezone.now() - publisher.lateness)
    assert until_settled(waiting, most=2) == [State.WAITING]
    assert rounds.retry(make_run()).missed == 1
    too_late.refresh_from_db()
    assert (too_late.state, receiver.requests) == (State.MISSED, [])


def test_a_disabled_publisher_is_still_asked_for_what_it_was_sent(receiver, publisher):
    met_by(receiver, "cut")
    publication = make_publication(publisher)
    carry_out(publication.pk)
    publisher.is_enabled = False
    publisher.save()
    assert until_settled(publication) == [State.PUBLISHED]


def test_what_is_put_off_beyond_its_time_is_missed_at_its_time(receiver, publisher):
    met_by(receiver, "busy")
    receiver.retry_after = 2 * 3600
    publication = make_publication(publisher)
    carry_out(publication.pk)
    publication.refresh_from_db()
    assert publication.next_attempt_at == publication.due_at + publisher.lateness


def test_nothing_is_sent_when_preparing_took_too_long(receiver, publisher):
    publication = make_publication(publisher)
    turn = take(publication.pk, run_id=None)
    assert isinstance(turn, Turn)
    with exchange.ends_by(time.monotonic() + 0.9, each=1):
        assert publications._send(turn).outcome == "later"
    assert receiver.requests == []


def test_a_request_ends_before_the_lease_does(receiver, publisher, settings, monkeypatch):
    monkeypatch.setattr(exchange, "LIMITS", Limits(connect_seconds=30, read_seconds=30, total_seconds=30))
    settings.PUBLISHING_LEASE_SECONDS = 1
    met_by(receiver, "slow")
    receiver.slow_seconds = 5
    publication = make_publication(publisher)
    began = time.monotonic()
    carry_out(publication.pk)
    assert time.monotonic() - began < 1
    publication.refresh_from_db()
    assert publication.state == State.UNCONFIRMED


def test_a_worker_that_dies_while_it_looks_leaves_no_attempt_open(receiver, publisher):
    met_by(receiver, "cut")
    publication = make_publication(publisher)
    carry_out(publication.pk)
    assert isinstance(take(publication.pk, run_id=None), Turn)
    Publication.objects.update(leased_until=timezone.now() - HOUR)
    assert until_settled(publication) == [State.PUBLISHED]
    assert [attempt.outcome for attempt in publication.attempts.all()] == ["unknown", "unknown", "found"]


def test_a_person_need_not_wait_for_a_worker_that_died_while_it_looked(receiver, publisher):
    met_by(receiver, "cut")
    publication = make_publication(publisher)
    carry_out(publication.pk)
    take(publication.pk, run_id=None)
    with pytest.raises(IllegalState, match="unconfirmed cannot be confirmed now"):
        publications.confirm(publication, url="", by=None)
    Publication.objects.update(leased_until=timezone.now() - HOUR)
    publications.confirm(publication, url="", by=None)
    assert not publication.attempts.filter(ended_at=None).exists()


def test_a_worker_taken_for_dead_that_knows_nothing_stops_the_next_attempt(receiver, publisher):
    publication = make_publication(publisher)
    late = take(publication.pk, run_id=None)
    assert isinstance(late, Turn)
    Publication.objects.update(leased_until=timezone.now() - HOUR)
    for _ in range(3):  # taken for dead, not found, not found again
        carry_out(publication.pk)
    publication.refresh_from_db()
    assert publication.state == State.WAITING
    met_by(receiver, "cut")
    assert not publications.settle(late, publications._send(late))
    publication.refresh_from_db()
    assert publication.state == State.UNCONFIRMED
    assert until_settled(publication) == [State.PUBLISHED]
    assert receiver.count(str(publication.marker)) == 1


def test_a_look_that_finds_nothing_out_is_no_failure_until_it_is_left_to_people(
    receiver, publisher, monkeypatch
):
    met_by(receiver, "cut")
    publication = make_publication(publisher)
    assert rounds.publish(sent := make_run(), publication.post_id).unconfirmed == 1
    publisher.settings["status_url"] = "http://127.0.0.1:9/"
    publisher.save()
    assert rounds.reconcile(looked := make_run()).unconfirmed == 1
    assert sent.failed_units == looked.failed_units == {}
    monkeypatch.setattr(publications, "MOST_LOOKS", 2)
    assert rounds.reconcile(last := make_run()).unconfirmed == 1
    assert len(last.failed_units) == 1


def test_a_round_leaves_the_rest_to_the_next_one(receiver, publisher, monkeypatch):
    rows = [make_publication(publisher) for _ in range(3)]
    monkeypatch.setattr(rounds, "BATCH_SECONDS", 0)
    assert rounds.retry(make_run()).published <= 1
    monkeypatch.undo()
    rounds.retry(make_run())
    assert [receiver.count(str(row.marker)) for row in rows] == [1, 1, 1]


def test_nothing_is_sent_again_while_somebody_is_at_it_or_when_it_is_out(receiver, publisher):
    publication = make_publication(publisher)
    take(publication.pk, run_id=None)
    with pytest.raises(IllegalState, match="sending cannot be sent again"):
        publications.send_again(publication, by=None)
    Publication.objects.update(leased_until=timezone.now() - HOUR)
    until_settled(publication)
    with pytest.raises(IllegalState, match="published cannot be sent again"), transaction.atomic():
        publications.send_again(publication, by=None)


def test_a_secret_never_comes_back_in_a_reason(receiver, publisher):
    publisher.settings["url"] = f"{receiver.url}?key={KEY}"
    publisher.save()
    met_by(receiver, "forbidden")
    publication = make_publication(publisher)
    until_settled(publication)
    assert KEY not in publication.reason


@pytest.mark.parametrize("seed", [1, 2])
def test_under_random_faults_and_deaths_every_post_is_there_once_or_explained(receiver, publisher, seed):
    chance = random.Random(seed)
    receiver.fault = lambda marker: chance.choice(FAULTS) if chance.random() < 0.5 else ""
    rows = [make_publication(publisher) for _ in range(40)]
    for _ in range(60):
        left = Publication.objects.due(timezone.now()).values_list("pk", flat=True)
        if not left:
            break
        for pk in left:
            if chance.random() < 0.1 and isinstance(turn := take(pk, run_id=None), Turn):
                if chance.random() < 0.5 and not turn.is_look:
                    publications._send(turn)
                Publication.objects.filter(pk=pk).update(leased_until=timezone.now() - HOUR)
            else:
                carry_out(pk)
    for row in rows:
        row.refresh_from_db()
        there = receiver.posts[str(row.marker)]
        assert there <= 1
        assert (row.state, there) in {(State.PUBLISHED, 1), (State.FAILED, 0), (State.UNCONFIRMED, there)}, (
            row.reason
        )
        assert row.reason or row.state == State.PUBLISHED
