"""The built-in site as a publisher: a post is on it exactly while the ledger calls it published, and nothing is copied."""

import pytest
from django.db import IntegrityError, transaction

from jobs.errors import InvalidInput
from publishing import configuration, publications, publishers
from publishing.models import Post, Publication, Publisher
from publishing.publications import State, carry_out
from publishing.publishers import PublishRefused
from publishing.publishers.base import Remote
from publishing.tests.factories import make_post, make_publication, make_publisher

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def address(settings):
    settings.SITE_URL = "https://blog.example"


def status(client, publication: Publication) -> int:
    return int(client.get(f"/blog/posts/{publication.post.slug}/").status_code)


def test_a_post_is_on_the_site_from_the_moment_the_ledger_says_so(client):
    publication = make_publication(make_publisher("site"))
    assert status(client, publication) == 404
    taken = publications.take(publication.pk, run_id=None)
    assert isinstance(taken, publications.Turn)
    assert status(client, publication) == 404  # on its way
    publications.settle(taken, publications._send(taken))
    row = Publication.objects.get(pk=publication.pk)
    assert (row.state, row.remote_url) == (
        State.PUBLISHED,
        f"https://blog.example/blog/posts/{publication.post.slug}/",
    )
    assert status(client, publication) == 200


def test_a_worker_that_died_while_it_published_leaves_a_post_that_is_found(client):
    publication = make_publication(make_publisher("site"))
    publications.take(publication.pk, run_id=None)
    Publication.objects.filter(pk=publication.pk).update(
        leased_until="2020-01-01T00:00Z", next_attempt_at="2020-01-01T00:00Z"
    )
    for expected in (State.UNCONFIRMED, State.PUBLISHED):
        row = carry_out(publication.pk)
        assert row is not None
        assert row.state == expected
    assert status(client, publication) == 200


@pytest.mark.parametrize("state", [state for state in State if state != State.PUBLISHED])
def test_whatever_is_not_published_cannot_be_reached(client, state):
    publication = make_publication(make_publisher("site"), state=state, lease="0" * 32)
    assert status(client, publication) == 404
    assert publication.post.title not in client.get("/blog/").content.decode()


@pytest.mark.parametrize("state", Post.Status)
def test_a_post_that_is_only_elsewhere_cannot_be_reached(client, state):
    publication = make_publication(
        make_publisher("webhook"), state=State.PUBLISHED, published_at="2026-01-01T00:00Z"
    )
    Post.objects.update(status=state, published_at="2026-01-01T00:00Z", scheduled_at="2026-01-01T00:00Z")
    assert status(client, publication) == 404


def test_a_post_that_failed_elsewhere_is_on_the_site_all_the_same(client):
    publication = make_publication(make_publisher("site"))
    carry_out(publication.pk)
    make_publisher("webhook")
    Post.objects.update(status=Post.Status.FAILED)
    assert status(client, publication) == 200


def test_changing_and_taking_back_have_nothing_to_do_but_to_say_where_it_is():
    publication = make_publication(make_publisher("site"))
    kind, settings = publications.opened(publication.publisher)
    post = publications.outgoing(publication)
    there = Remote(id=post.slug, url=f"https://blog.example/blog/posts/{post.slug}/")
    assert (kind.can_update, kind.can_withdraw) == (True, True)
    assert (
        kind.send(post, settings) == kind.find(post, settings) == kind.update(post, there, settings) == there
    )
    kind.withdraw(post, there, settings)
    assert kind.test(settings) == "Posts appear at https://blog.example/blog/."


def test_without_an_address_nothing_is_published(settings):
    settings.SITE_URL = ""
    row = carry_out(make_publication(make_publisher("site")).pk)
    assert row is not None
    assert (row.state, row.reason) == (State.FAILED, "The blog has no address: SITE_URL is not set.")
    with pytest.raises(PublishRefused):
        kind = publishers.get_kind("site")
        kind.test(kind.read({}))


def test_there_is_one_publisher_for_the_one_site():
    make_publisher("site")
    with pytest.raises(InvalidInput) as refused:
        configuration.save(Publisher(name="Another", kind="site"), settings={}, by=None)
    assert refused.value.fields == {"kind": ["There is one built-in blog, and a publisher for it already."]}
    with pytest.raises(IntegrityError), transaction.atomic():
        make_publisher("site")


def test_it_asks_for_no_settings_and_takes_none():
    with pytest.raises(InvalidInput):
        configuration.save(Publisher(name="Blog", kind="site"), settings={"url": "x"}, by=None)
    configuration.save(Publisher(name="Blog", kind="site"), settings={}, by=None)
    assert make_post().publications.count() == 0
