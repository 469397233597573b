"""The pages of the built-in site: what readers and search engines find, and what nobody finds."""

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from publishing.models import Agent, Post, Publication
from publishing.seo import structured_data
from publishing.site import body, sitemap
from publishing.tests.factories import make_post, make_publisher, put_on_site

pytestmark = pytest.mark.django_db

ORIGIN = "https://blog.example"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


@pytest.fixture(autouse=True)
def named(settings):
    settings.SITE_URL = ORIGIN
    settings.SITE_NAME = "River <Notes>"
    settings.SITE_DESCRIPTION = "What we found & wrote"


def text(client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return str(answer.content, "utf-8")


def titles(page: str) -> list[str]:
    return [
        unescape(title) for title in re.findall(r'<h2 class="entry__title".*?><a href=".*?">(.*?)</a>', page)
    ]


def head(page: str) -> dict[str, str]:
    """What the head of a page says, by name."""
    found = re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)">', page)
    links = re.findall(r'<link rel="(canonical|next|prev)" href="([^"]*)">', page)
    return {name: unescape(value) for name, value in [*found, *links]}


def test_the_front_page_has_the_newest_posts_with_date_excerpt_tags_and_reading_time(client):
    words = " ".join(["word"] * 700)
    put_on_site(
        title="Tom & Jerry <b>", slug="tom", excerpt="A & B", tags=["a/b & c"], body_html=f"<p>{words}</p>",
        at=datetime(2026, 3, 4, 23, 30, tzinfo=UTC),
    )  # fmt: skip
    page = text(client, "/blog/")
    assert titles(page) == ["Tom & Jerry <b>"]
    for piece in (
        'href="/blog/posts/tom/"', "4 March 2026", "3 min read", "A &amp; B", 'href="/blog/tags/a/b%20&amp;%20c/"',
        "<h1>River &lt;Notes&gt;</h1>",
    ):  # fmt: skip
        assert piece in page
    assert head(page)["description"] == "What we found & wrote"
    assert head(page)["canonical"] == f"{ORIGIN}/blog/"


def test_a_post_without_an_excerpt_shows_its_beginning(client):
    put_on_site(body_html=f"<h2>First</h2><p>{'Some text. ' * 100}</p>")
    (excerpt,) = re.findall(r'<p class="entry__excerpt"[^>]*>(.*?)</p>', text(client, "/blog/"))
    assert excerpt.startswith("First Some text. Some")
    assert excerpt.endswith(" …")
    assert len(excerpt) <= 280


