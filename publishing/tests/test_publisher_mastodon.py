"""Mastodon: what a status says, and how it is found again when the instance has forgotten our key."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from jobs.errors import InvalidParameters
from publishing import publishers
from publishing.publishers import Outgoing, PublishLater, PublishRefused, Remote
from publishing.tests.mastodon_server import TOKEN, MastodonServer

KIND = publishers.get_kind("mastodon")
LINK = "https://blog.example/a-rather-long-address-of-a-post?with=a&query=too"


@pytest.fixture
def server(settings):
    with MastodonServer().running() as running:
        settings.OUTBOUND_ALLOWED_HOSTS = [running.host]
        yield running


@pytest.fixture
def account(server):
    return KIND.read({**server.settings(), **server.secrets()})


def post_of(**fields):
    return Outgoing(
        **{
            "marker": uuid4(),
            "title": "How it began",
            "slug": "how-it-began",
            "body_html": "<p>In the beginning.</p><p>Then more.</p>",
            "excerpt": "It began like this.",
            "canonical_url": LINK,
            "published_at": datetime.now(UTC),
            **fields,
        }
    )


def test_a_status_has_title_excerpt_link_and_hashtags(server, account):
    post = post_of(tags=("open source", "AI", "2026", "r&d", "ai"), language="de-AT")
    remote = KIND.send(post, account)
    assert server.text_of(str(post.marker)) == (
        f"How it began\n\nIt began like this.\n\n{LINK}\n\n#OpenSource #AI #rd"
    )
    status = server.statuses[0]
    assert (status["language"], status["visibility"]) == ("de", "public")
    assert (remote.id, remote.url, remote.status) == (status["id"], status["url"], 200)


def test_a_post_without_an_address_has_no_link_and_one_without_an_excerpt_begins_with_its_text(
    server, account
):
    without_link = post_of(canonical_url="")
    KIND.send(without_link, account)
    assert server.text_of(str(without_link.marker)) == "How it began\n\nIt began like this."
    bare = post_of(canonical_url="", excerpt="")
    KIND.send(bare, account)
    assert server.text_of(str(bare.marker)) == "How it began\n\nIn the beginning. Then more."
    linked = post_of(excerpt="")
    KIND.send(linked, account)
    assert server.text_of(str(linked.marker)) == f"How it began\n\n{LINK}"


@pytest.mark.parametrize("room", [60, 150, 500])
@pytest.mark.parametrize("title", ["Short", "long " * 59 + "title", "x" * 300])
@pytest.mark.parametrize("excerpt", ["", "word " * 300, "see http://a.example " * 50])
def test_what_is_too_long_is_cut_and_the_link_stays_whole(server, account, room, title, excerpt):
    server.most_characters = room
    post = post_of(title=title, excerpt=excerpt, tags=("one", "two", "three"))
    KIND.send(post, account)  # the server refuses what is longer
    assert LINK in server.text_of(str(post.marker)).split("\n\n")
    assert KIND.find(post, account) is not None


def test_nobody_is_mentioned_by_a_text(server, account):
    post = post_of(excerpt="Says @someone@elsewhere.example to @you.")
    KIND.send(post, account)
    assert "@someone" not in server.text_of(str(post.marker))
    assert KIND.find(post, account) is not None


def test_the_same_key_within_the_hour_publishes_once(server, account):
    post = post_of()
    assert KIND.send(post, account) == KIND.send(post, account)
    assert server.count(str(post.marker)) == 1


@pytest.mark.parametrize("link", [LINK, ""])
def test_after_the_hour_it_is_found_among_many(server, account, link):
    post = post_of(canonical_url=link)
    KIND.send(post, account)
    for number in range(95):
        KIND.send(post_of(title=f"Another {number}"), account)
    server.keys.clear()
    found = KIND.find(post, account)
    assert found is not None
    assert found.id == server.statuses[0]["id"]
    assert KIND.find(post_of(title="Never sent"), account) is None


def test_a_status_that_the_instance_has_changed_is_known_by_title_and_link(server, account):
    post = post_of()
    KIND.send(post, account)
    server.statuses[0]["content"] = server.statuses[0]["content"].replace("like this", "like that")
    assert KIND.find(post, account) is not None


def test_a_status_of_somebody_else_s_hand_or_of_another_time_is_not_taken_for_ours(server, account):
    by_hand = post_of(title="Look at my blog", excerpt="")
    KIND.send(by_hand, account)
    KIND.send(post_of(title="How it ended"), account)
    assert KIND.find(post_of(), account) is None


def test_where_too_much_was_said_since_nobody_can_tell(server, account):
    for number in range(401):
        server.statuses.append(server._status(str(number + 1), {"status": f"Status {number}"}))
    with pytest.raises(PublishRefused, match="more than 400 statuses"):
        KIND.find(post_of(), account)
    for status in server.statuses[:300]:
        status["created_at"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert KIND.find(post_of(), account) is None


def test_a_change_keeps_the_address_and_a_status_that_is_gone_is_refused(server, account):
    post = post_of()
    remote = KIND.send(post, account)
    changed = KIND.update(post_of(marker=post.marker, title="Anew"), remote, account)
    assert (changed.id, changed.url) == (remote.id, remote.url)
    by_url = Remote(url=remote.url)  # as a person has confirmed it
    KIND.withdraw(post, by_url, account)
    assert server.statuses == []
    with pytest.raises(PublishRefused, match="404"):
        KIND.update(post, remote, account)
    with pytest.raises(PublishRefused, match="not known which"):
        KIND.update(post, Remote(), account)


def test_the_moment_of_the_rate_limit_is_waited_for(server, account):
    server.fault, server.retry_after = lambda marker: "busy", 90
    with pytest.raises(PublishLater) as caught:
        KIND.send(post_of(), account)
    assert caught.value.retry_after is not None
    assert 85 < caught.value.retry_after <= 91


def test_a_text_that_is_refused_says_why(server, account):
    server.most_characters = 10
    with pytest.raises(PublishRefused, match="Text character limit of 10 exceeded"):
        KIND.send(post_of(), account)


def test_an_instance_that_does_not_say_its_limits_is_sent_what_all_take(server, account):
    server.fault_of_reading = lambda request: "" if "instance" not in request.path else "wrong_json"
    with pytest.raises(PublishLater, match="how long a status may be"):
        KIND.send(post_of(), account)
    assert server.statuses == []


def test_the_test_names_the_account(server, account):
    assert KIND.test(account) == "The account is @news; statuses have up to 500 characters."
    server.fault_of_reading = lambda request: "wrong_json"
    with pytest.raises(PublishRefused, match="is it a Mastodon"):
        KIND.test(account)


def test_settings_are_checked():
    with pytest.raises(InvalidParameters, match="instance"):
        KIND.clean({"instance": "mastodon.social", "token": TOKEN})
    with pytest.raises(InvalidParameters, match="visibility"):
        KIND.clean({"instance": "https://mastodon.social", "token": TOKEN, "visibility": "direct"})
