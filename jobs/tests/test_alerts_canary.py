"""Canaries: one for each queue that has a worker; a silent one beside a free process raises an alert."""

import pytest

from jobs.alerts import canary, watch
from jobs.models import Alert, JobRun
from jobs.tests.alert_scenes import NOON, Status, after, alive, all_well, look, looks, run, told
from jobs.tests.workers import execute

pytestmark = pytest.mark.django_db
DEFAULT = ("default", "reports")


@pytest.fixture(autouse=True)
def every_five_minutes(settings):
    settings.JOBS_CANARY_SECONDS = 300


def canaries(**given):
    return JobRun.objects.filter(job=canary.JOB, **given)


def silent(queue="default", since=NOON):
    """A canary that nobody has taken."""
    return run(Status.QUEUED, since, job=canary.JOB, queue=queue, parameters={"queue": queue})


def test_every_queue_that_a_worker_takes_from_gets_one_and_no_other():
    all_well(NOON, queues=(*DEFAULT, "a queue that nobody knows"))
    assert canary.send_due(NOON) == ["default", "reports"]
    assert {(found.queue, found.priority) for found in canaries()} == {("default", 0), ("reports", 0)}
    assert all(found.expires_at is not None for found in canaries())


def test_a_queue_gets_the_next_one_after_a_while_and_the_last_one_goes():
    all_well(NOON)
    canary.send_due(NOON)
    canaries().update(expires_at=None)  # the clock of this test stands long ago
    first = canaries().get()
    assert execute(first).result == "default"
    JobRun.objects.update(queued_at=NOON)
    all_well(after(seconds=299))
    assert canary.send_due(after(seconds=299)) == []
    all_well(after(seconds=300))
    assert canary.send_due(after(seconds=300)) == ["default"]
    assert canaries().get().pk != first.pk


def test_one_that_still_waits_gets_no_company():
    silent()
    all_well(after(hours=1))
    assert canary.send_due(after(hours=1)) == []


def test_they_can_be_switched_off(settings):
    settings.JOBS_CANARY_SECONDS = 0
    all_well(NOON)
    assert canary.send_due(NOON) == []


def test_one_that_a_free_process_does_not_take_is_silent_until_it_is_taken():
    waiting = silent()
    looks(NOON, after(seconds=55))
    assert told() == []
    looks(after(seconds=60), after(seconds=70))
    alert = Alert.objects.get()
    assert (alert.title, alert.subject_id) == ("The queue default does not move", "default")
    assert told() == ["canary_silent opened"]
    JobRun.objects.filter(pk=waiting.pk).update(status=Status.SUCCEEDED, started_at=after(seconds=71))
    look(after(seconds=75))
    assert told() == ["canary_silent opened", "canary_silent resolved"]


def test_one_that_waits_for_busy_processes_is_not_silent():
    silent()
    for _ in range(2):
        run(Status.RUNNING, NOON, worker="worker@here")
    looks(NOON, after(minutes=10), every=60)
    assert not Alert.objects.exists()


def test_one_whose_worker_was_stopped_on_purpose_is_not_silent_and_ends_quietly():
    silent()
    for minute in range(1, 8):
        at = after(minutes=minute)
        alive("beat", at)
        alive("worker", at, queues=["reports"], concurrency=2)
        watch.look_at(at)
    canaries(queue="default").update(status=Status.MISSED, finished_at=after(minutes=8))
    look(after(minutes=8))
    assert not Alert.objects.exists()


def test_a_queue_that_lost_its_worker_after_a_silent_canary_does_not_alarm_for_ever():
    silent()
    looks(NOON, after(seconds=65))
    assert told() == ["canary_silent opened"]
    canaries().update(status=Status.MISSED, finished_at=after(minutes=6))
    for minute in (6, 7):
        at = after(minutes=minute)
        alive("beat", at)
        watch.look_at(at)
    assert told() == ["canary_silent opened", "canary_silent resolved"]
