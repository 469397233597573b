"""What the watch sees: failures, lost runs, missed slots, queues without workers, late and long runs; and their end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.alerts import kinds, raise_alert, register, watch
from jobs.alerts.kinds import Kind
from jobs.alerts.raising import Subject
from jobs.models import Alert, AlertWatch, FailureDecision, JobRun, SchedulePolicy
from jobs.tests.alert_scenes import (
    JOB,
    NOON,
    Status,
    after,
    alive,
    all_well,
    failed,
    look,
    looks,
    lost,
    run,
    schedule,
    told,
)

pytestmark = pytest.mark.django_db
State = Alert.State


@pytest.fixture(autouse=True)
def no_canaries(settings):
    settings.JOBS_CANARY_SECONDS = 0


def test_failures_of_one_cause_are_one_alert_and_each_is_counted_once():
    for minute in range(3):
        failed(after(minutes=minute))
        look(after(minutes=minute))
        look(after(minutes=minute, seconds=5))
    alert = Alert.objects.get()
    assert (alert.kind, alert.job, alert.count, alert.state) == ("jobs.run_failed", JOB, 3, "open")
    assert alert.title == "Add numbers fails: ValueError"
    assert alert.message == "no such thing"
    assert len(alert.context["runs"]) == 1
    assert told() == ["run_failed opened"]


def test_failures_of_other_causes_and_jobs_are_other_alerts():
    failed(NOON)
    failed(NOON, cause="c2")
    failed(NOON, job="testing.echo_text")
    look(NOON)
    assert Alert.objects.filter(kind="jobs.run_failed").count() == 3


def test_failures_that_people_muted_raise_nothing():
    FailureDecision.objects.create(fingerprint="c1", action="muted", decided_at=NOON)
    FailureDecision.objects.create(fingerprint="c2", action="muted", decided_at=NOON, until=NOON)
    failed(NOON)
    failed(NOON, cause="c2")
    look(NOON)
    assert [alert.context["error_fingerprint"] for alert in Alert.objects.all()] == ["c2"]


def test_a_success_of_the_job_after_the_failure_ends_the_alert():
    run(Status.SUCCEEDED, NOON)
    failed(after(minutes=1))
    look(after(minutes=1))
    assert Alert.objects.get().state == State.OPEN
    run(Status.SUCCEEDED, after(minutes=2))
    look(after(minutes=2))
    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == (State.RESOLVED, "recovered")
    assert told() == ["run_failed opened", "run_failed resolved"]


def test_a_failing_schedule_ends_its_alert_with_its_own_success_only():
    good, bad = schedule("good"), schedule("bad")
    failed(NOON, schedule=bad)
    look(NOON)
    run(Status.SUCCEEDED, after(minutes=1), schedule=good)
    look(after(minutes=1))
    assert Alert.objects.get().state == State.OPEN
    run(Status.SUCCEEDED, after(minutes=2), schedule=bad)
    look(after(minutes=2))
    assert Alert.objects.get().state == State.RESOLVED


def test_a_lost_run_is_told_and_ends_with_a_later_success():
    lost(NOON)
    look(NOON)
    assert told() == ["run_lost opened"]
    run(Status.SUCCEEDED, after(minutes=1))
    look(after(minutes=1))
    assert told() == ["run_lost opened", "run_lost resolved"]


def test_missed_slots_of_a_schedule_are_one_alert_that_ends_when_a_later_slot_has_run():
    task = schedule()
    for minute in range(3):
        run(Status.MISSED, after(minutes=minute), schedule=task, scheduled_for=after(minutes=minute))
    look(after(minutes=3))
    alert = Alert.objects.get()
    assert (alert.kind, alert.count, alert.subject_type) == ("jobs.slot_missed", 3, "schedule")
    assert alert.title == "hourly missed 3 slots"
    run(Status.SUCCEEDED, after(minutes=4), schedule=task, scheduled_for=after(minutes=4))
    look(after(minutes=4))
    assert told() == ["slot_missed opened", "slot_missed resolved"]


def test_missed_slots_of_many_schedules_of_one_job_are_one_alert():
    for number in range(30):
        run(Status.MISSED, NOON, schedule=schedule(f"number {number}"), scheduled_for=NOON)
    look(NOON)
    alert = Alert.objects.get()
    assert (alert.count, alert.subject_type) == (30, "job")
    assert alert.title == "30 schedules of Add numbers missed 30 slots"


def test_what_belongs_to_a_group_is_told_to_it_alone():
    red, blue = Group.objects.create(name="red"), Group.objects.create(name="blue")
    for group in (red, blue, None):
        failed(NOON, owner_group=group)
        run(Status.MISSED, NOON, owner_group=group, scheduled_for=NOON, schedule=schedule(f"of {group}"))
    look(NOON)
    for kind in ("jobs.run_failed", "jobs.slot_missed"):
        found = Alert.objects.filter(kind=kind).values_list("owner_group__name", "count")
        assert sorted(found, key=str) == [("blue", 1), ("red", 1), (None, 1)]


def test_runs_that_wait_for_a_queue_without_a_worker_are_told_after_a_minute_until_one_comes():
    run(Status.QUEUED, NOON, queue="reports")
    looks(NOON, after(seconds=55))
    assert told() == []
    look(after(seconds=60))
    assert Alert.objects.get().title == "No worker takes from reports"
    assert told() == ["no_worker opened"]
    alive("worker", after(seconds=65), queues=["default", "reports"], concurrency=2)
    alive("beat", after(seconds=65))
    for second in (65, 75, 80):
        look(after(seconds=second), well=False)
    assert told() == ["no_worker opened", "no_worker resolved"]


def test_without_any_worker_all_queues_are_one_alert():
    for queue in ("default", "reports", "knowledge"):
        run(Status.QUEUED, NOON, queue=queue)
    for second in range(0, 65, 5):
        alive("beat", after(seconds=second))
        look(after(seconds=second), well=False)
    alert = Alert.objects.get()
    assert (alert.title, alert.context["waiting"]) == ("No worker is running", 3)


def test_a_queue_without_a_worker_that_nothing_waits_for_is_nobodys_worry():
    looks(NOON, after(minutes=3))
    assert not Alert.objects.exists()


def test_runs_that_wait_long_although_their_queue_has_a_worker_are_late():
    waiting = run(Status.QUEUED, NOON)
    look(after(minutes=5))
    assert not Alert.objects.exists()
    looks(after(minutes=6), after(minutes=6, seconds=5))
    alert = Alert.objects.get()
    assert (alert.kind, alert.state) == ("jobs.run_late", State.OPEN)
    assert alert.message == "1 run waits in the queue default, the first for 6 minutes."
    JobRun.objects.filter(pk=waiting.pk).update(status=Status.SUCCEEDED)
    looks(after(minutes=7), after(minutes=7, seconds=5))
    assert Alert.objects.get().state == State.RESOLVED


def test_a_run_that_waited_for_its_turn_is_late_only_from_then_on():
    run(Status.QUEUED, NOON, admitted_at=after(minutes=60), first_published_at=after(minutes=60))
    looks(after(minutes=61), after(minutes=62))
    assert not Alert.objects.exists()
    looks(after(minutes=66), after(minutes=66, seconds=5))
    assert Alert.objects.get().kind == "jobs.run_late"


@pytest.mark.parametrize(
    ("usual", "passed", "is_too_long"),
    [
        (10.0, 65, False),
        (10.0, 71, True),
        (100.0, 295, False),
        (100.0, 301, True),
    ],
)
def test_a_run_takes_too_long_beyond_three_times_what_is_usual_and_a_minute_more(usual, passed, is_too_long):
    for minute in range(5):
        start = after(minutes=-60 - minute)
        run(Status.SUCCEEDED, start, finished_at=start + timedelta(seconds=usual))
    run(Status.RUNNING, NOON, worker="worker@here")
    looks(after(seconds=passed), after(seconds=passed + 5))
    assert Alert.objects.filter(kind="jobs.run_too_long", state=State.OPEN).exists() == is_too_long


def test_without_enough_runs_to_compare_with_nothing_is_too_long():
    for minute in range(4):
        run(Status.SUCCEEDED, after(minutes=-60 - minute))
    run(Status.RUNNING, NOON)
    looks(after(hours=5), after(hours=5, seconds=30))
    assert not Alert.objects.filter(kind="jobs.run_too_long").exists()


def test_an_alert_of_a_long_run_ends_with_the_run():
    for minute in range(5):
        run(Status.SUCCEEDED, after(minutes=-60 - minute))
    running = run(Status.RUNNING, NOON)
    looks(after(minutes=5), after(minutes=5, seconds=10))
    assert told() == ["run_too_long opened"]
    JobRun.objects.filter(pk=running.pk).update(status=Status.SUCCEEDED, finished_at=after(minutes=6))
    look(after(minutes=6))
    assert told() == ["run_too_long opened", "run_too_long resolved"]


def test_a_schedule_that_is_paused_by_failures_is_told_once_until_it_is_resumed():
    schedule("by hand", paused_at=NOON, pause_note="Holidays")
    note = "A run failed on 2026-03-01 12:00 UTC: no such thing"
    task = schedule(paused_at=NOON, pause_on_failure=True, pause_note=note)
    looks(NOON, after(minutes=2))
    alert = Alert.objects.get()
    assert (alert.kind, alert.subject_id, alert.count) == ("jobs.schedule_paused", str(task.pk), 1)
    assert (alert.title, alert.message) == ("hourly was paused", note)
    SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=None)
    look(after(minutes=3))
    assert told() == ["schedule_paused opened", "schedule_paused resolved"]


def test_an_alert_that_is_quiet_for_long_enough_ends_by_itself():
    raise_alert("jobs.reported_trouble", subject=Subject(type="thing"), title="Odd", at=NOON)
    look(after(days=6, hours=23))
    assert Alert.objects.get().state == State.OPEN
    look(after(days=7))
    assert Alert.objects.get().state == State.RESOLVED


def test_a_broken_rule_of_an_app_is_told_and_does_not_blind_the_watch(monkeypatch, caplog):
    errors = [ZeroDivisionError("by zero")]

    def rule(alerts, at):
        if errors:
            raise errors[0]
        return alerts

    monkeypatch.setattr(kinds, "_registry", dict(kinds._registry))
    register(
        Kind(
            name="testing.broken",
            title="Odd numbers",
            severity=Alert.Severity.LOW,
            help_text="-",
            runbook="-",
            find_good=rule,
            find_bad=lambda at: rule([], at),
        )
    )
    raise_alert("testing.broken", subject=Subject(type="thing"), title="Odd", at=NOON)
    failed(NOON)
    look(after(seconds=5))
    assert Alert.objects.filter(kind="jobs.run_failed").exists()
    assert caplog.text.count("A rule of the alerts of the kind testing.broken failed.") == 2
    look(after(seconds=65))
    alert = Alert.objects.get(kind="jobs.rule_broken")
    assert (alert.title, alert.message) == (
        "The alert rule of 'Odd numbers' fails",
        "ZeroDivisionError: by zero",
    )
    assert (alert.state, alert.count) == (State.OPEN, 2)
    errors.clear()
    look(after(seconds=70))
    assert told()[-2:] == ["testing.broken resolved", "rule_broken resolved"]


def test_snoozed_alerts_come_back_by_themselves():
    alert = raise_alert("jobs.reported_trouble", subject=Subject(type="thing"), title="Odd", at=NOON)
    Alert.objects.update(state=State.SNOOZED, snoozed_until=after(minutes=10))
    look(after(minutes=9))
    assert Alert.objects.get().state == State.SNOOZED
    look(after(minutes=10))
    alert.refresh_from_db()
    assert (alert.state, alert.snoozed_until) == (State.OPEN, None)
    assert told() == ["reported_trouble opened", "reported_trouble unsnoozed"]


def test_a_look_costs_as_many_statements_with_a_thousand_runs_as_with_a_few():
    look(NOON)

    def cost(at, count):
        JobRun.objects.bulk_create(
            JobRun(
                job=JOB,
                queue="default",
                trigger="code",
                status="failed",
                queued_at=at,
                finished_at=at,
                error_type="builtins.ValueError",
                error_fingerprint="c1",
            )
            for _ in range(count)
        )
        all_well(at)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            watch.look_at(at)
        return len(queries)

    cost(after(seconds=5), 1)
    assert cost(after(seconds=10), 1000) == cost(after(seconds=15), 3)
    assert Alert.objects.get().count == 1004


def test_a_look_at_a_quiet_installation_costs_few_statements(django_assert_max_num_queries):
    look(NOON)
    all_well(after(seconds=5))
    with django_assert_max_num_queries(30):
        watch.look_at(after(seconds=5))


@pytest.mark.django_db(transaction=True)
def test_of_several_processes_that_look_at_once_one_does(flush_broker):
    gate = Barrier(4)

    def process():
        gate.wait()
        try:
            return watch.look()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: process(), range(4)))
    assert done.count(True) == 1
    assert not watch.look()
    assert AlertWatch.objects.get().broker_seen_at is not None
