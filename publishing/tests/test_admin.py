import re
from datetime import timedelta

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs.models import JobRun
from publishing import sources
from publishing.models import FeedItem, Source
from publishing.tests.factories import make_item, make_source

pytestmark = pytest.mark.django_db

SOURCES, ITEMS = "admin:publishing_source_changelist", "admin:publishing_feeditem_changelist"


def client_with(*permissions: str, is_superuser: bool = False) -> Client:
    user = User.objects.create_user(f"user-{User.objects.count()}", is_staff=True, is_superuser=is_superuser)
    ours = Permission.objects.filter(content_type__app_label__in=["jobs", "publishing"])
    found = ours.filter(codename__in=permissions)
    assert len(found) == len(permissions)
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root() -> Client:
    return client_with(is_superuser=True)


def act(client: Client, page: str, action: str, *rows: Source | FeedItem, confirmed: bool = False):
    data = {"action": action, ACTION_CHECKBOX_NAME: [row.pk for row in rows]}
    return client.post(reverse(page), data | ({"confirmed": "yes"} if confirmed else {}), follow=True)


@pytest.fixture
def one_of_each_state() -> dict[str, Source]:
    now = timezone.now()
    return {
        "new": make_source(),
        "ok": make_source(last_success_at=now),
        "failing": make_source(consecutive_failures=2, last_error="It answered <b>500</b>."),
        "unreadable": make_source(consecutive_parse_failures=3, consecutive_failures=3),
        "gone": make_source(gone_at=now, consecutive_failures=1),
        "disabled": make_source(is_enabled=False, gone_at=now),
    }


@pytest.mark.parametrize("state", Source.State.values)
def test_the_filter_finds_what_the_list_shows(root: Client, one_of_each_state, state):
    page = root.get(reverse(SOURCES), {"state": state})
    assert list(page.context["cl"].queryset) == [one_of_each_state[state]]
    assert one_of_each_state[state].state == state


def test_the_list_shows_health_and_escapes_what_came_from_outside(root: Client, one_of_each_state):
    make_item(one_of_each_state["ok"])
    Source.objects.filter(pk=one_of_each_state["ok"].pk).update(
        last_run_id="01900000-0000-7000-8000-00000000abcd"
    )
    page = root.get(reverse(SOURCES)).content.decode()
    assert "It answered &lt;b&gt;500&lt;/b&gt;." in page and "2 times in a row" in page
    assert reverse("admin:jobs_jobrun_change", args=["01900000-0000-7000-8000-00000000abcd"]) in page
    for label in Source.State.labels:
        assert label in page


def test_lists_ask_the_same_number_of_queries_however_long_they_are(
    root: Client, django_assert_max_num_queries
):
    for _ in range(30):
        make_item(make_source())
    for page in (SOURCES, ITEMS):
        root.get(reverse(page))
        with django_assert_max_num_queries(12):
            assert root.get(reverse(page)).status_code == 200


@pytest.mark.parametrize("action", ["poll_now", "read_all", "test"])
def test_asking_for_a_poll_or_a_test_queues_a_run_and_links_to_it(root: Client, action):
    source = make_source()
    page = act(root, SOURCES, action, source)
    run = JobRun.objects.get()
    assert run.job == ("publishing.test_source" if action == "test" else "publishing.monitor_feed")
    assert run.parameters.get("force", False) == (action == "read_all")
    assert reverse("admin:jobs_jobrun_change", args=[run.pk]) in page.content.decode()


def test_the_page_of_a_run_links_back_to_its_source(root: Client):
    source = make_source()
    act(root, SOURCES, "poll_now", source)
    page = reverse("admin:jobs_jobrun_change", args=[JobRun.objects.get().pk])
    address = reverse("admin:publishing_source_change", args=[source.pk])
    assert address in root.get(page).content.decode()
    assert address not in client_with("view_jobrun").get(page).content.decode()


def test_the_switch_and_the_reset(root: Client):
    source = make_source(gone_at=timezone.now())
    make_item(source)
    act(root, SOURCES, "disable", source)
    assert Source.objects.get().state == "disabled"
    act(root, SOURCES, "enable", source)
    assert Source.objects.get().state == "new"
    asked = act(root, SOURCES, "reset", source)
    assert FeedItem.objects.exists() and "Forget every item" in asked.content.decode()
    act(root, SOURCES, "reset", source, confirmed=True)
    assert not FeedItem.objects.exists()


