"""Messages to the broker. A message is only a hint that a run waits in the ledger.

A run is sent right after its transaction commits; while a request is answered, right after the answer. When
that fails, or nobody claims the run (the broker was flushed, a worker died with the message in its hands), the
scheduler's loop sends it again; a run delivered twice is claimed once. So the broker may lose everything at any
time.
"""

import json
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.signals import request_finished
from django.db import connection, transaction
from django.db.models import Case, F, When
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from kombu.exceptions import (  # type: ignore[attr-defined]  # the stubs lack the first
    BatchPublishError,
    ChannelError,
    OperationalError,
)

from jobs.heartbeats import alive
from jobs.models import JobRun, ProcessHeartbeat

logger = logging.getLogger(__name__)

#: Marks messages of the ledger: a worker that finds no row for one ignores it.
HEADER = "ledger"
#: When a message was sent, in seconds since 1970.
_SENT_AT = "ledger_sent_at"
#: A run that its queue no longer holds is sent again after this many seconds.
LOST_AFTER_SECONDS = 5
_BATCH = 500
#: Messages are believed to have been sent at most so many seconds ago, by a clock that is at most so many ahead.
_LONGEST_SENT = 30 * 86_400
_CLOCKS_DIFFER = 60
#: How many messages go to the broker in one round trip.
_TOGETHER = 100


#: When a send fails: forget when it was first sent, unless an earlier send went well.
_FIRST_UNLESS_NOW = Case(When(first_published_at__lt=F("published_at"), then=F("first_published_at")))


@dataclass(frozen=True, kw_only=True)
class Message:
    """What is sent for one run."""

    run_id: uuid.UUID
    job: str
    queue: str
    priority: int
    args: list[Any]
    parameters: Mapping[str, Any]
    schedule_name: str | None = None


class _Held(threading.local):
    """What this thread keeps back while it answers a request."""

    #: None outside of requests.
    messages: list[Message] | None = None
    #: Of requests whose answer is on its way.
    answered: tuple[Message, ...] = ()


_held = _Held()


class SendAfterAnswer:
    """Middleware: messages go to the broker after the answer, so that nobody who asks for a run waits for it.

    If the process dies before, the scheduler's loop sends them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        _held.messages = []
        try:
            return self._get_response(request)
        finally:
            _held.answered += tuple(_held.messages)
            _held.messages = None


@receiver(request_finished)
def send_answered(**kwargs: object) -> None:
    """Send what was kept back; Django says so when the answer has been written."""
    messages, _held.answered = _held.answered, ()
    if messages:
        send(messages)


def send_held() -> None:
    """Send what is kept back now: the request waits for the run itself."""
    if _held.messages:
        messages, _held.messages = _held.messages, []
        send(messages)


def send_on_commit(run: JobRun) -> None:
    """Send the run once the current transaction commits; a rolled-back run is never sent."""
    message = Message(
        run_id=run.id,
        job=run.job,
        queue=run.queue,
        priority=run.priority,
        args=run.args,
        parameters=run.parameters,
    )
    transaction.on_commit(lambda: send_or_hold([message]))


def send_or_hold(messages: list[Message]) -> None:
    """Send messages of a committed transaction; while a request is answered, keep them until it is."""
    if _held.messages is not None:
        _held.messages.extend(messages)
    elif messages:
        send(messages)


def send(messages: Iterable[Message]) -> int:
    """Send messages in order and return how many went out for sure.

    When the broker does not answer, the rest is marked unsent in the ledger, to be sent by the scheduler. Some of
    it may have got there.
    """
    waiting = list(messages)
    sent = 0
    try:
        with current_app.producer_or_acquire() as producer:
            if not producer.connection.connected:
                producer.connection.ensure_connection(max_retries=0)  # else kombu tries for seconds
            while sent < len(waiting):
                together = waiting[sent : sent + _TOGETHER]
                with producer.batch() if len(together) > 1 else nullcontext():
                    for message in together:
                        _send_one(producer, message)
                sent += len(together)
    except broker_errors() as error:
        logger.warning(
            "The broker does not answer, %d runs wait in the ledger: %s", len(waiting) - sent, error
        )
        JobRun.objects.filter(
            pk__in=[message.run_id for message in waiting[sent:]], status=JobRun.Status.QUEUED
        ).update(published_at=None, first_published_at=_FIRST_UNLESS_NOW)
    return sent


def _send_one(producer: Any, message: Message) -> None:
    current_app.send_task(
        message.job,
        args=message.args,
        kwargs=dict(message.parameters),
        task_id=str(message.run_id),
        queue=message.queue,
        priority=message.priority,
        producer=producer,
        retry=False,
        headers={HEADER: True, _SENT_AT: time.time()},
        periodic_task_name=message.schedule_name,
        # Those of the task in the worker hold, which remote control may change there.
        time_limit=None,
        soft_time_limit=None,
    )


def sent_at(request: object) -> float | None:
    """When the message in a worker's hands was sent, in seconds since 1970; None when it does not say so credibly."""
    moment, now = getattr(request, _SENT_AT, None), time.time()
    if not isinstance(moment, float) or not now - _LONGEST_SENT < moment < now + _CLOCKS_DIFFER:
        return None
    return min(moment, now)


