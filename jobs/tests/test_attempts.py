"""What the ledger keeps of attempts that were followed by another one."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import fingerprints, ledger, outbox, reaper
from jobs.ledger import Outcome
from jobs.models import JobRun, RunAttempt
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
Status = JobRun.Status


def again(run):
    """Let a run's next attempt be due."""
    JobRun.objects.filter(pk=run.pk).update(next_attempt_at=timezone.now())
    assert reaper.promote_retries() == 1
    run.refresh_from_db()


def test_a_run_that_succeeds_at_once_leaves_none():
    execute(tasks.add_numbers.enqueue(left=1))
    assert not RunAttempt.objects.exists()


def test_a_failed_attempt_is_kept_with_its_error_and_times():
    run = execute(tasks.fail_transiently.enqueue(until_attempt=2))
    assert run.status == Status.RETRYING
    kept = run.attempts.get()
    assert (kept.attempt, kept.ended, kept.worker) == (1, "failed", "test@here")
    assert kept.error_message == "The other side is busy."
    assert kept.error_fingerprint == run.error_fingerprint != ""
    times: list[Any] = [run.queued_at, kept.published_at, kept.started_at, kept.ended_at, kept.retry_at]
    assert times == sorted(times)
    assert kept.retry_at == run.next_attempt_at


def test_the_next_attempt_is_sent_and_measured_anew():
    run = execute(tasks.fail_transiently.enqueue(until_attempt=2))
    again(run)
    assert (run.published_at, run.first_published_at) == (None, None)
    before = timezone.now()
    assert outbox.sweep() == 1
    run.refresh_from_db()
    assert run.published_at is not None
    assert run.first_published_at == run.published_at >= before - timedelta(seconds=1)
    assert execute(run).status == Status.SUCCEEDED
    assert run.attempts.count() == 1


def test_a_lost_attempt_is_kept():
    run = tasks.add_numbers.enqueue(left=1)
    ledger.claim(run.id, worker="gone@there", pid=1)
    JobRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert reaper.recover_lost() == 1
    kept = run.attempts.get()
    assert (kept.ended, kept.worker, kept.retry_at) == ("lost", "gone@there", None)
    assert kept.error_message == "The worker gone@there fell silent."
    run.refresh_from_db()
    assert (run.status, run.first_published_at) == (Status.QUEUED, None)


def test_a_superseded_attempt_leaves_none():
    run = tasks.add_numbers.enqueue(left=1)
    ledger.claim(run.id, worker="w", pid=1)
    assert not ledger.retry_later(run.id, 7, Outcome(status=Status.FAILED), delay_seconds=1)
    assert not RunAttempt.objects.exists()


def test_a_message_tells_its_claimer_when_it_was_sent():
    run = tasks.add_numbers.enqueue(left=1)
    sent_at = timezone.now() + timedelta(milliseconds=5)
    ledger.claim(run.id, worker="w", pid=1, sent_at=sent_at.timestamp())
    run.refresh_from_db()
    assert run.first_published_at == sent_at


def test_sending_again_keeps_the_first_time():
    run = tasks.add_numbers.enqueue(left=1)
    first = run.first_published_at
    JobRun.objects.update(published_at=timezone.now() - timedelta(hours=1))
    assert outbox.sweep() == 1
    run.refresh_from_db()
    assert run.first_published_at == first
    assert run.published_at != first


@pytest.mark.parametrize("moment", ["yesterday", None, 5.0, float("nan"), float("inf"), True])
def test_a_time_of_sending_that_makes_no_sense_is_not_believed(moment):
    class Request:
        ledger_sent_at = moment

    assert outbox.sent_at(Request()) is None


def test_every_failure_has_a_fingerprint_of_its_job():
    run = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=run.pk).update(max_attempts=1)
    ledger.claim(run.id, worker="gone@there", pid=1)
    JobRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    reaper.recover_lost()
    run.refresh_from_db()
    assert run.status == Status.FAILED
    assert run.error_fingerprint == fingerprints.of_kind(run.job, "jobs.errors.RunLost")


def test_a_success_has_none():
    assert execute(tasks.add_numbers.enqueue(left=1)).error_fingerprint == ""