@pytest.mark.parametrize(("page", "action"), [(SOURCES, "reset"), (ITEMS, "remove")])
def test_a_question_about_rows_that_are_gone_is_no_error(root: Client, page, action):
    item = make_item(make_source())
    row = item.source if page == SOURCES else item
    item.source.delete()
    row.pk = 2**31 - 1
    assert act(root, page, action, row).status_code == 200


ACTIONS = [
    (SOURCES, "poll_now", "poll_source"),
    (SOURCES, "read_all", "poll_source"),
    (SOURCES, "test", "test_source"),
    (SOURCES, "enable", "enable_source"),
    (SOURCES, "disable", "enable_source"),
    (SOURCES, "reset", "reset_source"),
    (ITEMS, "replay", "replay_feeditem"),
    (ITEMS, "remove", "delete_feeditem"),
]


@pytest.mark.parametrize(("page", "action", "permission"), ACTIONS)
def test_every_action_needs_its_own_permission(page, action, permission):
    item = make_item(make_source(), state=FeedItem.State.SKIPPED)
    row = item.source if page == SOURCES else item
    before = Source.objects.values().get(), FeedItem.objects.values().get()
    others = {name for _, _, name in ACTIONS} - {permission}
    without = client_with("view_source", "change_source", "view_feeditem", *others)
    act(without, page, action, row, confirmed=True)
    assert (Source.objects.values().get(), FeedItem.objects.values().get()) == before
    assert not JobRun.objects.exists()
    able = client_with("view_source", "view_feeditem", permission)
    assert act(able, page, action, row, confirmed=True).status_code == 200
    after = Source.objects.values().get(), FeedItem.objects.values().first()
    assert after != before or JobRun.objects.exists() or action == "enable"


def form(**fields: str) -> dict[str, str]:
    return {
        "name": "News", "kind": "feed", "url": "https://feeds.example/a", "options": "{}", "language": "",
        "backfill_limit": "20", "min_interval": "0:05:00", "max_interval": "1 00:00:00", **fields,
    }  # fmt: skip


def test_a_source_is_added_and_changed_in_its_form(root: Client):
    add = reverse("admin:publishing_source_add")
    assert root.get(add).status_code == 200
    root.post(add, form())
    source = Source.objects.get()
    assert (source.url, source.min_interval) == ("https://feeds.example/a", timedelta(minutes=5))
    Source.objects.update(etag='"1"')
    change = reverse("admin:publishing_source_change", args=[source.pk])
    assert "fiber_new" in root.get(change).content.decode()
    root.post(change, form(url="https://feeds.example/b"))
    source.refresh_from_db()
    assert (source.url, source.etag) == ("https://feeds.example/b", "")


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "ftp://a/"},
        {"kind": "pigeon"},
        {"kind": "search", "url": ""},
        {
            "kind": "search",
            "url": "",
            "parameter-query": "ferries",
            "parameter-template": "https://a.example/",
        },
        {"kind": "page", "parameter-selector": "div["},
        {"kind": "page", "parameter-min_changed_words": "none"},
        {"min_interval": "2 00:00:00"},
        {"name": ""},
    ],
)
def test_the_form_refuses_what_does_not_fit(root: Client, fields):
    page = root.post(reverse("admin:publishing_source_add"), form(**fields))
    assert page.status_code == 200 and page.context["errors"]
    assert not Source.objects.exists()


def test_what_is_added_is_chosen_first(root: Client):
    page = root.get(reverse("admin:publishing_source_add")).content.decode()
    assert all(f"?kind={kind}" in page for kind in sources.kinds())


@pytest.mark.parametrize("kind", sources.kinds())
def test_each_kind_has_a_form_of_its_own_options(root: Client, kind):
    page = root.get(reverse("admin:publishing_source_add"), {"kind": kind}).content.decode()
    adapter = sources.get(kind)
    assert all(f'name="parameter-{name}"' in page for name in adapter.options.model_fields)
    assert ('name="url"' in page, 'name="min_interval"' in page) == (adapter.has_address, adapter.is_polled)