_WAITING = """
SELECT queue, count(*) FROM jobs_jobrun
WHERE status = 'queued' AND published_at < clock_timestamp() - make_interval(secs => %s)
GROUP BY queue
"""

_TAKE = """
UPDATE jobs_jobrun r
SET published_at = statement_timestamp(),
    first_published_at = COALESCE(first_published_at, statement_timestamp()),
    publish_count = LEAST(publish_count, 1000) + 1
FROM (
    SELECT id FROM jobs_jobrun
    WHERE status = 'queued' AND (
        published_at IS NULL
        OR published_at < clock_timestamp() - make_interval(secs => %(patience)s * 2 ^ LEAST(publish_count - 1, 4))
        OR (queue = ANY(%(lossy)s) AND published_at < clock_timestamp() - make_interval(secs => %(lost)s))
    )
    ORDER BY published_at NULLS FIRST, id
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
) due
WHERE r.id = due.id
RETURNING r.id, r.job, r.queue, r.priority, r.args, r.parameters
"""


def sweep() -> int:
    """Send every run that should be on the broker and is not, or was ignored too long; returns how many.

    Runs are known to be lost when a queue holds fewer messages than runs wait for it, after what
    workers may have in hand. Else a run is sent again after 1, 2, 4, 8 and then every 16 times
    `JOBS_REPUBLISH_SECONDS`.
    """
    lossy = _lossy_queues()
    sent = 0
    while True:
        runs = _take(lossy)
        sent_now = send(runs)
        sent += sent_now
        if sent_now < _BATCH:
            return sent


def _take(lossy: list[str]) -> list[Message]:
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "patience": settings.JOBS_REPUBLISH_SECONDS,
                "lossy": lossy,
                "lost": LOST_AFTER_SECONDS,
                "batch": _BATCH,
            },
        )
        rows = cursor.fetchall()
    return [
        Message(
            run_id=row[0],
            job=row[1],
            queue=row[2],
            priority=row[3],
            args=json.loads(row[4]),
            parameters=json.loads(row[5]),
        )
        for row in rows
    ]


def _lossy_queues() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, [LOST_AFTER_SECONDS])
        waiting = dict(cursor.fetchall())
    if not waiting:
        return []
    try:
        held = depths(waiting)
    except OperationalError:
        return []  # nothing can be sent now anyway
    in_hand = _in_hand()
    return [
        queue for queue, count in waiting.items() if held[queue] == 0 or held[queue] + in_hand[queue] < count
    ]


def _in_hand() -> Counter[str]:
    """How many messages living workers may hold unclaimed, by queue."""
    in_hand: Counter[str] = Counter()
    for worker in alive(ProcessHeartbeat.Kind.WORKER, timezone.now()):
        for queue in worker.info.get("queues", []):
            in_hand[queue] += worker.info.get("prefetch", 0)
    return in_hand


def depths(queues: Iterable[str], *, timeout: float | None = None) -> dict[str, int]:
    """How many messages each queue holds on the broker, all priorities together.

    Raises kombu's OperationalError when the broker does not answer, each question within `timeout` seconds.
    """
    with _broker(timeout) as broker:
        channel: Any = broker.channel()
        return {queue: _depth(channel, queue) for queue in queues}


def _depth(channel: Any, queue: str) -> int:
    try:
        return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except ChannelError:  # nothing was ever sent to it; AMQP's channels open themselves again after that
        return 0


def purge(queue: str, *, timeout: float) -> int:
    """Throw away every message that the queue holds on the broker; returns how many. Raises like `depths`."""
    with _broker(timeout) as broker:
        channel: Any = broker.channel()
        try:
            return int(channel.queue_purge(queue=queue) or 0)
        except ChannelError:  # nothing was ever sent to it
            return 0


def ping(*, timeout: float) -> None:
    """Ask the broker for a sign of life. Raises like `depths`."""
    with _broker(timeout) as broker:
        broker.channel().close()


@contextmanager
def _broker(timeout: float | None) -> Iterator[Any]:
    """A connection of its own; errors of the transport come out as kombu's OperationalError."""
    options: dict[str, Any] = {}
    if timeout is not None:
        limits = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        options = {"connect_timeout": timeout, "transport_options": limits}
    try:
        with current_app.connection_for_read(**options) as broker:
            broker.ensure_connection(max_retries=0)
            yield broker
    except broker_errors() as error:
        raise OperationalError(str(error)) from error


@cache
def broker_errors() -> tuple[type[Exception], ...]:
    """What is raised when the broker does not answer: by kombu, or by its transport under names of its own."""
    broker: Any = current_app.connection_for_read()
    # The Redis transport lists KeyError, for a reason inside its own loop; here it would hide mistakes.
    own = [kind for kind in (*broker.connection_errors, *broker.channel_errors) if kind is not KeyError]
    return (OperationalError, BatchPublishError, *own)
