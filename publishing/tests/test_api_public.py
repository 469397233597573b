"""What anybody may read over the API: exactly what is on the built-in site, and nothing about how it came there."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone
from rest_framework.test import APIClient

from publishing.models import Post, Publication
from publishing.tests.api_client import get
from publishing.tests.factories import make_agent, make_post, make_publication, make_publisher, put_on_site

pytestmark = pytest.mark.django_db

POSTS, TAGS = "/api/v1/public/posts/", "/api/v1/public/tags/"


@pytest.fixture(autouse=True)
def address(settings):
    settings.SITE_URL = "https://blog.example"


@pytest.fixture
def anybody():
    return APIClient()


def test_posts_on_the_site_are_listed_the_newest_first_and_shown_with_their_text(anybody):
    now = timezone.now()
    put_on_site(at=now - timedelta(days=1), title="Old")
    shown = put_on_site(
        at=now,
        title="New",
        tags=["tides"],
        agent=make_agent(name="Harbour"),
        body_html='<p><a href="/x">x</a></p>',
    )
    found = get(anybody, POSTS)
    assert [row["title"] for row in found["results"]] == ["New", "Old"]
    assert (found["next"], found["previous"]) == (None, None)
    detail = get(anybody, f"{POSTS}{shown.post.slug}/")
    assert detail.items() >= found["results"][0].items()
    assert (detail["author"], detail["tags"]) == ("Harbour", ["tides"])
    assert detail["url"] == f"https://blog.example/blog/posts/{shown.post.slug}/"
    assert 'href="https://blog.example/x"' in detail["html"]


def test_what_is_published_elsewhere_waits_or_was_taken_back_is_not_there(anybody):
    now = timezone.now()
    elsewhere = make_publication(
        make_publisher("file"), state=Publication.State.PUBLISHED, published_at=now
    ).post
    Post.objects.filter(pk=elsewhere.pk).update(status="published", published_at=now)
    waiting = make_publication(make_publisher("site")).post
    withdrawn = put_on_site()
    Publication.objects.filter(pk=withdrawn.pk).update(state="withdrawn")
    for hidden in (elsewhere, waiting, withdrawn.post, make_post()):
        get(anybody, f"{POSTS}{hidden.slug}/", status=404)
    assert get(anybody, POSTS)["results"] == [] and get(anybody, TAGS) == []


def test_nothing_of_how_a_post_came_to_be_is_told(anybody):
    writer = User.objects.create_user("secret-user", first_name="Secret", last_name="Person")
    shown = put_on_site(notes=["A secret note"], score=12, created_by=writer)
    for path in (POSTS, f"{POSTS}{shown.post.slug}/"):
        told = anybody.get(path).content.decode()
        assert "ecret" not in told
        for name in ("notes", "score", "cost", "status", "generation", "created_by"):
            assert f'"{name}"' not in told


def test_pages_lead_on_and_back_and_keep_the_tag(anybody):
    now = timezone.now()
    for number in range(7):
        put_on_site(at=now - timedelta(hours=number), title=f"T{number}", tags=["a/b & c"])
    put_on_site(at=now, title="Other")
    first = get(anybody, POSTS, {"tag": "a/b & c", "page_size": 3})
    second = get(anybody, first["next"])
    third = get(anybody, second["next"])
    titles = [[row["title"] for row in page["results"]] for page in (first, second, third)]
    assert titles == [["T0", "T1", "T2"], ["T3", "T4", "T5"], ["T6"]]
    assert third["next"] is None and first["previous"] is None
    assert get(anybody, third["previous"])["results"] == second["results"]
    assert get(anybody, second["previous"])["results"] == first["results"]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"page_size": 0}, "page_size"),
        ({"page_size": 51}, "page_size"),
        ({"before": "x"}, "before"),
        ({"after": 2**63}, "after"),
        ({"tag": ""}, "tag"),
        ({"tag": "\x00"}, "tag"),
    ],
)
def test_a_bad_query_is_400_with_the_field(anybody, query, named):
    assert list(get(anybody, POSTS, query, 400)["fields"]) == [named]


def test_a_place_that_no_list_has_and_an_unknown_slug_are_404(anybody):
    assert get(anybody, POSTS, {"before": 2**62}, 404)["code"] == "not_found"
    assert get(anybody, f"{POSTS}nothing/", status=404)["code"] == "not_found"


def test_tags_are_counted_over_the_newest_posts(anybody):
    put_on_site(tags=["tides", "boats"])
    put_on_site(tags=["tides"])
    assert get(anybody, TAGS) == [{"name": "tides", "posts": 2}, {"name": "boats", "posts": 1}]


def test_answers_are_kept_by_caches_and_304_for_who_has_them(anybody):
    shown = put_on_site()
    for path in (POSTS, TAGS, f"{POSTS}{shown.post.slug}/"):
        answer = anybody.get(path)
        assert answer["Cache-Control"] == "public, max-age=60" and "Cookie" not in answer.get("Vary", "")
        again = anybody.get(path, headers={"If-None-Match": answer["ETag"]})
        assert again.status_code == 304 and not again.content
        Post.objects.filter(pk=shown.post_id).update(title=f"Changed {path}", tags=[path])
        assert anybody.get(path, headers={"If-None-Match": answer["ETag"]}).status_code == 200


def test_who_asks_makes_no_difference(anybody):
    put_on_site()
    anonymous = anybody.get(POSTS)
    broken = anybody.get(POSTS, headers={"Authorization": "Bearer nonsense"})
    assert broken.status_code == 200 and broken.content == anonymous.content


def test_lists_cost_few_queries(anybody, django_assert_max_num_queries):
    for _ in range(10):
        put_on_site(agent=make_agent())
    with django_assert_max_num_queries(2):
        get(anybody, POSTS)
    with django_assert_max_num_queries(2):
        get(anybody, TAGS)


def test_too_many_requests_of_an_address_are_429(anybody, settings):
    settings.API_ANONYMOUS_RATE = 2
    cache.clear()
    statuses = [anybody.get(POSTS).status_code for _ in range(4)]
    cache.clear()
    assert statuses.count(429) >= 1 and statuses[0] == 200


def test_only_reading_is_possible(anybody):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(anybody, method)(POSTS).status_code == 405
