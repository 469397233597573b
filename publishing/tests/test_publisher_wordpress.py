"""WordPress at the wire: one post for each publication, whatever becomes of the answer, and errors that say what to do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from jobs.outbound import Limits
from publishing import publishers
from publishing.publishers import (
    Outgoing,
    PublishLater,
    PublishRefused,
    PublishUnknown,
    Remote,
    exchange,
)
from publishing.tests.wordpress_server import AUTHOR, PASSWORD, WordPressServer

KIND = publishers.get_kind("wordpress")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A slow answer is one of more than a fifth of a second."""
    monkeypatch.setattr(exchange, "LIMITS", Limits(connect_seconds=2, read_seconds=0.2, total_seconds=2))


@pytest.fixture
def site(settings):
    server = WordPressServer()
    with server.running():
        settings.OUTBOUND_ALLOWED_HOSTS = [server.host]
        server.slow_seconds = 0.4
        yield server


def post(**fields):
    return Outgoing(
        **{
            "marker": uuid4(),
            "title": "A title",
            "slug": "a-title",
            "body_html": "<p>Text</p>",
            "published_at": datetime.now(UTC) - timedelta(minutes=1),
            **fields,
        }
    )


def settings_of(site, **fields):
    return KIND.read({**site.settings(), **site.secrets(), **fields})


def meets(site, fault):
    """The next request about a post meets it; then all is well."""
    left = [fault]
    site.fault = lambda marker: left.pop() if left else ""


def made(site):
    """Requests that make a post."""
    return [
        request for request in site.requests if request.method == "POST" and request.path.endswith("/posts")
    ]


def test_a_post_arrives_as_it_was_written(site):
    out = post(title="Fish & Chips", excerpt="A <b", tags=("News", "R&D"))
    sent_at = datetime.now(UTC)
    remote = KIND.send(out, settings_of(site, default_category="Papers"))
    (there,) = site.posts.values()
    assert remote == Remote(id=str(there["id"]), url=f"{site.address}/a-title/", status=201)
    assert there["content"]["raw"] == (
        f"<!-- wp:html -->\n<p>Text</p>\n<!-- almanac:{out.marker} -->\n<!-- /wp:html -->"
    )
    assert (there["title"], there["excerpt"], there["status"]) == ("Fish &amp; Chips", "A &lt;b", "publish")
    assert [site.terms["tags"][number] for number in there["tags"]] == ["News", "R&amp;D"]
    assert [site.terms["categories"][number] for number in there["categories"]] == ["Papers"]
    assert datetime.fromisoformat(there["date_gmt"]).replace(tzinfo=UTC) < sent_at
    assert site.count(str(out.marker)) == 1


def test_nothing_in_a_text_is_a_shortcode(site):
    KIND.send(post(body_html='<p>[gallery] <a href="http://x.example/?a[]=1">x</a></p>'), settings_of(site))
    assert (
        '<p>&#91;gallery] <a href="http://x.example/?a&#91;]=1">x</a></p>' in made(site)[0].json()["content"]
    )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("dropped", PublishUnknown),
        ("cut", PublishUnknown),
        ("half", PublishUnknown),
        ("slow", PublishUnknown),
        ("broken", PublishUnknown),
        ("broken_but_kept", PublishUnknown),
        ("proxy_gave_up", PublishUnknown),
        ("wrong_json", PublishUnknown),
        ("busy", PublishLater),
        ("forbidden", PublishRefused),
    ],
)
def test_what_became_of_a_post_is_told_truly_and_found_truly(site, fault, error):
    meets(site, fault)
    out, how = post(), settings_of(site)
    with pytest.raises(error):
        KIND.send(out, how)
    found = KIND.find(out, how)
    assert (found is not None) == (site.count(str(out.marker)) == 1)
    assert len(made(site)) == 1


@pytest.mark.parametrize("fault", ["cut", "half", "slow", "broken_but_kept", "proxy_gave_up", "wrong_json"])
def test_a_post_that_is_there_is_adopted_and_not_sent_again(site, fault):
    meets(site, fault)
    out, how = post(), settings_of(site)
    with pytest.raises(PublishUnknown):
        KIND.send(out, how)
    assert KIND.send(out, how) == KIND.find(out, how)
    assert (len(made(site)), site.count(str(out.marker))) == (1, 1)


def test_a_busy_site_names_its_time(site):
    site.retry_after = 90
    meets(site, "busy")
    with pytest.raises(PublishLater) as told:
        KIND.send(post(), settings_of(site))
    assert (told.value.status, told.value.retry_after) == (429, 90)


def test_an_earlier_post_with_the_same_slug_is_not_ours(site):
    theirs = site.add("a-title")
    out, how = post(), settings_of(site)
    assert KIND.find(out, how) is None
    remote = KIND.send(out, how)
    assert (remote.id, remote.url) != (str(theirs), site.posts[theirs]["link"])
    found = KIND.find(out, how)
    assert found is not None
    assert (found.id, found.url) == (remote.id, f"{site.address}/a-title-2/")


