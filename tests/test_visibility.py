"""What belongs to a group is nowhere to be seen for others: every address is asked, by an outsider who may do everything else.

The addresses are found, not listed (`tests.walk`): a page that is added tomorrow is asked tomorrow.
"""

from uuid import UUID

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import include, path

from jobs.models import JobRun, Schedule
from tests.walk import requests, tables, world
from tests.walk.addresses import Rows, addresses

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db, pytest.mark.timeout(600)]

WORD = "Zanzibar"
#: Stands in the name, the parameters, the log and the error of what is hidden.
MARK = f"{WORD}-7c1f09"
#: What is hidden.
OWNED = (Schedule, JobRun)
UNKNOWN = {Schedule: 2**31 - 1, JobRun: UUID(int=7)}
#: Where a member must find it: else the walk proves nothing.
MUST_SHOW = {
    "admin/",
    "admin/jobs/jobrun/",
    "admin/jobs/jobrun/<path:object_id>/change/",
    "admin/jobs/jobrun/<uuid:run_id>/live/",
    "admin/jobs/jobrun/<uuid:run_id>/log/",
    "admin/jobs/schedule/",
    "admin/jobs/schedule/<path:object_id>/change/",
    "admin/jobs/auditevent/",
    "admin/django_celery_results/taskresult/<path:object_id>/change/",
    "api/v1/runs/",
    "api/v1/runs/<uuid:id>/",
    "api/v1/runs/<uuid:id>/logs/",
    "api/v1/schedules/",
    "api/v1/schedules/<int:pk>/",
    "api/v1/tasks/status/<uuid:id>/",
}
#: Of lists, and of whatever else takes them.
QUERIES = ("", f"?q={WORD}", "?status=failed&window=1h")


@pytest.fixture
def team():
    return Group.objects.create(name="Team A")


def everything_but(*codenames):
    return Permission.objects.exclude(codename__in=codenames)


@pytest.fixture
def outsider():
    """May do everything, but is no member and does not see every group."""
    user = User.objects.create_user("outsider", is_staff=True)
    user.user_permissions.set(everything_but("see_all_groups"))
    return user


@pytest.fixture
def member(team):
    user = User.objects.create_user("member", is_staff=True)
    user.user_permissions.set(everything_but("see_all_groups"))
    user.groups.add(team)
    return user


def client_of(user):
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def found_by(user, found, queries=QUERIES):
    """Routes whose answer has the mark."""
    client = client_of(user)
    return {
        address.route
        for address in found
        for query in (queries if not address.has_row else queries[:1])
        if MARK in text_of(client.get(address.path + query))
    }


def text_of(answer):
    if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        answer.close()  # without an end; what it tells is tested with the event log
        return ""
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode(errors="replace")


@pytest.mark.parametrize("is_waiting", [False, True])
def test_an_outsider_finds_it_nowhere_and_a_member_everywhere(team, outsider, member, is_waiting):
    found = addresses(world.make(text=MARK, group=team, is_waiting=is_waiting), world.VALUES)
    assert found_by(outsider, found) == set()
    shown = found_by(member, found)
    assert (set() if is_waiting else MUST_SHOW) - shown == set()


def test_for_an_outsider_the_ids_are_unknown(team, outsider):
    rows = world.make(text=MARK, group=team)
    gone: Rows = {model: rows[model] for model in OWNED}
    about = [address for address in addresses(rows, world.VALUES) if is_about(address, gone)]
    client = client_of(outsider)
    assert len(about) > 20
    for address in about:
        path, unknown = address.path, address.path
        for model, row in gone.items():
            unknown = unknown.replace(f"/{row.pk}/", f"/{UNKNOWN[model]}/")
        hidden, missing = client.get(path), client.get(unknown)
        assert hidden.status_code == missing.status_code, address.route
        assert hidden.status_code in (302, 403, 404, 405), address.route  # 403: nobody deletes runs


def test_an_outsider_controls_nothing_of_it(team, outsider):
    rows = world.make(text=MARK, group=team)
    before = owned_rows()
    root = User.objects.create_superuser("root")
    found = addresses(rows, world.VALUES)
    gone: Rows = {model: rows[model] for model in OWNED}
    wishes = [
        *requests.of_addresses([address for address in found if is_about(address, gone)]),
        *(wish for wish in requests.of_pages(found, client_of(root)) if str(rows[JobRun].pk) in str(vars(wish))
          or f"/schedule/{rows[Schedule].pk}/" in wish.path),
        *(wish for wish in requests.of_actions(gone, root_request(root))
          if wish.path.rstrip("/").endswith(("/schedule", "/jobrun"))),
        *(wish for wish in requests.of_document(found) if f"/{rows[Schedule].pk}/" in wish.path
          or str(rows[JobRun].pk) in wish.path),
    ]  # fmt: skip
    assert len(wishes) > 60
    client = client_of(outsider)
    for wish in wishes:
        wish.send(client)
        assert owned_rows() == before, str(wish)


def test_a_superuser_and_who_sees_every_group_find_it(team):
    found = addresses(world.make(text=MARK, group=team), world.VALUES)
    overseer = User.objects.create_user("overseer", is_staff=True)
    overseer.user_permissions.set(Permission.objects.all())
    for user in (overseer, User.objects.create_superuser("root")):
        assert MUST_SHOW - found_by(user, found, queries=("",)) == set()


def is_about(address, gone):
    return any(f"/{row.pk}/" in address.path and kind_in(address.route, model) for model, row in gone.items())


def kind_in(route, model):
    places = ("runs", "tasks") if model is JobRun else ("schedules",)
    return model._meta.model_name in route or any(f"api/v1/{place}/" in route for place in places)


def root_request(root):
    from django.test import RequestFactory

    asked = RequestFactory().get("/admin/")
    asked.user = root
    return asked


def owned_rows():
    sums = tables.checksums()
    return {
        name: sums[name] for name in ("jobs_jobrun", "jobs_schedulepolicy", "django_celery_beat_periodictask")
    }


# A page that forgets


def leak(request):
    """What a developer in a hurry might add."""
    return HttpResponse("\n".join(JobRun.objects.values_list("error_message", flat=True)))


urlpatterns = [path("admin/leak/", leak), path("", include("config.urls"))]


@pytest.mark.urls("tests.test_visibility")
def test_a_new_page_that_does_not_filter_is_found(team, outsider):
    found = addresses(world.make(text=MARK, group=team), world.VALUES)
    assert found_by(outsider, found, queries=("",)) == {"admin/leak/"}
