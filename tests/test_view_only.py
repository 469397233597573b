"""Whoever may only look changes nothing: every address, every form, every action and every operation of the API is tried.

The requests are found, not listed (`tests.walk`): a page that is added tomorrow is tried tomorrow.
"""

from functools import partial

import pytest
from django.contrib.auth.models import Group, User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path

from jobs.models import Schedule
from tests.walk import requests, tables, world
from tests.walk.addresses import addresses

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

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
    "POST /api/v1/auth/keys/",
    "POST /api/v1/auth/keys/<id>/revoke/",
}


@pytest.fixture
def root():
    return User.objects.create_superuser("root", password="a long enough password")


@pytest.fixture
def viewer():
    user = User.objects.create_user("viewer", password="a long enough password", is_staff=True)
    user.groups.add(Group.objects.get(name="viewer"))
    return user


@pytest.fixture(params=["ended", "waiting"])
def rows(request, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = []
    return world.make(text="Walked", is_waiting=request.param == "waiting")


def client_of(user):
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def wishes(rows, root):
    """Every request that may change something, each once."""
    found = addresses(rows, world.VALUES)
    asked = RequestFactory().get("/admin/")
    asked.user = root
    sources = (
        requests.of_addresses(found),
        requests.of_pages(found, client_of(root)),
        requests.of_actions(rows, asked),
        requests.of_document(found),
    )
    return list({str(wish): wish for source in sources for wish in source}.values())


def culprits(wished, client):
    """The requests that change something, with the tables; each is undone before the next."""
    before = tables.checksums()
    return {
        wish: changed for wish in wished if (changed := tables.changed_by(partial(wish.send, client), before))
    }


def test_a_viewer_changes_nothing_by_any_request(rows, root, viewer):
    wished, client = wishes(rows, root), client_of(viewer)
    assert len(wished) > 300
    assert client.get("/admin/").status_code == 200
    before = tables.checksums()
    answers = {str(wish): wish.send(client).status_code for wish in wished}
    if tables.checksums() != before:
        pytest.fail("\n".join(f"{wish}: {changed}" for wish, changed in culprits(wished, client).items()))
    assert client.get("/admin/").status_code == 200  # still the viewer: nothing ended the session on the way
    broken = {wish: status for wish, status in answers.items() if status >= 500}
    assert not broken


def test_what_a_superuser_can_change_a_viewer_is_refused(rows, root, viewer):
    effective = culprits(wishes(rows, root), client_of(root))
    client = client_of(viewer)
    let_in = {
        str(wish): status
        for wish in effective
        # A list answers a viewer with the list: the action is not among those offered.
        if (status := wish.send(client).status_code) not in (401, 403, 404, 405) and not is_list(wish, rows)
    }
    assert let_in == {}


def test_the_walk_reaches_what_can_be_changed(root, settings):
    """The proof that the two tests above can fail: the same requests, sent by a superuser, do change something."""
    reached = set()
    for is_waiting in (True, False):
        rows = world.make(text=f"Walked {is_waiting}", is_waiting=is_waiting)
        for wish in culprits(wishes(rows, root), client_of(root)):
            reached.add(nameless(wish, rows))
    assert sorted(MUST_CHANGE - reached) == []


def is_list(wish, rows):
    return wish.path.startswith("/admin/") and wish.path.rstrip("/").count("/") == 3


def nameless(wish, rows):
    """A request with `<id>` for the id of the world's row."""
    ids = {str(row.pk) for row in rows.values()}
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
    found = culprits(requests.of_addresses(addresses(rows, world.VALUES)), client_of(viewer))
    assert {nameless(wish, rows) for wish in found} == {
        f"{method} {address}"
        for method in ("POST", "PUT", "PATCH", "DELETE")
        for address in ("/admin/jobs/schedule/<id>/open-door/", "/api/v1/open-door/")
    }
