"""Slots that passed while a schedule was off or paused: listed, and made up for only when somebody says so."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from jobs import passed, schedules
from jobs.errors import IllegalState, InvalidSchedule
from jobs.models import JobRun, RunLog, Schedule, SchedulePolicy
from jobs.tests.schedules_for_tests import crontab_row, edited_at, outcomes, schedule, tick

pytestmark = pytest.mark.django_db

Status = JobRun.Status
MINUTE = timedelta(minutes=1)


@pytest.fixture
def ada(db):
    return User.objects.create(username="ada")


@pytest.fixture
def now():
    return timezone.now()


def ten_minutely(made_at, **values):
    return schedule(crontab_row("*/10 * * * *"), made_at=made_at, **values)


def paused(now, **values):
    """A schedule of every ten minutes that was paused 35 minutes ago; a scheduler has just come by."""
    task = ten_minutely(now - 35 * MINUTE, **values)
    tick(now - 35 * MINUTE)
    SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=now - 35 * MINUTE, pause_note="moving house")
    tick(now)
    return Schedule.objects.get(pk=task.pk)


def off(now, **values):
    """A schedule of every ten minutes that was switched off 35 minutes ago."""
    task = ten_minutely(now - 60 * MINUTE, **values)
    tick(now - 40 * MINUTE)
    with edited_at(now - 35 * MINUTE):
        PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
    tick(now - 34 * MINUTE)
    return Schedule.objects.get(pk=task.pk)


def since(task, moment):
    return [(at, status) for at, status in outcomes(task) if at >= moment]


class TestPaused:
    def test_the_slots_of_the_pause_are_told(self, now):
        task = paused(now)
        found = passed.while_paused(task, now)
        assert found.count in (3, 4)
        assert list(found.slots) == [at for at, _ in since(task, now - 35 * MINUTE)]
        assert found.words == f"{found.count} slots passed"

    def test_slots_that_no_scheduler_has_come_to_are_told_too(self, now):
        task = ten_minutely(now - 60 * MINUTE)
        tick(now - 50 * MINUTE)
        SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=now - 35 * MINUTE)
        seen_before = passed.while_paused(task, now)
        tick(now)
        assert passed.while_paused(task, now) == seen_before

    def test_resuming_runs_nothing_that_passed_unless_asked(self, now, ada, sent):
        task = paused(now)
        assert schedules.resume(task, by=ada) == []
        assert {status for _, status in since(task, now - 35 * MINUTE)} == {Status.SKIPPED}

    @pytest.mark.parametrize("rule", ["last", "all"])
    def test_resuming_makes_up_for_what_is_asked(
        self, now, ada, sent, rule, django_capture_on_commit_callbacks
    ):
        task = paused(now)
        wanted = passed.while_paused(task, now).chosen(rule)
        before = {run.scheduled_for: run.pk for run in JobRun.objects.filter(schedule=task)}
        with django_capture_on_commit_callbacks(execute=True):
            made = schedules.resume(task, by=ada, catch_up=rule)
        queued = JobRun.objects.filter(schedule=task, scheduled_for__in=wanted)
        assert {run.status for run in queued} == {Status.QUEUED}
        assert {run.pk for run in queued} == set(made) == {before[at] for at in wanted}
        assert {run.requested_by for run in queued} == {ada}
        assert {run.reason for run in queued} == {"Made up for: the schedule was paused."}
        assert {run.finished_at for run in queued} == {None}
        assert sorted(sent) == sorted(map(str, made))
        logs = RunLog.objects.filter(run_id__in=made).values_list("message", flat=True)
        assert len(logs) == len(wanted)
        assert logs[0].startswith("Was skipped: The schedule was paused: moving house.")

    def test_slots_without_a_row_get_one_and_the_scheduler_leaves_them_alone(self, now):
        task = ten_minutely(now - 60 * MINUTE)
        tick(now - 50 * MINUTE)
        SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=now - 35 * MINUTE)
        wanted = passed.while_paused(task, now).slots
        made = schedules.resume(Schedule.objects.get(pk=task.pk), by=None, catch_up="last")
        tick(timezone.now())
        rows = dict(since(task, now - 35 * MINUTE))
        assert rows.pop(wanted[-1]) == Status.QUEUED
        assert set(rows) == set(wanted[:-1])
        assert set(rows.values()) == {Status.SKIPPED}
        assert len(made) == 1

    def test_slots_skipped_for_another_reason_are_not_made_up_for(self, now):
        task = paused(now)
        JobRun.objects.filter(schedule=task).update(reason="Overlap: the run of 12:00 had not ended.")
        assert passed.while_paused(task, now).count == 0
        assert schedules.resume(task, by=None, catch_up="all") == []

    def test_a_schedule_is_resumed_once(self, now):
        task = paused(now)
        made = schedules.resume(task, by=None, catch_up="all")
        with pytest.raises(IllegalState, match="not paused"):
            schedules.resume(task, by=None, catch_up="all")
        assert JobRun.objects.filter(schedule=task, status=Status.QUEUED).count() >= len(made)

    def test_the_schedule_runs_as_it_is_now_and_not_as_it_was_when_the_slot_passed(self, now):
        task = paused(now)
        PeriodicTask.objects.filter(pk=task.pk).update(kwargs='{"left": 40}', queue="elsewhere")
        (made,) = schedules.resume(task, by=None, catch_up="last")
        run = JobRun.objects.get(pk=made)
        assert (run.parameters, run.queue) == ({"left": 40}, "elsewhere")

    def test_a_run_that_expires_has_its_time_from_now_on(self, now):
        task = paused(now, expire_seconds=60)
        (made,) = schedules.resume(task, by=None, catch_up="last")
        expires_at = JobRun.objects.get(pk=made).expires_at
        assert expires_at is not None
        assert timezone.now() < expires_at < timezone.now() + 2 * MINUTE

    def test_pausing_again_keeps_the_beginning_of_the_pause(self, now):
        task = paused(now)
        policy = schedules.pause(task, note="still moving", by=None)
        assert policy.paused_at == now - 35 * MINUTE

    def test_one_that_is_for_one_run_makes_one_and_is_switched_off(self, now):
        task = paused(now, one_off=True)
        assert passed.while_paused(task, now).count == 1
        assert len(schedules.resume(task, by=None, catch_up="all")) == 1
        task.refresh_from_db()
        assert not task.enabled

    def test_too_many_are_refused_and_the_pause_stays(self, now, monkeypatch):
        monkeypatch.setattr(passed, "MOST", 2)
        task = paused(now)
        with pytest.raises(InvalidSchedule, match="at most 2 runs are made at once"):
            schedules.resume(task, by=None, catch_up="all")
        assert SchedulePolicy.objects.get(pk=task.pk).is_paused(now)
        assert len(schedules.resume(task, by=None, catch_up="last")) == 1

    def test_another_word_is_refused(self, now):
        with pytest.raises(InvalidSchedule, match="Use one of skip, last, all"):
            schedules.resume(paused(now), by=None, catch_up="some")


class TestOff:
    def test_enabling_runs_nothing_that_passed_unless_asked(self, now):
        task = off(now)
        assert passed.while_off(task, now).count in (3, 4)
        assert schedules.set_enabled(task, True, by=None) == []
        tick(timezone.now())
        assert since(task, now - 34 * MINUTE) == []

    @pytest.mark.parametrize("rule", ["last", "all"])
    def test_enabling_makes_up_for_what_is_asked(self, now, ada, rule):
        task = off(now)
        wanted = passed.while_off(task, now).chosen(rule)
        made = schedules.set_enabled(task, True, by=ada, catch_up=rule)
        tick(timezone.now())
        assert since(task, now - 35 * MINUTE) == [(at, Status.QUEUED) for at in wanted]
        assert {str(run.reason) for run in JobRun.objects.filter(pk__in=made)} == {
            "Made up for: the schedule was off."
        }

    def test_enabling_twice_makes_up_once(self, now):
        task = off(now)
        assert schedules.set_enabled(task, True, by=None, catch_up="last")
        assert schedules.set_enabled(task, True, by=None, catch_up="last") == []

    def test_slots_before_an_edit_of_the_timing_are_not_those_of_the_new_timing(self, now):
        task = off(now)
        with edited_at(now - 12 * MINUTE):
            PeriodicTask.objects.filter(pk=task.pk).update(crontab=crontab_row("*/5 * * * *"))
        task.refresh_from_db()
        found = passed.while_off(task, now)
        assert found.since == now - 12 * MINUTE
        assert found.count in (2, 3)

    def test_many_slots_are_counted_to_a_limit_and_the_latest_is_right(self, now, monkeypatch):
        monkeypatch.setattr(passed, "COUNTED", 20)
        monkeypatch.setattr(passed, "MOST", 5)
        task = schedule(crontab_row("* * * * *"), made_at=now - 300 * MINUTE, enabled=False)
        found = passed.while_off(task, now)
        assert (found.count, found.is_more, found.words) == (20, True, "More than 20 slots passed")
        assert found.slots == (now.replace(second=0, microsecond=0),)
        assert found.chosen("last") == list(found.slots)

    def test_an_orphan_has_nothing_to_make_up_for(self, now):
        task = off(now)
        PeriodicTask.objects.filter(pk=task.pk).update(task="gone.away")
        task.refresh_from_db()
        assert passed.while_off(task, now) == passed.Passed()
