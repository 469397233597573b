"""What a job's body logs goes to its run's log. Free of models: logging is set up before they are."""

import logging
from contextvars import ContextVar
from typing import Protocol


class TakesLog(Protocol):
    """A run that takes log lines: `jobs.context.ActiveRun`."""

    def log(self, message: str, *, level: int) -> None: ...


#: The run whose body the current thread executes.
current_run: ContextVar[TakesLog | None] = ContextVar("current_run", default=None)


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
