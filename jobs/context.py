"""What a job's body sees of its run: progress, steps, log, cancellation."""

import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from datetime import datetime
from typing import TypeVar

from django.utils import timezone

from jobs.errors import RunCancelled, RunSuperseded
from jobs.ledger import Progress
from jobs.log_lines import LogLine
from jobs.storable import clean_text

T = TypeVar("T")

#: The largest number of units that the ledger can hold.
_LARGEST = 2**63 - 1


class ActiveRun:
    """The running attempt of a run, handed to the job's body as its first argument.

    Methods change memory only and return at once; the attendant thread (`jobs.attendant`) writes to the database
    at most twice a second, over a connection of its own, so that progress is visible while the body is in a
    transaction. Any call that reports progress also ends the body when a cancel was asked for.
    """

    def __init__(
        self,
        run_id: uuid.UUID,
        attempt: int,
        *,
        scheduled_for: datetime | None = None,
        steps: Mapping[str, float] | None = None,
        log_fields: Mapping[str, object] | None = None,
    ) -> None:
        self.id = run_id
        self.attempt = attempt
        #: The schedule's slot this run is for; None for runs that were asked for otherwise.
        self.scheduled_for = scheduled_for
        #: Told the name of each step that begins, when somebody wants to know (`jobs.spans`).
        self.on_step: Callable[[str], None] | None = None
        #: What its records carry in structured logs.
        self.log_fields = log_fields or {"run_id": str(run_id), "attempt": attempt}
        #: Units of work that failed, with the reason; the runner turns them into *partial* or *failed*.
        self.failed_units: dict[str, str] = {}
        self.succeeded_units = 0
        #: Whether it took an interrupt to end the body.
        self.is_interrupted = False
        self._steps = dict(steps or {})
        self._step: str | None = None
        self._done_weight = 0.0
        self._lock = threading.Lock()
        self._progress = Progress()
        self._lines: list[LogLine] = []
        self._is_dirty = False
        self._stop: type[RunCancelled] | type[RunSuperseded] | None = None

    # For the body

    def track(self, items: Iterable[T], text: str = "", *, total: int | None = None) -> Iterator[T]:
        """Iterate and report progress: `for paper in run.track(papers, "Fetching papers")`.

        `total` is needed only for iterables without a length; without either, units are counted and the
        percentage stays.
        """
        if total is None and isinstance(items, Sized):
            total = len(items)
        self.report(0, total, text)
        for done, item in enumerate(items, start=1):
            yield item
            self.report(done, total, text)

    def report(self, current: int, total: int | None = None, text: str | None = None) -> None:
        """Say how many units of the current step are done, of how many. Raises ValueError for what is no number."""
        current, total = _count(current), None if total is None else _count(total)
        share = min(max(current / total, 0.0), 1.0) if total else 0.0
        with self._lock:
            percent = self._percent(share)
            self._progress = Progress(
                percent=max(self._progress.percent, percent),
                current=current,
                total=total,
                text=self._progress.text if text is None else clean_text(text),
            )
            self._is_dirty = True
        self.check()

    def step(self, name: str) -> None:
        """Begin a step; the one before it counts as done. Weights come from the job's `steps`."""
        with self._lock:
            if self._step is not None:
                self._done_weight += self._steps.get(self._step, 0.0)
            self._step = name
            self._progress = Progress(
                percent=max(self._progress.percent, self._percent(0.0)), text=clean_text(name)
            )
            self._is_dirty = True
        if self.on_step is not None:
            self.on_step(name)
        self.check()

    def log(self, message: str, *, level: int = logging.INFO) -> None:
        """Write a line to the run's log. Records of `logging` made by the body land there too."""
        with self._lock:
            self._lines.append(LogLine(at=timezone.now(), level=level, message=clean_text(message)))
            self._is_dirty = True

    def unit_succeeded(self) -> None:
        """Count one unit of work that went well."""
        self.succeeded_units += 1

    def unit_failed(self, name: str, error: Exception | str) -> None:
        """Count one unit of work that failed. All failed: the run fails; some: it partly succeeded."""
        self.failed_units[name] = str(error) or type(error).__name__
        self.log(f"{name}: {self.failed_units[name]}", level=logging.ERROR)

    def check(self) -> None:
        """End the body here if the run was cancelled, or taken over after its lease ran out."""
        if self._stop is not None:
            raise self._stop

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than a cancel takes to be noticed."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))

    # For the runner and the attendant

    @property
    def progress(self) -> Progress:
        return self._progress

    @property
    def is_dirty(self) -> bool:
        """Whether something waits to be written."""
        return self._is_dirty

    def stop(self, error: type[RunCancelled] | type[RunSuperseded]) -> None:
        """End the body at its next check."""
        self._stop = error

    @property
    def stop_reason(self) -> type[RunCancelled] | type[RunSuperseded] | None:
        return self._stop

    def drain(self) -> tuple[Progress, list[LogLine]]:
        """What is to be written, handed over once."""
        with self._lock:
            lines, self._lines = self._lines, []
            self._is_dirty = False
            return self._progress, lines

    def undrain(self, lines: list[LogLine]) -> None:
        """Take back what could not be written."""
        with self._lock:
            self._lines[:0] = lines
            self._is_dirty = True

    def _percent(self, share: float) -> float:
        weight = sum(self._steps.values())
        if not weight:
            return 100 * share
        current = self._steps.get(self._step or "", 0.0)
        return 100 * min((self._done_weight + current * share) / weight, 1.0)


def _count(number: int) -> int:
    return max(min(int(number), _LARGEST), -_LARGEST)
