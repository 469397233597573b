"""Whoever may only look changes nothing: every address, every form, every action and every operation of the API is tried.

The requests are found, not listed (`tests.walk`): a page that is added tomorrow is tried tomorrow.
"""

from functools import partial

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path

from jobs.models import JobRun, Schedule
from tests.walk import requests, tables, world
from tests.walk.addresses import addresses

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db, pytest.mark.timeout(600)]

#: What a superuser's requests must change, or the walk does not reach what it should.
MUST_CHANGE = {
    "POST /admin/jobs/schedule/add/",
    "POST /admin/jobs/schedule/<id>/change/",
    "POST /admin/jobs/schedule/<id>/delete/",
    "POST /admin/jobs/schedule/<id>/run/",
    "POST /admin/jobs/schedule/<id>/pause/",
    "POST /admin/jobs/schedule/<id>/resume/",
    "POST /admin/jobs/schedule/<id>/disable/",
    "POST /admin/jobs/schedule/",
    "POST /admin/jobs/jobrun/<id>/cancel/",
    "POST /admin/jobs/jobrun/<id>/retry/",
    "POST /admin/jobs/jobrun/<id>/edit/",
    "POST /admin/jobs/jobrun/",
    "POST /admin/publishing/source/",
    "POST /admin/publishing/source/<id>/change/",
    "POST /admin/publishing/feeditem/",
    "POST /admin/auth/user/add/",
    "POST /admin/auth/user/<id>/change/",
    "POST /admin/auth/user/<id>/delete/",
    "POST /admin/auth/group/add/",
    "POST /admin/auth/group/<id>/change/",
    "POST /admin/accounts/apikey/<id>/replace/",
    "POST /admin/accounts/apikey/<id>/revoke/",
    "POST /api/v1/jobs/testing.do_nothing/trigger/",
    "POST /api/v1/runs/<id>/cancel/",
    "POST /api/v1/runs/<id>/retry/",
    "POST /api/v1/schedules/",
    "PUT /api/v1/schedules/<id>/",
    "DELETE /api/v1/schedules/<id>/",
    "POST /api/v1/schedules/<id>/run-now/",
    "POST /api/v1/schedules/<id>/pause/",
    "POST /api/v1/sources/",
    "POST /api/v1/sources/<id>/poll/",
    "DELETE /api/v1/sources/<id>/",
    "DELETE /api/v1/items/<id>/",
    "POST /api/v1/agents/",
    "PATCH /api/v1/agents/<id>/",
    "POST /api/v1/agents/<id>/run/",
    "POST /api/v1/agents/<id>/disable/",
    "POST /api/v1/posts/generate/",
    "POST /api/v1/tasks/generate-post/",
    "POST /api/v1/tasks/monitor-rss/",
    "POST /api/v1/tasks/retry-failed/",
    "DELETE /api/v1/tasks/cancel/<id>/",
    "POST /api/v1/auth/keys/",
    "POST /api/v1/auth/keys/<id>/revoke/",
    "POST /admin/jobs/jobrun/failures/<id>/mute/",
    "POST /admin/jobs/jobrun/failures/<id>/archive/",
    "POST /admin/jobs/alert/",
    "POST /admin/jobs/alert/<id>/acknowledge/",
    "POST /admin/jobs/alert/<id>/resolve/",
    "POST /admin/jobs/calendar/<id>/change/",
    "POST /admin/jobs/maintenancewindow/<id>/change/",
    "POST /admin/jobs/joblimit/<id>/change/",
    "POST /admin/jobs/notificationchannel/<id>/enable/",
    "POST /admin/jobs/notificationrule/<id>/change/",
    "POST /admin/jobs/delivery/<id>/again/",
    "POST /api/v1/alerts/<id>/acknowledge/",
    "POST /api/v1/failures/<id>/mute/",
    "DELETE /api/v1/calendars/<id>/",
    "DELETE /api/v1/maintenance-windows/<id>/",
    "DELETE /api/v1/limits/testing.do_nothing/",
    "POST /api/v1/notifications/channels/<id>/enable/",
    "DELETE /api/v1/notifications/rules/<id>/",
}


@pytest.fixture
def root():
    return User.objects.create_superuser("root", password="a long enough password")


@pytest.fixture
def viewer():
    user = User.objects.create_user("viewer", password="a long enough password", is_staff=True)
    user.groups.add(Group.objects.get(name="viewer"))
    return user


