"""Polling everything that is due: many hosts at once, each host by itself."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from jobs.context import ActiveRun
from publishing.errors import SourceError, SourceUnavailable
from publishing.models import Source
from publishing.polling import pace
from publishing.polling.poll import Claim, claim, fetch
from publishing.polling.record import PollResult, postpone, record_failure, record_success
from publishing.sources import Fetched

logger = logging.getLogger(__name__)

#: A round takes on no more sources after this; the rest stays due for the next one.
_LONGEST_ROUND_SECONDS = 1200.0


@dataclass
class RoundResult:
    """How polling many sources went."""

    polled: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    #: Left for later: the host asked for quiet, or another worker has it.
    postponed: int = 0
    new_items: int = 0
    updated_items: int = 0
    #: Posts begun of the new items (`publishing.news`).
    posts_triggered: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def poll_due(run: ActiveRun) -> RoundResult:
    """Poll all sources that are due, with progress by source; every source is a unit of the run."""
    due = list(Source.objects.due(timezone.now()).only("pk", "url", "name"))
    return _Round(run, due).finish()


class _Round:
    """One round. The database is used by the run's own thread only; the pool's threads wait and fetch."""

    def __init__(self, run: ActiveRun, due: list[Source]) -> None:
        self._run = run
        self._total = len(due)
        self._result = RoundResult()
        self._queues: dict[str, deque[Source]] = {}
        self._running: dict[Future[Fetched], Claim] = {}
        self._stopped = threading.Event()
        self._last_start = time.monotonic() + _LONGEST_ROUND_SECONDS
        for source in due:
            self._queues.setdefault(pace.host_of(source.url), deque()).append(source)

    def finish(self) -> RoundResult:
        self._report()
        pool = ThreadPoolExecutor(settings.PUBLISHING_POLL_THREADS, thread_name_prefix="poll")
        try:
            while self._queues or self._running:
                if time.monotonic() < self._last_start:
                    self._start(pool)
                else:
                    for host in list(self._queues):
                        self._postpone_all(host)
                done, _ = wait(self._running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    self._end(future)
                self._run.check()
        finally:
            self._stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for left in self._running.values():
                pace.leave(left.host)
        return self._result

    def _start(self, pool: ThreadPoolExecutor) -> None:
        """Give every free thread a source of a host that nobody is asking."""
        asked = {taken.host for taken in self._running.values()}
        for host in [host for host in self._queues if host not in asked]:
            if len(self._running) >= settings.PUBLISHING_POLL_THREADS:
                return
            if (taken := self._next_of(host)) is not None:
                turn = pace.take_turn(host, timezone.now())
                self._running[pool.submit(self._fetch_at, turn, taken)] = taken

    def _next_of(self, host: str) -> Claim | None:
        """Claim the host's next source that is still due, and with it the host; None if there is none to poll now."""
        hold = pace.hold_on(host, timezone.now())
        if hold is not None:
            self._postpone_all(host, hold.until)
            return None
        if not pace.try_enter(host):
            self._postpone_all(host)  # another worker is asking it; what stays due is for a later round
            return None
        for source in self._drained(host):
            if (taken := claim(source.pk, now=timezone.now(), run_id=self._run.id)) is not None:
                return taken
            self._result.postponed += 1  # another worker was faster, or somebody switched it off
            self._report()
        pace.leave(host)
        return None

    def _drained(self, host: str) -> Iterator[Source]:
        queue = self._queues[host]
        while queue:
            source = queue.popleft()
            if not queue:
                del self._queues[host]
            yield source

    def _postpone_all(self, host: str, until: datetime | None = None) -> None:
        for source in self._drained(host):
            if until is not None:
                postpone(source.pk, until=until)
            self._result.postponed += 1
        self._report()

    def _fetch_at(self, turn: datetime, taken: Claim) -> Fetched:
        """In a thread of the pool: wait for the turn, then fetch."""
        if self._stopped.wait(max((turn - timezone.now()).total_seconds(), 0)):
            raise SourceUnavailable("The round was ended before this source had its turn.")
        return fetch(taken)

    def _end(self, future: Future[Fetched]) -> None:
        taken = self._running.pop(future)
        pace.leave(taken.host)
        self._result.polled += 1
        try:
            polled = record_success(taken.source_id, taken.request, future.result(), now=timezone.now())
        except SourceError as error:
            record_failure(taken.source_id, taken.request, error, now=timezone.now())
            self._fail(taken, error)
        except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
            raise  # no trouble of this source
        except (
            Exception
        ) as error:  # a source that our code cannot bear must not keep the others from being read
            logger.exception("%s (%s) broke its poll.", taken.name, taken.source_id)
            self._fail(taken, error)
        else:
            self._count(polled)
            self._run.unit_succeeded()
        self._report()

    def _fail(self, taken: Claim, error: Exception) -> None:
        self._result.failed += 1
        unit = f"{taken.name} ({taken.source_id})"
        self._result.failures[unit] = str(error)
        self._run.unit_failed(unit, error)

    def _count(self, polled: PollResult) -> None:
        self._result.changed += polled.outcome == "changed"
        self._result.unchanged += polled.outcome != "changed"
        self._result.new_items += polled.new
        self._result.updated_items += polled.updated
        for note in polled.notes:
            self._run.log(f"{polled.name}: {note}")
        if polled.new or polled.updated:
            self._run.log(f"{polled.name}: {polled.new} new, {polled.updated} updated")

    def _report(self) -> None:
        self._run.report(self._result.polled + self._result.postponed, self._total, "Polling sources")
