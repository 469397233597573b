"""Publishing to a real WordPress, by the same code as in production: what the stand-in claims is true of it."""

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import uuid4

import httpx
import pytest

from publishing import publishers
from publishing.publications import State, carry_out
from publishing.publishers import Outgoing, PublishRefused, Remote
from publishing.tests.factories import make_publication, make_publisher
from tests.real_servers.cutting_proxy import UNSIGNED, CuttingProxy
from tests.real_servers.wordpress import NotHere, running

pytestmark = [pytest.mark.real_servers, pytest.mark.django_db]

KIND = publishers.get_kind("wordpress")


@pytest.fixture(scope="module")
def blog(request):
    """A running WordPress; its versions are printed."""
    with ExitStack() as stack:
        try:
            found = stack.enter_context(running())
        except NotHere as error:
            if os.environ.get("REQUIRE_REAL_SERVERS") == "1":
                pytest.fail(f"There is no real WordPress here: {error}")
            pytest.skip(f"There is no real WordPress here: {error}")
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            sys.stdout.write(f"\nReal server: {found.versions}\n")
        yield found


@pytest.fixture
def proxy(blog, settings):
    with CuttingProxy(blog.port).running() as between:
        settings.OUTBOUND_ALLOWED_HOSTS = [between.host]
        settings.PUBLISHING_SETTLING_SECONDS = settings.PUBLISHING_RETRY_SECONDS = 0
        yield between


@pytest.fixture
def site(blog, proxy):
    """Settings of the kind, for a user there."""

    def settings_of(user="author", **fields):
        access = {"site_url": f"http://{proxy.host}", "username": user, "password": blog.passwords[user]}
        return KIND.read({**access, **fields})

    return settings_of


def post(**fields):
    marker = uuid4()
    return Outgoing(
        **{
            "marker": marker,
            "title": "Fish & Chips <3",
            "slug": f"post-{marker}",
            "body_html": "<p>One\ntwo [gallery] &amp; three</p>\n<pre>a\n\nb</pre>",
            "excerpt": "A & B",
            "published_at": datetime.now(UTC) - timedelta(hours=1),
            **fields,
        }
    )


def known(blog, marker):
    """Status and slug of every post with the mark, as the database has them."""
    query = (
        "SELECT post_status, post_name FROM wp_posts "
        f"WHERE post_type = 'post' AND post_content LIKE '%almanac:{marker}%' ORDER BY ID"
    )
    return blog.run(f"global $wpdb; echo json_encode($wpdb->get_results({json.dumps(query)}, ARRAY_N));")


def seen(blog, remote):
    """What everybody gets to read."""
    answer = httpx.get(f"http://127.0.0.1:{blog.port}/wp-json/wp/v2/posts/{remote.id}")
    assert answer.status_code == 200
    return answer.json()


def met_by_first_post(proxy, fault):
    proxy.cut_next(fault, path="/posts")


def until_settled(publication, most=20):
    states: list[str] = []
    for _ in range(most):
        row = carry_out(publication.pk)
        publication.refresh_from_db()
        if not states or states[-1] != publication.state:
            states.append(publication.state)
        if row is None:
            break
    return states


@pytest.mark.parametrize("user", ["author", "editor"])
def test_a_post_reads_as_it_was_written(blog, site, user):
    out = post(tags=("Sea", "R&D"))
    remote = KIND.send(out, site(user))
    assert known(blog, out.marker) == [["publish", out.slug]]
    there = seen(blog, remote)
    text = f"\n<p>One\ntwo &#091;gallery] &amp; three</p>\n<pre>a\n\nb</pre>\n<!-- almanac:{out.marker} -->\n"
    assert there["content"]["rendered"].replace("&#91;", "&#091;") == text
    assert unescape(there["title"]["rendered"]) == out.title
    assert there["date_gmt"] == out.published_at.strftime("%Y-%m-%dT%H:%M:%S")
    assert len(there["tags"]) == 2
    assert remote.url.endswith(f"/{out.slug}/")


