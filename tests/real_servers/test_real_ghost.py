"""The kind for Ghost against a real Ghost, through a proxy that cuts connections. Prints its versions."""

import os
import random
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from jobs.errors import InvalidParameters
from publishing import publications, publishers
from publishing.models import Publication
from publishing.publications import State
from publishing.publishers import Outgoing, PublishLater, PublishRefused, PublishUnknown, Remote
from publishing.tests.factories import make_publication, make_publisher
from tests.real_servers import ghost as real
from tests.real_servers.cutting_proxy import CUTS

pytestmark = [pytest.mark.real_servers, pytest.mark.timeout(900)]

#: The server did not get it.
LOST = "dropped"
KIND = publishers.get_kind("ghost")


@pytest.fixture(scope="module")
def server():
    """One for all tests of this module."""
    running = real.running()
    try:
        ghost = running.__enter__()
    except real.NotHere as error:
        if os.environ.get("REQUIRE_REAL_SERVERS") == "1":
            pytest.fail(str(error))
        pytest.skip(f"There is no real Ghost: {error}")
    yield ghost
    running.__exit__(None, None, None)


@pytest.fixture
def ghost(server, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [server.proxy.host]
    settings.PUBLISHING_SETTLING_SECONDS = settings.PUBLISHING_RETRY_SECONDS = 0
    server.proxy.cut_next()
    return server


@pytest.fixture
def site(ghost):
    return KIND.read({"url": ghost.url, "key": ghost.key})


def a_post(**fields):
    return Outgoing(
        **{
            "marker": uuid4(),
            "title": "The ferry",
            "slug": f"the-ferry-{uuid4().hex[:6]}",
            "body_html": "<p>It sails.</p>",
            "published_at": datetime(2026, 5, 4, 9, 30, tzinfo=UTC),
            **fields,
        }
    )


def rows_of(ghost, post):
    return ghost.posts(f"tag:hash-almanac-{post.marker.hex}")


def page(url):
    return httpx.get(url, follow_redirects=True, timeout=30)


def visible(html):
    """What readers see of a page."""
    return re.sub(r"<(script|style|head).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)


def test_the_test_finds_the_site(ghost, site, capsys):
    told = KIND.test(site)
    with capsys.disabled():
        print(f"\n{ghost.versions}: {told}")  # noqa: T201 - for whoever reads the log
    assert re.fullmatch(r"“A real blog” is a site of Ghost \d+\.\d+, and the key may read its posts\.", told)


def test_a_post_arrives_with_all_that_belongs_to_it_and_readers_see_it(ghost, site):
    post = a_post(
        excerpt="A short word.",
        tags=("Boats", "Sea"),
        meta_title="Ferry times",
        meta_description="When the ferry sails.",
        canonical_url="https://example.org/ferry",
        body_html="<h2>Where</h2><p>From <strong>A</strong> to <a href='https://b.example/'>B</a></p><ul><li>daily</li></ul>",
    )
    remote = KIND.send(post, site)
    (row,) = rows_of(ghost, post)
    assert remote == Remote(id=row["id"], url=f"{ghost.url}/{post.slug}/", status=201)
    assert (row["status"], row["title"], row["email"]) == ("published", "The ferry", None)
    assert [(tag["name"], tag["visibility"]) for tag in row["tags"]] == [
        *(("Boats", "public"), ("Sea", "public")),
        (f"#almanac-{post.marker.hex}", "internal"),
    ]
    assert datetime.fromisoformat(row["published_at"]) == post.published_at
    assert (row["custom_excerpt"], row["canonical_url"]) == ("A short word.", "https://example.org/ferry")
    assert (row["meta_title"], row["meta_description"]) == ("Ferry times", "When the ferry sails.")
    assert row["html"] == (
        '<h2 id="where">Where</h2><p>From <strong>A</strong> to <a href="https://b.example/">B</a></p>'
        "<ul><li>daily</li></ul>"
    )
    seen = page(remote.url)
    assert seen.status_code == 200
    assert "From A to B" in " ".join(visible(seen.text).split())
    assert post.marker.hex not in visible(seen.text)


def test_the_same_slug_twice_makes_two_posts_and_neither_is_taken_for_the_other(ghost, site):
    theirs = a_post(title="Theirs")
    ours = replace(theirs, marker=uuid4(), title="Ours")
    KIND.send(theirs, site)
    assert KIND.find(ours, site) is None
    remote = KIND.send(ours, site)
    assert remote.url == f"{ghost.url}/{ours.slug}-2/"
    for post in (theirs, ours):
        found = KIND.find(post, site)
        assert found is not None
        assert found.id == rows_of(ghost, post)[0]["id"]


@pytest.mark.parametrize("cut", CUTS)
def test_after_a_connection_that_broke_looking_tells_the_truth(ghost, site, cut):
    post = a_post()
    ghost.proxy.cut_next(cut)
    with pytest.raises(PublishUnknown):
        KIND.send(post, site)
    if cut == "deserted":  # Ghost is still at it
        until = time.monotonic() + 30
        while not rows_of(ghost, post) and time.monotonic() < until:
            time.sleep(0.1)
    found = KIND.find(post, site)
    assert (found is not None) == (cut != LOST)
    assert len(rows_of(ghost, post)) == (cut != LOST)
    assert found is None or page(found.url).status_code == 200


@pytest.mark.django_db
def test_under_random_cuts_every_post_is_there_once(ghost, capsys):
    chance = random.Random(4)
    met: list[str] = []

    def meet(line):
        met.append(chance.choice(CUTS) if chance.random() < 0.4 else "")
        return met[-1] if line.startswith("POST ") or met[-1] != "deserted" else ""

    publisher = make_publisher("ghost", settings={"url": ghost.url}, secrets={"key": ghost.key})
    rows = [make_publication(publisher) for _ in range(12)]
    ghost.proxy.meet = meet
    for row in rows:
        for _ in range(40):
            if publications.carry_out(row.pk) is None:
                break
            time.sleep(0.3)  # what is deserted takes a moment
    ghost.proxy.cut_next()
    for row in rows:
        row.refresh_from_db()
        assert row.state == State.PUBLISHED, row.reason
        assert len(rows_of(ghost, publications.outgoing(row))) == 1
    cuts = sum(map(bool, met))
    with capsys.disabled():
        print(f"\n{len(rows)} posts are there once after {cuts} cuts in {len(met)} requests.")  # noqa: T201 - for whoever reads the log
    assert cuts > 10
    assert Publication.objects.filter(attempts__outcome="found").exists()


def test_a_post_is_changed_and_keeps_its_address(ghost, site):
    post = a_post(tags=("Old",), excerpt="Old")
    remote = KIND.send(post, site)
    changed = replace(
        post, title="Later ferry", slug="elsewhere", tags=("New",), excerpt="", body_html="<p>At ten.</p>"
    )
    for _ in range(2):
        assert KIND.update(changed, remote, site) == Remote(id=remote.id, url=remote.url, status=200)
    (row,) = rows_of(ghost, post)
    assert (row["title"], row["html"], row["custom_excerpt"]) == ("Later ferry", "<p>At ten.</p>", None)
    assert [tag["name"] for tag in row["tags"]] == ["New", f"#almanac-{post.marker.hex}"]
    assert "At ten." in page(remote.url).text


def test_a_change_whose_answer_is_lost_is_repeated(ghost, site):
    post = a_post()
    remote = KIND.send(post, site)
    changed = replace(post, title="Later ferry")
    ghost.proxy.cut_next("cut", method="PUT")
    with pytest.raises(PublishUnknown):
        KIND.update(changed, remote, site)
    KIND.update(changed, remote, site)
    assert [row["title"] for row in rows_of(ghost, post)] == ["Later ferry"]


def test_a_change_that_meets_somebody_elses_is_made_later(ghost, site):
    post = a_post()
    remote = KIND.send(post, site)

    def somebody_is_quicker(line):
        if line.startswith("PUT "):
            time.sleep(1.1)  # Ghost keeps seconds
            (row,) = rows_of(ghost, post)
            content = {"posts": [{"title": "Theirs", "updated_at": row["updated_at"]}]}
            ghost.call("PUT", f"posts/{row['id']}/", json=content)
        return ""

    ghost.proxy.meet = somebody_is_quicker
    with pytest.raises(PublishLater, match="Someone else is editing this post"):
        KIND.update(replace(post, title="Ours"), remote, site)
    ghost.proxy.cut_next()
    KIND.update(replace(post, title="Ours"), remote, site)
    assert rows_of(ghost, post)[0]["title"] == "Ours"


def test_tags_are_written_as_the_site_writes_them(ghost, site):
    KIND.send(a_post(tags=("Ice Cream", "C++")), site)
    post = a_post(tags=("ice cream", "c++", "#hidden", "日本"))
    KIND.send(post, site)
    names = [tag["name"] for tag in rows_of(ghost, post)[0]["tags"]]
    assert names[0] == "Ice Cream"
    assert names[2:] == ["hidden", "日本", f"#almanac-{post.marker.hex}"]
    assert "ice cream" not in ghost.tags()


def test_html_that_the_editor_does_not_know_is_lost_unless_it_is_kept_as_it_is(ghost, site):
    html = "<dl><dt>Port</dt><dd>Harbour</dd></dl>"
    edited, kept = a_post(body_html=html), a_post(body_html=html)
    KIND.send(edited, site)
    KIND.send(kept, site.model_copy(update={"keep_html": True}))
    assert "<dl>" not in rows_of(ghost, edited)[0]["html"]
    assert html in rows_of(ghost, kept)[0]["html"]


def test_a_draft_is_found_and_readers_do_not_see_it(ghost, site):
    post = a_post()
    remote = KIND.send(post, site.model_copy(update={"status": "draft"}))
    (row,) = rows_of(ghost, post)
    assert (row["status"], row["published_at"]) == ("draft", None)
    found = KIND.find(post, site)
    assert found is not None
    assert (found.id, found.url) == (remote.id, f"{ghost.url}/p/{row['uuid']}/")
    assert remote.url == found.url
    assert page(f"{ghost.url}/{post.slug}/").status_code == 404


def test_what_was_taken_back_is_gone_with_its_tag_and_may_be_taken_back_again(ghost, site):
    post = a_post()
    remote = KIND.send(post, site)
    KIND.update(post, Remote(), site)  # whose id is not known
    ghost.proxy.cut_next("cut", method="DELETE")
    with pytest.raises(PublishUnknown):
        KIND.withdraw(post, remote, site)
    for _ in range(2):
        KIND.withdraw(post, remote, site)
    assert rows_of(ghost, post) == []
    assert f"#almanac-{post.marker.hex}" not in ghost.tags()
    assert page(remote.url).status_code == 404
    assert KIND.find(post, site) is None
    with pytest.raises(PublishRefused, match="not in Ghost any more"):
        KIND.update(post, remote, site)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda key: f"{'0' * 24}:{key[25:]}", "Unknown Admin API Key. Copy the Admin API key of a custom"),
        (lambda key: f"{key[:25]}{'0' * 64}", "invalid signature. The part of the key after the colon"),
    ],
)
def test_a_wrong_key_is_refused_with_what_to_do(ghost, wrong, words):
    site = KIND.read({"url": ghost.url, "key": wrong(ghost.key)})
    post = a_post()
    for attempt in (lambda: KIND.test(site), lambda: KIND.send(post, site)):
        with pytest.raises(PublishRefused, match=words) as told:
            attempt()
        assert told.value.status == 401
    assert rows_of(ghost, post) == []


