"""The attendant: one thread beside the body, in every process that executes runs.

It renews leases, writes progress and logs over its own database connection, learns of cancels, and enforces
them: first the flag that the body's progress calls see, then an interrupt raised in the body, then SIGKILL.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from types import FrameType

from django.conf import settings
from django.db import Error, connection, transaction

from jobs import ledger, log_lines, stops
from jobs.context import ActiveRun
from jobs.errors import RunCancelled, RunSuperseded
from jobs.models import JobRun

logger = logging.getLogger(__name__)

#: Seconds between two writes of progress.
WRITE_EVERY = 0.5
_INTERRUPT = signal.SIGUSR2


@dataclass
class _Watch:
    run: ActiveRun
    grace: float
    #: The body's thread, when it is the main one and so can be interrupted by a signal.
    can_interrupt: bool
    renewed_at: float = field(default_factory=time.monotonic)
    written_at: float = 0.0
    stop_seen_at: float | None = None
    #: The cancel gives no grace.
    is_forced: bool = False
    interrupted: bool = False
    is_body_over: bool = False


class Attendant:
    """Watches the runs of this process; started by the first one."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._watches: dict[ActiveRun, _Watch] = {}
        self._thread: threading.Thread | None = None
        self._is_idle = False

    def watch(self, run: ActiveRun, *, grace: float) -> None:
        """Look after a run whose body is about to start."""
        can_interrupt = threading.current_thread() is threading.main_thread()
        if can_interrupt and signal.getsignal(_INTERRUPT) is not _interrupt_body:
            signal.signal(_INTERRUPT, _interrupt_body)
        with self._condition:
            self._watches[run] = _Watch(run=run, grace=grace, can_interrupt=can_interrupt)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name="attendant", daemon=True)
                self._thread.start()
            elif self._is_idle:
                self._condition.notify()

    def body_is_over(self, run: ActiveRun) -> None:
        """No more interrupts: the runner is recording the outcome. The lease is still renewed."""
        with self._condition:
            self._watches[run].is_body_over = True

    def release(self, run: ActiveRun) -> None:
        """Forget a run; waits for a write in progress."""
        with self._condition:
            self._watches.pop(run, None)

    def stop(self) -> None:
        """End the thread and close its connection; the next run starts it again."""
        with self._condition:
            thread, self._thread = self._thread, None
            self._condition.notify()
        if thread is not None:
            thread.join()

    def _loop(self) -> None:
        while True:
            with self._condition:
                while not self._watches and self._thread is threading.current_thread():
                    self._is_idle = True
                    # An idle process keeps no second connection.
                    if not self._condition.wait(timeout=60):
                        connection.close()
                self._is_idle = False
                if self._thread is not threading.current_thread():
                    connection.close()
                    return
                for watch in list(self._watches.values()):
                    try:
                        self._attend(watch)
                    except Exception:  # a dead attendant would let every lease run out
                        logger.exception("Run %s: the attendant failed; it goes on.", watch.run.id)
                self._condition.wait(timeout=WRITE_EVERY / 2)

    def _attend(self, watch: _Watch) -> None:
        now = time.monotonic()
        is_due = now - watch.renewed_at >= settings.JOBS_HEARTBEAT_SECONDS
        has_news = watch.run.is_dirty and now - watch.written_at >= WRITE_EVERY
        if is_due or has_news:
            try:
                self._write(watch)
            except Error as error:
                # The lease may run out meanwhile; the next round tries again.
                logger.warning("Run %s: could not renew the lease: %s", watch.run.id, error)
                connection.close()
                watch.written_at = now + 1
            else:
                watch.renewed_at = watch.written_at = now
        if watch.stop_seen_at is not None and not watch.is_body_over:
            self._enforce(watch, now - watch.stop_seen_at)

    def _write(self, watch: _Watch) -> None:
        run = watch.run
        progress, lines = run.drain()
        try:
            # Together, so that lines are not written again when the second fails.
            with transaction.atomic() if lines else contextlib.nullcontext():
                log_lines.write(run.id, run.attempt, lines)
                wants_cancel = ledger.renew(run.id, run.attempt, progress)
                if wants_cancel:
                    watch.is_forced = stops.is_forced(run.id)
        except Error:
            run.undrain(lines)
            raise
        if wants_cancel is None:
            run.stop(RunSuperseded)
        elif wants_cancel:
            run.stop(RunCancelled)
        if run.stop_reason is not None and watch.stop_seen_at is None:
            watch.stop_seen_at = time.monotonic()

    def _enforce(self, watch: _Watch, waited: float) -> None:
        if not watch.can_interrupt or (waited < watch.grace and not watch.is_forced):
            return
        if not watch.interrupted and not watch.is_forced:
            watch.interrupted = True
            logger.warning("Run %s did not stop within %g s: interrupting it.", watch.run.id, watch.grace)
            signal.pthread_kill(threading.main_thread().ident or 0, _INTERRUPT)
        elif waited >= 2 * watch.grace or watch.is_forced:
            why = "must end at once" if watch.is_forced else "ignores its interrupt"
            logger.error("Run %s %s: killing the process.", watch.run.id, why)
            if watch.run.stop_reason is RunCancelled:
                self._record_kill(watch.run)
            os.kill(os.getpid(), signal.SIGKILL)

    def _record_kill(self, run: ActiveRun) -> None:
        """Write the outcome beforehand. Without a database the reaper does it, when the lease has run out."""
        outcome = ledger.Outcome(
            status=JobRun.Status.CANCELLED, reason="Cancelled by force: the process was killed."
        )
        try:
            ledger.finish(run.id, run.attempt, outcome)
        except Error as error:
            logger.warning("Run %s: that it was killed could not be written down: %s", run.id, error)

    def interrupted_run(self) -> ActiveRun | None:
        """The run whose body is to be interrupted now, if any."""
        # No lock: called in a signal handler of the main thread.
        for watch in list(self._watches.values()):
            if watch.interrupted and watch.can_interrupt and not watch.is_body_over:
                return watch.run
        return None


def _interrupt_body(signum: int, frame: FrameType | None) -> None:
    run = attendant.interrupted_run()
    if run is not None:
        run.is_interrupted = True
        run.check()


attendant = Attendant()
