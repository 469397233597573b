"""The dialog of resuming and enabling: how many slots passed, which, and what to do with them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.tests.schedules_for_tests import crontab_row, edited_at, every_ten_minutes, schedule, tick
from jobs.tests.staff import signed_in, staff

pytestmark = pytest.mark.django_db

LIST = "/admin/jobs/schedule/"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def client():
    return signed_in(
        staff("jobs.view_schedule", "jobs.pause_schedule", "jobs.change_schedule", "jobs.run_schedule")
    )


@pytest.fixture
def paused():
    now = timezone.now()
    task = schedule(every_ten_minutes(now), made_at=now - 35 * MINUTE)
    tick(now - 35 * MINUTE)
    SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=now - 35 * MINUTE, pause_note="moving house")
    tick(now)
    return Schedule.objects.get(pk=task.pk)


def address(name, task):
    return reverse(f"admin:jobs_schedule_{name}", args=[task.pk])


def made(task):
    return JobRun.objects.filter(schedule=task, status="queued").count()


def test_the_page_tells_how_many_slots_passed_and_which(client, paused):
    answer = client.get(address("resume", paused))
    slots = JobRun.objects.filter(schedule=paused).order_by("-scheduled_for")
    (missed,) = answer.context["missed"]
    assert missed.words.startswith(f"{len(slots)} slots passed since")
    assert len(missed.slots) == len(slots)
    assert f"{slots[0].scheduled_for:%H:%M}" in missed.slots[0]
    assert f"Run every one: {len(slots)} runs" in answer.content.decode()
    assert made(paused) == 0


@pytest.mark.parametrize(("rule", "count"), [("", 0), ("skip", 0), ("last", 1), ("all", None)])
def test_the_answer_is_carried_out(client, paused, rule, count):
    slots = JobRun.objects.filter(schedule=paused).count()
    answer = client.post(address("resume", paused), {"catch_up": rule} if rule else {})
    assert answer.status_code == 302
    assert made(paused) == (slots if count is None else count)
    assert not SchedulePolicy.objects.get(pk=paused.pk).is_paused(timezone.now())


def test_another_answer_is_asked_again(client, paused):
    answer = client.post(address("resume", paused), {"catch_up": "some"})
    assert (answer.status_code, "catch_up" in answer.context["form"].errors) == (200, True)


def test_making_up_needs_the_permission_to_run(paused):
    client = signed_in(staff("jobs.view_schedule", "jobs.pause_schedule", name="pauser"))
    assert "Run every one" not in client.get(address("resume", paused)).content.decode()
    assert client.post(address("resume", paused), {"catch_up": "all"}).status_code == 403
    assert made(paused) == 0
    assert client.post(address("resume", paused), {"catch_up": "skip"}).status_code == 302


def test_enabling_asks_about_the_time_it_was_off(client):
    now = timezone.now()
    task = schedule(every_ten_minutes(now), made_at=now - 60 * MINUTE)
    with edited_at(now - 35 * MINUTE):
        PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
    answer = client.get(address("enable", task))
    assert "slots passed since" in answer.context["missed"][0].words
    client.post(address("enable", task), {"catch_up": "last"})
    assert made(task) == 1
    assert Schedule.objects.get(pk=task.pk).enabled


def test_without_slots_there_is_nothing_to_choose(client):
    task = schedule(crontab_row("0 0 1 1 *"), made_at=timezone.now(), enabled=False)
    answer = client.get(address("enable", task)).content.decode()
    assert "No slot passed while it was off." in answer
    assert "Run the latest one" not in answer


def test_many_schedules_are_asked_about_together(client, paused):
    chosen = {"action": "resume_selected", "_selected_action": [paused.pk]}
    assert "Run every one" in client.post(LIST, chosen).content.decode()
    client.post(LIST, {**chosen, "confirmed": "yes", "catch_up": "last"})
    assert made(paused) == 1
