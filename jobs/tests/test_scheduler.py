"""The scheduler's loop: what it does in a tick, and what it survives."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import DataError, OperationalError
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from pytest_django import Settings

from jobs import heartbeats, ledger, reaper, slots
from jobs.heartbeats import Heart, alive
from jobs.models import JobRun, ProcessHeartbeat, SchedulePolicy
from jobs.scheduler import CARE_EVERY, SlotScheduler
from tests.jobs_for_tests import tasks

Status = JobRun.Status
Kind = ProcessHeartbeat.Kind
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flush_broker")]


@pytest.fixture
def scheduler() -> Iterator[SlotScheduler]:
    scheduler = SlotScheduler(app=current_app)
    yield scheduler
    scheduler.close()


def overdue(seconds: float = 1) -> PeriodicTask:
    """A schedule whose slot has just passed."""
    interval = IntervalSchedule.objects.create(every=1, period="hours")
    task = PeriodicTask.objects.create(name="due", task="testing.do_nothing", interval=interval)
    SchedulePolicy.objects.filter(pk=task.pk).update(
        is_stale=False,
        next_slot_at=timezone.now() - timedelta(seconds=seconds),
        anchor_at=timezone.now() - timedelta(minutes=30),
    )
    return task


class TestTick:
    def test_due_slots_are_made_and_sent(self, scheduler: SlotScheduler, sent: list[str]) -> None:
        task = overdue()
        scheduler.tick()
        assert sent == [str(JobRun.objects.get(schedule=task).id)]

    def test_a_due_retry_is_sent_in_the_same_tick(self, scheduler: SlotScheduler, sent: list[str]) -> None:
        scheduler.tick()
        run = tasks.add_numbers.enqueue(left=1)
        JobRun.objects.update(status=Status.RETRYING, next_attempt_at=timezone.now())
        scheduler.tick()
        assert sent == [str(run.id)]

    def test_it_sleeps_until_just_after_the_next_whole_tick(
        self, scheduler: SlotScheduler, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.JOBS_TICK_SECONDS = 1
        now = time.time() // 1 + 0.25
        monkeypatch.setattr(time, "time", lambda: now)
        assert scheduler.tick() == pytest.approx(0.752)

    def test_an_edit_takes_effect_at_the_next_tick(self, scheduler: SlotScheduler) -> None:
        crontab = CrontabSchedule.objects.create(minute="0", hour="3")
        task = PeriodicTask.objects.create(name="t", task="testing.do_nothing", crontab=crontab)

        def next_hour() -> int | None:
            scheduler.tick()
            at = SchedulePolicy.objects.get(pk=task.pk).next_slot_at
            return at.hour if at else None

        assert next_hour() == 3
        CrontabSchedule.objects.filter(pk=crontab.pk).update(hour="5")
        assert next_hour() == 5
        PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
        assert next_hour() is None
        PeriodicTask.objects.raw(
            "UPDATE django_celery_beat_periodictask SET enabled = true WHERE id = %s RETURNING id", [task.pk]
        )[0]
        assert next_hour() == 5
        task.crontab = CrontabSchedule.objects.create(minute="0", hour="9")
        task.enabled = True
        task.save()
        assert next_hour() == 9
        assert not JobRun.objects.exists()

    def test_a_database_that_does_not_answer_does_not_end_it(
        self, scheduler: SlotScheduler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(now: Any) -> int:
            raise OperationalError("away")

        monkeypatch.setattr(slots, "plan_stale", away)
        assert scheduler.tick() > 0

    def test_what_the_database_refuses_to_one_part_holds_up_no_other_and_health_tells(
        self, scheduler: SlotScheduler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refused(now: Any) -> int:
            raise DataError("no such day")

        monkeypatch.setattr(slots, "plan_stale", refused)
        task = overdue()
        scheduler.tick()
        assert JobRun.objects.filter(schedule=task).count() == 1
        assert "The database refuses the planning of this tick" in caplog.text
        assert "no such day" in caplog.text
        assert alive(Kind.BEAT, timezone.now())[0].info["refused"] == ["planning"]


class TestCare:
    def test_workers_get_one_lease_to_speak_up_after_a_start_and_after_an_outage(
        self, scheduler: SlotScheduler, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        run = tasks.add_numbers.enqueue(left=1)
        ledger.claim(run.id, worker="w", pid=1)
        JobRun.objects.update(lease_expires_at=timezone.now() - timedelta(hours=1))
        scheduler.care()
        assert JobRun.objects.get().status == Status.RUNNING
        now = time.monotonic() + settings.JOBS_LEASE_SECONDS + 1
        monkeypatch.setattr(time, "monotonic", lambda: now)
        scheduler.care()
        assert JobRun.objects.get().status == Status.QUEUED

    def test_expired_runs_are_ended(self, scheduler: SlotScheduler) -> None:
        tasks.add_numbers.enqueue(left=1)
        JobRun.objects.update(expires_at=timezone.now())
        scheduler.care()
        assert JobRun.objects.get().status == Status.MISSED

    def test_care_is_taken_every_two_seconds_only(
        self, scheduler: SlotScheduler, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rounds: list[int] = []
        monkeypatch.setattr(reaper, "expire_waiting", lambda: rounds.append(1))
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now)
        for _ in range(4):
            scheduler.work()
        assert rounds == [1]
        now += CARE_EVERY
        scheduler.work()
        assert rounds == [1, 1]


class TestHeartbeat:
    def test_the_scheduler_says_that_it_lives_until_it_stops(self, scheduler: SlotScheduler) -> None:
        scheduler.tick()
        (row,) = alive(Kind.BEAT, timezone.now())
        assert row.name.startswith("beat@")
        assert set(row.info) >= {"lag_seconds", "tick_seconds"}
        scheduler.close()
        assert alive(Kind.BEAT, timezone.now()) == []

    def test_it_writes_at_most_every_five_seconds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        heart = Heart(Kind.WORKER, "w@here")
        heart.beat(queues=["a"])
        heart.beat(queues=["b"])
        assert ProcessHeartbeat.objects.get().info == {"queues": ["a"]}
        now = time.monotonic() + heartbeats.EVERY
        monkeypatch.setattr(time, "monotonic", lambda: now)
        heart.beat(queues=["b"])
        assert ProcessHeartbeat.objects.get().info == {"queues": ["b"]}

    def test_silence_means_death_and_the_dead_are_forgotten_after_a_day(self) -> None:
        now = timezone.now()
        for name, ago in (("a", 1), ("b", 60), ("c", 2 * 86_400)):
            ProcessHeartbeat.objects.create(
                kind="worker", name=name, pid=1, started_at=now, seen_at=now - timedelta(seconds=ago)
            )
        assert [row.name for row in alive(Kind.WORKER, now)] == ["a"]
        Heart(Kind.WORKER, "d").beat()
        assert sorted(ProcessHeartbeat.objects.values_list("name", flat=True)) == ["a", "b", "d"]
