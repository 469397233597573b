"""One incident for an outage: what it explains is folded into it, and it ends with a summary."""

from datetime import timedelta

import pytest

from jobs.alerts import incidents, outages, raise_alert
from jobs.alerts.raising import Subject
from jobs.models import Alert, AlertEvent, JobRun, SchedulePolicy
from jobs.tests.alert_scenes import NOON, Status, after, alive, look, looks, lost, run, schedule, told

pytestmark = pytest.mark.django_db
State = Alert.State


@pytest.fixture(autouse=True)
def no_canaries(settings):
    settings.JOBS_CANARY_SECONDS = 0


def incident() -> Alert:
    return Alert.objects.get(incident=None)


def without_beat(start, end):
    """Looks of workers, while the scheduler is dead since noon."""
    at = start
    while at <= end:
        alive("worker", at, queues=["default"], concurrency=2)
        look(at, well=False)
        at += timedelta(seconds=15)


def test_a_silent_scheduler_is_one_incident_that_folds_in_a_thousand_missed_slots():
    tasks = [schedule(f"number {number}") for number in range(50)]
    look(NOON)
    without_beat(after(seconds=5), after(minutes=10))
    assert told() == ["scheduler_silent opened"]
    opened = incident()
    assert (opened.title, opened.severity) == ("No scheduler is running", "critical")
    assert opened.bad_since == after(seconds=20)  # when its last sign of life became too old
    for task in tasks:
        for minute in range(1, 10):
            at = after(minutes=minute)
            run(Status.MISSED, after(minutes=10), schedule=task, scheduled_for=at)
        run(Status.SUCCEEDED, after(minutes=10), schedule=task, scheduled_for=after(minutes=9.5))
    looks(after(minutes=10, seconds=5), after(minutes=10, seconds=15))
    assert Alert.objects.count() == 1
    closed = incident()
    assert closed.state == State.RESOLVED
    assert closed.context["folded"] == {"jobs.slot_missed": 450}
    assert closed.context["slots"] == {
        "caught_up": 50,
        "waiting": 0,
        "missed": 450,
        "skipped": 0,
        "lost": 0,
        "cancelled": 0,
    }
    assert told() == ["scheduler_silent opened", "scheduler_silent resolved"]
    note = AlertEvent.objects.get(what="resolved").note
    assert note == (
        "From 2026-03-01 12:00:20 to 12:10:05 UTC (9 min 45 s). 500 slots fell into it: "
        "50 caught up, 450 missed, 0 lost."
    )


def test_a_short_silence_is_nobodys_worry():
    schedule()
    look(NOON)
    without_beat(after(seconds=5), after(seconds=40))
    looks(after(seconds=45), after(seconds=55))
    assert not Alert.objects.exists()


def test_without_schedules_nobody_misses_a_scheduler():
    look(NOON)
    without_beat(after(seconds=5), after(minutes=10))
    assert not Alert.objects.exists()


def test_a_scheduler_that_lives_but_takes_no_slot_is_silent_too():
    task = schedule(next_slot_at=NOON)
    looks(NOON, after(minutes=3))
    assert incident().title == "Schedules do not fire"
    SchedulePolicy.objects.filter(pk=task.pk).update(next_slot_at=after(days=1))
    looks(after(minutes=3, seconds=5), after(minutes=3, seconds=15))
    assert incident().state == State.RESOLVED


def test_time_that_nobody_watched_is_an_incident_when_slots_passed():
    task = schedule(next_slot_at=after(hours=1))
    look(NOON)
    look(after(hours=8))
    assert incident().title == "Nothing was running"
    assert incident().bad_since == NOON
    for hour in range(1, 8):
        slot = after(hours=hour)
        run(Status.MISSED, after(hours=8), schedule=task, scheduled_for=slot)
    SchedulePolicy.objects.filter(pk=task.pk).update(next_slot_at=after(days=1))
    looks(after(hours=8, seconds=5), after(hours=8, seconds=15))
    assert Alert.objects.count() == 1
    assert incident().context["slots"]["missed"] == 7
    assert told() == ["scheduler_silent opened", "scheduler_silent resolved"]


def test_time_that_nobody_watched_is_nobodys_worry_when_no_slot_passed():
    schedule()
    look(NOON)
    look(after(hours=8))
    assert not Alert.objects.exists()


