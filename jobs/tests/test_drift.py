"""Code and database: differences settled with a click, and schedules that cannot run as they are."""

import pytest
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from jobs import inspection, sync
from jobs.definitions import all_jobs
from jobs.errors import IllegalState
from jobs.models import Schedule, SchedulePolicy
from jobs.tests.schedules_for_tests import JOB, crontab_row
from jobs.tests.staff import signed_in, staff
from jobs.tests.test_versions import commit

pytestmark = pytest.mark.django_db

PAGE = "/admin/jobs/schedule/drift/"


@pytest.fixture
def edited():
    """A declared schedule whose timing somebody edited."""
    sync.sync_schedules()
    name = next(job.name for job in all_jobs() if job.schedule is not None)
    PeriodicTask.objects.filter(name=name).update(crontab=crontab_row("7 7 7 7 *"), interval=None)
    commit()
    return Schedule.objects.get(name=name)


@pytest.fixture
def client():
    return signed_in(staff("jobs.view_schedule", "jobs.change_schedule"))


def drifting():
    return {one.name for one in sync.drift()}


def test_taking_what_the_code_declares_ends_the_drift(client, edited):
    assert drifting() == {edited.name}
    assert "7 7 7 7 * (UTC)" in client.get(PAGE).content.decode()
    client.post(reverse("admin:jobs_schedule_take", args=[edited.pk]))
    assert drifting() == set()
    version = edited.versions.order_by("-number").first()
    assert (version.note, version.by.username) == ("Took what its job declares.", "staff")


def test_keeping_ones_own_ends_the_drift_and_survives_the_next_deploy(client, edited):
    client.post(reverse("admin:jobs_schedule_keep", args=[edited.pk]))
    assert drifting() == set()
    assert sync.sync_schedules() == []
    assert Schedule.objects.get(pk=edited.pk).crontab.hour == "7"
    assert "Kept on purpose" in client.get(PAGE).content.decode()


def test_a_new_declaration_drifts_again(edited):
    sync.keep_edited(edited, by=None)
    SchedulePolicy.objects.filter(pk=edited.pk).update(declined={"seconds": 1, "overlap": "skip"})
    assert drifting() == {edited.name}


@pytest.mark.parametrize("settle", [sync.take_declared, sync.keep_edited])
def test_only_declared_schedules_can_be_settled(settle):
    task = PeriodicTask.objects.create(name="mine", task=JOB, crontab=crontab_row("0 9 * * *"))
    with pytest.raises(IllegalState, match="No job declares"):
        settle(task, by=None)


@pytest.mark.parametrize("name", ["take", "keep"])
def test_settling_needs_the_permission_to_change_and_a_post(client, edited, name):
    address = reverse(f"admin:jobs_schedule_{name}", args=[edited.pk])
    assert signed_in(staff("jobs.view_schedule", name="viewer")).post(address).status_code == 403
    assert client.get(address).status_code == 405
    assert drifting() == {edited.name}


def test_schedules_that_cannot_run_are_listed_with_the_reason(client):
    row = crontab_row("0 9 * * *")
    for name, task, kwargs in (
        ("fits", JOB, '{"left": 1}'),
        ("misfits", JOB, '{"centre": 1}'),
        ("broken", JOB, "{"),
        ("list", JOB, "[1]"),
        ("orphan", "gone.away", "{}"),
        ("foreign", "celery.backend_cleanup", '{"anything": 1}'),
    ):
        PeriodicTask.objects.create(name=name, task=task, kwargs=kwargs, crontab=row)
    assert [one.name for one in inspection.misfits()] == ["broken", "list", "misfits"]
    assert "centre" in inspection.misfits()[2].reason
    assert [(one.name, one.job) for one in inspection.orphans()] == [("orphan", "gone.away")]
    answer = client.get(PAGE).content.decode()
    assert "No code is left for gone.away" in answer
    assert "not JSON" in answer
