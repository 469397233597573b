"""The contract of every kind of publisher that speaks over a wire: whatever a request meets, the post is there once.

A new kind brings its stand-in, a `FaultyServer` in a module of this package, and is held to all of this.
"""

import pkgutil
import random
from datetime import timedelta
from importlib import import_module

import pytest
from django.utils import timezone

from jobs.outbound import Limits
from publishing import publications, publishers, tests
from publishing.models import Publication
from publishing.publications import State, Turn, carry_out, take
from publishing.publishers import PublishLater, PublishRefused, PublishUnknown, exchange
from publishing.tests.factories import make_publication, make_publisher
from publishing.tests.faulty_server import FAULTS, KEPT, FaultyServer

pytestmark = pytest.mark.django_db


def stand_ins():
    """Those of the modules of this package that are named for being one, by kind."""
    names = [module.name for module in pkgutil.iter_modules(tests.__path__)]
    for name in names:
        if name == "receiver" or name.endswith("_server"):
            import_module(f"{tests.__name__}.{name}")
    return sorted(FaultyServer.__subclasses__(), key=lambda stand_in: stand_in.kind)


STAND_INS = stand_ins()
#: They write where they run: no wire, no faults of it.
WITHOUT_WIRE = {"file", "site"}
#: The request was not carried out, and the sender cannot know.
NOT_KEPT = ("dropped", "broken")


@pytest.fixture(autouse=True)
def quick(monkeypatch, settings):
    """Nothing waits, and a slow answer is one of more than a fifth of a second."""
    settings.PUBLISHING_SETTLING_SECONDS = settings.PUBLISHING_RETRY_SECONDS = 0
    monkeypatch.setattr(exchange, "LIMITS", Limits(connect_seconds=2, read_seconds=0.2, total_seconds=2))


@pytest.fixture(params=STAND_INS, ids=lambda stand_in: stand_in.kind)
def stopped(request, settings):
    """A stand-in whose port nobody listens at yet."""
    server = request.param()
    server.slow_seconds = 0.4
    settings.OUTBOUND_ALLOWED_HOSTS = [server.host]
    return server


@pytest.fixture
def server(stopped):
    with stopped.running() as running:
        yield running


@pytest.fixture
def publisher(stopped):
    return make_publisher(stopped.kind, settings=stopped.settings(), secrets=stopped.secrets())


@pytest.fixture
def publication(publisher):
    return make_publication(publisher)


def meets(*faults):
    """The next requests meet these, one after the other; then all is well."""
    left = list(faults)
    return lambda request: left.pop(0) if left else ""


def until_quiet(publication, most=20):
    """Do what is due until nothing is; gives every state it was in."""
    states: list[str] = []
    for _ in range(most):
        carried_out = carry_out(publication.pk)
        publication.refresh_from_db()
        if not states or states[-1] != publication.state:
            states.append(publication.state)
        if carried_out is None:
            break
    return states


def is_there_once(server, publication):
    return server.count(str(publication.marker)) == 1


def sent(publication):
    return publication.attempts.filter(what="sent").count()


def test_every_kind_with_a_wire_has_a_stand_in():
    kinds = {kind.name for kind in publishers.all_kinds()} - WITHOUT_WIRE
    assert kinds == {stand_in.kind for stand_in in STAND_INS}


def test_without_faults_it_is_published_at_once_and_linked(server, publication):
    assert until_quiet(publication) == [State.PUBLISHED]
    assert is_there_once(server, publication)
    assert publication.post.title in server.text_of(str(publication.marker))
    assert publication.remote_id
    assert publication.remote_url.startswith("http")


def test_a_refused_connection_leaves_it_waiting_and_it_goes_out_later(stopped, publication):
    row = carry_out(publication.pk)
    assert row is not None
    assert (row.state, row.attempts.get().outcome) == (State.WAITING, "later")
    with stopped.running() as server:
        assert until_quiet(publication) == [State.PUBLISHED]
        assert is_there_once(server, publication)


# Not "late": against that only waiting helps, as the drill does (`tests/drills/posts.py`); here nothing waits.
@pytest.mark.parametrize("fault", sorted(KEPT - {"late"}))
def test_what_was_carried_out_is_never_sent_again(server, publication, fault):
    server.fault = meets(fault)
    states = until_quiet(publication)
    assert states in ([State.UNCONFIRMED, State.PUBLISHED], [State.PUBLISHED])
    assert states == [State.UNCONFIRMED, State.PUBLISHED] or fault == "wrong_json"
    assert is_there_once(server, publication)
    assert sent(publication) == 1


@pytest.mark.parametrize("fault", NOT_KEPT)
def test_what_was_lost_is_sent_again_after_two_looks(server, publication, fault):
    server.fault = meets(fault)
    assert until_quiet(publication) == [State.UNCONFIRMED, State.WAITING, State.PUBLISHED]
    outcomes = list(publication.attempts.values_list("outcome", flat=True))
    assert outcomes == ["unknown", "absent", "absent", "published"]
    assert is_there_once(server, publication)


