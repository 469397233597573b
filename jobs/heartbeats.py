"""Heartbeats of schedulers and workers, and who counts as alive."""

import logging
import os
import threading
import time
from datetime import datetime, timedelta
from typing import Any

from celery import signals
from django.db import Error, connection
from django.utils import timezone

from jobs.models import ProcessHeartbeat

logger = logging.getLogger(__name__)

#: Seconds between two heartbeats, and the silence after which a process counts as dead.
EVERY = 5.0
DEAD_AFTER = 20.0
#: Rows of dead processes are kept this long, for people to see what died.
FORGET_AFTER = timedelta(hours=24)


class Heart:
    """One process's heartbeat row."""

    def __init__(self, kind: ProcessHeartbeat.Kind, name: str) -> None:
        self.kind = kind
        self.name = name
        self._started_at = timezone.now()
        self._next = 0.0

    def beat(self, **info: Any) -> None:
        """Write the row, at most every `EVERY` seconds."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        now = timezone.now()
        ProcessHeartbeat.objects.update_or_create(
            kind=self.kind,
            name=self.name,
            defaults={"pid": os.getpid(), "started_at": self._started_at, "seen_at": now, "info": info},
        )
        ProcessHeartbeat.objects.filter(seen_at__lt=now - FORGET_AFTER).delete()

    def stop(self) -> None:
        """Remove the row: the process ends on purpose."""
        ProcessHeartbeat.objects.filter(kind=self.kind, name=self.name).delete()


def alive(kind: ProcessHeartbeat.Kind, at: datetime) -> list[ProcessHeartbeat]:
    """The processes of a kind that spoke lately."""
    since = at - timedelta(seconds=DEAD_AFTER)
    return list(ProcessHeartbeat.objects.filter(kind=kind, seen_at__gte=since).order_by("name"))


class WorkerHeart(threading.Thread):
    """The heartbeat of a worker's main process, which itself is busy with messages."""

    def __init__(self, worker: Any) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._worker = worker
        self._heart = Heart(ProcessHeartbeat.Kind.WORKER, worker.hostname)
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._heart.beat(**self._info())
            except Error as error:
                logger.warning("The worker's heartbeat waits for the database: %s", error)
                connection.close()
            self._stopped.wait(EVERY)
        try:
            self._heart.stop()
        except Error as error:
            logger.warning("Could not remove the worker's heartbeat: %s", error)
        connection.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=5)

    def _info(self) -> dict[str, Any]:
        concurrency = self._worker.pool.num_processes  # remote control may have changed it
        return {
            "queues": sorted(self._worker.app.amqp.queues.consume_from),
            "concurrency": concurrency,
            "prefetch": concurrency * max(self._worker.prefetch_multiplier, 1) + concurrency,
        }


_hearts: list[WorkerHeart] = []


@signals.worker_ready.connect(weak=False)
def _start(sender: Any, **kwargs: Any) -> None:
    heart = WorkerHeart(sender.controller)
    heart.start()
    _hearts.append(heart)


@signals.worker_shutting_down.connect(weak=False)  # by a signal
@signals.worker_shutdown.connect(weak=False)  # by remote control
def _stop(**kwargs: Any) -> None:
    while _hearts:
        _hearts.pop().stop()
