"""Messages go out after commit, and again while nobody claims the run; the broker may lose them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from kombu import pools
from pytest_django import DjangoCaptureOnCommitCallbacks

from jobs import outbox
from jobs.definitions import enqueue
from jobs.models import JobRun, ProcessHeartbeat
from jobs.outbox import SendAfterAnswer
from tests.jobs_for_tests import tasks

Status = JobRun.Status
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("flush_broker")]


def waiting(seconds_ago: float, *, count: int = 1, publish_count: int = 1) -> list[str]:
    """Ids of queued runs that were sent so long ago, as the ledger believes."""
    runs = [tasks.add_numbers.enqueue(left=1) for _ in range(count)]
    sent_at = timezone.now() - timedelta(seconds=seconds_ago)
    JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(
        published_at=sent_at, publish_count=publish_count
    )
    return [str(run.id) for run in runs]


def hold(count: int, queue: str = "default") -> None:
    """Put messages into a queue, as if they were those of waiting runs."""
    with current_app.producer_or_acquire() as producer:
        for _ in range(count):
            current_app.send_task("foreign.add", args=[1, 2], queue=queue, producer=producer)


def depth(queue: str = "default") -> int:
    return outbox.depths([queue])[queue]


class TestCommit:
    @pytest.mark.django_db(transaction=True)
    def test_a_run_is_sent_after_its_commit_and_not_before(self, sent: list[str]) -> None:
        with transaction.atomic():
            run = tasks.add_numbers.enqueue(left=1)
            assert sent == []
        assert sent == [str(run.id)]
        assert depth() == 1

    @pytest.mark.django_db(transaction=True)
    def test_a_rolled_back_run_is_never_sent(self, sent: list[str]) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            tasks.add_numbers.enqueue(left=1)
            raise ZeroDivisionError
        outbox.sweep()
        assert sent == []
        assert not JobRun.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_run_of_a_rolled_back_savepoint_is_never_sent(self, sent: list[str]) -> None:
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                tasks.add_numbers.enqueue(left=1)
                raise ZeroDivisionError
            kept = tasks.add_numbers.enqueue(left=2)
        assert sent == [str(kept.id)]

    def test_a_run_that_an_idempotency_key_finds_is_not_sent_again(
        self, sent: list[str], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:

        with django_capture_on_commit_callbacks(execute=True):
            for _ in range(3):
                enqueue(tasks.do_nothing, {}, trigger=JobRun.Trigger.API, idempotency_key="k")
        assert len(sent) == 1


class TestMessage:
    def test_a_message_carries_the_run(self, django_capture_on_commit_callbacks: Any) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            run = tasks.add_numbers.enqueue(left=2)
        with current_app.connection_for_read() as broker, broker.SimpleQueue("default") as queue:
            message: Any = queue.get(timeout=20)
        assert message.headers["id"] == str(run.id)
        assert message.headers["task"] == "testing.add_numbers"
        assert message.headers[outbox.HEADER] is True
        assert message.headers["eta"] is None
        assert message.payload[1] == {"left": 2, "right": 1}


class TestSweep:
    def test_a_run_marked_unsent_is_sent(self, sent: list[str]) -> None:
        (run_id,) = waiting(0)
        JobRun.objects.update(published_at=None)
        assert outbox.sweep() == 1
        assert sent == [run_id]
        row = JobRun.objects.get()
        assert row.published_at is not None
        assert row.publish_count == 2

    def test_a_run_that_its_empty_queue_lost_is_sent_again_after_a_while(
        self, sent: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(outbox, "LOST_AFTER_SECONDS", 30)
        (lost,) = waiting(31)
        waiting(4)
        assert outbox.sweep() == 1
        assert sent == [lost]

    def test_runs_in_a_deep_queue_are_not_sent_again(self, sent: list[str]) -> None:
        waiting(30, count=20)
        hold(20)
        sent.clear()
        assert [outbox.sweep() for _ in range(3)] == [0, 0, 0]
        assert depth() == 20

    def test_lost_messages_of_a_queue_that_still_holds_some_are_noticed(self, sent: list[str]) -> None:
        waiting(6, count=20)
        hold(5)
        sent.clear()
        assert outbox.sweep() == 20
        JobRun.objects.update(published_at=timezone.now() - timedelta(seconds=6))
        assert outbox.sweep() == 0
        assert depth() == 25

    def test_what_a_living_worker_may_have_in_hand_is_not_lost(self, sent: list[str]) -> None:
        info = {"queues": ["default"], "concurrency": 2, "prefetch": 4}
        now = timezone.now()
        ProcessHeartbeat.objects.create(
            kind="worker", name="w@a", pid=1, started_at=now, seen_at=now, info=info
        )
        waiting(6, count=8)
        hold(4)
        sent.clear()
        assert outbox.sweep() == 0
        ProcessHeartbeat.objects.update(seen_at=now - timedelta(minutes=1))
        assert outbox.sweep() == 8

    @pytest.mark.parametrize(("publish_count", "factor"), [(1, 1), (2, 2), (3, 4), (5, 16), (30_000, 16)])
    def test_a_run_in_a_queue_that_seems_full_is_sent_again_with_growing_patience(
        self, sent: list[str], publish_count: int, factor: int
    ) -> None:
        patience = settings.JOBS_REPUBLISH_SECONDS * factor
        (overdue,) = waiting(patience + 1, publish_count=publish_count)
        waiting(patience / 2, publish_count=publish_count)
        hold(5)
        sent.clear()
        assert outbox.sweep() == 1
        assert sent == [overdue]

    def test_an_outage_may_last_for_weeks(self, sent: list[str]) -> None:
        waiting(0, publish_count=32_767)
        JobRun.objects.update(published_at=None)
        assert outbox.sweep() == 1

    @pytest.mark.parametrize("status", [status for status in Status if status != Status.QUEUED])
    def test_only_queued_runs_are_sent(self, status: JobRun.Status) -> None:
        waiting(9999)
        JobRun.objects.update(status=status)
        assert outbox.sweep() == 0

    def test_more_than_a_batch_is_sent_in_one_sweep(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outbox, "_BATCH", 3)
        waiting(6, count=8)
        assert outbox.sweep() == 8
        assert depth() == 8

    def test_a_sweep_of_nothing_asks_no_broker(self, broker_away: None) -> None:
        assert outbox.sweep() == 0


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Celery's broker is an address where nobody listens."""

    def forget() -> None:
        pools.reset()
        current_app._pool = None  # type: ignore[attr-defined]  # missing in the stubs
        current_app.amqp._producer_pool = None  # type: ignore[attr-defined]

    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    forget()
    yield
    monkeypatch.undo()
    forget()