def test_two_posts_with_one_slug_are_told_apart(site):
    first, second, how = post(), post(), settings_of(site)
    ids = [KIND.send(each, how).id for each in (first, second)]
    found = [KIND.find(each, how) for each in (first, second)]
    assert [each.id for each in found if each] == ids
    assert len(set(ids)) == 2


@pytest.mark.parametrize("search_finds", [True, False])
@pytest.mark.parametrize("status", ["publish", "draft", "pending", "private"])
def test_a_post_is_found_whatever_its_status_and_however_the_site_searches(site, status, search_finds):
    site.search_finds = search_finds
    site.add("a-title")
    out, how = post(), settings_of(site, default_status=status)
    remote = KIND.send(out, how)
    found = KIND.find(out, how)
    assert found is not None
    assert found.id == remote.id
    assert site.posts[int(remote.id)]["status"] == status
    assert ("date_gmt" in made(site)[0].json()) == (status in {"publish", "private"})


def test_a_post_of_somebody_who_may_not_give_slugs_is_found_though_the_search_finds_nothing(site):
    site.may, site.search_finds = frozenset({"edit_posts"}), False
    for _ in range(12):
        site.add("earlier", status="draft")
    out, how = post(), settings_of(site, default_status="pending")
    remote = KIND.send(out, how)
    assert site.posts[int(remote.id)]["slug"] == ""
    found = KIND.find(out, how)
    assert found is not None
    assert found.id == remote.id


def test_a_post_whose_slug_somebody_changed_is_found_by_its_mark(site):
    out, how = post(), settings_of(site)
    remote = KIND.send(out, how)
    site.posts[int(remote.id)]["slug"] = "quite-another"
    found = KIND.find(out, how)
    assert found is not None
    assert found.id == remote.id


def test_a_post_in_the_trash_is_neither_there_nor_gone(site):
    out, how = post(), settings_of(site)
    KIND.withdraw(out, KIND.send(out, how), how)
    with pytest.raises(PublishRefused, match="in the trash there, as post 11"):
        KIND.find(out, how)
    again = KIND.send(out, how)  # somebody wants it again
    found = KIND.find(out, how)
    assert found is not None
    assert found.id == again.id
    assert site.count(str(out.marker)) == 1


def test_a_complaint_about_a_field_does_not_hide_that_the_post_is_there(site):
    site.refuses_meta = True
    out, how = post(meta_title="Title"), settings_of(site, seo_plugin="yoast")
    remote = KIND.send(out, how)
    assert (remote.id, remote.status) == ("11", 403)
    assert len(made(site)) == 1


def test_when_nobody_can_look_after_a_complaint_nobody_knows(site):
    site.refuses_meta = True
    site.fault_of_reading = lambda request: "broken" if made(site) else ""
    with pytest.raises(PublishUnknown):
        KIND.send(post(meta_title="Title"), settings_of(site, seo_plugin="rankmath"))


@pytest.mark.parametrize("search_finds", [True, False])
def test_tags_are_made_once_and_used_again(site, search_finds):
    site.search_finds = search_finds
    site.terms["tags"] = {5: "news", 7: "R&amp;D"}
    out = post(tags=("News", "R&D", "New", "new"))
    KIND.send(out, settings_of(site))
    assert made(site)[0].json()["tags"] == [5, 7, 8]
    assert site.terms["tags"] == {5: "news", 7: "R&amp;D", 8: "New"}


def test_an_author_uses_a_category_that_is_there_whatever_signs_its_name_has(site):
    site.terms["categories"][9], site.may = "C&amp;A", AUTHOR
    KIND.send(post(), settings_of(site, default_category="c&a"))
    assert made(site)[0].json()["categories"] == [9]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("cut", PublishLater),
        ("broken", PublishLater),
        ("wrong_json", PublishLater),
        ("busy", PublishLater),
        ("forbidden", PublishRefused),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_trouble_with_a_tag_publishes_nothing(site, method, fault, error):
    site.fault_of_reading = lambda asked: (
        fault if asked.method == method and asked.path.endswith("/tags") else ""
    )
    out, how = post(tags=("news",)), settings_of(site)
    with pytest.raises(error):
        KIND.send(out, how)
    assert KIND.find(out, how) is None
    assert made(site) == []


def test_a_site_whose_clock_is_behind_gets_no_date_in_its_future(site):
    KIND.send(post(published_at=datetime.now(UTC) + timedelta(hours=1)), settings_of(site))
    assert datetime.fromisoformat(made(site)[0].json()["date_gmt"]) <= datetime.now(UTC).replace(tzinfo=None)


def test_a_post_is_changed_and_keeps_its_mark_slug_and_status(site):
    out, how = post(), settings_of(site, default_status="draft")
    remote = KIND.send(out, how)
    site.posts[11]["status"] = "publish"  # by an editor there
    changed = replace(out, title="Another", slug="another", tags=("x",))
    assert KIND.update(changed, remote, how).id == remote.id
    assert KIND.update(changed, remote, how).id == remote.id
    there = site.posts[11]
    assert (there["title"], there["slug"], there["status"]) == ("Another", "a-title", "publish")
    assert KIND.find(changed, how) is not None
    assert site.count(str(out.marker)) == 1


