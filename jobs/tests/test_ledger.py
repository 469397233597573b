"""State changes of the ledger race with each other; each has one winner."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from celery.result import AsyncResult
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs import ledger, log_lines, reaper
from jobs.definitions import enqueue
from jobs.errors import IllegalState, RunNotFound
from jobs.ledger import Outcome, Progress
from jobs.log_lines import LogLine
from jobs.models import JobRun, RunLog
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.django_db
#: For tests with several connections: they see only what is committed.
committed = pytest.mark.django_db(transaction=True)

SUCCESS = Outcome(status=Status.SUCCEEDED, result=3, progress=Progress(percent=100))
FAILURE = Outcome(
    status=Status.FAILED,
    reason="It broke.",
    error_type="builtins.ValueError",
    error_message="It broke.",
    traceback="Traceback: it broke",
)


def queued(**values: object) -> JobRun:
    run = tasks.add_numbers.enqueue(left=1)
    if values:
        JobRun.objects.filter(pk=run.pk).update(**values)
    return run


def running(**values: object) -> JobRun:
    run = queued(**values)
    assert ledger.claim(run.id, worker="w@here", pid=1) is not None
    return run


def now_of(run: JobRun) -> JobRun:
    return JobRun.objects.get(pk=run.pk)


def at_once(*functions: Callable[[], object]) -> list[object]:
    """What the functions return when threads call them at the same moment."""
    barrier = threading.Barrier(len(functions))
    answers: list[object] = [None] * len(functions)

    def call(number: int, function: Callable[[], object]) -> None:
        try:
            barrier.wait()
            answers[number] = function()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            answers[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=call, args=item) for item in enumerate(functions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    return answers


class TestClaim:
    @committed
    def test_many_workers_at_once_get_one_claim(self) -> None:
        for _ in range(5):
            run = queued()
            claims = at_once(*[partial(ledger.claim, run.id, worker=f"w{n}", pid=n) for n in range(6)])
            assert sum(claim is not None for claim in claims) == 1
            assert now_of(run).attempt == 1

    def test_a_claim_starts_the_lease_and_clears_what_the_attempt_before_left(self) -> None:
        run = running()
        ledger.renew(run.id, 1, Progress(percent=70, current=7, total=10, text="seven"))
        assert ledger.retry_later(run.id, 1, FAILURE, delay_seconds=0)
        assert reaper.promote_retries() == 1
        claim = ledger.claim(run.id, worker="w2", pid=2)
        assert claim is not None
        row = now_of(run)
        assert (claim.attempt, row.attempt, row.worker, row.worker_pid) == (2, 2, "w2", 2)
        assert (row.progress, row.progress_current, row.progress_text) == (0, None, "")
        assert (row.error_type, row.traceback, row.next_attempt_at) == ("", "", None)
        assert row.lease_expires_at is not None
        assert row.lease_expires_at > timezone.now()

    def test_a_run_that_expired_is_not_claimed(self) -> None:
        run = queued(expires_at=timezone.now() - timedelta(seconds=1))
        assert ledger.claim(run.id, worker="w", pid=1) is None

    def test_a_run_that_does_not_exist_is_not_claimed(self) -> None:
        assert ledger.claim(uuid.uuid4(), worker="w", pid=1) is None

    @pytest.mark.parametrize("status", [*Status.terminal(), Status.RETRYING, Status.RUNNING])
    def test_only_queued_runs_are_claimed(self, status: Status) -> None:
        assert ledger.claim(queued(status=status).id, worker="w", pid=1) is None


class TestFencing:
    def test_a_superseded_attempt_writes_nothing(self) -> None:
        run = running()
        JobRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        assert reaper.recover_lost() == 1
        assert ledger.claim(run.id, worker="w2", pid=2) is not None

        assert ledger.renew(run.id, 1, Progress(percent=99, text="stale")) is None
        log_lines.write(run.id, 1, [LogLine(at=timezone.now(), level=20, message="stale")])
        assert not ledger.finish(run.id, 1, SUCCESS)
        assert not ledger.retry_later(run.id, 1, FAILURE, delay_seconds=1)

        row = now_of(run)
        assert (row.status, row.attempt, row.progress, row.progress_text) == (Status.RUNNING, 2, 0, "")
        assert not RunLog.objects.filter(run=run, message="stale").exists()
        assert not TaskResult.objects.filter(task_id=str(run.id)).exists()
        assert ledger.finish(run.id, 2, SUCCESS)

    def test_an_attempt_taken_for_lost_writes_nothing_while_the_run_waits_again(self) -> None:
        run = running(lease_expires_at=None)
        JobRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        reaper.recover_lost()
        assert not ledger.finish(run.id, 1, SUCCESS)
        assert ledger.renew(run.id, 1, Progress()) is None
        assert now_of(run).status == Status.QUEUED

    def test_an_outcome_is_final(self) -> None:
        run = running()
        assert ledger.finish(run.id, 1, SUCCESS)
        assert not ledger.finish(run.id, 1, FAILURE)
        assert not ledger.retry_later(run.id, 1, FAILURE, delay_seconds=1)
        assert ledger.renew(run.id, 1, Progress(percent=1)) is None
        assert (now_of(run).status, now_of(run).result) == (Status.SUCCEEDED, 3)


class TestProgress:
    def test_progress_never_goes_back(self) -> None:
        run = running()
        for percent in (10, 60, 30):
            assert ledger.renew(run.id, 1, Progress(percent=percent)) is False
        assert now_of(run).progress == 60

    def test_a_renewal_brings_an_expired_lease_back_to_life(self) -> None:
        run = running()
        JobRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(hours=1))
        assert ledger.renew(run.id, 1, Progress()) is False
        assert reaper.recover_lost() == 0
        assert now_of(run).status == Status.RUNNING


class TestOutcome:
    @pytest.mark.parametrize(
        ("outcome", "celery_state"),
        [
            (SUCCESS, "SUCCESS"),
            (Outcome(status=Status.PARTIAL, result={"good": 1}, reason="1 of 2 failed"), "SUCCESS"),
            (FAILURE, "FAILURE"),
            (Outcome(status=Status.CANCELLED, reason="Cancelled."), "REVOKED"),
        ],
    )
    def test_celerys_tools_see_every_outcome(self, outcome: Outcome, celery_state: str) -> None:
        run = running()
        assert ledger.finish(run.id, 1, outcome)
        stored: Any = TaskResult.objects.get(task_id=str(run.id))
        row = now_of(run)
        assert (stored.status, stored.task_name, stored.worker) == (celery_state, run.job, "w@here")
        assert (stored.date_done, stored.date_started) == (row.finished_at, row.started_at)
        assert json.loads(json.loads(stored.task_kwargs)) == {"left": 1, "right": 1}
        answer: Any = AsyncResult(str(run.id))
        assert answer.state == celery_state
        if celery_state == "SUCCESS":
            assert answer.get(timeout=1) == outcome.result
        elif celery_state == "FAILURE":
            assert isinstance(answer.result, ValueError)
            assert answer.traceback == "Traceback: it broke"

    def test_the_ledger_and_celerys_table_change_together_or_not_at_all(self) -> None:
        run = running()
        with connection.cursor() as cursor:
            cursor.execute(
                "ALTER TABLE django_celery_results_taskresult ADD CONSTRAINT refuse CHECK (task_name = 'x') NOT VALID"
            )
        with pytest.raises(IntegrityError, match="refuse"), transaction.atomic():
            ledger.finish(run.id, 1, SUCCESS)
        assert now_of(run).status == Status.RUNNING

    def test_a_second_run_of_an_id_in_celerys_table_replaces_the_first(self) -> None:
        run = running()
        TaskResult.objects.create(task_id=str(run.id), status="RETRY", task_name=run.job)
        assert ledger.finish(run.id, 1, SUCCESS)
        assert TaskResult.objects.get(task_id=str(run.id)).status == "SUCCESS"


class TestIdempotencyKey:
    def test_a_key_that_was_seen_gives_the_earlier_run(self) -> None:
        runs = [
            enqueue(tasks.add_numbers, {"left": 1}, trigger=JobRun.Trigger.API, idempotency_key="k")
            for _ in range(3)
        ]
        assert len({run.id for run in runs}) == 1
        assert JobRun.objects.count() == 1

    def test_the_same_key_of_another_job_is_another_run(self) -> None:
        enqueue(tasks.add_numbers, {"left": 1}, trigger=JobRun.Trigger.API, idempotency_key="k")
        enqueue(tasks.do_nothing, {}, trigger=JobRun.Trigger.API, idempotency_key="k")
        assert JobRun.objects.count() == 2

    @committed
    def test_requests_at_the_same_moment_make_one_run(self) -> None:
        def ask() -> object:
            return enqueue(tasks.add_numbers, {"left": 1}, trigger=JobRun.Trigger.API, idempotency_key="k").id

        assert len(set(at_once(*[ask] * 6))) == 1
        assert JobRun.objects.count() == 1

    def test_a_rolled_back_trigger_frees_its_key(self) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            enqueue(tasks.add_numbers, {"left": 1}, trigger=JobRun.Trigger.API, idempotency_key="k")
            raise ZeroDivisionError
        enqueue(tasks.add_numbers, {"left": 1}, trigger=JobRun.Trigger.API, idempotency_key="k")
        assert JobRun.objects.count() == 1


class TestCancel:
    def test_a_queued_run_is_cancelled_at_once(self) -> None:
        run = queued()
        person = get_user_model().objects.create(username="kim")
        row = ledger.cancel(run.id, by=person)
        assert (row.status, row.cancel_requested_by) == (Status.CANCELLED, person)
        assert row.cancel_requested_at is not None
        assert row.reason == "Cancelled by kim before it started."
        assert ledger.claim(run.id, worker="w", pid=1) is None
        assert TaskResult.objects.get(task_id=str(run.id)).status == "REVOKED"

    def test_a_run_that_waits_to_retry_is_cancelled_at_once(self) -> None:
        run = running()
        ledger.retry_later(run.id, 1, FAILURE, delay_seconds=0)
        assert ledger.cancel(run.id, by=None).status == Status.CANCELLED
        assert reaper.promote_retries() == 0

    def test_a_running_run_is_asked_to_stop_and_says_when_it_heard(self) -> None:
        run = running()
        assert ledger.cancel(run.id, by=None).status == Status.RUNNING
        first = now_of(run).cancel_requested_at
        assert first is not None
        assert now_of(run).cancel_acknowledged_at is None
        assert ledger.cancel(run.id, by=None).cancel_requested_at == first
        assert ledger.renew(run.id, 1, Progress()) is True
        assert now_of(run).cancel_acknowledged_at is not None

    @pytest.mark.parametrize("status", Status.terminal())
    def test_a_run_that_ended_cannot_be_cancelled(self, status: Status) -> None:
        with pytest.raises(IllegalState, match="already ended"):
            ledger.cancel(queued(status=status).id, by=None)

    def test_an_unknown_run_cannot_be_cancelled(self) -> None:
        with pytest.raises(RunNotFound):
            ledger.cancel(uuid.uuid4(), by=None)

    def test_an_attempt_that_fails_after_a_cancel_is_not_made_again(self) -> None:
        run = running(max_attempts=3)
        ledger.cancel(run.id, by=None)
        assert ledger.retry_later(run.id, 1, FAILURE, delay_seconds=0)
        row = now_of(run)
        assert row.status == Status.CANCELLED
        assert row.error_message == "It broke."
        assert TaskResult.objects.get(task_id=str(run.id)).status == "REVOKED"

    @committed
    def test_a_cancel_always_hits_a_run_that_changes_state_meanwhile(self) -> None:
        def churn(run: JobRun, stop: threading.Event) -> None:
            """Queued, running, waiting to retry, and round again."""
            attempt = 0
            while not stop.is_set():
                if ledger.claim(run.id, worker="w", pid=1) is None:
                    break
                attempt += 1
                if not ledger.retry_later(run.id, attempt, FAILURE, delay_seconds=0):
                    break
                reaper.promote_retries()

        for _ in range(15):
            run, stop = queued(max_attempts=10_000), threading.Event()
            _, answer = at_once(partial(churn, run, stop), partial(ledger.cancel, run.id, by=None))
            stop.set()
            assert isinstance(answer, JobRun), answer
            assert now_of(run).status == Status.CANCELLED

    @committed
    def test_a_cancel_that_races_with_the_end_leaves_one_outcome(self) -> None:
        for _ in range(15):
            run = running()
            finished, answer = at_once(
                partial(ledger.finish, run.id, 1, SUCCESS),
                partial(ledger.cancel, run.id, by=None),
            )
            assert finished is True
            assert isinstance(answer, (JobRun, IllegalState))
            assert now_of(run).status == Status.SUCCEEDED
            assert TaskResult.objects.get(task_id=str(run.id)).status == "SUCCESS"

    @committed
    def test_a_cancel_that_races_with_the_claim_wins_before_it_or_is_seen_after_it(self) -> None:
        for _ in range(15):
            run = queued()
            claim, answer = at_once(
                partial(ledger.claim, run.id, worker="w", pid=1),
                partial(ledger.cancel, run.id, by=None),
            )
            assert isinstance(answer, JobRun)
            if claim is None:
                assert now_of(run).status == Status.CANCELLED
            else:
                assert ledger.renew(run.id, 1, Progress()) is True
