"""Posts over the API: lists in every order, one with how it was written, and the preview of what readers will see."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.definitions import enqueue, get_job
from jobs.models import JobRun
from publishing import posts, tasks
from publishing.models import FeedItem, Post, PostSource
from publishing.tests.api_client import client_with, get, post
from publishing.tests.factories import (
    make_agent,
    make_item,
    make_post,
    make_publication,
    make_publisher,
    make_source,
)
from publishing.tests.scripted_writer import WORDS, install

pytestmark = pytest.mark.django_db

POSTS = "/api/v1/posts/"


@pytest.fixture(autouse=True)
def address(settings):
    settings.SITE_URL = "https://blog.example"


@pytest.fixture
def client():
    return client_with(is_superuser=True)


@pytest.fixture
def written(monkeypatch) -> Post:
    """A post that an agent wrote of two items, with a model that costs something."""
    install(monkeypatch)
    source = make_source(name="Harbour news")
    agent = make_agent(name="Harbour", writer="scripted", sources=[source])
    for _ in range(2):
        make_item(source)
    run = enqueue(get_job("publishing.generate_post"), {"agent_id": agent.pk}, trigger=JobRun.Trigger.CODE)
    tasks.generate_post(ActiveRun(run.pk, attempt=1), **run.parameters)
    return Post.objects.get()


def ids(client, **query) -> list[int]:
    return [row["id"] for row in get(client, POSTS, query)["results"]]


# Lists


def test_posts_are_found_by_agent_words_tags_and_times(client):
    agent, now = make_agent(), timezone.now()
    first = make_post(title="What the tide brings", agent=agent, tags=["sea"])
    second = make_post(excerpt="Of tides and moons", status="scheduled", scheduled_at=now)
    third = make_post(keywords=["tides"], status="published", published_at=now - timedelta(days=3))
    assert ids(client, agent=agent.pk) == [first.pk]
    assert ids(client, q="TIDE") == [second.pk, first.pk]
    assert ids(client, q="tides") == [third.pk, second.pk]
    assert ids(client, tag="sea") == [first.pk] and ids(client, tag="se") == []
    assert ids(client, published_before=now.isoformat()) == [third.pk]
    assert ids(client, scheduled_after=now.isoformat(), status="scheduled") == [second.pk]
    assert ids(client, q="100%_") == []


@pytest.mark.parametrize(("order", "expected"), [
    ("created_at", "abcde"),
    ("-created_at", "edcba"),
    ("scheduled_at", "bcade"),
    ("-scheduled_at", "acbed"),
    ("score", "dacbe"),
    ("-score", "bcade"),
])  # fmt: skip
def test_lists_are_ordered_and_paged_in_every_order_with_missing_values_last(client, order, expected):
    now = timezone.now()
    made = {}
    for name, hours, score in (("a", 3, 7), ("b", 1, 100), ("c", 1, 50), ("d", None, 0), ("e", None, None)):
        at = None if hours is None else now + timedelta(hours=hours)
        made[make_post(scheduled_at=at, score=score).pk] = name
    found, page = "", get(client, POSTS, {"ordering": order, "page_size": 2})
    found += "".join(made[row["id"]] for row in page["results"])
    while page["next"]:
        before, page = page, get(client, page["next"])
        found += "".join(made[row["id"]] for row in page["results"])
        assert get(client, page["previous"])["results"] == before["results"]
    assert found == expected


@pytest.mark.parametrize("query", [
    {"ordering": "title"}, {"ordering": "--score"}, {"agent": "x"}, {"published_after": "soon"},
    {"cursor": "cD1hYmM=", "ordering": "score"}, {"cursor": "cD3CsjM=", "ordering": "-scheduled_at"},
])  # fmt: skip
def test_a_bad_query_is_400_with_the_field(client, query):
    assert list(get(client, POSTS, query, 400)["fields"]) == [next(iter(query))]


def test_a_list_costs_one_query_and_has_no_texts(client, django_assert_max_num_queries):
    for _ in range(10):
        make_post(agent=make_agent(), notes=["A note"])
    for order in ("-created_at", "score"):
        with django_assert_max_num_queries(1):
            rows = get(client, POSTS, {"ordering": order})["results"]
        assert len(rows) == 10 and not {"body_html", "notes"} & set(rows[0])


# One post


def test_a_post_tells_its_agent_its_sources_and_every_step_of_how_it_was_written(client, written):
    found = get(client, f"{POSTS}{written.pk}/")
    assert (found["agent"], found["agent_name"]) == (written.agent_id, "Harbour")
    assert [source["source_name"] for source in found["sources"]] == ["Harbour news"] * 2
    assert {source["item"] for source in found["sources"]} == set(
        FeedItem.objects.values_list("pk", flat=True)
    )
    assert found["word_count"] == written.word_count > 400 and found["score"] == written.score
    assert found["notes"][0] == "It is scripted."
    assert (found["json_ld"]["@type"], found["json_ld"]["author"]["name"]) == ("Article", "Harbour")
    trace = found["generation"]
    assert [step["name"] for step in trace["steps"]] == ["outline", "body", "meta"]
    assert all(step["seconds"] >= 0 for step in trace["steps"])
    assert [used["model"] for used in trace["usage"]] == ["scripted-1"] * 3
    assert (trace["tokens"], trace["cost"], trace["state"]) == (4500, "0.750000000", "done")


def test_how_a_post_was_written_is_told_only_to_those_who_may_see_it(client, written):
    reader = client_with("view_post")
    assert get(reader, f"{POSTS}{written.pk}/")["generation"] is None
    assert get(client, f"{POSTS}{make_post().pk}/")["generation"] is None


def test_a_post_tells_where_it_went(client):
    publication = make_publication(make_publisher("file"), remote_url="https://there.example/1")
    (row,) = get(client, f"{POSTS}{publication.post_id}/")["publications"]
    assert (row["publisher"], row["url"]) == (publication.publisher_id, "https://there.example/1")


def test_one_post_costs_as_many_queries_however_much_it_stands_on(
    client, written, django_assert_max_num_queries
):
    for position in range(10, 40):
        PostSource.objects.create(post=written, position=position, title="More", source_name="More")
    for _ in range(5):
        posts.decide(written, Post.Status.APPROVED, by=None)
        written = posts.decide(written, Post.Status.DRAFT, by=None)
    with django_assert_max_num_queries(9):
        get(client, f"{POSTS}{written.pk}/")


# The preview


def test_a_preview_tells_all_that_an_editor_wants_to_know(client, written):
    linked = written.sources.first()
    Post.objects.filter(pk=written.pk).update(
        body_html=f'<h1>Top</h1><p>{WORDS * 40}<a href="{linked.url}">The news</a></p><script>x()</script>'
    )
    found = get(client, f"{POSTS}{written.pk}/preview/")
    score = found["score"]
    assert score["total"] == round(
        100
        * sum(part["points"] for part in score["parts"] if part["counts"])
        / sum(part["maximum"] for part in score["parts"] if part["counts"])
    )
    assert all(part["advice"] for part in score["parts"])
    assert found["snippet"]["breadcrumb"].startswith("https://blog.example › blog")
    assert found["url"] == f"https://blog.example/blog/posts/{written.slug}/" == found["json_ld"]["url"]
    assert found["json_ld_problems"] == []
    assert found["readability"]["score"] is not None and found["readability"]["sentences"] >= 40
    assert found["keywords"][0]["keyword"] == "tide tables" and found["keywords"][0]["occurrences"] == 40
    assert [source["links"] for source in found["sources"]] == [["The news"], []]
    assert "<script" not in found["html"] and "<h2>Top</h2>" in found["html"]
    assert found["duplicate"] is None
    assert found["notes"][0] == "It is scripted."


def test_a_preview_names_an_earlier_post_that_says_the_same(client):
    body = {"title": "Tides of the harbour", "body_html": f"<p>{WORDS * 20}</p>"}
    first, second = (post(client, POSTS, body, 201) for _ in range(2))
    duplicate = get(client, f"{POSTS}{second['id']}/preview/")["duplicate"]
    assert (duplicate["post_id"], duplicate["text_similarity"]) == (first["id"], 1.0)
    assert "100%" in duplicate["message"]


def test_a_preview_of_nearly_nothing_says_what_is_missing(client):
    found = get(client, f"{POSTS}{make_post(title='', body_html='', slug='x').pk}/preview/")
    assert found["word_count"] == 0 and found["readability"]["score"] is None
    assert found["json_ld_problems"]


def test_an_unknown_post_has_no_preview(client):
    get(client, f"{POSTS}{2**31 - 1}/preview/", status=404)