@pytest.fixture
def publication(site):
    how = site()
    values = {"site_url": how.site_url, "username": how.username}
    secrets = {"password": how.password.get_secret_value()}
    return make_publication(make_publisher("wordpress", secrets, settings=values))


@pytest.mark.parametrize("fault", ["cut", "half"])
def test_a_post_whose_answer_is_lost_is_found_and_not_sent_again(blog, proxy, publication, fault):
    met_by_first_post(proxy, fault)
    assert until_settled(publication) == [State.UNCONFIRMED, State.PUBLISHED]
    assert len(known(blog, publication.marker)) == 1
    assert [attempt.outcome for attempt in publication.attempts.all()] == ["unknown", "found"]
    assert publication.remote_url.startswith("http")


def test_a_post_that_never_arrived_is_sent_again(blog, proxy, publication):
    met_by_first_post(proxy, "dropped")
    assert until_settled(publication) == [State.UNCONFIRMED, State.WAITING, State.PUBLISHED]
    assert len(known(blog, publication.marker)) == 1


def test_posts_with_one_slug_are_told_apart_and_strangers_are_left_alone(blog, site):
    slug = f"same-{uuid4().hex}"
    theirs = blog.run(
        f"echo json_encode(wp_insert_post(['post_title' => 'x', 'post_name' => '{slug}', 'post_status' => 'publish']));"
    )
    outs = [post(slug=slug) for _ in range(3)]
    how = site("author")
    assert [KIND.find(out, how) for out in outs] == [None, None, None]
    remotes = [KIND.send(out, how) for out in outs]
    found = [KIND.find(out, how) for out in outs]
    assert [each.id for each in found if each] == [remote.id for remote in remotes]
    assert str(theirs) not in {remote.id for remote in remotes}
    assert [known(blog, out.marker)[0][1] for out in outs] == [f"{slug}-{number}" for number in (2, 3, 4)]


@pytest.mark.parametrize("flags", [(), ("no-search",)])
@pytest.mark.parametrize(
    ("user", "status"), [("editor", "private"), ("author", "draft"), ("contributor", "pending")]
)
def test_a_post_is_found_whatever_its_status_and_however_the_site_searches(blog, site, user, status, flags):
    out, how = post(), site(user, default_status=status)
    with blog.flagged(*flags):
        assert KIND.find(out, how) is None
        remote = KIND.send(out, how)
        found = KIND.find(out, how)
    assert found is not None
    assert found.id == remote.id
    assert [each[0] for each in known(blog, out.marker)] == [status]


def test_a_post_with_another_slug_is_found_by_the_search(blog, site):
    out, how = post(), site()
    remote = KIND.send(out, how)
    blog.run(
        f"echo json_encode(wp_update_post(['ID' => {remote.id}, 'post_name' => 'other-{uuid4().hex}']));"
    )
    found = KIND.find(out, how)
    assert found is not None
    assert found.id == remote.id


def test_a_post_is_changed_and_taken_back(blog, site):
    out, how = post(tags=("Sea",)), site()
    remote = KIND.send(out, how)
    changed = replace(out, title="Better", body_html="<p>New</p>", slug="other", tags=("Land",))
    assert KIND.update(changed, remote, how).id == remote.id
    there = seen(blog, remote)
    assert (there["title"]["rendered"], there["slug"], len(there["tags"])) == ("Better", out.slug, 1)
    assert "<p>New</p>" in there["content"]["rendered"]
    KIND.withdraw(out, remote, how)
    KIND.withdraw(out, remote, how)
    assert known(blog, out.marker) == [["trash", f"{out.slug}__trashed"]]
    with pytest.raises(PublishRefused, match="in the trash"):
        KIND.find(out, how)
    with pytest.raises(PublishRefused, match="gone there"):
        KIND.update(out, remote, how)
    again = KIND.send(out, how)
    found = KIND.find(out, how)
    assert found is not None
    assert found.id == again.id


