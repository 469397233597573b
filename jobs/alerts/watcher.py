"""The thread in which the watch looks: in every scheduler, and in every worker's main process.

In workers too, so that a silent scheduler is noticed while all of them are dead; and in a thread of its own, so that
neither slots nor heartbeats wait for a look.
"""

import logging
import threading
from datetime import datetime
from typing import Any

from celery import signals
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from jobs.alerts import outages, watch

logger = logging.getLogger(__name__)

#: Workers stand by: they look so many times less often than schedulers.
STANDBY = 3


class Watcher(threading.Thread):
    """Looks until it is stopped, and remembers since when the database has not answered."""

    def __init__(self, *, every: float) -> None:
        super().__init__(name="watch", daemon=True)
        self._every = every
        self._stopped = threading.Event()
        self._database_down_since: datetime | None = None

    def run(self) -> None:
        while not self._stopped.wait(self._every):
            self.look()
        connection.close()

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=5)

    def look(self) -> None:
        """Look once, whatever happens; a database that was away is told of when it is back."""
        try:
            self._tell_of_database()
            watch.look()
        except (OperationalError, InterfaceError) as error:
            self._database_down_since = self._database_down_since or timezone.now()
            logger.warning("The watch waits for the database: %s", error)
            connection.close()
        except Exception:
            # A mistake in the watch must end neither it nor the process it lives in.
            logger.exception("The watch could not look.")
            connection.close()

    def _tell_of_database(self) -> None:
        if self._database_down_since is None:
            return
        at = watch.now()  # raises while it is still away; by its own clock, which may differ from ours
        outages.tell_of_database(at - (timezone.now() - self._database_down_since), at)
        self._database_down_since = None


_watchers: list[Watcher] = []


def start(*, every: float) -> None:
    """Start watching in this process, unless the settings switch it off."""
    if every > 0:
        watcher = Watcher(every=every)
        watcher.start()
        _watchers.append(watcher)


@signals.beat_init.connect(weak=False)
def _start_in_beat(**kwargs: Any) -> None:
    start(every=settings.JOBS_WATCH_SECONDS)


@signals.worker_ready.connect(weak=False)
def _start_in_worker(**kwargs: Any) -> None:
    start(every=settings.JOBS_WATCH_SECONDS * STANDBY)


@signals.worker_shutting_down.connect(weak=False)
def _stop(**kwargs: Any) -> None:
    while _watchers:
        _watchers.pop().stop()
