"""Posts on a Ghost site: each there once whatever the wire does, found by its tag alone, changed and taken back."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from django.utils import timezone

from jobs.errors import InvalidParameters
from jobs.outbound import Limits
from publishing import publishers
from publishing.publications import State, carry_out
from publishing.publishers import (
    Outgoing,
    PublishLater,
    PublishRefused,
    PublishUnknown,
    Remote,
    exchange,
)
from publishing.tests.factories import make_publication, make_publisher
from publishing.tests.faulty_server import FAULTS, KEPT, Reply
from publishing.tests.ghost_server import KEY, KEY_ID, SECRET, GhostServer

NEVER_SENT = {"busy": PublishLater, "forbidden": PublishRefused}


@pytest.fixture(autouse=True)
def quick(monkeypatch, settings):
    """Nothing waits, and a slow answer is one of more than a fifth of a second."""
    settings.PUBLISHING_SETTLING_SECONDS = settings.PUBLISHING_RETRY_SECONDS = 0
    monkeypatch.setattr(exchange, "LIMITS", Limits(connect_seconds=2, read_seconds=0.2, total_seconds=2))


@pytest.fixture
def server(settings):
    running = GhostServer()
    settings.OUTBOUND_ALLOWED_HOSTS = [running.host]
    running.slow_seconds = 0.4
    with running.running():
        yield running


@pytest.fixture
def kind():
    return publishers.get_kind("ghost")


@pytest.fixture
def site(server, kind):
    """The settings of a publisher to the server."""
    return kind.read(server.settings() | server.secrets())


def a_post(**fields):
    return Outgoing(
        **{
            "marker": uuid4(),
            "title": "The ferry",
            "slug": "the-ferry",
            "body_html": "<p>It sails.</p>",
            "published_at": datetime(2026, 5, 4, 9, 30, tzinfo=UTC),
            **fields,
        }
    )


def met_by(server, *faults):
    """The next requests about posts meet these, one after the other; then all is well."""
    left = list(faults)
    server.fault = lambda marker: left.pop(0) if left else ""


def rows_of(server, post):
    return server.rows_of(str(post.marker))


def changes_of(server):
    return [request.method for request in server.requests if request.method != "GET"]


def test_a_post_arrives_with_all_that_belongs_to_it_by_one_request(server, kind, site):
    post = a_post(
        excerpt="A short\nword on it",
        tags=("Boats", "#Sea"),
        meta_title="Ferry times",
        meta_description="When the ferry sails.",
        canonical_url="https://example.org/ferry",
    )
    remote = kind.send(post, site)
    (row,) = rows_of(server, post)
    assert remote == Remote(id=row["id"], url=f"{server.address}/the-ferry/", status=201)
    assert changes_of(server) == ["POST"]
    assert row["status"] == "published"
    assert datetime.fromisoformat(row["published_at"]) == post.published_at
    assert [tag["name"] for tag in row["tags"]] == ["Boats", "Sea", f"#almanac-{post.marker.hex}"]
    names = ("title", "html", "custom_excerpt", "meta_title", "meta_description", "canonical_url")
    assert [row[name] for name in names] == [
        *("The ferry", "<p>It sails.</p>", "A short word on it"),
        *("Ferry times", "When the ferry sails.", "https://example.org/ferry"),
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_the_wire_does_to_a_post_looking_for_it_tells_the_truth(server, kind, site, fault):
    post = a_post()
    met_by(server, fault)
    with pytest.raises(NEVER_SENT.get(fault, PublishUnknown)):
        kind.send(post, site)
    is_there = fault in KEPT
    assert len(rows_of(server, post)) == is_there
    found = kind.find(post, site)
    assert (found is not None) == is_there
    assert found is None or found.url == f"{server.address}/the-ferry/"


@pytest.mark.django_db
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_the_wire_does_a_post_is_there_once_in_the_end_or_refused(server, fault):
    publisher = make_publisher("ghost", settings=server.settings(), secrets=server.secrets())
    publication = make_publication(publisher)
    met_by(server, fault)
    for _ in range(6):
        carry_out(publication.pk)
    publication.refresh_from_db()
    state = State.FAILED if fault == "forbidden" else State.PUBLISHED
    assert (publication.state, server.count(str(publication.marker))) == (state, state == State.PUBLISHED)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_look_that_goes_wrong_never_says_that_a_post_is_not_there(server, kind, site, fault):
    post = a_post()
    kind.send(post, site)
    server.fault_of_reading = lambda request: fault
    with pytest.raises((PublishLater, PublishRefused)):
        kind.find(post, site)


def test_a_busy_site_is_asked_again_after_the_time_that_it_names(server, kind, site):
    server.retry_after = 30
    met_by(server, "busy")
    with pytest.raises(PublishLater) as told:
        kind.send(a_post(), site)
    assert (told.value.status, told.value.retry_after) == (429, 30)


def test_a_post_of_somebody_else_with_the_same_slug_is_never_taken_for_ours(server, kind, site):
    theirs, ours = a_post(title="Theirs"), a_post(title="Ours")
    kind.send(theirs, site)
    assert kind.find(ours, site) is None
    remote = kind.send(ours, site)
    assert remote.url == f"{server.address}/the-ferry-2/"
    found = kind.find(ours, site)
    assert found is not None
    assert (found.id, found.url) == (remote.id, remote.url)


def test_a_draft_is_found_as_well(server, kind):
    site = kind.read(server.settings() | server.secrets() | {"status": "draft"})
    post = a_post()
    remote = kind.send(post, site)
    (row,) = rows_of(server, post)
    assert (row["status"], "published_at" in row, server.count(str(post.marker))) == ("draft", False, 0)
    found = kind.find(post, site)
    assert found is not None
    assert (found.id, found.url) == (remote.id, f"{server.address}/p/{row['uuid']}/")


def test_a_site_that_does_not_look_for_tags_tells_nothing(server, kind, site, monkeypatch):
    kind.send(a_post(), site)
    monkeypatch.setattr(
        GhostServer, "_browse", lambda self, request: self._told(next(iter(self.rows.values())))
    )
    with pytest.raises(PublishLater, match="does not look for tags"):
        kind.find(a_post(), site)


def test_tags_are_written_as_the_site_writes_them(server, kind, site):
    kind.send(a_post(tags=("Ice Cream",)), site)
    post = a_post(tags=("ice cream", "", "#", "日本"))
    kind.send(post, site)
    assert [tag["slug"] for tag in rows_of(server, post)[0]["tags"][:1]] == ["ice-cream"]
    assert [tag["name"] for tag in rows_of(server, post)[0]["tags"][1:]] == [
        "日本",
        f"#almanac-{post.marker.hex}",
    ]


def test_html_can_be_kept_as_it_is(server, kind):
    site = kind.read(server.settings() | server.secrets() | {"keep_html": True})
    post = a_post(body_html="<dl><dt>Port</dt></dl>")
    kind.send(post, site)
    assert rows_of(server, post)[0]["html"] == (
        "<!--kg-card-begin: html-->\n<dl><dt>Port</dt></dl>\n<!--kg-card-end: html-->"
    )


def test_an_excerpt_is_cut_and_a_title_that_is_too_long_is_refused_in_the_words_of_ghost(server, kind, site):
    post = a_post(excerpt="word " * 100)
    kind.send(post, site)
    assert 290 < len(rows_of(server, post)[0]["custom_excerpt"]) <= 300
    with pytest.raises(PublishRefused, match=r"status 422: .*posts.title. exceeds maximum length of 255"):
        kind.send(a_post(title="t" * 256), site)


def test_a_post_is_changed_and_keeps_its_place_and_its_mark(server, kind, site):
    post = a_post(excerpt="Old", tags=("Old",))
    remote = kind.send(post, site)
    changed = replace(post, title="New", slug="other", excerpt="", tags=("New",), body_html="<p>New</p>")
    for _ in range(2):
        assert kind.update(changed, remote, site) == Remote(id=remote.id, url=remote.url, status=200)
    (row,) = rows_of(server, post)
    assert (row["title"], row["html"], row["slug"], row["custom_excerpt"]) == (
        "New",
        "<p>New</p>",
        "the-ferry",
        None,
    )
    assert [tag["name"] for tag in row["tags"]] == ["New", f"#almanac-{post.marker.hex}"]


def test_a_post_whose_id_is_not_known_or_has_changed_is_changed_and_taken_back_by_its_tag(server, kind, site):
    post = a_post()
    remote = kind.send(post, site)
    for old in (Remote(), Remote(id="0" * 24), Remote(id="../users/1")):
        assert kind.update(post, old, site).id == remote.id
    kind.withdraw(post, Remote(), site)
    assert server.rows == {}


def test_a_change_that_meets_somebody_elses_is_made_later(server, kind, site):
    post = a_post()
    remote = kind.send(post, site)

    def in_between(marker):
        server.touch(remote.id)
        return ""

    server.fault = in_between
    with pytest.raises(PublishLater, match="Someone else is editing this post") as told:
        kind.update(replace(post, title="New"), remote, site)
    assert told.value.status == 409
    server.fault = lambda marker: ""
    kind.update(replace(post, title="New"), remote, site)
    assert rows_of(server, post)[0]["title"] == "New"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_change_and_a_withdrawal_whose_answer_is_lost_may_be_repeated(server, kind, site, fault):
    post = a_post()
    remote = kind.send(post, site)
    met_by(server, fault)
    with pytest.raises(NEVER_SENT.get(fault, PublishUnknown)):
        kind.update(replace(post, title="New"), remote, site)
    kind.update(replace(post, title="New"), remote, site)
    assert [row["title"] for row in rows_of(server, post)] == ["New"]
    met_by(server, fault)
    if fault in {"wrong_json", "half"}:  # a 2xx is enough, whatever comes after it
        kind.withdraw(post, remote, site)
    else:
        with pytest.raises(NEVER_SENT.get(fault, PublishUnknown)):
            kind.withdraw(post, remote, site)
    kind.withdraw(post, remote, site)
    assert (server.rows, server.tags) == ({}, {})


def test_what_is_gone_is_not_changed_and_need_not_be_taken_back(server, kind, site):
    post = a_post()
    remote = kind.send(post, site)
    for _ in range(2):
        kind.withdraw(post, remote, site)
    with pytest.raises(PublishRefused, match="not in Ghost any more"):
        kind.update(post, remote, site)
    assert kind.find(post, site) is None


def test_the_test_names_the_site_and_its_version(kind, site):
    assert kind.test(site) == "“The blog” is a site of Ghost 5.130, and the key may read its posts."


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (f"{'0' * 24}:{SECRET}", "Unknown Admin API Key. Copy the Admin API key of a custom integration"),
        (f"{KEY_ID}:{'0' * 64}", "invalid signature. The part of the key after the colon"),
    ],
)
def test_a_wrong_key_is_refused_with_what_to_do_and_never_told(server, kind, key, words):
    site = kind.read(server.settings() | {"key": key})
    for attempt in (lambda: kind.test(site), lambda: kind.send(a_post(), site)):
        with pytest.raises(PublishRefused, match=words) as told:
            attempt()
        assert told.value.status == 401
        assert key.partition(":")[2] not in str(told.value)
    assert server.rows == {}


def test_a_clock_that_is_wrong_is_told_with_how_far_it_is(server, kind, site):
    server.ahead_seconds = 900
    with pytest.raises(
        PublishRefused, match=r"jwt expired\. Our clock or Ghost's is wrong: they are (899|90[01]) seconds"
    ):
        kind.test(site)
    server.ahead_seconds = 290
    assert "The blog" in kind.test(site)


def test_a_header_that_is_taken_away_or_changed_on_the_way_is_told(server, kind, site, monkeypatch):
    class Stripping(GhostServer):
        header: dict[str, str] = {}

        def respond(self, request):
            headers = {name: value for name, value in request.headers.items() if name != "authorization"}
            return super().respond(replace(request, headers=headers | self.header))

    server.__class__ = Stripping
    with pytest.raises(PublishRefused, match="takes the header Authorization away"):
        kind.send(a_post(), site)
    server.header = {"authorization": "Bearer x"}
    with pytest.raises(PublishRefused, match="changes the header Authorization"):
        kind.send(a_post(), site)


def test_a_version_that_is_not_spoken_there_is_told(server, kind, site, monkeypatch):
    monkeypatch.setattr(GhostServer, "marker_of", lambda self, request: None)
    monkeypatch.setattr("publishing.tests.ghost_server.API", "/ghost/api/admin/posts/")
    site = kind.read(server.settings() | server.secrets() | {"version": "v9.0"})
    with pytest.raises(PublishRefused, match=r"406: .*v9\.0 is ahead of .* Name an older version of the API"):
        kind.send(a_post(), site)


def test_what_is_no_ghost_is_told(server, kind):
    site = kind.read({"url": f"{server.address}/blog", "key": KEY})
    with pytest.raises(PublishRefused, match="/blog does not answer as Ghost does"):
        kind.test(site)
    with pytest.raises(PublishLater, match="/blog does not answer as Ghost does"):
        kind.find(a_post(), site)
    with pytest.raises(PublishRefused, match="status 404"):
        kind.send(a_post(), site)


def test_a_site_that_sends_on_to_another_address_is_told_with_that_address(server, kind, site, monkeypatch):
    def moved(self, request):
        return Reply(301, headers={"Location": f"https://blog.example/sub{request.path}"})

    monkeypatch.setattr(GhostServer, "respond", moved)
    with pytest.raises(PublishRefused, match=r"status 301: .* use https://blog\.example/sub as the address"):
        kind.send(a_post(), site)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("https://blog.example/", "https://blog.example"),
        ("https://blog.example/ghost/#/settings/integrations", "https://blog.example"),
        ("http://localhost:2368/sub/ghost", "http://localhost:2368/sub"),
        ("https://ghost.example/ghostly/", "https://ghost.example/ghostly"),
    ],
)
def test_an_address_may_be_that_of_the_admin_page(kind, typed, meant):
    assert kind.clean({"url": typed, "key": f" {KEY} "}) == {
        **{"url": meant, "key": KEY, "version": "v5.0", "status": "published", "keep_html": False}
    }


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"key": "446ed0cb2840f73dea96d37617"}, "key", "This is a Content API key, which can only read."),
        ({"key": KEY[:-1]}, "key", "24 hexadecimal digits, a colon, and 64 more"),
        ({"key": KEY.replace("6b", "zz")}, "key", "24 hexadecimal digits"),
        ({"url": "blog.example"}, "url", "begins with http:// or https://"),
        ({"url": "https://me:pw@blog.example"}, "url", "without a user or a query"),
        ({"version": "5"}, "version", "pattern"),
        ({"status": "sent"}, "status", "'published' or 'draft'"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name_and_without_the_key(kind, wrong, field, words):
    with pytest.raises(InvalidParameters) as told:
        kind.clean({"url": "https://blog.example", "key": KEY, **wrong})
    assert words in told.value.fields[field][0]
    assert KEY not in str(told.value)


def test_a_token_lives_for_five_minutes_at_most(server, kind, site):
    kind.send(a_post(), site)
    assert {request.headers["accept-version"] for request in server.requests} == {"v5.0"}
    server.ahead_seconds = 301
    with pytest.raises(PublishRefused, match="jwt expired"):
        kind.find(a_post(published_at=timezone.now()), site)
