"""Polling everything that is due: many hosts at once, each host by itself."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from queue import Empty, SimpleQueue

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.outbound import Connections, keep_connections
from publishing.errors import SourceError, SourceUnavailable
from publishing.models import Source
from publishing.polling import pace
from publishing.polling.poll import Claim, claim_due, fetch
from publishing.polling.record import (
    Outcome,
    PollResult,
    is_simple,
    postpone_all,
    record_failure,
    record_simple,
    record_success,
)
from publishing.sources import Fetched

logger = logging.getLogger(__name__)

#: A round takes on no more sources after this; the rest stays due for the next one.
_LONGEST_ROUND_SECONDS = 1200.0
#: Claimed or recorded in one transaction; a crash in the middle repeats no more polls than these.
_MOST_AT_ONCE = 100


@dataclass
class RoundResult:
    """How polling many sources went."""

    polled: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    #: Left for later: the host asked for quiet, or another worker has it.
    postponed: int = 0
    items_found: int = 0
    new_items: int = 0
    updated_items: int = 0
    #: Posts begun of the new items (`publishing.news`).
    posts_triggered: int = 0
    failures: dict[str, str] = field(default_factory=dict)


def poll_due(run: ActiveRun) -> RoundResult:
    """Poll all sources that are due, with progress by source; every source is a unit of the run."""
    due = list(Source.objects.due(timezone.now()).values_list("pk", "url"))
    return _Round(run, due).finish()


class _Round:
    """One round. The database is used by the run's own thread only; the pool's threads wait and fetch.

    Whatever has come in since the last look is recorded together, and as many sources are claimed together: the
    busier the round, the fewer queries each source costs.
    """

    def __init__(self, run: ActiveRun, due: list[tuple[int, str]]) -> None:
        self._run = run
        self._total = len(due)
        self._result = RoundResult()
        #: The ids of the sources of each host.
        self._queues: dict[str, deque[int]] = {}
        self._running: dict[Future[Fetched], Claim] = {}
        self._ended: SimpleQueue[Future[Fetched]] = SimpleQueue()
        self._entered: set[str] = set()
        self._stopped = threading.Event()
        self._last_start = time.monotonic() + _LONGEST_ROUND_SECONDS
        for source_id, url in due:
            self._queues.setdefault(pace.host_of(url), deque()).append(source_id)
        #: Hosts that nobody asks now and that have sources left; the one that has rested longest first.
        self._ready = deque(self._queues)

    def finish(self) -> RoundResult:
        self._report()
        pool = ThreadPoolExecutor(settings.PUBLISHING_POLL_THREADS, thread_name_prefix="poll")
        with keep_connections() as connections:
            try:
                while self._ready or self._running:
                    if time.monotonic() < self._last_start:
                        self._start(pool, connections)
                    else:
                        self._postpone_all(self._ready)
                        self._ready.clear()
                    self._record(self._came())
                    self._run.check()
            finally:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                self._leave(set(self._entered))
        return self._result

    def _came(self) -> list[tuple[Claim, Future[Fetched]]]:
        """What has ended since the last look; waits a moment if that is nothing."""
        ended = []
        with contextlib.suppress(Empty):
            if self._running:
                ended.append(self._ended.get(timeout=0.2))
                while len(ended) < _MOST_AT_ONCE:
                    ended.append(self._ended.get_nowait())
        return [(self._running.pop(future), future) for future in ended]

    # Beginning

    def _start(self, pool: ThreadPoolExecutor, connections: Connections) -> None:
        """Give every free thread a source of a host that nobody is asking."""
        free = min(settings.PUBLISHING_POLL_THREADS - len(self._running), _MOST_AT_ONCE, len(self._ready))
        if free <= 0:
            return
        claims = self._claimed(self._admitted([self._ready.popleft() for _ in range(free)]))
        turns = pace.take_turns([taken.host for taken in claims], timezone.now()) if claims else {}
        for taken in claims:
            future = pool.submit(self._fetch_at, turns[taken.host], taken, connections)
            self._running[future] = taken
            future.add_done_callback(self._ended.put)

    def _admitted(self, hosts: list[str]) -> list[str]:
        """Those of the hosts that may be asked now, which from here on only we ask; the others' sources are postponed."""
        holds = pace.holds_on(hosts, timezone.now())
        for host, hold in holds.items():
            self._postpone_all([host], hold.until)
        rest = [host for host in hosts if host not in holds]
        entered = pace.enter(rest) if rest else set()
        self._entered |= entered
        # another worker is asking the others; what stays due is for a later round
        self._postpone_all([host for host in rest if host not in entered])
        return [host for host in rest if host in entered]

    def _claimed(self, hosts: list[str]) -> list[Claim]:
        """The next source of each host that is still due."""
        claims: list[Claim] = []
        while hosts:
            next_of = {self._next_of(host): host for host in hosts}
            taken = claim_due(next_of, now=timezone.now(), run_id=self._run.id)
            claims += taken
            for one in taken:
                del next_of[one.source_id]
            # another worker was faster with the others, or somebody switched them off
            self._result.postponed += len(next_of)
            hosts = [host for host in next_of.values() if host in self._queues]
            self._leave({host for host in next_of.values() if host not in self._queues})
            self._report()
        return claims

    def _next_of(self, host: str) -> int:
        queue = self._queues[host]
        source_id = queue.popleft()
        if not queue:
            del self._queues[host]
        return source_id

    def _postpone_all(self, hosts: Iterable[str], until: datetime | None = None) -> None:
        """Leave what is left of these hosts for a later round, or until a time."""
        left = [source_id for host in hosts for source_id in self._queues.pop(host)]
        if until is not None:
            postpone_all(left, until=until)
        self._result.postponed += len(left)
        self._report()

    def _leave(self, hosts: set[str]) -> None:
        if hosts:
            pace.leave(*hosts)
            self._entered -= hosts

    def _fetch_at(self, turn: datetime, taken: Claim, connections: Connections) -> Fetched:
        """In a thread of the pool: wait for the turn, then fetch."""
        wait_seconds = (turn - timezone.now()).total_seconds()
        if wait_seconds > 0 and self._stopped.wait(wait_seconds):
            raise SourceUnavailable("The round was ended before this source had its turn.")
        with connections.in_use():
            return fetch(taken)

    # Ending

    def _record(self, ended: list[tuple[Claim, Future[Fetched]]]) -> None:
        if not ended:
            return
        outcomes = [(taken, _outcome(future)) for taken, future in ended]
        simple = [(taken, came) for taken, came in outcomes if is_simple(came)]
        alone = [(taken, came) for taken, came in outcomes if not is_simple(came)]
        if simple and not self._record_together(simple):
            alone += simple
        for taken, came in alone:
            self._record_alone(taken, came)
        hosts = {taken.host for taken, _ in ended}
        self._leave(hosts)
        self._ready.extend(host for host in hosts if host in self._queues)
        self._report()

    def _record_together(self, outcomes: list[tuple[Claim, Fetched | SourceError]]) -> bool:
        """Whether all of it could be recorded; if not, nothing was."""
        rows = [Outcome(taken.source_id, taken.request, came) for taken, came in outcomes]
        try:
            results = record_simple(rows, now=timezone.now())
        except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
            raise  # no trouble of these sources
        except Exception:  # one of them cannot be recorded: find out which
            logger.exception("%s polls could not be recorded together.", len(rows))
            return False
        for taken, came in outcomes:
            self._tell(taken, came if isinstance(came, SourceError) else results[taken.source_id])
        return True

    def _record_alone(self, taken: Claim, came: Fetched | SourceError) -> None:
        now = timezone.now()
        try:
            if isinstance(came, SourceError):
                record_failure(taken.source_id, taken.request, came, now=now)
                self._tell(taken, came)
            else:
                self._tell(taken, record_success(taken.source_id, taken.request, came, now=now))
        except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
            raise  # no trouble of this source
        except (
            Exception
        ) as error:  # a source that our code cannot bear must not keep the others from being read
            logger.exception("%s (%s) broke its poll.", taken.name, taken.source_id)
            self._tell(taken, error)

    def _tell(self, taken: Claim, polled: PollResult | Exception | None) -> None:
        self._result.polled += 1
        if isinstance(polled, PollResult):
            self._count(polled)
            self._run.unit_succeeded()
        elif polled is not None:
            self._result.failed += 1
            unit = f"{taken.name} ({taken.source_id})"
            self._result.failures[unit] = str(polled)
            self._run.unit_failed(unit, polled)

    def _count(self, polled: PollResult) -> None:
        self._result.changed += polled.outcome == "changed"
        self._result.unchanged += polled.outcome != "changed"
        self._result.items_found += polled.items_found
        self._result.new_items += polled.new
        self._result.updated_items += polled.updated
        for note in polled.notes:
            self._run.log(f"{polled.name}: {note}")
        if polled.new or polled.updated:
            self._run.log(f"{polled.name}: {polled.new} new, {polled.updated} updated")

    def _report(self) -> None:
        self._run.report(self._result.polled + self._result.postponed, self._total, "Polling sources")


def _outcome(future: Future[Fetched]) -> Fetched | SourceError:
    """What a fetch gave; `fetch` turns every error into a SourceError."""
    try:
        return future.result()
    except SourceError as error:
        return error
