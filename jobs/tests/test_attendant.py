"""The thread beside a body: leases, progress, cancels."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery.exceptions import Ignore
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from jobs import ledger
from jobs.context import ActiveRun
from jobs.errors import TransientError
from jobs.ledger import Progress
from jobs.models import JobRun, RunLog
from jobs.tests.workers import deliver, execute, give_body
from tests.jobs_for_tests import tasks
from tests.jobs_for_tests.models import Mark

Status = JobRun.Status
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def quick_heartbeat(settings: Settings) -> None:
    settings.JOBS_HEARTBEAT_SECONDS = 0.1


@pytest.fixture
def meanwhile() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Do something from another thread, with a connection of its own, while a body runs."""
    threads: list[threading.Thread] = []
    errors: list[Exception] = []

    def start(function: Callable[[], object]) -> None:
        def call() -> None:
            try:
                function()
            except Exception as error:  # noqa: BLE001 - raised again below
                errors.append(error)
            finally:
                connection.close()

        threads.append(threading.Thread(target=call))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(timeout=60)
    if errors:
        raise errors[0]


def until(condition: Callable[[], object], *, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def cancel_once_running(run: JobRun) -> Callable[[], None]:
    def cancel() -> None:
        until(lambda: JobRun.objects.get(pk=run.pk).status == Status.RUNNING)
        ledger.cancel(run.id, by=None)

    return cancel


class TestCancel:
    def test_a_body_that_reports_progress_stops_by_itself(self, meanwhile: Any) -> None:
        run = tasks.count_slowly.enqueue(until=1000, pause=0.02)
        meanwhile(cancel_once_running(run))
        row = execute(run)
        assert (row.status, row.reason) == (
            Status.CANCELLED,
            "Cancelled while running: it stopped by itself.",
        )
        assert row.cancel_requested_at is not None
        assert row.cancel_acknowledged_at is not None
        assert row.finished_at is not None
        assert row.cancel_requested_at <= row.cancel_acknowledged_at <= row.finished_at
        assert not Mark.objects.filter(what="end").exists()

    def test_a_deaf_body_is_interrupted_after_its_grace(self, meanwhile: Any) -> None:
        run = tasks.sleep_deaf.enqueue(seconds=30)
        meanwhile(cancel_once_running(run))
        begun = time.monotonic()
        row = execute(run)
        assert (row.status, row.reason) == (Status.CANCELLED, "Cancelled while running: it was interrupted.")
        assert 0.5 < time.monotonic() - begun < 20

    def test_a_body_that_waits_for_the_database_is_interrupted_with_its_statement(
        self, meanwhile: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def body(run: ActiveRun, *, seconds: float) -> None:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(30)")

        give_body(monkeypatch, "testing.sleep_deaf", body)
        run = tasks.sleep_deaf.enqueue(seconds=30)
        meanwhile(cancel_once_running(run))
        assert execute(run).status == Status.CANCELLED
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'")
            assert cursor.fetchone() == (0,)

    def test_a_cancel_is_not_mistaken_for_a_failure_worth_another_attempt(
        self, meanwhile: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def body(run: ActiveRun, *, until_attempt: int, retry_after: float | None) -> None:
            try:
                run.sleep(30)
            except BaseException as error:
                raise TransientError("broke while stopping") from error

        give_body(monkeypatch, "testing.fail_transiently", body, tasks.fail_transiently.retry)
        run = tasks.fail_transiently.enqueue()
        meanwhile(cancel_once_running(run))
        assert execute(run).status == Status.CANCELLED


class TestSupersededAttempts:
    def test_the_body_is_stopped_and_its_outcome_dropped(self, meanwhile: Any) -> None:
        run = tasks.count_slowly.enqueue(until=1000, pause=0.02)

        def take_over() -> None:
            until(lambda: Mark.objects.filter(what="begin").exists())
            JobRun.objects.filter(pk=run.pk).update(attempt=2, worker="elsewhere", progress=1)

        meanwhile(take_over)
        with pytest.raises(Ignore):
            deliver(run.job, str(run.id), run.parameters)
        row = JobRun.objects.get(pk=run.pk)
        assert (row.status, row.attempt, row.worker, row.progress) == (Status.RUNNING, 2, "elsewhere", 1)
        assert not Mark.objects.filter(what="end").exists()


class TestLease:
    def test_a_body_that_says_nothing_keeps_its_lease(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def lease_of(run: ActiveRun) -> datetime:
            found = JobRun.objects.get(pk=run.id).lease_expires_at
            assert found is not None
            return found

        def body(run: ActiveRun) -> None:
            first = lease_of(run)
            until(lambda: lease_of(run) - first > timedelta(seconds=0.2))

        give_body(monkeypatch, "testing.do_nothing", body)
        row = execute(tasks.do_nothing.enqueue())
        assert (row.status, row.reason) == (Status.SUCCEEDED, "")

    def test_a_broken_connection_costs_neither_the_lease_nor_a_log_line(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def body(run: ActiveRun) -> None:
            run.log("before")
            until(lambda: RunLog.objects.filter(run_id=run.id).exists())
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                assert cursor.fetchone() != (0,)
            run.log("after")
            before = timezone.now()
            until(
                lambda: JobRun.objects.filter(
                    pk=run.id, lease_expires_at__gt=before + timedelta(seconds=30)
                ).exists()
            )

        give_body(monkeypatch, "testing.do_nothing", body)
        row = execute(tasks.do_nothing.enqueue())
        assert (row.status, row.reason) == (Status.SUCCEEDED, "")
        assert [line.message for line in row.logs.order_by("id")] == ["before", "after"]

    @pytest.mark.parametrize("text", ["\x00", "\ud800", "x" * 10_000])
    def test_nothing_a_body_reports_can_cost_its_lease(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        def body(run: ActiveRun) -> None:
            run.log(text)
            run.report(10**30, 10**31, text)
            until(lambda: JobRun.objects.get(pk=run.id).progress > 0)

        give_body(monkeypatch, "testing.do_nothing", body)
        assert execute(tasks.do_nothing.enqueue()).status == Status.SUCCEEDED


class TestProgress:
    def test_progress_and_log_are_visible_while_the_body_is_in_a_transaction(
        self, monkeypatch: pytest.MonkeyPatch, meanwhile: Any
    ) -> None:
        is_seen = threading.Event()

        def look(run_id: Any) -> None:
            until(lambda: JobRun.objects.get(pk=run_id).progress == 50)
            until(lambda: RunLog.objects.filter(run_id=run_id, message="half").exists())
            assert JobRun.objects.get(pk=run_id).progress_text == "Half of it"
            is_seen.set()

        def body(run: ActiveRun) -> None:
            with transaction.atomic():
                tasks.mark(run, "begin")
                run.report(1, 2, "Half of it")
                run.log("half")
                assert is_seen.wait(timeout=30)

        give_body(monkeypatch, "testing.do_nothing", body)
        run = tasks.do_nothing.enqueue()
        meanwhile(lambda: look(run.id))
        assert execute(run).status == Status.SUCCEEDED

    def test_progress_is_written_at_most_twice_a_second(
        self, monkeypatch: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        settings.JOBS_HEARTBEAT_SECONDS = 60
        written: list[Progress] = []
        renew = ledger.renew

        def counting_renew(run_id: Any, attempt: int, progress: Progress) -> bool | None:
            written.append(progress)
            return renew(run_id, attempt, progress)

        monkeypatch.setattr(ledger, "renew", counting_renew)

        def body(run: ActiveRun) -> None:
            begun = time.monotonic()
            while (passed := time.monotonic() - begun) < 1.6:
                run.report(int(passed * 1000), 1600)

        give_body(monkeypatch, "testing.do_nothing", body)
        run = tasks.do_nothing.enqueue()
        begun = time.monotonic()
        row = execute(run)
        assert 2 <= len(written) <= 1 + 2 * (time.monotonic() - begun)
        assert [progress.percent for progress in written] == sorted(progress.percent for progress in written)
        assert row.progress == 100
