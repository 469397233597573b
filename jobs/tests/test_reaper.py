"""What got lost comes back, or ends with a reason."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from celery import current_app, states
from celery.app.task import Context
from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError
from celery.result import AsyncResult
from django.db import DataError, connection
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs import ledger, reaper
from jobs.definitions import RetryPolicy
from jobs.models import JobRun
from jobs.tests.test_ledger import at_once
from jobs.tests.workers import give_body
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = pytest.mark.django_db

WORKER, PID = "w@here", 4711


def running(**values: Any) -> JobRun:
    run = tasks.count_slowly.enqueue()
    assert ledger.claim(run.id, worker=WORKER, pid=PID) is not None
    JobRun.objects.filter(pk=run.pk).update(**values)
    return run


def silent(**values: Any) -> JobRun:
    return running(lease_expires_at=timezone.now() - timedelta(seconds=1), **values)


def now_of(run: JobRun) -> JobRun:
    return JobRun.objects.get(pk=run.pk)


class TestSilentWorkers:
    def test_a_run_whose_lease_ran_out_waits_again_and_is_sent_again(self) -> None:
        run = silent()
        assert reaper.recover_lost() == 1
        row = now_of(run)
        assert (row.status, row.attempt, row.published_at, row.lease_expires_at) == (
            Status.QUEUED,
            1,
            None,
            None,
        )
        assert row.logs.get().message == ("Attempt 1 of 4 lost. The worker w@here fell silent. Queued again.")

    def test_a_run_with_a_lease_is_left_alone(self) -> None:
        run = running()
        assert reaper.recover_lost() == 0
        assert now_of(run).status == Status.RUNNING

    @pytest.mark.django_db(transaction=True)
    def test_a_slow_worker_and_the_reaper_agree_on_who_has_the_run(self) -> None:
        for _ in range(10):
            run = silent()
            answer, recovered = at_once(
                partial(ledger.renew, run.id, 1, ledger.Progress()), reaper.recover_lost
            )
            if answer is None:
                assert (now_of(run).status, recovered) == (Status.QUEUED, 1)
            else:
                assert (now_of(run).status, recovered, answer) == (Status.RUNNING, 0, False)
            JobRun.objects.all().delete()

    @pytest.mark.django_db(transaction=True)
    def test_an_outcome_and_the_reaper_agree_on_who_has_the_run(self) -> None:
        for _ in range(10):
            run = silent()
            outcome = ledger.Outcome(status=Status.SUCCEEDED, result=1)
            is_recorded, recovered = at_once(partial(ledger.finish, run.id, 1, outcome), reaper.recover_lost)
            expected = (Status.SUCCEEDED, True, 0) if is_recorded else (Status.QUEUED, False, 1)
            assert (now_of(run).status, is_recorded, recovered) == expected
            JobRun.objects.all().delete()

    def test_the_last_attempt_fails(self) -> None:
        run = silent(attempt=4)
        reaper.recover_lost()
        row = now_of(run)
        assert (row.status, row.error_type) == (Status.FAILED, "jobs.errors.RunLost")
        assert row.reason == "Lost in attempt 4 of 4. The worker w@here fell silent."
        assert TaskResult.objects.get(task_id=str(run.id)).status == "FAILURE"

    def test_a_job_that_must_not_be_repeated_blindly_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        give_body(
            monkeypatch, "testing.count_slowly", tasks.count_slowly.function, RetryPolicy(retry_lost=False)
        )
        run = silent()
        reaper.recover_lost()
        assert (now_of(run).status, now_of(run).attempt) == (Status.FAILED, 1)

    def test_a_lost_run_that_was_to_be_cancelled_is_cancelled(self) -> None:
        run = silent(cancel_requested_at=timezone.now())
        reaper.recover_lost()
        assert now_of(run).status == Status.CANCELLED

    def test_a_run_that_the_database_refuses_to_change_does_not_keep_the_others(self) -> None:
        stubborn, other = silent(), silent()
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN RAISE data_exception USING MESSAGE = 'never'; END$$"
            )
            cursor.execute(
                f"CREATE TRIGGER stubborn BEFORE UPDATE ON jobs_jobrun FOR EACH ROW WHEN (OLD.id = '{stubborn.pk}')"
                " EXECUTE FUNCTION pg_temp.refuse()"
            )
        with pytest.raises(DataError, match="never") as told:
            reaper.recover_lost()
        assert told.value.__notes__ == [f"Run {stubborn.pk} of testing.count_slowly cannot be brought back."]
        assert now_of(stubborn).status == Status.RUNNING
        assert now_of(other).status == Status.QUEUED

    def test_a_lost_run_of_a_job_that_is_gone_is_settled_too(self) -> None:
        run = silent(job="gone.for_good", attempt=4)
        reaper.recover_lost()
        assert now_of(run).status == Status.FAILED


class TestExpiry:
    def test_a_run_that_nobody_took_in_time_was_missed(self) -> None:
        run = tasks.add_numbers.enqueue(left=1)
        JobRun.objects.filter(pk=run.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        assert reaper.expire_waiting() == 1
        row = now_of(run)
        assert (row.status, row.reason) == (Status.MISSED, "No worker took it before it expired.")
        assert row.finished_at is not None
        assert AsyncResult(str(run.id)).ready()

    def test_a_run_that_was_begun_and_expires_before_another_attempt_failed(self) -> None:
        run = silent(expires_at=timezone.now() - timedelta(seconds=1))
        reaper.recover_lost()
        assert reaper.expire_waiting() == 1
        assert (now_of(run).status, now_of(run).error_type) == (Status.FAILED, "jobs.errors.RunExpired")

    def test_a_run_that_runs_does_not_expire(self) -> None:
        run = running(expires_at=timezone.now() - timedelta(seconds=1))
        assert reaper.expire_waiting() == 0
        assert now_of(run).status == Status.RUNNING


class TestDeadChildren:
    """What the worker's main process tells the result backend."""

    def tell(self, run: JobRun, error: Any, *, pid: int | None = PID, state: str = states.FAILURE) -> JobRun:
        request = Context(ledger=True, task=run.job, hostname=WORKER)
        if pid is not None:
            request.update(child_pid=pid)
        current_app.backend.store_result(str(run.id), error, state, request=request)
        return now_of(run)

    def test_a_run_whose_child_died_waits_again(self) -> None:
        row = self.tell(running(), WorkerLostError("signal 9"))
        assert (row.status, row.published_at) == (Status.QUEUED, None)

    @pytest.mark.parametrize("error", [TimeLimitExceeded(3), SoftTimeLimitExceeded(3)])
    def test_a_run_killed_at_its_hard_limit_fails_and_is_not_made_again(self, error: Exception) -> None:
        row = self.tell(running(), error)
        assert (row.status, row.reason) == (Status.FAILED, "Killed at its hard time limit.")

    def test_a_cancelled_run_whose_child_was_killed_is_cancelled(self) -> None:
        row = self.tell(running(cancel_requested_at=timezone.now()), WorkerLostError("signal 9"))
        assert row.status == Status.CANCELLED

    def test_a_run_ended_by_remote_control_is_cancelled(self) -> None:
        assert self.tell(running(), "terminated", state=states.REVOKED).status == Status.CANCELLED

    def test_a_late_word_of_a_dead_child_leaves_the_next_attempt_in_another_child_alone(self) -> None:
        run = silent()
        reaper.recover_lost()
        assert ledger.claim(run.id, worker=WORKER, pid=PID + 1) is not None
        for error in (WorkerLostError("signal 9"), TimeLimitExceeded(3)):
            row = self.tell(run, error)
            assert (row.status, row.attempt) == (Status.RUNNING, 2)

    def test_a_message_that_no_child_took_says_nothing_about_the_run(self) -> None:
        assert self.tell(running(), WorkerLostError("signal 9"), pid=None).status == Status.RUNNING

    def test_an_outcome_stands(self) -> None:
        run = running()
        ledger.finish(run.id, 1, ledger.Outcome(status=Status.SUCCEEDED, result=1))
        assert self.tell(run, WorkerLostError("signal 9")).status == Status.SUCCEEDED

    def test_a_waiting_run_revoked_by_remote_control_is_cancelled_and_not_sent_again_for_ever(self) -> None:
        run = tasks.add_numbers.enqueue(left=1)
        row = self.tell(run, "revoked", pid=None, state=states.REVOKED)
        assert (row.status, row.reason) == (Status.CANCELLED, "Revoked with Celery's remote control.")

    def test_news_of_other_packages_messages_go_to_celerys_table(self) -> None:
        current_app.backend.store_result(
            "some-id", 3, states.SUCCESS, request=Context(task="foreign.add", id="some-id")
        )
        assert TaskResult.objects.get(task_id="some-id").status == "SUCCESS"


class TestResults:
    @pytest.mark.parametrize(
        ("values", "state"),
        [
            ({"status": Status.QUEUED}, "PENDING"),
            ({"status": Status.RUNNING}, "STARTED"),
            (
                {"status": Status.RUNNING, "progress": 40, "progress_current": 2, "progress_total": 5},
                "PROGRESS",
            ),
            ({"status": Status.RETRYING, "error_type": "builtins.ConnectionError"}, "RETRY"),
        ],
    )
    def test_a_run_that_has_not_ended_has_a_state_for_celerys_tools(
        self, values: dict[str, Any], state: str
    ) -> None:
        run = tasks.add_numbers.enqueue(left=1)
        JobRun.objects.filter(pk=run.pk).update(**values)
        answer: Any = AsyncResult(str(run.id))
        assert answer.state == state
        if state == "RETRY":
            assert isinstance(answer.result, ConnectionError)
        if state == "PROGRESS":
            assert answer.info == {"percent": 40, "current": 2, "total": 5}

    def test_an_unknown_id_is_pending_as_celery_has_it(self) -> None:
        assert AsyncResult("never heard of").state == "PENDING"
