"""DEV: what an article says, and how ours are told from those that others wrote."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from publishing import publishers
from publishing.publishers import Outgoing, PublishRefused, Remote
from publishing.publishers.devto import _MOST_PAGES, _PAGE
from publishing.tests.forem_server import ForemServer

KIND = publishers.get_kind("devto")


@pytest.fixture
def server(settings):
    with ForemServer().running() as running:
        settings.OUTBOUND_ALLOWED_HOSTS = [running.host]
        yield running


@pytest.fixture
def account(server):
    return KIND.read({**server.settings(), **server.secrets()})


def account_of(server, **fields):
    return KIND.read({**server.settings(), **server.secrets(), **fields})


def post_of(**fields):
    return Outgoing(
        **{
            "marker": uuid4(),
            "title": "How it began",
            "slug": "how-it-began",
            "body_html": "<hr><p>In the <em>beginning</em>.</p>",
            "excerpt": "It began like this.",
            "published_at": datetime.now(UTC),
            **fields,
        }
    )


def by_hand(server, number, **fields):
    """An article that its author wrote there."""
    article = {"id": number, "title": f"Article {number}", "body_markdown": "By hand", "canonical_url": ""}
    server.articles.append(article | {"published": True, "published_at": "2020-01-01T00:00:00Z", **fields})


def test_an_article_has_its_text_in_markdown_behind_a_line_that_nobody_sees(server, account):
    post = post_of(
        tags=("Open Source", "café", "C#", "日本", "five", "six"), canonical_url="https://blog.example/a"
    )
    remote = KIND.send(post, account)
    (article,) = server.articles
    assert article["body_markdown"] == f"[almanac]: # ({post.marker})\n\n---\n\nIn the *beginning*.\n"
    assert article["tags"] == ["opensource", "cafe", "c", "five"]
    assert article["canonical_url"] == "https://blog.example/a"
    assert article["description"] == "It began like this."
    assert article["published"] is True
    assert "ai_disclosure_level" not in article
    assert (remote.id, remote.url, remote.status) == (str(article["id"]), article["url"], 201)


def test_what_a_model_wrote_is_said_where_it_is_set(server):
    KIND.send(post_of(), account_of(server, ai_disclosure="some_ai"))
    assert server.articles[0]["ai_disclosure_level"] == "some_ai"


def test_a_long_title_is_cut_to_what_dev_takes(server, account):
    KIND.send(post_of(title="word " * 60), account)
    assert len(server.articles[0]["title"]) <= 128


def test_what_was_to_be_published_and_is_kept_as_a_draft_is_told_and_published_by_sending_again(
    server, account
):
    post = post_of()
    server.keeps_drafts = True
    with pytest.raises(PublishRefused, match="keeps it as a draft: http"):
        KIND.send(post, account)
    assert KIND.find(post, account) is None
    server.keeps_drafts = False
    KIND.send(post, account)
    assert len(server.articles) == 1
    assert server.count(str(post.marker)) == 1
    assert KIND.find(post, account) is not None


def test_a_draft_is_what_was_asked_for_where_it_is_set(server):
    draft_only = account_of(server, published=False)
    post = post_of()
    remote = KIND.send(post, draft_only)
    assert server.articles[0]["published"] is False
    assert KIND.find(post, draft_only) is not None
    assert KIND.send(post, draft_only).id == remote.id
    assert len(server.articles) == 1


def test_sending_what_is_there_publishes_nothing_more(server, account):
    post = post_of()
    assert KIND.send(post, account).id == KIND.send(post, account).id
    assert len(server.articles) == 1


def test_an_answer_to_the_reading_back_that_is_lost_changes_nothing(server, account):
    reads = iter(["", "broken"])
    server.fault_of_reading = lambda request: next(reads)
    post = post_of()
    assert KIND.send(post, account).status == 201
    assert server.count(str(post.marker)) == 1


def test_an_article_with_the_same_canonical_address_that_is_not_ours_stays_as_it_is(server, account):
    by_hand(server, 7, canonical_url="https://blog.example/a")
    post = post_of(canonical_url="https://blog.example/a")
    assert KIND.find(post, account) is None
    with pytest.raises(PublishRefused, match="Canonical url has already been taken"):
        KIND.send(post, account)
    assert server.articles[0]["body_markdown"] == "By hand"


def test_it_is_found_behind_many_drafts_and_where_there_are_too_many_nobody_can_tell(server, account):
    post = post_of()
    KIND.send(post, account)
    for number in range(100):
        by_hand(server, number, published=False, published_at=None)
    assert KIND.find(post, account) is not None
    for number in range(_PAGE * _MOST_PAGES):
        by_hand(server, 1000 + number, published=False, published_at=None)
    with pytest.raises(PublishRefused, match="more than 600 drafts"):
        KIND.find(post, account)


def test_older_articles_are_not_read(server, account):
    for number in range(200):
        by_hand(server, number)
    assert KIND.find(post_of(), account) is None
    assert len([each for each in server.requests if each.path.endswith("/me/all")]) == 1


def test_taken_back_it_is_a_draft_and_sending_it_again_publishes_that(server, account):
    post = post_of()
    remote = KIND.send(post, account)
    KIND.withdraw(post, remote, account)
    assert server.articles[0]["published"] is False
    KIND.withdraw(post, Remote(id="99"), account)  # nothing there is fine
    assert KIND.send(post, account).id == remote.id
    assert server.count(str(post.marker)) == 1


def test_a_change_of_what_is_gone_or_not_known_is_refused(server, account):
    with pytest.raises(PublishRefused, match="404"):
        KIND.update(post_of(), Remote(id="99"), account)
    with pytest.raises(PublishRefused, match="not known which"):
        KIND.update(post_of(), Remote(url="https://dev.to/news/a"), account)


def test_the_test_names_the_account(server, account):
    assert KIND.test(account) == f"The account is @news at {server.address}."
    server.fault_of_reading = lambda request: "wrong_json"
    with pytest.raises(PublishRefused, match="is it a Forem"):
        KIND.test(account)
