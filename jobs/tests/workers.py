"""Executing queued runs inside a test, by the same runner that a Celery worker uses."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from celery import current_app
from celery.exceptions import Ignore, Retry
from django.db import connection

from jobs.models import JobRun
from jobs.outbox import HEADER


def execute(run: JobRun) -> JobRun:
    """Execute a queued run now, in this thread; returns its row afterwards."""
    task = current_app.tasks[run.job]
    task.push_request(
        id=str(run.id), hostname="test@here", headers={HEADER: True}, called_directly=False, is_eager=False
    )
    try:
        with suppress(Ignore, Retry, Exception):
            task(**run.parameters)
    finally:
        task.pop_request()
    run.refresh_from_db()
    return run


@contextmanager
def worker_thread() -> Iterator[None]:
    """A worker that takes queued runs from the ledger while the block runs; needs committed data."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            for run in JobRun.objects.filter(status=JobRun.Status.QUEUED).order_by("pk"):
                execute(run)
            time.sleep(0.01)
        connection.close()

    thread = threading.Thread(target=work, name="test worker")
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(timeout=30)