def test_a_site_without_a_trash_deletes_for_good(blog, site):
    out, how = post(), site()
    with blog.flagged("no-trash"):
        KIND.withdraw(out, KIND.send(out, how), how)
        assert known(blog, out.marker) == []
        KIND.withdraw(out, Remote(id="99999"), how)
    assert KIND.find(out, how) is None


def test_tags_and_categories_are_made_once_and_used_again(blog, site):
    name = uuid4().hex
    tags = (f"Tag {name}", f"R&D {name}", f"a<b {name}", f"Ünï {name}")
    first = KIND.send(post(tags=tags), site("editor", default_category=f"C&A {name}"))
    second = KIND.send(
        post(tags=tuple(tag.upper() for tag in tags)), site("author", default_category=f"c&a {name}")
    )
    one, two = seen(blog, first), seen(blog, second)
    assert len(one["tags"]) == 4
    assert sorted(one["tags"]) == sorted(two["tags"])
    assert one["categories"] == two["categories"]
    with pytest.raises(PublishRefused, match="an editor categories"):
        KIND.send(post(), site("author", default_category=f"Another {name}"))


def test_a_complaint_about_a_field_comes_when_the_post_is_there(blog, site):
    out, how = post(meta_title="Title", meta_description="What it says"), site(seo_plugin="yoast")
    with blog.flagged("seo", "seo-guarded"):
        remote = KIND.send(out, how)
    assert remote.status == 403
    assert known(blog, out.marker) == [["publish", out.slug]]


def test_fields_of_plugins_arrive_if_they_are_open(blog, site):
    out, how = post(meta_title="Title", meta_description="What it says"), site("editor", seo_plugin="yoast")
    assert "does not open _yoast_wpseo_title" in KIND.test(how)
    with blog.flagged("seo"):
        assert "It takes title and description" in KIND.test(how)
        remote = KIND.send(out, how)
        kept = blog.run(f"echo json_encode(get_post_meta({remote.id}, '_yoast_wpseo_title', true));")
    assert kept == "Title"


def test_a_site_with_plain_addresses_is_spoken_to_all_the_same(blog, site):
    set_to = "$GLOBALS['wp_rewrite']->set_permalink_structure('{}'); flush_rewrite_rules(); echo json_encode(true);"
    blog.run(set_to.format(""))
    try:
        out, how = post(tags=("Sea",)), site()
        remote = KIND.send(out, how)
        found = KIND.find(out, how)
        assert found is not None
        assert found.id == remote.id
        KIND.update(replace(out, title="Better"), remote, how)
        assert "Signed in as author (author)" in KIND.test(how)
    finally:
        blog.run(set_to.format("/%postname%/"))


@pytest.mark.parametrize(
    ("user", "fields", "flags", "message"),
    [
        ("author", {"password": "wrong word"}, (), "user or application password are wrong"),
        ("author", {"username": "nobody"}, (), "user or application password are wrong"),
        ("author", {}, ("public",), "over https only"),
        ("author", {}, ("no-rest",), "REST API is switched off"),
        ("reader", {}, (), "may not edit posts"),
        ("contributor", {}, (), "may not publish there"),
        ("author", {"author_id": 1}, (), "Only an editor may write for another author"),
    ],
)
def test_what_is_wrong_is_said_by_test_and_by_send(blog, site, user, fields, flags, message):
    out = post()
    for act in (KIND.test, lambda how: KIND.send(out, how)):
        with blog.flagged(*flags), pytest.raises(PublishRefused, match=message):
            act(site(user, **fields))
    assert known(blog, out.marker) == []


def test_a_web_server_that_keeps_the_credentials_to_itself_is_named(site, proxy):
    proxy.meet = lambda line: UNSIGNED
    with pytest.raises(PublishRefused, match="does not hand on the header Authorization"):
        KIND.test(site())


def test_the_test_names_the_user(site):
    assert KIND.test(site("author")) == "Signed in as author (author), who may publish posts."
    assert "write posts, not publish them" in KIND.test(site("contributor", default_status="pending"))