def test_a_busy_server_is_asked_again_when_it_says(server, publication):
    server.fault, server.retry_after = meets("busy"), 120
    row = carry_out(publication.pk)
    assert row is not None
    assert row.state == State.WAITING
    assert row.next_attempt_at is not None
    wait = row.next_attempt_at - timezone.now()
    assert timedelta(seconds=110) < wait < timedelta(seconds=122)
    Publication.objects.update(next_attempt_at=timezone.now())
    assert until_quiet(publication) == [State.PUBLISHED]
    assert is_there_once(server, publication)


def test_wrong_credentials_fail_it_with_the_reason_and_without_the_secret(server, publisher):
    server.fault = meets("forbidden")
    publication = make_publication(publisher)
    assert until_quiet(publication) == [State.FAILED]
    assert "401" in publication.reason
    assert not any(secret in publication.reason for secret in server.secrets().values())
    assert server.count(str(publication.marker)) == 0
    publications.send_again(publication, by=None)
    assert until_quiet(publication) == [State.PUBLISHED]
    assert is_there_once(server, publication)


@pytest.mark.parametrize("fault", ["dropped", "half", "slow", "wrong_json", "busy", "broken", "forbidden"])
def test_a_look_that_goes_wrong_proves_nothing(server, publication, fault):
    server.fault = meets("cut")
    carry_out(publication.pk)
    server.fault_of_reading = meets(fault)
    assert until_quiet(publication)[-1] == State.PUBLISHED
    assert is_there_once(server, publication)
    assert sent(publication) == 1


def repeated(act, most=5):
    """Until it works, as whoever changes posts has to; gives what it met on the way."""
    met: list[type[Exception]] = []
    for _ in range(most):
        try:
            return met, act()
        except (PublishLater, PublishUnknown) as error:
            met.append(type(error))
    raise AssertionError(f"It never worked: {met}")


def published(publication):
    """What there is to know of a post that is out."""
    until_quiet(publication)
    kind, settings = publications.opened(publication.publisher)
    remote = publishers.Remote(id=publication.remote_id, url=publication.remote_url)
    return kind, settings, remote


@pytest.mark.parametrize("fault", ["", *sorted(set(FAULTS) - {"forbidden"})])
def test_a_change_may_be_repeated_until_it_is_there(server, publication, fault):
    kind, settings, remote = published(publication)
    assert kind.can_update
    publication.post.title = "A better title"
    changed = publications.outgoing(publication)
    server.fault = meets(fault)
    met, found = repeated(lambda: kind.update(changed, remote, settings))
    assert bool(met) == bool(fault) or fault == "wrong_json"
    assert found.id == remote.id
    assert is_there_once(server, publication)
    assert "A better title" in server.text_of(str(publication.marker))


@pytest.mark.parametrize("fault", ["", *sorted(set(FAULTS) - {"forbidden"})])
def test_taking_it_back_may_be_repeated_until_it_is_gone(server, publication, fault):
    kind, settings, remote = published(publication)
    assert kind.can_withdraw
    other = make_publication(publication.publisher)
    until_quiet(other)
    server.fault = meets(fault)
    post = publications.outgoing(publication)
    repeated(lambda: kind.withdraw(post, remote, settings))
    kind.withdraw(post, remote, settings)  # nothing there is fine
    assert server.count(str(publication.marker)) == 0
    assert is_there_once(server, other)


def test_changes_with_wrong_credentials_are_refused(server, publication):
    kind, settings, remote = published(publication)
    post = publications.outgoing(publication)
    server.fault = lambda marker: "forbidden"
    publication.post.title = "Another title"
    with pytest.raises(PublishRefused, match="401"):
        kind.update(publications.outgoing(publication), remote, settings)
    with pytest.raises(PublishRefused, match="401"):
        kind.withdraw(post, remote, settings)
    assert is_there_once(server, publication)


def test_the_test_publishes_nothing_and_names_wrong_credentials(server, publisher):
    kind, settings = publications.opened(publisher)
    assert kind.test(settings).endswith(".")
    server.fault = server.fault_of_reading = lambda request: "forbidden"
    with pytest.raises(PublishRefused, match="401"):
        kind.test(settings)


@pytest.mark.parametrize("seed", [1, 2])
def test_under_random_faults_and_deaths_every_post_is_there_once_or_explained(server, publisher, seed):
    chance = random.Random(seed)
    server.fault = lambda marker: chance.choice(FAULTS) if chance.random() < 0.5 else ""
    server.fault_of_reading = lambda request: chance.choice(FAULTS) if chance.random() < 0.1 else ""
    rows = [make_publication(publisher) for _ in range(20)]
    for _ in range(60):
        left = Publication.objects.due(timezone.now()).values_list("pk", flat=True)
        if not left:
            break
        for pk in left:
            if chance.random() < 0.1 and isinstance(turn := take(pk, run_id=None), Turn):
                if chance.random() < 0.5 and not turn.is_look:
                    publications._send(turn)
                Publication.objects.filter(pk=pk).update(leased_until=timezone.now() - timedelta(hours=1))
            else:
                carry_out(pk)
    for row in rows:
        row.refresh_from_db()
        there = server.count(str(row.marker))
        assert there <= 1
        assert (row.state, there) in {(State.PUBLISHED, 1), (State.FAILED, 0), (State.UNCONFIRMED, there)}, (
            row.reason
        )
        assert row.reason or row.state == State.PUBLISHED
