from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models import QuerySet
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from rest_framework.test import APIClient

from jobs.models import JobRun
from publishing.api.public import PublicView
from publishing.api.urls import urlpatterns
from publishing.models import FeedItem, Source
from publishing.tests.api_client import client_with
from publishing.tests.factories import make_agent, make_item, make_publication, make_publisher, make_source

pytestmark = pytest.mark.django_db

SOURCES, ITEMS = "/api/v1/sources/", "/api/v1/items/"


@pytest.fixture
def client() -> APIClient:
    """A client of a superuser."""
    return client_with(is_superuser=True)


def operations() -> list[tuple[Any, ...]]:
    """(route, method, permissions) of every operation that is not public."""
    routes: list[tuple[Any, Any]] = [(pattern.name, pattern.callback) for pattern in urlpatterns]
    needed = [
        (name, method, view.cls.permission_of[action])
        for name, view in routes
        if not issubclass(view.cls, PublicView)
        for method, action in getattr(view, "actions", {"get": "get"}).items()
        if method != "head"
    ]
    return [(name, method, (one,) if isinstance(one, str) else one) for name, method, one in needed]


def permissions_but(*names: str) -> QuerySet[Permission]:
    ours = Permission.objects.filter(content_type__app_label__in=("publishing", "jobs"))
    of = {name.partition(".")[2] for name in names}
    return ours.exclude(codename__in=of)


@pytest.mark.parametrize(("name", "method", "permissions"), operations())
def test_every_operation_has_its_own_permission(name, method, permissions):
    item, publication = make_item(make_source()), make_publication(make_publisher())
    keys = {
        "item": item.pk,
        "source": item.source_id,
        "post": publication.post_id,
        "publisher": publication.publisher_id,
        "publication": publication.pk,
        "agent": make_agent().pk,
        "task": "01900000-0000-7000-8000-000000000000",
    }
    key = keys.get(name.partition("-")[0])
    try:
        address = reverse(f"api:{name}")
    except NoReverseMatch:
        address = reverse(f"api:{name}", args=[key])
    for permission in permissions:
        without = client_with(*permissions_but(permission).values_list("codename", flat=True))
        refused = getattr(without, method)(address, {}, format="json")
        assert refused.status_code == 403 and permission in refused.json()["message"]
    assert getattr(APIClient(), method)(address).status_code == 401
    codenames = [permission.partition(".")[2] for permission in permissions]
    allowed = getattr(client_with(*codenames), method)(
        address, None if method == "get" else {}, format="json"
    )
    unknown = {404} if name.startswith("task-") else set()  # there is no such run
    assert allowed.status_code in {200, 201, 202, 204, 400, 409} | unknown


def test_a_source_is_made_changed_and_deleted(client: APIClient):
    made = client.post(SOURCES, {"name": "News", "url": "https://feeds.example/a"}, format="json")
    assert made.status_code == 201
    body = made.json()
    assert (body["state"], body["kind"], body["min_interval_seconds"], body["item_count"]) == (
        "new",
        "feed",
        300,
        0,
    )
    address = f"{SOURCES}{body['id']}/"
    assert client.patch(address, {"auto_generate": True}, format="json").json()["auto_generate"] is True
    changed = client.patch(address, {"min_interval_seconds": 600, "name": "Old"}, format="json").json()
    assert (changed["min_interval_seconds"], changed["name"], changed["url"]) == (
        600,
        "Old",
        "https://feeds.example/a",
    )
    assert changed["auto_generate"] is True
    replaced = client.put(address, {"name": "New", "url": "https://feeds.example/b"}, format="json").json()
    assert (replaced["min_interval_seconds"], replaced["url"]) == (300, "https://feeds.example/b")
    assert replaced["auto_generate"] is False
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "https://user:secret@feeds.example/"}, "url"),
        ({"url": "https://feeds.example/taken"}, "request"),
        ({"url": "https://feeds.example/\u0000"}, "url"),
        ({"name": ""}, "name"),
        ({"kind": "pigeon"}, "kind"),
        ({"options": {"unknown": 1}}, "options"),
        ({"min_interval_seconds": 5}, "min_interval_seconds"),
        ({"min_interval_seconds": 600, "max_interval_seconds": 300}, "request"),
        ({"backfill_limit": -1}, "backfill_limit"),
        ({"is_enabled": False}, "is_enabled"),
    ],
)
def test_bad_input_is_400_and_names_the_field(client: APIClient, fields, named):
    make_source(url="https://feeds.example/taken")
    answer = client.post(SOURCES, {"name": "News", "url": "https://feeds.example/a", **fields}, format="json")
    assert answer.status_code == 400, answer.json()
    assert list(answer.json()["fields"]) == [named]
    assert Source.objects.count() == 1


@pytest.mark.parametrize(
    ("action", "job", "parameters"),
    [("poll", "publishing.monitor_feed", {"force": True}), ("test", "publishing.test_source", {})],
)
def test_a_poll_and_a_test_answer_202_with_the_run(client: APIClient, action, job, parameters):
    source = make_source()
    answer = client.post(f"{SOURCES}{source.pk}/{action}/", parameters, format="json")
    assert answer.status_code == 202
    run = JobRun.objects.get(pk=answer.json()["id"])
    assert (run.job, run.trigger) == (job, "api")
    assert run.parameters.items() >= {"source_id": source.pk, **parameters}.items()
    assert answer["Location"].endswith(f"/api/v1/runs/{run.pk}/")