@pytest.fixture
def worlds(viewer, settings):
    """The same world twice, but for the run: it failed in one and waits in the other."""
    settings.OUTBOUND_ALLOWED_HOSTS = []
    settings.PUBMED_URL = "http://127.0.0.1:9"  # nobody there: previews must not ask the real one
    rows = world.make(text="Walked", reader=viewer)
    schedule = rows[Schedule]
    assert isinstance(schedule, Schedule)
    waiting = world.make_run("Waits", schedule, is_waiting=True)
    return [rows, {**rows, JobRun: waiting}]


def client_of(user):
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def wishes(worlds, root):
    """Every request that may change something, each once."""
    asked = RequestFactory().get("/admin/")
    asked.user = root
    found = [addresses(rows, world.VALUES) for rows in worlds]
    every = list({address.path: address for some in found for address in some}.values())
    sources = (
        requests.of_addresses(every),
        requests.of_pages(every, client_of(root)),
        *(requests.of_actions(rows, asked) for rows in worlds),
        *(requests.of_document(some) for some in found),
    )
    return list({wish.key: wish for source in sources for wish in source}.values())


def culprits(wished, client, but_of=None):
    """The requests that change something, with the tables; each is undone before the next."""
    before = tables.checksums(but_of=but_of)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    found = {}
    for wish in wished:
        changed = tables.changed_by(partial(wish.send, client), before, but_of=but_of)
        client.cookies[settings.SESSION_COOKIE_NAME] = session  # a session that was made anew is undone too
        if changed:
            found[wish] = changed
    return found


def test_a_viewer_changes_nothing_by_any_request(worlds, root, viewer):
    """Sent by a superuser, the same requests do change something: the proof that this can fail."""
    wished = wishes(worlds, root)
    # Pages of the admin know forms only; by other methods they are tried as the viewer, below.
    known = [wish for wish in wished if wish.method == "post" or wish.path.startswith("/api/")]
    effective = culprits(known, client_of(root))
    assert sorted(MUST_CHANGE - {nameless(wish, worlds) for wish in effective}) == []

    client = client_of(viewer)
    before = tables.checksums(but_of=viewer.pk)
    answers = {wish: wish.send(client).status_code for wish in wished}
    if tables.checksums(but_of=viewer.pk) != before:
        found = culprits(wished, client, but_of=viewer.pk)
        pytest.fail("\n".join(f"{wish}: {changed}" for wish, changed in found.items()))
    assert client.get("/admin/").status_code == 200  # still the viewer: nothing ended the session on the way
    assert {str(wish): status for wish, status in answers.items() if status >= 500} == {}
    let_in = {
        str(wish): answers[wish]
        for wish, changed in effective.items()
        # What one has read is one's own. A list answers a viewer with the list: the action is not among those offered.
        if set(changed) - tables.OWN.keys()
        and answers[wish] not in (401, 403, 404, 405)
        and not is_list(wish)
    }
    assert let_in == {}


def is_list(wish):
    return wish.path.startswith("/admin/") and wish.path.rstrip("/").count("/") == 3


def nameless(wish, worlds):
    """A request with `<id>` for the id of a row."""
    ids = {str(row.pk) for rows in worlds for row in rows.values()} | {world.VALUES["fingerprint"]}
    parts = ["<id>" if part in ids else part for part in wish.path.split("?")[0].split("/")]
    return f"{wish.method.upper()} {'/'.join(parts)}"


# A page without a permission


def open_door(request, object_id=None):
    """What a developer in a hurry might add."""
    if request.method != "GET":
        Schedule.objects.update(description=f"anybody was here: {request.method}")
    return HttpResponse("done")


urlpatterns = [
    path("admin/jobs/schedule/<path:object_id>/open-door/", open_door),
    path("api/v1/open-door/", open_door),
    path("", include("config.urls")),
]


@pytest.mark.urls("tests.test_view_only")
def test_a_new_page_without_a_permission_is_found(root, viewer):
    rows = world.make(text="Walked")
    found = culprits(
        requests.of_addresses(addresses(rows, world.VALUES)), client_of(viewer), but_of=viewer.pk
    )
    assert {nameless(wish, [rows]) for wish in found} == {
        f"{method} {address}"
        for method in ("POST", "PUT", "PATCH", "DELETE")
        for address in ("/admin/jobs/schedule/<id>/open-door/", "/api/v1/open-door/")
    }
