"""GitHub: what the file says, and that no file but the post's own is ever touched."""

import re
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import yaml

from jobs.errors import InvalidParameters
from publishing import publishers
from publishing.publishers import Outgoing, PublishLater, PublishRefused, Remote
from publishing.tests.faulty_server import Reply
from publishing.tests.github_server import TOKEN, GitHubServer

KIND = publishers.get_kind("github")
PATH = "_posts/2026-11-22-how-it-began.md"


@pytest.fixture
def server(settings):
    with GitHubServer().running() as running:
        settings.OUTBOUND_ALLOWED_HOSTS = [running.host]
        yield running


@pytest.fixture
def repository(server):
    return repository_of(server)


def repository_of(server, **fields):
    return KIND.read({**server.settings(), **server.secrets(), **fields})


def post_of(**fields):
    return Outgoing(
        **{
            "marker": uuid4(),
            "title": "How it began",
            "slug": "how-it-began",
            "body_html": "<p>In the <em>beginning</em>.</p>",
            "excerpt": "It began like this.",
            "published_at": datetime(2026, 11, 22, 9, 30, 15, 123456, tzinfo=UTC),
            **fields,
        }
    )


def parts_of(server, path=PATH):
    """Front matter and body of a file."""
    found = re.fullmatch(r"---\n(.*?)\n---\n\n(.*)", server.files[path].decode(), re.DOTALL)
    assert found is not None
    return yaml.safe_load(found[1]), found[2]


def test_a_post_is_a_file_with_front_matter(server, repository):
    post = post_of(tags=("a", "b: c"), canonical_url="https://blog.example/a", language="de")
    remote = KIND.send(post, repository)
    front, body = parts_of(server)
    assert front == {
        "title": "How it began",
        "date": datetime(2026, 11, 22, 9, 30, 15, tzinfo=UTC),
        "slug": "how-it-began",
        "description": "It began like this.",
        "tags": ["a", "b: c"],
        "lang": "de",
        "canonical_url": "https://blog.example/a",
        "render_with_liquid": False,
        "almanac_marker": str(post.marker),
    }
    assert body == "In the *beginning*.\n"
    assert (remote.id, remote.url, remote.status) == (
        PATH,
        f"https://github.com/news/blog/blob/main/{PATH}",
        201,
    )
    assert server.commits == ["Publish “How it began”"]


@pytest.mark.parametrize(
    "title",
    ['--- "quoted"', "key: value # no comment", "- item", "{a: [b", "yes", "2026-11-22", "ü ☃ 😀", "a\\b"],
)
def test_any_title_is_a_title_in_the_front_matter(server, repository, title):
    post = post_of(title=title)
    KIND.send(post, repository)
    assert parts_of(server)[0]["title"] == title
    assert KIND.find(post, repository) is not None


def test_path_page_branch_and_committer_are_what_was_set(server):
    repository = repository_of(
        server,
        path="content/{year}/{month}/{day}/{slug}/index.md",
        page_url="https://blog.example/{year}/{slug}/",
        branch="main",
        committer_name="News",
        committer_email="news@blog.example",
    )
    remote = KIND.send(post_of(), repository)
    assert list(server.files) == ["content/2026/11/22/how-it-began/index.md"]
    assert remote.url == "https://blog.example/2026/how-it-began/"
    sent = server.requests[-1].json()
    assert sent["branch"] == "main"
    assert sent["committer"] == {"name": "News", "email": "news@blog.example"}


@pytest.mark.parametrize("content", [b"Somebody's", b"---\ntitle: [\n---\n", b"\xff\xfe", b""])
def test_a_file_that_is_not_ours_is_never_touched(server, repository, content):
    server.files[PATH] = content
    server.marker_of = lambda request: ""  # its content need not be text
    post = post_of()
    assert KIND.find(post, repository) is None
    with pytest.raises(PublishRefused, match="is there already, and is not this post"):
        KIND.send(post, repository)
    with pytest.raises(PublishRefused, match="is not this post"):
        KIND.update(post, Remote(id=PATH), repository)
    with pytest.raises(PublishRefused, match="is not this post"):
        KIND.withdraw(post, Remote(id=PATH), repository)
    assert server.files == {PATH: content}


def test_another_post_of_ours_is_not_this_one(server, repository):
    KIND.send(post_of(), repository)
    with pytest.raises(PublishRefused, match="is not this post"):
        KIND.send(post_of(), repository)
    assert len(server.commits) == 1


