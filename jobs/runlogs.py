"""Which run a log record belongs to, and what a job's body logs. Free of models: logging is set up before they are."""

import logging
from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Protocol


class TakesLog(Protocol):
    """A run that takes log lines: `jobs.context.ActiveRun`."""

    @property
    def log_fields(self) -> Mapping[str, object]:
        """What tells the run apart in structured logs: run_id, job, attempt, schedule."""
        ...

    def log(self, message: str, *, level: int) -> None: ...


#: The run whose body the current thread executes.
current_run: ContextVar[TakesLog | None] = ContextVar("current_run", default=None)
#: Every run that this process executes: one, unless its pool has threads.
_active: set[TakesLog] = set()


def begin(run: TakesLog) -> Token[TakesLog | None]:
    """From now on this thread's records are about the run; give the result to `end`."""
    _active.add(run)
    return current_run.set(run)


def end(run: TakesLog, token: Token[TakesLog | None]) -> None:
    """The run's attempt is over."""
    current_run.reset(token)
    _active.discard(run)


def fields() -> Mapping[str, object]:
    """What a record made now should carry.

    Threads that a body starts know nothing of its context: they belong to the only run of the process, if it is
    the only one.
    """
    run = current_run.get()
    if run is None and len(_active) == 1:
        run = next(iter(_active.copy()), None)
    return {} if run is None else run.log_fields


class RunLogHandler(logging.Handler):
    """Sends log records made by a job's body to that run's log; others it ignores."""

    def emit(self, record: logging.LogRecord) -> None:
        run = current_run.get()
        if run is None:
            return
        try:
            run.log(self.format(record), level=record.levelno)
        except Exception:  # noqa: BLE001 - logging's own contract: report and go on
            self.handleError(record)
