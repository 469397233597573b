"""Notifications leave while the broker is away, and a process that is killed in the middle of sending loses none."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Response

from jobs.models import Delivery
from jobs.tests.notifying import begin_anew, email, rule, trouble, webhook
from tests.chaos.world import eventually
from tests.smtp_server import mail_server
from tests.spawner import Spawned, Spawner

pytestmark = [pytest.mark.chaos, pytest.mark.django_db(transaction=True)]
LEASE_SECONDS = 3


@contextmanager
def beat(spawner: Spawner, **settings: Any) -> Iterator[Spawned]:
    """A real scheduler whose broker is not there; its courier has only the database."""
    process = spawner.celery(
        *("-b", "redis://127.0.0.1:1/0", "--quiet", "beat", "-l", "WARNING"),
        settings={"NOTIFICATIONS_LEASE_SECONDS": LEASE_SECONDS, "JOBS_WATCH_SECONDS": 0, **settings},
    )
    try:
        yield process
    finally:
        process.kill()


@pytest.fixture
def receiver() -> Iterator[HTTPServer]:
    with HTTPServer(port=0, threaded=True) as server:
        yield server


def holds(found: list[str], count: int) -> bool:
    return len(found) >= count


def sent() -> bool:
    return not Delivery.objects.exclude(state=Delivery.State.SENT).exists()


def test_killed_in_the_middle_of_sending_it_is_sent_again_under_the_same_id(
    spawner: Spawner, receiver: HTTPServer
) -> None:
    begin_anew()
    arrived, is_dead, ids = threading.Event(), threading.Event(), []

    def answer(request):
        ids.append(request.headers["webhook-id"])
        arrived.set()
        is_dead.wait(60)  # nobody is left to hear the first answer
        return Response("ok")

    receiver.expect_request("/hook").respond_with_handler(answer)
    rule(webhook(receiver.url_for("/hook")))
    allowed = [f"{receiver.host}:{receiver.port}"]
    with beat(spawner, OUTBOUND_ALLOWED_HOSTS=allowed) as first:
        trouble(at=timezone.now())
        assert arrived.wait(60)
        first.kill()
        is_dead.set()
    assert Delivery.objects.get().state == Delivery.State.SENDING
    with beat(spawner, OUTBOUND_ALLOWED_HOSTS=allowed):
        eventually(sent, "the delivery is made again")
    delivery = Delivery.objects.get()
    assert ids == [str(delivery.pk)] * 2
    assert [row.outcome for row in delivery.log.order_by("number")] == ["lost", "sent"]


def test_couriers_that_die_again_and_again_lose_nothing_and_repeat_only_what_was_under_way(
    spawner: Spawner, receiver: HTTPServer
) -> None:
    begin_anew()
    ids: list[str] = []

    def answer(request):
        ids.append(request.headers["webhook-id"])
        time.sleep(0.05)
        return Response("ok")

    receiver.expect_request("/hook").respond_with_handler(answer)
    rule(*[webhook(receiver.url_for("/hook"), name=f"Hook {number}") for number in range(3)])
    for number in range(30):
        trouble(f"cause {number}", at=timezone.now())
    kills = 3
    for round_ in range(kills):
        with beat(spawner, OUTBOUND_ALLOWED_HOSTS=[f"{receiver.host}:{receiver.port}"]):
            eventually(partial(holds, ids, 20 * (round_ + 1)), "some are sent")
    with beat(spawner, OUTBOUND_ALLOWED_HOSTS=[f"{receiver.host}:{receiver.port}"]):
        eventually(lambda: Delivery.objects.count() == 90 and sent(), "all are sent")
    assert len(set(ids)) == 90
    assert len(ids) <= 90 + kills * 3, "at most one a channel was under way at each kill"


def test_a_scheduler_that_is_asked_to_stop_finishes_what_it_sends(
    spawner: Spawner, receiver: HTTPServer
) -> None:
    begin_anew()
    arrived, ids = threading.Event(), []

    def answer(request):
        ids.append(request.headers["webhook-id"])
        arrived.set()
        time.sleep(1)
        return Response("ok")

    receiver.expect_request("/hook").respond_with_handler(answer)
    rule(webhook(receiver.url_for("/hook")))
    with beat(spawner, OUTBOUND_ALLOWED_HOSTS=[f"{receiver.host}:{receiver.port}"]) as process:
        trouble(at=timezone.now())
        assert arrived.wait(60)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    assert Delivery.objects.get().state == Delivery.State.SENT
    assert len(ids) == 1


def test_email_leaves_while_the_broker_is_away(spawner: Spawner, tmp_path) -> None:
    begin_anew()
    rule(email("ada@example.org"))
    with mail_server(tmp_path / "mail") as mail:
        trouble(at=timezone.now())
        with beat(spawner, EMAIL_HOST="127.0.0.1", EMAIL_PORT=mail.port):
            eventually(lambda: len(mail.messages()) == 1, "the email arrives")
            eventually(sent, "it is known to be sent")
