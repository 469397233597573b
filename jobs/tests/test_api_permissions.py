"""Every endpoint of the control plane, with and without its permission."""

import uuid

import pytest
from django.contrib.auth.models import Permission
from django.urls import URLResolver, get_resolver, reverse

from jobs.api.urls import WORKER_CONTROLS, urlpatterns
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

RUN, SCHEDULE = uuid.UUID(int=7), 2**31 - 1
ARGUMENTS: dict[str | None, list[object]] = {
    **{f"channel-{name}": [SCHEDULE] for name in ("detail", "test", "enable", "disable")},
    "rule-detail": [SCHEDULE],
    **{f"delivery-{name}": [RUN] for name in ("detail", "retry")},
    **{f"inbox-{name}": [SCHEDULE] for name in ("read", "unread")},
    "job-detail": ["testing.add_numbers"],
    "job-trigger": ["testing.add_numbers"],
    "task-detail": [RUN],
    "queue-purge": ["default"],
    "limit-detail": ["testing.add_numbers"],
    "maintenance-window-detail": [SCHEDULE],
    "calendar-detail": [SCHEDULE],
    **{
        f"worker-{name}": ["nobody@here"]
        for name in ("detail", *(a.replace("/", "-") for a in WORKER_CONTROLS))
    },
    **{
        f"run-{name}": [RUN]
        for name in ("detail", "progress", "logs", "delays", "prediction", "cancel", "retry")
    },
    **{
        f"alert-{name}": [SCHEDULE]
        for name in ("detail", "read", "acknowledge", "snooze", "unsnooze", "resolve", "dismiss")
    },
    **{f"failure-{name}": ["aaaa"] for name in ("detail", "retry", "mute", "archive", "reopen")},
    **{
        f"schedule-{name}": [SCHEDULE]
        for name in (
            "detail",
            "pause",
            "resume",
            "run-now",
            "preview",
            "passed",
            "backfill",
            "enable",
            "disable",
            "versions",
        )
    },
    **{f"schedule-{name}": [SCHEDULE, 1] for name in ("version", "restore")},
}


def operations():
    """(name of the route, method, permissions) of every operation but health, which is open, and events.

    Each kind of event has a permission of its own; the tests of live events look at them.
    """
    for pattern in urlpatterns:
        view = pattern.callback.cls  # type: ignore[attr-defined]  # every route is one of DRF's views
        if pattern.name in ("health", "event-list"):
            continue
        actions = getattr(pattern.callback, "actions", None) or {
            method: method for method in ("get", "post", "put", "patch", "delete") if hasattr(view, method)
        }
        for method, action in actions.items():
            if method != "head":
                needed = view.permission_of[action]
                yield pattern.name, method, (needed,) if isinstance(needed, str) else needed


OPERATIONS = sorted(operations())
everywhere = pytest.mark.parametrize(("name", "method", "permissions"), OPERATIONS)
each_permission = pytest.mark.parametrize(
    ("name", "method", "permission"),
    [(name, method, permission) for name, method, permissions in OPERATIONS for permission in permissions],
)


def codenames(permissions):
    return [permission.removeprefix("jobs.") for permission in permissions]


def call(client, name, method):
    address = reverse(f"api:{name}", args=ARGUMENTS.get(name, []))
    return getattr(client, method)(address, **({} if method == "get" else {"data": {}, "format": "json"}))


def routes(entries):
    for entry in entries:
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns)
        else:
            yield entry


def test_the_matrix_knows_every_operation():
    """Wherever in the site's URLs a view of the API hangs, and whatever methods it has by itself."""
    served = set()
    for route in routes(get_resolver().url_patterns):
        view = getattr(route.callback, "cls", None)
        if view is not None and view.__module__.startswith("jobs.api."):
            methods = getattr(route.callback, "actions", None) or map(str.lower, view().allowed_methods)
            served |= {(route.name, method) for method in methods} - {
                (route.name, method) for method in ("head", "options")
            }
    known = {(name, method) for name, method, _ in OPERATIONS}
    assert served - known == {("health", "get"), ("event-list", "get"), ("metrics", "get")}
    assert known - served == set()


@everywhere
def test_without_authentication_nothing_is_done(db, nobody, name, method, permissions):
    response = call(nobody, name, method)
    assert response.status_code == 401
    assert response.json()["code"] == "not_authenticated"
    assert response["WWW-Authenticate"].startswith("Bearer")


@each_permission
def test_every_other_permission_together_is_not_enough(make_client, name, method, permission):
    client = make_client()
    client.user.user_permissions.set(
        Permission.objects.exclude(codename=permission.removeprefix("jobs."), content_type__app_label="jobs")
    )
    response = call(client, name, method)
    assert response.status_code == 403
    assert response.json() == {
        "code": "permission_denied",
        "message": f"This needs the permission {permission}.",
    }


@everywhere
def test_its_own_permission_is_enough(make_client, name, method, permissions):
    response = call(make_client(*codenames(permissions)), name, method)
    # The run and the schedule of this test do not exist, and the bodies are empty.
    assert response.status_code in {200, 400, 404}


@everywhere
def test_a_method_that_an_address_does_not_have_is_405(make_client, name, method, permissions):
    response = call(make_client(*codenames(permissions)), name, "options")
    assert response.status_code == 405
    assert response.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("name", ["run-list", "worker-list"])
def test_head_needs_the_permission_of_get(make_client, name):
    address = reverse(f"api:{name}")
    assert make_client().head(address).status_code == 403
    allowed = make_client("view_jobrun", "view_system", username="bea")
    assert allowed.head(address).status_code == 200


def test_reading_a_run_does_not_allow_cancelling_it(make_client, django_capture_on_commit_callbacks):
    client = make_client("view_jobrun")
    run = tasks.add_numbers.enqueue(left=1)
    assert client.get(reverse("api:run-detail", args=[run.id])).status_code == 200
    assert client.post(reverse("api:run-cancel", args=[run.id])).status_code == 403
    run.refresh_from_db()
    assert run.status == "queued"


def test_a_session_of_the_admin_may_use_the_api_but_writes_need_its_token(make_client):
    from rest_framework.test import APIClient

    user = make_client("run_job", "view_jobrun").user
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(user)
    assert client.get(reverse("api:run-list")).status_code == 200
    answer = client.post(reverse("api:job-trigger", args=["testing.add_numbers"]), {}, format="json")
    assert (answer.status_code, "CSRF" in answer.json()["message"]) == (403, True)


@pytest.mark.django_db(transaction=True)
def test_a_deactivated_user_loses_access_at_once(make_client):
    client = make_client("view_jobrun")
    run = execute(tasks.add_numbers.enqueue(left=1))
    address = reverse("api:run-detail", args=[run.id])
    assert client.get(address).status_code == 200
    client.user.is_active = False
    client.user.save()
    assert client.get(address).status_code == 401
