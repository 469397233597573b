"""Waiting for runs and reading along: the REST API's `wait` and the commands use it."""

import time
import uuid
from collections.abc import Iterator

from jobs import ledger
from jobs.models import JobRun, RunLog

#: Seconds between two looks at the ledger: quick at first, for short runs.
FIRST_LOOK = 0.02
LAST_LOOK = 0.5


def watch(run_id: uuid.UUID, *, timeout: float | None = None) -> Iterator[JobRun]:
    """The run's row, again and again until it has ended or `timeout` seconds are over; the last is the latest.

    Gives at least one row. Raises RunNotFound, also when the run is deleted meanwhile.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    pause = FIRST_LOOK
    while True:
        run = ledger.get(run_id)
        yield run
        left = LAST_LOOK if deadline is None else deadline - time.monotonic()
        if not run.is_active or left <= 0:
            return
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, LAST_LOOK)


def wait(run_id: uuid.UUID, *, timeout: float) -> JobRun:
    """The run once it has ended, or as it is after `timeout` seconds. Raises RunNotFound."""
    *_, run = watch(run_id, timeout=timeout)
    return run


def logs(run_id: uuid.UUID, *, after: int = 0, limit: int | None = None) -> list[RunLog]:
    """The run's log lines behind the line with id `after`, in the order they were written; the first `limit`."""
    return list(RunLog.objects.filter(run_id=run_id, pk__gt=after).order_by("pk")[:limit])
