"""The beat's scheduler: no schedule in memory, everything in the database. Any number of beats may run."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery.beat import Scheduler
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection
from django.utils import timezone

from jobs import admission, failures, heartbeats, outbox, reaper, release, slots, summaries, sync
from jobs.live import log
from jobs.metrics import totals
from jobs.models import ProcessHeartbeat

logger = logging.getLogger(__name__)

#: Seconds between two rounds of looking after lost messages and lost runs.
CARE_EVERY = 2.0
#: Seconds between two rounds of counting runs and forgetting events.
KEEP_HOUSE_EVERY = 15.0


class SlotScheduler(Scheduler):
    """`celery beat -S jobs.scheduler:SlotScheduler`; see `jobs.slots` for how a tick works."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._beat = heartbeats.Heart(
            ProcessHeartbeat.Kind.BEAT, f"beat@{socket.gethostname()}:{os.getpid()}"
        )
        self._next_care = 0.0
        self._is_at_work = False
        self._refused: list[str] = []
        self._next_housekeeping = 0.0
        # Silence may be the database's fault. After a start or an outage workers get one lease to speak up.
        self._recover_from = time.monotonic() + settings.JOBS_LEASE_SECONDS
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Bring the schedules that jobs declare into the database; a database that is down is no reason to stop."""
        try:
            sync.sync_schedules()
        except Error as error:
            logger.error("Schedules were not synchronised: %s", error)
            connection.close()

    @property
    def schedule(self) -> dict[str, Any]:  # type: ignore[override]  # read-only on purpose
        """Empty: celery's own loop has nothing to keep."""
        return {}

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Do what is due and return the seconds to sleep: until just after the next whole tick."""
        self._is_at_work = True
        try:
            self.work()
        except Error as error:
            logger.error("The database does not answer; nothing is lost, trying again: %s", error)
            connection.close()
            self._recover_from = time.monotonic() + settings.JOBS_LEASE_SECONDS
        except SystemExit:
            connection.close()  # the signal may have come in the middle of a query
            raise
        finally:
            self._is_at_work = False
        period = settings.JOBS_TICK_SECONDS
        return period - time.time() % period + 0.002

    def work(self) -> None:
        """One tick."""
        started = time.monotonic()
        now = timezone.now()
        self._refused = []
        lag = 0.0
        with self._apart("planning"):
            while slots.plan_stale(now):
                pass
        with self._apart("releasing"):
            if release.any_waiting():
                outbox.send(release.release(now))
        with self._apart("firing"):
            lag = self.fire(now)
        with self._apart("retrying"):
            if reaper.promote_retries():
                self._next_care = started
        if time.monotonic() >= self._next_care:
            self.care()
        with self._apart("admitting"):
            if release.any_waiting():
                outbox.send(admission.admit())
        tick_seconds = round(time.monotonic() - started, 4)
        self._beat.beat(lag_seconds=round(lag, 3), tick_seconds=tick_seconds, refused=self._refused)

    @contextmanager
    def _apart(self, part: str) -> Iterator[None]:
        """What the database refuses to one part of a tick holds up no other part; health tells of it.

        A database that does not answer ends the tick: there is nothing that the other parts could do.
        """
        try:
            yield
        except (OperationalError, InterfaceError):
            raise
        except Error:
            logger.exception("The database refuses the %s of this tick; its other parts go on", part)
            self._refused.append(part)

    def fire(self, now: Any) -> float:
        """Make and send the runs of all due slots; returns how late the latest was sent, in seconds."""
        while True:
            count, messages = slots.fire_due(now)
            outbox.send(messages)
            if count < slots.BATCH:
                return (timezone.now() - now).total_seconds() if count else 0.0

    def care(self) -> None:
        """Look after what got lost."""
        self._next_care = time.monotonic() + CARE_EVERY
        with self._apart("expiring"):
            reaper.expire_waiting()
            release.end_orphaned()
        with self._apart("pausing"):
            failures.pause_all_fragile()
        with self._apart("recovering"):
            if time.monotonic() >= self._recover_from:
                reaper.recover_lost()
        with self._apart("sending"):
            outbox.sweep()
        with self._apart("counting"):
            totals.fold()
            if time.monotonic() >= self._next_housekeeping:
                self.keep_house()

    def keep_house(self) -> None:
        """Count what runs did, and forget events that nobody will ask for any more."""
        self._next_housekeeping = time.monotonic() + KEEP_HOUSE_EVERY
        log.prune()
        if summaries.keep():
            self._next_housekeeping = 0  # it is behind

    def should_sync(self) -> bool:
        return False

    def close(self) -> None:
        """Say goodbye, so that health does not wait for the heartbeat to age.

        Celery calls it from its signal handler, where a query in the middle of another one would never end, and
        once more when the loop has ended.
        """
        if self._is_at_work:
            return
        try:
            self._beat.stop()
        except Error as error:
            logger.warning("Could not remove the scheduler's heartbeat: %s", error)

    @property
    def info(self) -> str:
        return "    . schedules and slots -> database"