def test_a_broker_that_is_away_for_a_moment_only_is_nobodys_worry():
    look(NOON)
    looks(after(seconds=5), after(seconds=10), broker_error="Connection refused.")
    looks(after(seconds=15), after(seconds=30))
    assert not Alert.objects.exists()


def test_a_broker_outage_closes_when_the_slots_that_fell_into_it_have_run():
    task = schedule()
    look(NOON)
    looks(after(seconds=5), after(minutes=5), broker_error="Connection refused.")
    assert told() == ["broker_down opened"]
    waiting = run(Status.QUEUED, after(minutes=2), schedule=task, scheduled_for=after(minutes=2))
    looks(after(minutes=5, seconds=5), after(minutes=5, seconds=30))
    assert incident().state == State.OPEN
    assert incidents.ended_at(incident()) == after(minutes=5, seconds=5)
    JobRun.objects.filter(pk=waiting.pk).update(status=Status.SUCCEEDED)
    look(after(minutes=5, seconds=35))
    assert incident().state == State.RESOLVED
    assert incident().context["slots"]["caught_up"] == 1
    assert list(incidents.runs_of(incident(), after(minutes=6))) == [waiting]


def test_an_incident_does_not_wait_for_ever_for_a_slot_that_never_settles():
    task = schedule()
    look(NOON)
    looks(after(seconds=5), after(minutes=1), broker_error="Connection refused.")
    run(Status.QUEUED, after(seconds=30), schedule=task, scheduled_for=after(seconds=30))
    looks(after(minutes=1, seconds=5), after(minutes=3))
    assert incident().state == State.OPEN
    looks(after(minutes=3, seconds=5), after(minutes=3, seconds=10))
    assert incident().state == State.RESOLVED
    assert "1 still waiting" in AlertEvent.objects.get(what="resolved").note


def test_a_broker_that_breaks_again_while_its_slots_are_settled_is_still_one_incident():
    look(NOON)
    looks(after(seconds=5), after(minutes=1), broker_error="Connection refused.")
    look(after(minutes=1, seconds=5))
    looks(after(minutes=1, seconds=10), after(minutes=2), broker_error="Connection refused.")
    assert incidents.ended_at(incident()) is None
    looks(after(minutes=2, seconds=5), after(minutes=2, seconds=15))
    assert told() == ["broker_down opened", "broker_down resolved"]


def test_runs_that_are_lost_or_late_during_an_outage_are_folded_into_it():
    look(NOON)
    looks(after(seconds=5), after(minutes=1), broker_error="Connection refused.")
    lost(after(seconds=30))
    run(Status.QUEUED, after(seconds=30))
    looks(after(minutes=1), after(minutes=7), broker_error="Connection refused.")
    assert told() == ["broker_down opened"]
    assert incident().context["folded"] == {"jobs.run_lost": 1}


def test_an_alert_that_others_raise_during_an_outage_is_folded_in_and_told_when_it_outlives_it():
    look(NOON)
    looks(after(seconds=5), after(minutes=1), broker_error="Connection refused.")
    queue = Subject(type="queue", id="default")
    for second in (60, 61):
        raise_alert("jobs.canary_silent", subject=queue, title="Silent", at=after(seconds=second))
    folded = Alert.objects.get(kind="jobs.canary_silent")
    assert folded.incident == incident()
    looks(after(seconds=65), after(minutes=3))
    assert told() == ["broker_down opened", "broker_down resolved"]
    looks(after(minutes=3, seconds=5), after(minutes=4))
    assert Alert.objects.filter(pk=folded.pk, incident=None, state=State.OPEN).exists()
    assert told()[-1] == "canary_silent opened"


def test_a_database_that_was_away_is_told_of_afterwards_once_however_many_noticed():
    schedule()
    look(NOON)
    for second in (60, 61):
        outages.tell_of_database(after(seconds=10), after(seconds=second))
    looks(after(seconds=62), after(seconds=75))
    assert told() == ["database_down opened", "database_down resolved"]
    assert incident().message == "It was away for 0 min 50 s."
    assert incident().bad_since == after(seconds=5)


def test_a_database_that_restarted_quickly_is_nobodys_worry():
    outages.tell_of_database(NOON, after(seconds=9))
    assert not Alert.objects.exists()