class TestBrokerAway:
    def test_a_trigger_succeeds_and_its_run_is_known_to_be_unsent(
        self, broker_away: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            tasks.add_numbers.enqueue(left=1)
        assert JobRun.objects.get().published_at is None

    def test_a_sweep_sends_nothing_and_raises_nothing(self, broker_away: None) -> None:
        waiting(9999)
        assert outbox.sweep() == 0
        assert JobRun.objects.get().published_at is None

    def test_it_takes_no_time(self, broker_away: None) -> None:
        waiting(9999, count=3)
        begun = timezone.now()
        outbox.sweep()
        assert timezone.now() - begun < timedelta(seconds=10)


def test_the_depth_of_a_queue_counts_all_priorities(flush_broker: Callable[[], None]) -> None:
    for priority in (0, 3, 6, 9):
        current_app.send_task("foreign.add", args=[1, 2], queue="default", priority=priority)
    assert outbox.depths(["default", "never used"]) == {"default": 4, "never used": 0}


@pytest.mark.django_db(transaction=True)
class TestRequests:
    """While a request is answered, messages wait for its end."""

    def answer(self, sent: list[str], seen: list[list[str]]) -> HttpResponse:
        def view(request: HttpRequest) -> HttpResponse:
            response = HttpResponse(str(tasks.add_numbers.enqueue(left=1).id))
            seen.append(list(sent))
            return response

        return SendAfterAnswer(view)(RequestFactory().post("/"))

    def test_the_broker_is_asked_after_the_answer(self, sent: list[str]) -> None:
        seen: list[list[str]] = []
        response = self.answer(sent, seen)
        assert seen == [[]]
        assert sent == []
        response.close()
        assert sent == [response.content.decode()]

    def test_what_a_request_without_an_end_left_goes_out_with_the_next(self, sent: list[str]) -> None:
        first = self.answer(sent, [])
        second = self.answer(sent, [])
        second.close()
        assert sent == [first.content.decode(), second.content.decode()]

    def test_outside_of_requests_nothing_waits(self, sent: list[str]) -> None:
        with pytest.raises(ZeroDivisionError):
            SendAfterAnswer(lambda request: HttpResponse(str(1 / 0)))(RequestFactory().post("/"))
        run = tasks.add_numbers.enqueue(left=1)
        assert sent == [str(run.id)]

    def test_a_request_that_waits_for_its_run_sends_it_at_once(self, sent: list[str]) -> None:
        seen: list[list[str]] = []

        def view(request: HttpRequest) -> HttpResponse:
            run = tasks.add_numbers.enqueue(left=1)
            outbox.send_held()
            seen.append([str(run.id)])
            assert sent == seen[0]
            return HttpResponse()

        SendAfterAnswer(view)(RequestFactory().post("/")).close()
        assert sent == seen[0]