def test_pages_of_a_list_lead_to_all_posts_and_back(client):
    now = timezone.now()
    at = [now - timedelta(hours=number // 3) for number in range(25)]  # three each at the same moment
    for number in range(25):
        put_on_site(at=at[number], title=f"Number {number}", tags=["all"])
    expected = list(
        Publication.objects.order_by("-published_at", "-pk").values_list("post__title", flat=True)
    )
    for path in ("/blog/", "/blog/tags/all/"):
        seen, page, forward = [], text(client, path), []
        while True:
            seen += titles(page)
            if "next" not in (links := head(page)):
                break
            forward.append(links["next"])
            page = text(client, f"{path}{links['next']}")
            assert head(page)["canonical"] == f"{ORIGIN}{path}{links['next']}"
        assert seen == expected
        assert len(forward) == 2
        assert titles(page) == expected[20:]
        page = text(client, f"{path}{head(page)['prev']}")
        assert titles(page) == expected[10:20]
        back = client.get(f"{path}{head(page)['prev']}")
        assert (back.status_code, back["Location"]) == (302, path)


def test_a_page_whose_place_was_withdrawn_is_still_a_page(client):
    now = timezone.now()
    rows = [put_on_site(at=now - timedelta(hours=number)) for number in range(12)]
    Publication.objects.filter(pk=rows[9].pk).update(state=Publication.State.WITHDRAWN)
    assert len(titles(text(client, f"/blog/?before={rows[9].pk}"))) == 2


@pytest.mark.parametrize(
    "query", ["before=x", "before=", "before=99999999999999999999", "before=-1", "after=0", "before=²"]
)
def test_a_page_of_a_list_that_nobody_linked_to_is_not_there(client, query):
    put_on_site()
    text(client, f"/blog/?{query}", 404)


def test_nothing_is_told_of_other_publications_by_paging(client):
    put_on_site()
    other = make_publisher("webhook")
    hidden = Publication.objects.create(
        post=make_post(),
        publisher=other,
        state="published",
        due_at=timezone.now(),
        published_at=timezone.now(),
    )
    text(client, f"/blog/?before={hidden.pk}", 404)


def test_a_post_page_has_everything_that_readers_and_search_engines_ask_for(client):
    agent = Agent.objects.create(name="River Watch")
    at = datetime(2026, 3, 4, 12, tzinfo=UTC)
    put_on_site(at=at - timedelta(days=1), title="Before", slug="before")
    put_on_site(
        at=at, title="Eleven metres & more", slug="eleven", language="en-GB", tags=["rivers", "maps"], agent=agent,
        excerpt="The bank moved.", body_html='<p>Some words here.</p><img src="/river.png?a=1&amp;b=2" alt="A river">',
    )  # fmt: skip
    put_on_site(at=at + timedelta(days=1), title="After", slug="after", language="ar")
    page = text(client, "/blog/posts/eleven/")
    assert '<html lang="en-GB">' in page
    assert page.count("<h1") == 1
    assert "<title>Eleven metres &amp; more – River &lt;Notes&gt;</title>" in page
    assert "By River Watch" in page
    assert 'href="/blog/posts/before/"' in page
    assert '<bdi lang="ar">After</bdi>' in page
    found = head(page)
    url, image = f"{ORIGIN}/blog/posts/eleven/", f"{ORIGIN}/river.png?a=1&b=2"
    assert found == found | {
        "description": "The bank moved.",
        "author": "River Watch",
        "canonical": url,
        "og:type": "article",
        "og:title": "Eleven metres & more",
        "og:url": url,
        "og:image": image,
        "article:published_time": "2026-03-04T12:00:00+00:00",
        "twitter:card": "summary_large_image",
        "prev": "/blog/posts/before/",
        "next": "/blog/posts/after/",
    }
    data = json.loads(re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)[0])
    assert structured_data.problems(data) == ()
    assert (data["url"], data["image"], data["author"]["name"]) == (url, [image], "River Watch")


def test_a_change_of_text_is_told_and_a_step_of_the_post_is_not(client):
    put_on_site(at=timezone.now() - timedelta(days=9), slug="p")
    assert "updated" not in text(client, "/blog/posts/p/")
    Post.objects.update(revision=2, updated_at=timezone.now(), title="Changed")
    page = text(client, "/blog/posts/p/")
    assert "Changed" in page
    assert "updated <time" in page


def test_what_was_elsewhere_first_says_so_to_search_engines(client):
    put_on_site(slug="p", canonical_url="https://elsewhere.example/p?a=1&b=2")
    assert head(text(client, "/blog/posts/p/"))["canonical"] == "https://elsewhere.example/p?a=1&b=2"


def test_a_post_without_any_text_is_a_page_all_the_same_without_data_that_would_be_invalid(client):
    put_on_site(slug="p", title="Only a title", body_html="")
    page = text(client, "/blog/posts/p/")
    assert "ld+json" not in page
    assert head(page)["description"] == "Only a title"


def test_nothing_in_a_post_runs_or_ends_the_data_about_it(client):
    put_on_site(
        slug="p", title="</script><script>alert(1)</script>", tags=['"><script>alert(2)</script>'],
        excerpt="</title><script>alert(3)</script>", meta_description='"><script>alert(4)</script>',
        body_html="<p onclick='alert(5)'>x</p><script>alert(6)</script><a href='javascript:alert(7)'>y</a>",
    )  # fmt: skip
    for path in (
        "/blog/posts/p/",
        "/blog/",
        "/blog/topics/",
        "/blog/tags/%22%3E%3Cscript%3Ealert(2)%3C/script%3E/",
    ):
        answer = client.get(path)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert re.findall(r"<script(?! type=\"application/ld\+json\">)", page) == []
        assert page.count("</script>") == page.count("<script")
        assert "onclick" not in page
        assert "javascript:" not in page
        assert answer["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; img-src")


def test_the_body_fits_into_the_page_around_it(client):
    put_on_site(
        slug="p",
        body_html="<h1>One</h1><h2>Two</h2><main><nav>n</nav></main><table><tr><td>1</td></tr></table><img src='/a.png'>"
        "<pre>code</pre><div class='scroll' tabindex='5'>d</div>",
    )
    page = text(client, "/blog/posts/p/")
    assert page.count("<h1") == page.count("<main") == 1
    assert "<h2>One</h2><h3>Two</h3>n<div " in page
    assert '<div class="scroll" role="group" tabindex="0"><table>' in page
    assert '<img src="/a.png" alt="" loading="lazy" decoding="async">' in page
    assert '<pre tabindex="0">code</pre><div>d</div>' in page


def test_tags_of_every_script_have_pages(client):
    for tag in ("a/b", "خريطة", "100% & more?", "#1", "über"):
        put_on_site(tags=[tag], title=f"About {tag}")
        (path,) = {
            unescape(path)
            for path in re.findall(r'href="(/blog/tags/[^"]+)" rel="tag"', text(client, "/blog/"))
        }
        page = text(client, path)
        assert titles(page) == [f"About {tag}"]
        assert f"{ORIGIN}{path}" == head(page)["canonical"]
        Publication.objects.all().delete()
    text(client, "/blog/tags/nothing/", 404)


def test_the_archive_goes_by_months_where_the_site_is(client, settings):
    settings.TIME_ZONE = "Pacific/Auckland"
    put_on_site(at=datetime(2025, 12, 31, 12, tzinfo=UTC), title="New year there")
    put_on_site(at=datetime(2025, 11, 30, 10, tzinfo=UTC), title="Last of November")
    put_on_site(at=datetime(2024, 2, 1, tzinfo=UTC), title="Long ago")
    page = text(client, "/blog/archive/")
    paths = re.findall(r'href="(/blog/archive/\d+/\d+/)"', page)
    assert paths == ["/blog/archive/2026/1/", "/blog/archive/2025/11/", "/blog/archive/2024/2/"]
    assert [titles(text(client, path)) for path in paths] == [
        ["New year there"],
        ["Last of November"],
        ["Long ago"],
    ]
    for path in ("2025/12", "2026/13", "2026/0", "9999/12", "0/1", "99999999999/1"):
        text(client, f"/blog/archive/{path}/", 404)


def test_topics_are_the_tags_of_the_newest_posts_the_most_common_first(client):
    for tags in (["b"], ["a", "b"], ["c", "b"], ["a"]):
        put_on_site(tags=tags)
    found = re.findall(r'dir="auto">(\w)</a> <span class="topics__count">(\d)', text(client, "/blog/topics/"))
    assert found == [("b", "3"), ("a", "2"), ("c", "1")]


def test_an_empty_site_says_so(client):
    assert "Nothing has been published here yet" in text(client, "/blog/")
    assert "Nothing has been published here yet" in text(client, "/blog/archive/")
    assert "No post has a tag yet" in text(client, "/blog/topics/")


@pytest.mark.parametrize(
    "path", ["posts/none/", "posts/", "nothing/", "tags/x/rss.xml", "a/b/c", "sitemap-9.xml", "wp-login.php"]
)
def test_what_is_not_there_has_a_page_that_leads_on(client, path):
    page = text(client, f"/blog/{path}", 404)
    assert "There is nothing here" in page
    assert head(page)["robots"] == "noindex"


def test_an_address_without_its_slash_leads_to_the_one_with_it(client):
    put_on_site(slug="p", tags=["ü b"])
    for path, wanted in (
        ("/blog/posts/p", "/blog/posts/p/"), ("/blog/archive", "/blog/archive/"), ("/blog/tags/%C3%BC%20b", "/blog/tags/%C3%BC%20b/"),
    ):  # fmt: skip
        answer = client.get(path)
        assert (answer.status_code, answer["Location"]) == (301, wanted)


def test_the_site_is_only_read_and_knows_nobody(client):
    put_on_site(slug="p")
    for path in ("/blog/", "/blog/posts/p/", "/blog/atom.xml", "/robots.txt"):
        assert client.post(path).status_code == 405
        assert client.head(path).status_code == 200
        answer = client.get(path)
        assert not answer.cookies
        assert "Cookie" not in answer.get("Vary", "")


def test_the_sitemap_names_every_post_with_its_last_change_in_parts(client, monkeypatch):
    monkeypatch.setattr(sitemap, "PER_PART", 4)
    at = datetime(2026, 3, 4, tzinfo=UTC)
    rows = [put_on_site(at=at) for _ in range(9)]
    Publication.objects.filter(pk=rows[0].pk).update(state=Publication.State.WITHDRAWN)
    Post.objects.filter(pk=rows[1].post_id).update(revision=2, updated_at=at + timedelta(days=1))
    index = ElementTree.fromstring(client.get("/blog/sitemap.xml").content)
    assert index.tag == f"{SITEMAP}sitemapindex"
    found: dict[str, str | None] = {}
    for part in index.iterfind(f"{SITEMAP}sitemap/{SITEMAP}loc"):
        urls = ElementTree.fromstring(client.get((part.text or "").removeprefix(ORIGIN)).content)
        assert urls.tag == f"{SITEMAP}urlset"
        assert 1 <= len(urls) <= 4
        found |= {url.findtext(f"{SITEMAP}loc", ""): url.findtext(f"{SITEMAP}lastmod") for url in urls}
    posts = {url: lastmod for url, lastmod in found.items() if "/posts/" in url}
    assert posts == {
        f"{ORIGIN}/blog/posts/{row.post.slug}/": f"2026-03-0{5 if row == rows[1] else 4}T00:00:00+00:00"
        for row in rows[1:]
    }
    assert f"{ORIGIN}/blog/" in found


def test_robots_may_read_the_site_alone(client):
    lines = text(client, "/robots.txt").splitlines()
    assert lines == [
        "User-agent: *",
        "Allow: /blog/",
        "Allow: /static/",
        "Disallow: /",
        "",
        f"Sitemap: {ORIGIN}/blog/sitemap.xml",
    ]


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/blog/", 1),
        ("/blog/posts/p/", 3),
        ("/blog/tags/x/", 1),
        ("/blog/atom.xml", 1),
        ("/blog/archive/", 1),
        ("/blog/topics/", 1),
    ],
)
def test_a_page_asks_the_database_few_questions(client, path, most):
    agent = Agent.objects.create(name="Agent")
    for number in range(15):
        put_on_site(tags=["x", str(number)], slug="p" if number == 7 else f"p-{number}", agent=agent)
    with CaptureQueriesContext(connection) as asked:
        text(client, path)
    assert len(asked) <= most


def test_every_process_makes_the_same_bytes_of_a_post_so_that_its_etag_holds():
    html = '<img src="/a.png"><pre lang="en">x</pre><table title="t" lang="en"><tr><td>1</td></tr></table>'
    made = set()
    for _ in range(20):
        body._page_cleaner.cache_clear()
        made.add(body.for_page(html))
    assert len(made) == 1