def test_a_reset_and_the_switch(client: APIClient):
    source = make_source(gone_at=timezone.now())
    make_item(source)
    assert client.post(f"{SOURCES}{source.pk}/reset/").json() == {"forgotten_items": 1}
    assert client.post(f"{SOURCES}{source.pk}/disable/").json()["state"] == "disabled"
    assert client.post(f"{SOURCES}{source.pk}/enable/").json()["state"] == "new"


def test_sources_can_be_filtered_and_link_to_their_last_run(client: APIClient):
    run_id = "01900000-0000-7000-8000-000000000000"
    failing = make_source(consecutive_failures=1, last_run_id=run_id)
    make_source(is_enabled=False)
    found = client.get(SOURCES, {"failing": "true"}).json()["results"]
    assert [row["id"] for row in found] == [failing.pk]
    assert found[0]["last_run"].endswith(f"/api/v1/runs/{run_id}/")
    assert len(client.get(SOURCES, {"enabled": "false"}).json()["results"]) == 1
    assert client.get(SOURCES, {"kind": "pigeon"}).status_code == 400


def test_items_can_be_filtered_and_paged_without_their_text(client: APIClient):
    source, other = make_source(), make_source()
    for day in range(1, 6):
        make_item(source, fetched_at=datetime(2026, 11, day, tzinfo=UTC), content_html="<p>long</p>")
    skipped = make_item(other, state=FeedItem.State.SKIPPED, title="Storm glass")
    make_item(other, removed_at=timezone.now())
    first = client.get(ITEMS, {"source": source.pk, "page_size": 3}).json()
    assert len(first["results"]) == 3 and "content_html" not in first["results"][0]
    assert len(client.get(first["next"]).json()["results"]) == 2
    for query in ({"state": "skipped"}, {"title": "storm"}, {"source": other.pk}):
        assert [row["id"] for row in client.get(ITEMS, query).json()["results"]] == [skipped.pk]
    since: dict[str, Any] = {"fetched_after": "2026-11-04T00:00:00Z", "source": source.pk}
    assert len(client.get(ITEMS, since).json()["results"]) == 2
    for query in ({"state": "lost"}, {"source": "x"}, {"fetched_after": "soon"}):
        answer = client.get(ITEMS, query)
        assert answer.status_code == 400 and list(answer.json()["fields"]) == list(query)


def test_an_item_is_shown_replayed_and_removed(client: APIClient):
    item = make_item(make_source(), content_html="<p>text</p>", state=FeedItem.State.GENERATED)
    address = f"{ITEMS}{item.pk}/"
    assert client.get(address).json()["content_html"] == "<p>text</p>"
    assert client.post(f"{address}replay/").json()["state"] == "seen"
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    item.refresh_from_db()
    assert item.removed_at is not None


def test_lists_ask_few_queries(client: APIClient, django_assert_max_num_queries):
    for _ in range(20):
        make_item(make_source())
    with django_assert_max_num_queries(3):
        client.get(SOURCES)
    with django_assert_max_num_queries(3):
        client.get(ITEMS)


def test_intervals_are_whole_seconds(client: APIClient):
    source = make_source(max_interval=timedelta(hours=2))
    assert client.get(f"{SOURCES}{source.pk}/").json()["max_interval_seconds"] == 7200


def test_a_text_is_added_to_a_manual_source_once(client: APIClient):
    made = client.post(SOURCES, {"name": "Notes", "kind": "manual"}, format="json")
    assert (made.status_code, made.json()["url"], made.json()["state"]) == (201, "", "ok")
    items = f"{SOURCES}{made.json()['id']}/items/"
    text = {"title": "A note", "html": "<p onclick='x()'>Seals rest.</p>", "categories": ["seals"]}
    first, again = (client.post(items, text, format="json") for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["content_html"] == "<p>Seals rest.</p>" and first.json()["categories"] == ["seals"]
    assert first.json()["id"] == again.json()["id"]
    refused = client.post(items, {"title": "x", "html": "<script></script>"}, format="json")
    assert (refused.status_code, list(refused.json()["fields"])) == (400, ["html"])


def test_a_manual_source_is_not_polled_and_a_polled_one_takes_no_texts(client: APIClient):
    manual, feed = make_source(kind="manual", url=""), make_source()
    for name in ("poll", "test"):
        answer = client.post(f"{SOURCES}{manual.pk}/{name}/", {}, format="json")
        assert answer.status_code == 409 and "by hand" in answer.json()["message"]
    answer = client.post(f"{SOURCES}{feed.pk}/items/", {"title": "x", "html": "y"}, format="json")
    assert answer.status_code == 409 and "polled" in answer.json()["message"]
    assert not JobRun.objects.exists()


def test_a_search_is_made_of_its_options(client: APIClient):
    body = {
        "name": "Ferries",
        "kind": "search",
        "options": {"query": "late ferries", "language": "de", "region": "AT"},
    }
    made = client.post(SOURCES, body, format="json")
    assert made.status_code == 201 and "q=late%20ferries&hl=de-AT" in made.json()["url"]
    again = client.post(SOURCES, body, format="json")
    assert again.status_code == 400
    missing = client.post(SOURCES, {"name": "Nothing", "kind": "search"}, format="json")
    assert missing.status_code == 400 and "query" in str(missing.json()["fields"])
