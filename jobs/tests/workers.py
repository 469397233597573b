"""Executing queued runs inside a test, by the same runner that a Celery worker uses."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import Ignore, Retry
from django.db import connection

from jobs import definitions
from jobs.definitions import RetryPolicy, get_job
from jobs.models import JobRun
from jobs.outbox import HEADER


def execute(run: JobRun) -> JobRun:
    """Execute a queued run now, in this thread; returns its row afterwards."""
    with suppress(Ignore, Retry, Exception):
        deliver(run.job, str(run.id), run.parameters)
    run.refresh_from_db()
    return run


def deliver(
    name: str, task_id: str, parameters: dict[str, Any], *, args: Iterable[Any] = (), is_ours: bool = True
) -> Any:
    """Hand a message to the task like a worker's child process does; returns or raises what Celery gets to see."""
    task = current_app.tasks[name]
    header = {HEADER: True} if is_ours else {}
    task.push_request(
        id=task_id,
        task=name,
        args=list(args),
        kwargs=parameters,
        hostname="test@here",
        called_directly=False,
        is_eager=False,
        delivery_info={"exchange": "", "routing_key": "default"},
        **header,
    )
    try:
        return task(*args, **parameters)
    finally:
        task.pop_request()


def give_body(
    monkeypatch: pytest.MonkeyPatch, name: str, body: Callable[..., Any], retry: RetryPolicy | None = None
) -> None:
    """Let a registered job do something else for one test."""
    job = get_job(name)
    changed = replace(job, function=body, retry=retry or job.retry)
    monkeypatch.setitem(definitions._registry, name, changed)


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