@pytest.mark.parametrize("fault", ["cut", "slow", "wrong_json", "broken_but_kept"])
def test_a_change_whose_answer_is_lost_can_be_made_again(site, fault):
    out, how = post(), settings_of(site)
    remote = KIND.send(out, how)
    meets(site, fault)
    with pytest.raises(PublishUnknown):
        KIND.update(replace(out, title="Another"), remote, how)
    assert KIND.update(replace(out, title="Another"), remote, how).id == remote.id
    assert len(site.posts) == 1


def test_a_post_that_is_gone_or_was_rewritten_is_not_changed(site):
    out, how = post(), settings_of(site)
    remote = KIND.send(out, how)
    site.posts[11]["content"] = {"raw": "somebody's own words"}
    for change in (KIND.update, KIND.withdraw):
        with pytest.raises(PublishRefused, match="our mark is not in it"):
            change(out, remote, how)
    assert site.posts[11]["content"] == {"raw": "somebody's own words"}
    del site.posts[11]
    with pytest.raises(PublishRefused, match="gone there"):
        KIND.update(out, remote, how)


@pytest.mark.parametrize("has_trash", [True, False])
def test_a_post_is_taken_back_as_often_as_one_likes(site, has_trash):
    site.has_trash = has_trash
    out, how = post(), settings_of(site)
    remote = KIND.send(out, how)
    KIND.withdraw(out, remote, how)
    KIND.withdraw(out, remote, how)
    assert site.count(str(out.marker)) == 0
    assert bool(site.posts) == has_trash


def test_a_post_is_taken_back_without_its_number_and_when_somebody_was_faster(site):
    out, how = post(), settings_of(site)
    KIND.send(out, how)
    KIND.withdraw(out, Remote(), how)
    assert site.count(str(out.marker)) == 0
    KIND.withdraw(post(), Remote(), how)
    KIND.withdraw(post(), Remote(id="999"), how)


def test_a_site_without_pretty_addresses_is_spoken_to_all_the_same(site):
    site.has_pretty_addresses = False
    out, how = post(tags=("x",)), settings_of(site)
    assert KIND.send(out, how).id == "11"
    assert KIND.find(out, how) is not None
    assert "Signed in as Ann" in KIND.test(how)


def test_the_test_says_who_is_signed_in_and_what_arrives(site):
    assert KIND.test(settings_of(site)) == "Signed in as Ann (editor), who may publish posts."
    closed = KIND.test(settings_of(site, seo_plugin="yoast"))
    assert "does not open _yoast_wpseo_title and _yoast_wpseo_metadesc" in closed
    site.open_meta = {"rank_math_title", "rank_math_description"}
    assert "takes title and description" in KIND.test(settings_of(site, seo_plugin="rankmath"))
    assert not site.posts


@pytest.mark.parametrize(
    ("fields", "values", "message"),
    [
        ({"strips_authorization": True}, {}, "does not hand on the header Authorization"),
        ({}, {"password": "wrong"}, "user or application password are wrong"),
        ({"takes_passwords": False}, {}, "over https only"),
        ({"is_switched_off": True}, {}, "REST API of posts is switched off"),
        ({"may": frozenset()}, {}, "may not edit posts"),
        ({"may": frozenset({"edit_posts"})}, {}, "may not publish there"),
        ({"may": AUTHOR}, {"author_id": 4}, "Only an editor may write for another author"),
    ],
)
def test_what_is_wrong_is_said_by_test_and_by_send(site, fields, values, message):
    for name, value in fields.items():
        setattr(site, name, value)
    for act in (KIND.test, lambda how: KIND.send(post(), how)):
        with pytest.raises(PublishRefused, match=message) as told:
            act(settings_of(site, **values))
        assert PASSWORD not in str(told.value)
    assert site.posts == {}


def test_a_site_that_has_moved_gets_no_credentials_at_its_new_address_and_that_is_named(site, settings):
    other = WordPressServer()
    with other.running():
        settings.OUTBOUND_ALLOWED_HOSTS = [site.host, other.host]
        site.moved_to = other.address
        with pytest.raises(PublishRefused, match=f"leads to {other.address}: use that one"):
            KIND.send(post(), settings_of(site))
    assert other.requests
    assert all("authorization" not in request.headers for request in other.requests)


def test_an_author_may_not_make_a_category(site):
    site.may = AUTHOR
    with pytest.raises(PublishRefused, match="an editor categories"):
        KIND.send(post(), settings_of(site, default_category="New"))
    assert KIND.send(post(), settings_of(site, default_category="uncategorized")).id == "11"


def test_what_is_no_wordpress_is_told_from_one_that_is_down(site):
    elsewhere = settings_of(site, site_url=f"{site.address}/shop")
    with pytest.raises(PublishRefused, match="no REST API of WordPress"):
        KIND.send(post(), elsewhere)
    site.fault_of_reading = lambda request: "wrong_json"
    with pytest.raises(PublishLater, match="no REST API of WordPress"):
        KIND.find(post(), settings_of(site))
    site.fault_of_reading = lambda request: "broken"
    with pytest.raises(PublishLater, match="status 500"):
        KIND.find(post(), settings_of(site))
