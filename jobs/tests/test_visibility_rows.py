"""Whose runs are whose: owner groups and how runs inherit them."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db import ProgrammingError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from jobs import schedules, slots
from jobs.definitions import retry_run
from jobs.models import AuditEvent, JobRun, Schedule, SchedulePolicy, visibility_of
from jobs.schedules import Wish
from jobs.tests.staff import staff
from jobs.when import When
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def group():
    return Group.objects.create(name="Team A")


@pytest.fixture
def schedule(group):
    wish = Wish(name="Sums", job="testing.add_numbers", when=When(interval="1 hour"), parameters={"left": 1})
    made = schedules.create(wish, by=None)
    SchedulePolicy.objects.filter(pk=made.pk).update(owner_group=group)
    return made


def test_a_run_by_hand_inherits_the_group_of_its_schedule(schedule, group):
    run = schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    assert run.owner_group_id == group.pk
    assert JobRun.objects.get(pk=run.pk).owner_group == group


def test_a_slot_inherits_the_group_of_its_schedule(schedule, group):
    now = timezone.now()
    slots.plan_stale(now)
    SchedulePolicy.objects.update(next_slot_at=now)
    slots.fire_due(now)
    assert JobRun.objects.get(schedule=schedule).owner_group == group


def test_a_retry_and_a_part_inherit_from_their_run_when_the_schedule_is_gone(schedule, group):
    run = schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    JobRun.objects.filter(pk=run.pk).update(status="failed")
    schedule.delete()
    run.refresh_from_db()
    assert (run.schedule_id, run.owner_group_id) == (None, group.pk)
    assert retry_run(run, by=None).owner_group_id == group.pk
    part = JobRun.objects.create(
        job="x.y", queue="default", trigger="code", parent=run, queued_at=timezone.now()
    )
    assert JobRun.objects.get(pk=part.pk).owner_group_id == group.pk


def test_who_sees_what(schedule, group):
    theirs = schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    free = tasks.add_numbers.enqueue(left=1)
    member, outsider, overseer = staff(name="m"), staff(name="o"), staff("jobs.see_all_groups", name="s")
    member.groups.add(group)
    root = User.objects.create_superuser("root")
    for user, runs, schedule_count in (
        (member, {theirs.pk, free.pk}, 1),
        (overseer, {theirs.pk, free.pk}, 1),
        (root, {theirs.pk, free.pk}, 1),
        (outsider, {free.pk}, 0),
        (AnonymousUser(), {free.pk}, 0),
    ):
        assert set(JobRun.objects.visible_to(user).values_list("pk", flat=True)) == runs
        assert Schedule.objects.visible_to(user).count() == schedule_count
        assert visibility_of(user).includes(group.pk) == bool(schedule_count)
        assert visibility_of(user).includes(None)


def test_what_a_user_sees_is_asked_once_for_one_object(group, django_assert_num_queries):
    user = staff("jobs.view_jobrun")
    user.has_perm("jobs.view_jobrun")
    with django_assert_num_queries(1):
        visibility_of(user)
        visibility_of(user)


def test_a_group_that_owns_something_is_not_deleted(schedule, group):
    with pytest.raises(ProtectedError):
        group.delete()


def test_an_audit_event_is_never_changed(db):
    event = AuditEvent.objects.create(action="changed", message="was so")
    with pytest.raises(ProgrammingError, match="never changed"), transaction.atomic():
        AuditEvent.objects.update(message="was never so")
    assert AuditEvent.objects.get(pk=event.pk).message == "was so"
    event.delete()
