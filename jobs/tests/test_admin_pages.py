"""The pages around schedules and runs: processes, results, accounts, navigation."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs import audit, heartbeats
from jobs.admin.audit_trail import AuditEventAdmin
from jobs.models import ProcessHeartbeat
from jobs.tests.staff import signed_in, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def client():
    return signed_in(User.objects.create_superuser("operator"))


def worker(seconds_ago=0.0):
    now = timezone.now()
    return ProcessHeartbeat.objects.create(
        kind="worker",
        name=f"celery@{seconds_ago}",
        pid=1,
        started_at=now,
        seen_at=now - timedelta(seconds=seconds_ago),
        info={"queues": ["default"], "concurrency": 4},
    )


@pytest.mark.parametrize(
    "path",
    [
        "",
        "jobs/",
        "jobs/schedule/",
        "jobs/schedule/add/",
        "jobs/jobrun/",
        "jobs/jobrun/run/",
        "jobs/processheartbeat/",
        "django_celery_results/taskresult/",
        "auth/user/",
        "auth/user/add/",
        "auth/group/",
        "auth/group/add/",
        "password_change/",
    ],
)
def test_every_page_opens(client, path):
    assert client.get(f"/admin/{path}").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "jobs/jobrun/?job=%00",
        "jobs/auditevent/?about=%00",
        "jobs/auditevent/export/?about=%00",
        "jobs/delivery/?state=%00",
    ],
)
def test_what_a_list_cannot_be_asked_is_a_bad_request(client, address):
    assert client.get(f"/admin/{address}").status_code == 400


def test_a_page_that_a_list_does_not_have_cannot_be_exported(client, monkeypatch):
    monkeypatch.setattr(AuditEventAdmin, "list_per_page", 1)
    for _ in range(2):
        audit.record_about(User.objects.get(), "alerts", "Deleted 1.")
    assert client.get("/admin/jobs/auditevent/export/?p=2").status_code == 200
    assert client.get("/admin/jobs/auditevent/export/?p=99").status_code == 400


def test_the_sidebar_offers_what_one_may_open():
    page = signed_in(staff("jobs.view_jobrun")).get("/admin/").content.decode()
    assert "/admin/jobs/jobrun/" in page
    assert "/admin/jobs/jobrun/run/" not in page
    assert "/admin/auth/user/" not in page


def test_processes_tell_who_is_alive_and_cannot_be_edited(client):
    alive, silent = worker(), worker(seconds_ago=3600)
    page = client.get("/admin/jobs/processheartbeat/").content.decode()
    assert "Alive" in page
    assert "Silent for 1 h" in page
    assert client.get("/admin/jobs/processheartbeat/add/").status_code == 403
    answer = client.post(f"/admin/jobs/processheartbeat/{alive.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403
    assert ProcessHeartbeat.objects.filter(pk=silent.pk).exists()


def test_a_scheduler_tells_how_far_behind_it_is(client):
    heartbeats.Heart(ProcessHeartbeat.Kind.BEAT, "beat@here").beat(
        lag_seconds=2.5, tick_seconds=0.1, refused={}
    )
    assert "2.5 s behind" in client.get("/admin/jobs/processheartbeat/").content.decode()


def test_processes_are_shown_to_who_may_see_the_system():
    assert signed_in(staff("jobs.view_system")).get("/admin/jobs/processheartbeat/").status_code == 200


def test_results_of_celery_are_read_only(client):
    result = TaskResult.objects.create(task_id="x", status="SUCCESS")
    assert client.get(f"/admin/django_celery_results/taskresult/{result.pk}/change/").status_code == 200
    assert client.get("/admin/django_celery_results/taskresult/add/").status_code == 403
    answer = client.post(f"/admin/django_celery_results/taskresult/{result.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403