def test_options_are_entered_and_changed_in_fields(root: Client):
    given = {
        "kind": "sitemap", "parameter-include": "/news/\n/blog/", "parameter-pages": "3", "parameter-exclude": "",
    }  # fmt: skip
    root.post(reverse("admin:publishing_source_add") + "?kind=sitemap", form(**given))
    source = Source.objects.get()
    assert source.options == {"include": ["/news/", "/blog/"], "exclude": [], "pages": 3}
    change = reverse("admin:publishing_source_change", args=[source.pk])
    assert "/news/\n/blog/" in root.get(change).content.decode()
    root.post(change, form(**given | {"parameter-pages": "0"}))
    source.refresh_from_db()
    assert (source.kind, source.options["pages"]) == ("sitemap", 0)


def test_a_search_gets_its_address_and_the_same_one_is_refused(root: Client):
    given = {
        "kind": "search",
        "parameter-query": "ferries",
        "parameter-language": "en",
        "parameter-region": "US",
    }
    given["parameter-template"] = "https://search.example/?q={query}"
    add = reverse("admin:publishing_source_add") + "?kind=search"
    for _ in range(2):
        page = root.post(add, form(**given))
    assert [source.url for source in Source.objects.all()] == ["https://search.example/?q=ferries"]
    assert "already" in page.content.decode()


def test_texts_are_added_on_the_page_of_their_source(root: Client):
    root.post(reverse("admin:publishing_source_add") + "?kind=manual", {"name": "Notes", "kind": "manual"})
    source = Source.objects.get()
    address = reverse("admin:publishing_source_add_item", args=[source.pk])
    assert address in root.get(reverse("admin:publishing_source_change", args=[source.pk])).content.decode()
    assert root.get(address).status_code == 200
    given = {"title": "A note", "html": "<p>Seals <script>x()</script>rest.</p>"}
    page = root.post(address, given, follow=True).content.decode()
    assert "was added" in page and source.items.get().content_html == "<p>Seals rest.</p>"
    assert "was there already" in root.post(address, given, follow=True).content.decode()
    refused = root.post(address, {"title": "x", "html": "<script>x</script>", "url": "javascript:x"})
    assert set(refused.context["form"].errors) == {"html", "url"}
    assert client_with("view_source", "change_source").post(address, given).status_code == 403
    assert (
        "polled"
        in root.post(
            reverse("admin:publishing_source_add_item", args=[make_source().pk]), given
        ).content.decode()
    )


def test_polling_what_is_added_by_hand_says_why_not(root: Client):
    source = make_source(kind="manual", url="")
    page = act(root, SOURCES, "poll_now", source).content.decode()
    assert "added by hand" in page and not JobRun.objects.exists()


def test_a_source_is_deleted_with_its_items_once_their_number_was_shown(root: Client):
    source = make_source()
    for number in range(3):
        make_item(source, title=f"Item {number}")
    address = reverse("admin:publishing_source_delete", args=[source.pk])
    page = root.get(address).content.decode()
    assert "Items: 3" in page
    root.post(address, {"post": "yes"})
    assert not Source.objects.exists() and not FeedItem.objects.exists()


def test_an_item_shows_its_sanitised_text_and_cannot_be_edited(root: Client):
    item = make_item(make_source(), content_html="<p>Some <b>text</b></p>", title="<script>x</script>")
    page = root.get(reverse("admin:publishing_feeditem_change", args=[item.pk])).content.decode()
    assert "<p>Some <b>text</b></p>" in page
    assert "&lt;script&gt;x" in page and not re.search(r"<script>x", page)
    assert root.get(reverse("admin:publishing_feeditem_delete", args=[item.pk])).status_code == 403


def test_items_are_replayed_and_removed_from_their_list(root: Client):
    item = make_item(make_source(), state=FeedItem.State.FAILED)
    act(root, ITEMS, "replay", item)
    item.refresh_from_db()
    assert item.state == "seen"
    assert "no poll brings them back" in act(root, ITEMS, "remove", item).content.decode()
    act(root, ITEMS, "remove", item, confirmed=True)
    assert not FeedItem.objects.kept().exists()
