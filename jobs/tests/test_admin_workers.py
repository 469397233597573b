"""The pages of workers, tasks and queues: who may see them, who may use the controls, and runs of other groups."""

from datetime import UTC, datetime

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs.admin.worker_controls import CONTROLS
from jobs.models import JobRun, ProcessHeartbeat
from jobs.remote.inspection import Held, Report
from jobs.remote.visible import HIDDEN, seen_by
from jobs.tests.staff import VIEWER, signed_in, staff
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db

PAGES = "/admin/jobs/processheartbeat/"
NAME = "dead@machine"


@pytest.fixture
def dead_worker():
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    return ProcessHeartbeat.objects.create(
        kind="worker", name=NAME, pid=7, started_at=long_ago, seen_at=long_ago, info={"queues": ["default"]}
    )


def report(**held):
    kept = {"active": [], "reserved": [], "scheduled": [], "revoked": [], **held}
    return Report(
        worker="w@x",
        pid=1,
        uptime_seconds=1,
        processed={},
        pool="prefork",
        processes=[],
        size=1,
        prefetch=1,
        main_memory=1,
        children_memory=1,
        autoscale=None,
        can_restart_pool=True,
        queues=[],
        tasks={},
        **kept,
    )


def held(run):
    return Held(worker="w@x", id=str(run.pk), name=run.job, started_at=timezone.now(), pid=1, eta=None)


@pytest.mark.parametrize("path", ["workers/", f"workers/{NAME}/", "tasks/", "queues/"])
def test_the_pages_are_for_those_who_may_see_the_system(dead_worker, path):
    assert (
        signed_in(staff(*VIEWER, "jobs.control_worker", "jobs.purge_queue")).get(PAGES + path).status_code
        == 403
    )
    assert signed_in(staff("jobs.view_system", name="ada")).get(PAGES + path).status_code == 200


@pytest.mark.parametrize("what", CONTROLS)
def test_who_may_only_look_can_use_no_control(dead_worker, what):
    client = signed_in(staff(*VIEWER, "jobs.view_system", "jobs.purge_queue"))
    for method in (client.get, client.post):
        assert method(f"{PAGES}workers/{NAME}/{what}/", {"confirmed": "yes"}).status_code == 403
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("what", CONTROLS)
def test_a_link_controls_nothing(dead_worker, what):
    client = signed_in(staff("jobs.view_system", "jobs.control_worker"))
    answer = client.get(f"{PAGES}workers/{NAME}/{what}/")
    assert answer.status_code == (200 if CONTROLS[what].question else 405)
    assert not LogEntry.objects.exists()


def test_a_dead_worker_cannot_be_controlled(dead_worker):
    client = signed_in(staff("jobs.view_system", "jobs.control_worker"))
    page = client.post(f"{PAGES}workers/{NAME}/ping/", follow=True).content.decode()
    assert "lives" in page
    assert not LogEntry.objects.exists()


def test_what_does_not_exist_is_not_found(dead_worker):
    client = signed_in(staff("jobs.view_system", "jobs.control_worker", "jobs.purge_queue"))
    for path in (
        "workers/nobody@here/",
        f"workers/{NAME}/explode/",
        "tasks/?show=all",
        "queues/nowhere/purge/",
    ):
        assert client.get(PAGES + path).status_code == 404


def test_purging_needs_its_own_permission():
    run = tasks.add_numbers.enqueue(left=1)
    client = signed_in(staff("jobs.view_system", "jobs.control_worker"))
    assert "Purge" not in client.get(f"{PAGES}queues/").content.decode()
    assert client.post(f"{PAGES}queues/default/purge/", {"confirmed": "yes"}).status_code == 403
    run.refresh_from_db()
    assert run.status == JobRun.Status.QUEUED


def test_runs_of_other_groups_are_hidden_in_reports():
    mine, theirs = tasks.add_numbers.enqueue(left=1), tasks.echo_text.enqueue(text="x")
    JobRun.objects.filter(pk=theirs.pk).update(owner_group=Group.objects.create(name="Others"))
    seen = seen_by(
        staff("jobs.view_system", "jobs.view_jobrun"),
        report(active=[held(mine), held(theirs)], revoked=[str(theirs.pk), "no-run"]),
    )
    assert [(one.id, one.name) for one in seen.active] == [(str(mine.pk), mine.job), (HIDDEN, HIDDEN)]
    assert seen.revoked == ["no-run"]
