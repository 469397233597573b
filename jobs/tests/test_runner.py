"""Every end of a body becomes one outcome in the ledger."""

import math
import threading
import uuid
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import Ignore, Retry
from celery.result import AsyncResult
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import OperationalError, connection, transaction
from django.http import Http404
from django_celery_results.models import TaskResult

from jobs import intake, reaper, runner
from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, get_job
from jobs.errors import InvalidParameters, PermanentError, TransientError, UnknownJob
from jobs.models import JobRun
from jobs.tests.workers import deliver, execute, give_body
from tests.jobs_for_tests import tasks
from tests.jobs_for_tests.models import Mark

Status = JobRun.Status
pytestmark = pytest.mark.django_db(transaction=True)


def run_with_body(monkeypatch: pytest.MonkeyPatch, body: Any, **policy: Any) -> JobRun:
    """The row of a run after one attempt with this body."""
    give_body(monkeypatch, "testing.do_nothing", body, RetryPolicy(**{"max_attempts": 3, **policy}))
    return execute(tasks.do_nothing.enqueue())


def raising(error: BaseException) -> Any:
    def body(run: ActiveRun) -> None:
        raise error

    return body


class TestOutcomes:
    def test_a_result_is_stored(self) -> None:
        row = execute(tasks.add_numbers.enqueue(left=1, right=2))
        assert (row.status, row.result, row.progress, row.attempt) == (Status.SUCCEEDED, 3, 100, 1)

    def test_some_failed_units_make_a_partial_success(self) -> None:
        row = execute(tasks.handle_units.enqueue(good=1, bad=5))
        assert (row.status, row.result) == (Status.PARTIAL, {"good": 1, "bad": 5})
        assert row.reason == "5 of 6 failed: unit 0: broken; unit 1: broken; unit 2: broken …"
        assert TaskResult.objects.get(task_id=str(row.id)).status == "SUCCESS"

    def test_only_failed_units_make_a_failure_without_another_attempt(self) -> None:
        row = execute(tasks.handle_units.enqueue(good=0, bad=2))
        assert (row.status, row.attempt) == (Status.FAILED, 1)
        assert row.reason == "2 of 2 failed: unit 0: broken; unit 1: broken"

    def test_an_answer_is_stored_without_a_traceback(self) -> None:
        row = execute(tasks.fail_for_good.enqueue())
        assert (row.status, row.reason, row.traceback) == (Status.FAILED, "There is no such thing.", "")
        assert row.error_type == "jobs.errors.PermanentError"

    def test_a_bug_is_stored_with_traceback_and_fingerprint_and_is_not_tried_again(self) -> None:
        rows = [execute(tasks.fail_for_good.enqueue(as_bug=True)) for _ in range(2)]
        assert [row.status for row in rows] == [Status.FAILED] * 2
        assert "ZeroDivisionError: a bug" in rows[0].traceback
        assert rows[0].error_fingerprint == rows[1].error_fingerprint != ""

    def test_what_json_cannot_say_is_a_failure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = run_with_body(monkeypatch, lambda run: object())
        assert row.status == Status.FAILED
        assert row.reason.startswith("The result cannot be written as JSON")

    @pytest.mark.parametrize(
        ("value", "stored"),
        [
            ("nul \x00", "nul \ufffd"),
            ("surrogate \ud800", "surrogate ?"),
            ([math.nan, math.inf, 1.5], [None, None, 1.5]),
            ({"\x00": {"deep": "\x00"}}, {"\ufffd": {"deep": "\ufffd"}}),
            (None, None),
            ("x" * 1_000_000, "x" * 1_000_000),
        ],
    )
    def test_results_that_postgresql_cannot_store_are_made_storable(
        self, monkeypatch: pytest.MonkeyPatch, value: object, stored: object
    ) -> None:
        row = run_with_body(monkeypatch, lambda run: value)
        assert (row.status, row.result) == (Status.SUCCEEDED, stored)
        answer: Any = AsyncResult(str(row.id))
        assert answer.get(timeout=1) == stored

    def test_errors_with_texts_that_postgresql_cannot_store_are_made_storable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = run_with_body(monkeypatch, raising(ValueError("\x00 and \ud800\nsecond line")))
        assert (row.status, row.reason) == (Status.FAILED, "\ufffd and ?")

    def test_failed_units_with_texts_that_postgresql_cannot_store_are_made_storable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def body(run: ActiveRun) -> None:
            run.unit_succeeded()
            run.unit_failed("nul \x00", "surrogate \ud800")

        row = run_with_body(monkeypatch, body)
        assert (row.status, row.reason) == (Status.PARTIAL, "1 of 2 failed: nul \ufffd: surrogate ?")

    def test_a_body_that_exits_its_process_fails_and_the_process_lives(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = run_with_body(monkeypatch, raising(SystemExit(3)))
        assert (row.status, row.attempt) == (Status.FAILED, 1)
        assert row.reason == "The job tried to end its process: exit code 3."

    def test_wrong_parameters_fail_at_once_and_name_the_field(self) -> None:
        run = tasks.add_numbers.enqueue(left=1)
        JobRun.objects.filter(pk=run.pk).update(parameters={"left": "many", "up": 1})
        row = execute(run)
        assert (row.status, row.attempt) == (Status.FAILED, 1)
        assert "left" in row.reason
        assert "up" in row.reason

    def test_positional_arguments_of_a_job_are_refused_not_dropped(self) -> None:
        run = tasks.do_nothing.enqueue()
        JobRun.objects.filter(pk=run.pk).update(args=[1])
        row = execute(run)
        assert (row.status, row.reason) == (Status.FAILED, "args: A job takes parameters by name only.")


class TestRetries:
    def test_a_transient_error_is_tried_again_until_it_works(self) -> None:
        run = tasks.fail_transiently.enqueue(until_attempt=3)
        for attempt in (1, 2):
            row = execute(run)
            assert (row.status, row.attempt, row.error_message) == (
                Status.RETRYING,
                attempt,
                "The other side is busy.",
            )
            JobRun.objects.update(next_attempt_at=row.queued_at)
            assert reaper.promote_retries() == 1
        row = execute(run)
        assert (row.status, row.attempt, row.result, row.error_message) == (Status.SUCCEEDED, 3, 3, "")

    def test_the_last_attempt_fails_for_good(self) -> None:
        run = tasks.fail_transiently.enqueue(until_attempt=9)
        JobRun.objects.filter(pk=run.pk).update(attempt=2)
        row = execute(run)
        assert (row.status, row.attempt) == (Status.FAILED, 3)

    def test_a_retry_is_not_made_before_it_is_due(self) -> None:
        row = execute(tasks.fail_transiently.enqueue(retry_after=60))
        assert reaper.promote_retries() == 0
        assert row.next_attempt_at is not None
        assert row.started_at is not None
        assert 60 <= (row.next_attempt_at - row.started_at).total_seconds() < 70

    @pytest.mark.parametrize(
        "error",
        [
            PermanentError("no"),
            InvalidParameters({"x": ["no"]}),
            UnknownJob("no"),
            ValidationError("no"),
            ObjectDoesNotExist("no"),
            Http404("no"),
            PermissionDenied("no"),
            PermissionError("no"),
            FileNotFoundError("no"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_wrong_input_and_missing_things_are_never_tried_again(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        row = run_with_body(monkeypatch, raising(error), retry_on=(Exception,))
        assert (row.status, row.attempt) == (Status.FAILED, 1)

    @pytest.mark.parametrize("error", [TransientError("busy"), OperationalError("away"), KeyError("listed")])
    def test_listed_errors_and_a_database_that_is_away_are_tried_again(
        self, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        assert run_with_body(monkeypatch, raising(error), retry_on=(KeyError,)).status == Status.RETRYING


class TestBackoff:
    policy = RetryPolicy(base_seconds=10, cap_seconds=100)

    @pytest.mark.parametrize(
        ("attempt", "ceiling"), [(1, 10), (2, 20), (4, 80), (5, 100), (9, 100), (5000, 100)]
    )
    def test_delays_spread_evenly_from_zero_to_a_ceiling_that_doubles_up_to_the_cap(
        self, attempt: int, ceiling: float
    ) -> None:
        delays = [runner.backoff(self.policy, attempt) for _ in range(400)]
        assert 0 <= min(delays) < 0.1 * ceiling
        assert 0.9 * ceiling < max(delays) <= ceiling
        assert sum(delays) / len(delays) == pytest.approx(ceiling / 2, rel=0.2)

    def test_retry_after_is_the_floor_even_beyond_the_cap(self) -> None:
        assert runner.backoff(self.policy, 1, 500) == 500
        assert runner.backoff(self.policy, 1, -5) >= 0

    def test_nobody_can_put_a_run_off_for_ever(self) -> None:
        assert runner.backoff(self.policy, 1, 1e18) == 7 * 86_400


class TestMessages:
    def test_a_message_delivered_again_changes_nothing(self) -> None:
        row = execute(tasks.add_numbers.enqueue(left=1))
        with pytest.raises(Ignore):
            deliver("testing.add_numbers", str(row.id), {"left": 1})
        assert JobRun.objects.get().attempt == 1

    def test_a_message_without_a_row_is_ignored(self) -> None:
        with pytest.raises(Ignore):
            deliver("testing.count_slowly", str(uuid.uuid4()), {})
        assert not JobRun.objects.exists()
        assert not Mark.objects.exists()

    def test_a_message_of_an_uncommitted_row_is_ignored_and_the_row_runs_later(self) -> None:
        with transaction.atomic():
            run = tasks.count_slowly.enqueue(until=1)
            with pytest.raises(Ignore):
                _in_another_connection(lambda: deliver(run.job, str(run.id), {"until": 1}))
        assert not Mark.objects.exists()
        assert execute(run).status == Status.SUCCEEDED

    def test_celerys_own_delay_writes_a_run(self) -> None:
        answer = current_app.tasks["testing.add_numbers"].delay(left=4)
        run = JobRun.objects.get(pk=answer.id)
        assert (run.status, run.parameters) == (Status.QUEUED, {"left": 4, "right": 1})

    @pytest.mark.parametrize("options", [{"countdown": 5}, {"eta": "2030-01-01"}, {"expires": 9}])
    def test_delays_on_the_broker_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="make a schedule instead"):
            current_app.tasks["testing.add_numbers"].apply_async(kwargs={"left": 4}, **options)
        assert not JobRun.objects.exists()

    @pytest.mark.parametrize("task_id", ["2d7a4d9c-fcd3-42f8-a44c-6ab3e8abebaa", "an id of one's own"])
    def test_a_message_sent_by_name_gets_a_run_however_often_it_arrives(self, task_id: str) -> None:
        assert deliver("testing.add_numbers", task_id, {"left": 4}, is_ours=False) == 5
        with pytest.raises(Ignore):
            deliver("testing.add_numbers", task_id, {"left": 4}, is_ours=False)
        run = JobRun.objects.get()
        assert (run.status, run.result, run.attempt) == (Status.SUCCEEDED, 5, 1)
        answer: Any = AsyncResult(task_id)
        assert answer.get(timeout=1) == 5

    def test_a_message_sent_by_name_with_positional_arguments_fails(self) -> None:
        with pytest.raises(InvalidParameters):
            deliver("testing.add_numbers", str(uuid.uuid4()), {}, args=(1, 2), is_ours=False)
        assert JobRun.objects.get().status == Status.FAILED


class TestForeignTasks:
    def queued(self, name: str, *args: object) -> JobRun:
        new = intake.NewRun(
            job=name,
            queue="default",
            trigger=JobRun.Trigger.SCHEDULE,
            parameters={},
            args=args,
            max_attempts=3,
        )
        return intake.insert(new)[0]

    def test_a_task_of_another_package_is_recorded_like_a_job(self) -> None:
        row = execute(self.queued("foreign.add", 1, 2))
        assert (row.status, row.result) == (Status.SUCCEEDED, 3)

    def test_a_task_of_another_package_sent_by_its_package_is_left_alone(self) -> None:
        assert deliver("foreign.add", str(uuid.uuid4()), {}, args=(1, 2), is_ours=False) == 3
        assert not JobRun.objects.exists()

    def test_a_task_that_retries_by_celerys_means_waits_in_the_ledger_and_gives_up_by_its_own_rule(
        self,
    ) -> None:
        run = self.queued("foreign.retry_twice")
        for attempt in (1, 2):
            row = execute(run)
            assert (row.status, row.attempt) == (Status.RETRYING, attempt)
            JobRun.objects.update(next_attempt_at=row.queued_at)
            reaper.promote_retries()
        row = execute(run)
        assert (row.status, row.attempt, row.error_message) == (Status.FAILED, 3, "busy")

    def test_a_task_that_retries_itself_is_not_sent_by_celery_too(self, sent: list[str]) -> None:
        with pytest.raises(Retry):
            deliver("foreign.retry_twice", str(self.queued("foreign.retry_twice").id), {})
        assert sent == []

    def test_a_task_may_retry_with_other_arguments(self) -> None:
        run = self.queued("foreign.count_down", 1)
        row = execute(run)
        assert (row.status, row.args) == (Status.RETRYING, [0])
        JobRun.objects.update(next_attempt_at=row.queued_at)
        reaper.promote_retries()
        assert execute(run).result == "done"


class TestConnections:
    """Whatever a body does to its connection, its outcome is recorded and committed."""

    @pytest.fixture(autouse=True)
    def fresh(self) -> Any:
        yield
        connection.close()

    def expect_recorded(self, run: JobRun, status: JobRun.Status = Status.SUCCEEDED) -> None:
        statuses: list[str] = []
        _in_another_connection(lambda: statuses.append(JobRun.objects.get(pk=run.pk).status))
        assert statuses == [status]

    def test_a_transaction_begun_by_hand_and_left_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def body(run: ActiveRun) -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
            tasks.mark(run, "begin")

        row = run_with_body(monkeypatch, body)
        self.expect_recorded(row)
        assert not Mark.objects.exists()
        assert "left a transaction open" in row.logs.get().message

    def test_autocommit_switched_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.expect_recorded(run_with_body(monkeypatch, lambda run: transaction.set_autocommit(False)))

    def test_an_atomic_block_that_is_never_left(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def body(run: ActiveRun) -> None:
            transaction.atomic().__enter__()
            tasks.mark(run, "begin")

        self.expect_recorded(run_with_body(monkeypatch, body))
        assert not Mark.objects.exists()

    def test_a_connection_closed_in_an_atomic_block_that_is_never_left(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def body(run: ActiveRun) -> None:
            transaction.atomic().__enter__()
            tasks.mark(run, "begin")
            connection.close()

        self.expect_recorded(run_with_body(monkeypatch, body))

    def test_a_connection_killed_in_an_atomic_block_that_is_never_left(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def body(run: ActiveRun) -> None:
            transaction.atomic().__enter__()
            kill_connection()

        self.expect_recorded(run_with_body(monkeypatch, body))

    def test_a_broken_transaction_left_open(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def body(run: ActiveRun) -> None:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT 1/0")

        self.expect_recorded(run_with_body(monkeypatch, body), Status.FAILED)

    def test_connections_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.expect_recorded(run_with_body(monkeypatch, lambda run: connection.close()))

    def test_the_connection_killed_on_the_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.expect_recorded(run_with_body(monkeypatch, lambda run: kill_connection()))


def test_jobs_of_the_tests_are_registered() -> None:
    assert get_job("testing.add_numbers") is tasks.add_numbers


def kill_connection() -> None:
    """End this thread's connection on the server."""
    pid = connection.connection.info.backend_pid

    def kill() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    _in_another_connection(kill)


def _in_another_connection(function: Any) -> None:
    errors: list[BaseException] = []

    def call() -> None:
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(timeout=20)
    if errors:
        raise errors[0]
