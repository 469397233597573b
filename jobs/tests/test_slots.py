"""Claiming due schedules: together, beside people who edit them, and with rows that are broken."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from jobs import slots
from jobs.models import JobRun, SchedulePolicy
from jobs.tests.schedules_for_tests import at, outcomes, runs, schedule, tick
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)

NOON = at("2026-03-02 12:00")
MINUTE = timedelta(minutes=1)


def minutely(count: int = 1, **values: Any) -> list[PeriodicTask]:
    """Schedules that are due at every minute after noon."""
    interval = IntervalSchedule.objects.create(every=1, period="minutes")
    return [schedule(interval, made_at=NOON, name=f"s{number}", **values) for number in range(count)]


def in_threads(*functions: Callable[[], object]) -> list[BaseException]:
    """Call each in a thread with a connection of its own; gives their errors."""
    errors: list[BaseException] = []

    def call(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive(), "a thread waits for ever"
    return errors


class TestClaiming:
    @committed
    def test_schedulers_at_work_together_give_each_slot_to_one_of_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(slots, "BATCH", 7)
        schedules = minutely(40)
        sent: list[Any] = []

        def work() -> None:
            for number in range(1, 4):
                sent.extend(message.run_id for message in tick(NOON + number * MINUTE))

        assert in_threads(*[work] * 4) == []
        assert len(sent) == len(set(sent)) == JobRun.objects.filter(status=Status.QUEUED).count()
        for task in schedules:
            assert [slot for slot, _ in outcomes(task)] == [NOON + number * MINUTE for number in range(1, 4)]

    @committed
    def test_a_tick_does_not_wait_for_somebody_who_edits_a_schedule(self) -> None:
        edited, other = minutely(2)
        tick(NOON)
        with transaction.atomic():
            PeriodicTask.objects.filter(pk=edited.pk).update(enabled=False)
            assert in_threads(lambda: tick(NOON + MINUTE)) == []
            assert runs(other) == [NOON + MINUTE]
        assert runs(edited) == []

    @committed
    def test_an_edit_in_the_middle_of_a_tick_ends_neither_in_a_deadlock(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (task,) = minutely()
        tick(NOON)
        is_locked, is_edited = threading.Event(), threading.Event()
        settle = slots._settle

        def slow_settle(*args: Any) -> Any:
            is_locked.set()
            is_edited.wait(timeout=1)
            return settle(*args)

        monkeypatch.setattr(slots, "_settle", slow_settle)

        def edit() -> None:
            assert is_locked.wait(timeout=10)
            PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
            is_edited.set()

        assert in_threads(lambda: tick(NOON + MINUTE), edit) == []
        assert runs(task) == [NOON + MINUTE]
        policy = SchedulePolicy.objects.get(pk=task.pk)
        assert policy.is_stale

    @committed
    def test_a_schedule_deleted_in_the_middle_of_a_tick_harms_nobody(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (task,) = minutely()
        tick(NOON)
        is_locked = threading.Event()
        settle = slots._settle

        def slow_settle(*args: Any) -> Any:
            is_locked.set()
            threading.Event().wait(0.3)
            return settle(*args)

        monkeypatch.setattr(slots, "_settle", slow_settle)

        def delete() -> None:
            assert is_locked.wait(timeout=10)
            PeriodicTask.objects.get(pk=task.pk).delete()

        assert in_threads(lambda: tick(NOON + MINUTE), delete) == []
        assert not PeriodicTask.objects.filter(pk=task.pk).exists()
        assert JobRun.objects.get().schedule is None

    @committed
    def test_people_may_run_a_schedule_now_while_it_is_claimed(self) -> None:
        (task,) = minutely()
        tick(NOON)
        with transaction.atomic():
            list(slots._locked("next_slot_at <= %s", [NOON + MINUTE]))
            assert in_threads(lambda: tasks.add_numbers.enqueue(left=1)) == []
            assert in_threads(lambda: JobRun.objects.update(schedule=task)) == []


class TestBrokenRows:
    """One broken schedule must not stop the others, and its slots have an outcome too."""

    @pytest.mark.parametrize(
        "broken",
        [
            {"kwargs": "{not json"},
            {"kwargs": '["a list"]'},
            {"args": '{"an": "object"}'},
            {"kwargs": '{"left": "\\u0000"}'},
            {"kwargs": '{"left": "\\ud800"}'},
            {"kwargs": '{"left": NaN}'},
            {"kwargs": '{"left": -Infinity}'},
            {"kwargs": '{"left": 1e999999}'},
            {"kwargs": "[" * 100_000},
            {"queue": "q" * 150},
            {"expire_seconds": 2**31 - 1},
        ],
        ids=str,
    )
    def test_a_schedule_with_impossible_values_has_its_slot_recorded_beside_healthy_ones(
        self, broken: dict[str, Any]
    ) -> None:
        (healthy,) = minutely()
        bad = schedule(IntervalSchedule.objects.create(every=1, period="minutes"), made_at=NOON, name="bad")
        PeriodicTask.objects.filter(pk=bad.pk).update(**broken)
        tick(NOON + MINUTE)
        assert runs(healthy) == [NOON + MINUTE]
        ((slot, status),) = outcomes(bad)
        assert slot == NOON + MINUTE
        if "expire_seconds" not in broken:
            row = JobRun.objects.get(schedule=bad)
            assert (status, row.reason) == (Status.MISSED, row.reason)
            assert row.reason.startswith("The schedule's")
        tick(NOON + 2 * MINUTE)
        assert len(outcomes(bad)) == 2

    @pytest.mark.parametrize(
        ("model", "values"),
        [
            (IntervalSchedule, {"every": 0}),
            (IntervalSchedule, {"every": 2**31 - 1, "period": "days"}),
            (CrontabSchedule, {"minute": "nonsense"}),
            (CrontabSchedule, {"hour": "99"}),
            (CrontabSchedule, {"day_of_month": "31", "month_of_year": "2"}),
        ],
        ids=str,
    )
    def test_an_impossible_timing_says_so_and_stops_nobody(self, model: Any, values: dict[str, Any]) -> None:
        (healthy,) = minutely()
        row = (
            IntervalSchedule.objects.create(every=1, period="minutes")
            if model is IntervalSchedule
            else CrontabSchedule.objects.create(minute="*")
        )
        bad = schedule(row, made_at=NOON, name="bad")
        model.objects.filter(pk=row.pk).update(**values)
        tick(NOON + MINUTE)
        assert runs(healthy) == [NOON + MINUTE]
        policy = SchedulePolicy.objects.get(pk=bad.pk)
        assert not policy.is_stale
        assert policy.next_slot_at is None
        assert outcomes(bad) == []

    def test_a_schedule_whose_task_is_gone_is_never_sent(self) -> None:
        (task,) = minutely()
        PeriodicTask.objects.filter(pk=task.pk).update(task="gone.for_good")
        assert tick(NOON + MINUTE) == []
        row = JobRun.objects.get()
        assert (row.status, row.reason) == (Status.MISSED, "No task named gone.for_good exists any more.")


class TestRows:
    def test_a_run_carries_what_its_schedule_says(self) -> None:
        (task,) = minutely(queue="reports", priority=2, expire_seconds=30, description="d")
        PeriodicTask.objects.filter(pk=task.pk).update(kwargs='{"left": 7}')
        (message,) = tick(NOON + MINUTE)
        run = JobRun.objects.get(pk=message.run_id)
        assert (run.queue, run.priority, run.parameters, run.trigger) == (
            "reports",
            2,
            {"left": 7},
            "schedule",
        )
        assert (run.scheduled_for, run.expires_at) == (NOON + MINUTE, NOON + MINUTE + timedelta(seconds=30))
        assert (message.queue, message.priority, message.schedule_name) == ("reports", 2, task.name)
        task.refresh_from_db()
        assert (task.total_run_count, task.last_run_at) == (1, NOON + MINUTE)

    def test_a_celery_task_of_another_package_is_dispatched_with_its_arguments(self) -> None:
        (task,) = minutely()
        PeriodicTask.objects.filter(pk=task.pk).update(task="foreign.add", args="[1, 2]", kwargs="{}")
        (message,) = tick(NOON + MINUTE)
        assert (message.job, message.args) == ("foreign.add", [1, 2])
