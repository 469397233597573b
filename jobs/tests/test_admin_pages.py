"""The pages around schedules and runs: overview, processes, results, accounts, navigation."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs import ledger, schedules
from jobs.ledger import Outcome
from jobs.models import JobRun, ProcessHeartbeat
from jobs.schedules import When, Wish
from jobs.slots import plan_stale
from jobs.tests.staff import signed_in, staff
from tests.jobs_for_tests import tasks

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


def figures(client):
    return {figure.title: figure.value for figure in client.get("/admin/").context["figures"]}


def test_the_overview_counts_what_runs_what_failed_and_who_lives(client):
    tasks.add_numbers.enqueue(left=1)
    run = tasks.add_numbers.enqueue(left=1)
    ledger.claim(run.pk, worker="w", pid=1)
    ledger.finish(run.pk, 1, Outcome(status=JobRun.Status.FAILED, error_type="E", error_message="Bad luck"))
    worker()
    worker(seconds_ago=3600)
    assert figures(client) == {"Active runs": 1, "Failures in 24 hours": 1, "Workers": 1, "Schedulers": 0}
    assert "Bad luck" in client.get("/admin/").content.decode()


def test_the_overview_tells_the_next_slots(client):
    wish = Wish(name="Sums", job="testing.add_numbers", when=When(interval="2h"), parameters={"left": 1})
    schedules.create(wish, by=None)
    plan_stale(timezone.now())
    page = client.get("/admin/").content.decode()
    assert "Sums" in page
    assert "in 2 h" in page or "in 1 h 59 min" in page


def test_an_empty_overview_says_what_to_do(client):
    page = client.get("/admin/").content.decode()
    assert "Run a job" in page
    assert "Make a schedule" in page
    assert "nothing runs until one is started" in page


def test_the_overview_shows_nobody_what_they_may_not_see():
    tasks.add_numbers.enqueue(left=1)
    nobody = signed_in(staff())
    assert figures(nobody) == {}
    page = nobody.get("/admin/").content.decode()
    assert "Ask an administrator" in page
    assert "Add numbers" not in page


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


def test_processes_are_shown_to_who_may_see_the_system():
    assert signed_in(staff("jobs.view_system")).get("/admin/jobs/processheartbeat/").status_code == 200


def test_results_of_celery_are_read_only(client):
    result = TaskResult.objects.create(task_id="x", status="SUCCESS")
    assert client.get(f"/admin/django_celery_results/taskresult/{result.pk}/change/").status_code == 200
    assert client.get("/admin/django_celery_results/taskresult/add/").status_code == 403
    answer = client.post(f"/admin/django_celery_results/taskresult/{result.pk}/delete/", {"post": "yes"})
    assert answer.status_code == 403