def test_sending_what_is_there_commits_nothing_more(server, repository):
    post = post_of()
    assert KIND.send(post, repository).id == KIND.send(post, repository).id
    assert len(server.commits) == 1


def test_a_change_without_a_difference_commits_nothing(server, repository):
    post = post_of()
    remote = KIND.send(post, repository)
    assert KIND.update(post, remote, repository).id == PATH
    assert server.commits == ["Publish “How it began”"]
    KIND.update(post_of(marker=post.marker, slug="renamed", title="Anew"), remote, repository)
    assert parts_of(server)[0]["title"] == "Anew"
    assert list(server.files) == [PATH]


def test_a_commit_that_came_in_between_is_waited_for(server, repository):
    post = post_of()
    remote = KIND.send(post, repository)
    respond = server.respond

    def with_another_commit(request):
        reply = respond(request)
        if request.method == "GET":
            server.files[PATH] += b"A comment.\n"
        return reply

    server.respond = with_another_commit
    with pytest.raises(PublishLater, match="does not match"):
        KIND.update(post_of(marker=post.marker, title="Anew"), remote, repository)
    assert b"A comment." in server.files[PATH]


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({"Retry-After": "70"}, "You have exceeded a secondary rate limit.", 70),
        ({"X-RateLimit-Remaining": "12"}, "You have exceeded a secondary rate limit.", 60),
        ({"X-RateLimit-Remaining": "0"}, "API rate limit exceeded", 60),
    ],
)
def test_a_403_for_asking_too_often_is_waited_out(server, repository, headers, message, seconds):
    server.fault = lambda marker: "busy"
    server.busy = lambda: Reply.json({"message": message}, 403, headers)
    with pytest.raises(PublishLater) as caught:
        KIND.send(post_of(), repository)
    assert caught.value.retry_after == seconds


def test_refusals_say_why(server, repository):
    server.is_archived = True
    with pytest.raises(PublishRefused, match="archived so is read-only"):
        KIND.send(post_of(), repository)
    with pytest.raises(PublishRefused, match="news/blog is archived"):
        KIND.test(repository)
    server.is_archived, server.may_push = False, False
    with pytest.raises(PublishRefused, match="not accessible by personal access token"):
        KIND.send(post_of(), repository)
    with pytest.raises(PublishRefused, match="may read news/blog, but not write"):
        KIND.test(repository)
    server.may_push = True
    elsewhere = repository_of(server, repository="news/other")
    with pytest.raises(PublishRefused, match="No such repository or branch, or no access"):
        KIND.send(post_of(), elsewhere)
    with pytest.raises(PublishRefused, match="There is no repository news/other, or the access token"):
        KIND.find(post_of(), elsewhere)
    with pytest.raises(PublishRefused, match="There is no repository news/other, or the access token"):
        KIND.withdraw(post_of(), Remote(id=PATH), elsewhere)
    without_branch = repository_of(server, branch="gone")
    with pytest.raises(PublishRefused, match="Branch gone not found"):
        KIND.send(post_of(), without_branch)
    with pytest.raises(PublishRefused, match="news/blog has no branch gone"):
        KIND.test(without_branch)


def test_the_test_says_where_posts_go(repository):
    assert KIND.test(repository) == "Posts are committed to news/blog, branch main."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("repository", text) for text in ("blog", "a/b/c", "news/..", "../x", "news/a b")],
        *[
            ("path", text)
            for text in ("/{slug}", "../{slug}.md", "a//{slug}", "posts.md", "{slug!r}", "{slug:9}")
        ],
        *[("path", text) for text in ("{slug.x}", "{title}/{slug}", "{slug", "{}", "a\\{slug}", "a\n{slug}")],
        *[
            ("page_url", text)
            for text in ("blog.example/{slug}", "https://blog.example/", "https://b.example/{x}")
        ],
        ("committer_email", "nobody@without-a-name.example"),
        ("api_url", "api.github.com"),
    ],
)
def test_settings_are_checked(name, value):
    with pytest.raises(InvalidParameters) as caught:
        KIND.clean({"repository": "news/blog", "token": TOKEN, name: value})
    assert list(caught.value.fields) == [name]
    with pytest.raises(InvalidParameters, match="a name and an e-mail address"):
        KIND.clean({"repository": "news/blog", "token": TOKEN, "committer_name": "News"})
