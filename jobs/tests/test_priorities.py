"""The broker hands out the most urgent messages first."""

import uuid

from celery import current_app

from jobs import outbox
from jobs.outbox import Message


def test_a_worker_gets_the_most_urgent_class_first_and_within_it_the_oldest() -> None:
    queue = f"priorities-{uuid.uuid4().hex[:8]}"
    order = [9, 5, 0, 3, 5, 0]
    sent = [
        Message(
            run_id=uuid.uuid4(), job="foreign.add", queue=queue, priority=priority, args=[1, 2], parameters={}
        )
        for priority in order
    ]
    assert outbox.send(sent) == len(sent)
    got = []
    with current_app.connection_for_read() as broker:
        simple = broker.SimpleQueue(queue)
        try:
            for _ in sent:
                message = simple.get(timeout=5)
                got.append(message.headers["id"])
                message.ack()
        finally:
            simple.queue.delete()
            simple.close()
    by_class = [sent[2], sent[5], sent[1], sent[3], sent[4], sent[0]]
    assert got == [str(message.run_id) for message in by_class]