def test_a_wrong_clock_is_told(ghost, site, monkeypatch):
    now = time.time()
    monkeypatch.setattr("publishing.publishers.ghost.time.time", lambda: now - 900)
    with pytest.raises(
        PublishRefused, match=r"jwt expired\. Our clock or Ghost's is wrong: they are \d+ seconds apart"
    ):
        KIND.test(site)


def test_the_content_key_is_not_taken(ghost):
    with pytest.raises(InvalidParameters, match="Content API key"):
        KIND.clean({"url": ghost.url, "key": ghost.content_key})


def test_what_ghost_does_not_take_is_refused_in_its_words(ghost, site):
    with pytest.raises(PublishRefused, match=r"status 422: .*posts\.title. exceeds maximum length of 255"):
        KIND.send(a_post(title="t" * 256), site)


def test_an_address_below_another_is_no_ghost(ghost):
    site = KIND.read({"url": f"{ghost.url}/sub", "key": ghost.key})
    with pytest.raises(PublishRefused, match="/sub does not answer as Ghost does"):
        KIND.test(site)
    with pytest.raises(PublishLater, match="/sub does not answer as Ghost does"):
        KIND.find(a_post(), site)


def test_nothing_of_ours_is_left_in_what_readers_can_list(ghost, site):
    """The internal tag is neither in the feed nor a page."""
    post = a_post(tags=("Boats",))
    KIND.send(post, site)
    feed = page(f"{ghost.url}/rss/")
    assert post.slug in feed.text
    assert post.marker.hex not in feed.text
    assert page(f"{ghost.url}/tag/hash-almanac-{post.marker.hex}/").status_code == 404
