"""A message in the hands of a worker's main process."""

from typing import Any

from celery.worker.request import Request


class LedgerRequest(Request):
    """Tells the result backend which child process had the message: so it knows whose attempt ended with it."""

    def on_accepted(self, pid: Any, time_accepted: Any) -> Any:
        self._context.update(child_pid=pid)  # type: ignore[attr-defined]  # missing in the stubs
        return super().on_accepted(pid, time_accepted)
