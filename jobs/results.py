"""The result backend: django-celery-results' table, written by the ledger in the transaction of the outcome."""

import logging
from typing import Any

from celery import states
from celery.exceptions import Retry
from django.db import Error, connection
from django_celery_results.backends import DatabaseBackend
from django_celery_results.models import TaskResult

from jobs import intake, ledger, reaper
from jobs.definitions import find_job
from jobs.models import JobRun
from jobs.outbox import HEADER

logger = logging.getLogger(__name__)


class LedgerBackend(DatabaseBackend):  # type: ignore[misc]  # the package has no types
    """Serves `AsyncResult` from the ledger, and hears of deaths that only a worker's main process sees."""

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: str | None = None,
        request: Any = None,
        **kwargs: Any,
    ) -> Any:
        """For a run, the runner in the child process has recorded the outcome; news come from the main process."""
        if not (getattr(request, HEADER, False) or find_job(getattr(request, "task", None) or "")):
            return super().store_result(
                task_id, result, state, traceback=traceback, request=request, **kwargs
            )
        is_news = state in states.EXCEPTION_STATES and not isinstance(result, Retry)
        if is_news and not getattr(request, "is_attempt", False):
            try:
                _hear_of_death(task_id, result, state, request)
            except Error as error:
                # This is the worker's main process, which must live. The lease of the run will run out.
                logger.warning("Run %s: its child is gone, and so is the database: %s", task_id, error)
                connection.close()
        return result

    def _get_task_meta_for(self, task_id: str) -> Any:
        """The stored outcome, or the state of a run that has not ended."""
        if not TaskResult.objects.filter(task_id=task_id).exists():
            run = JobRun.objects.filter(pk=intake.run_id_of(task_id)).first()
            if run is not None and not run.is_active:
                return super()._get_task_meta_for(str(run.id))
            if run is not None:
                return self.meta_from_decoded(
                    {
                        "task_id": task_id,
                        "status": run.celery_state,
                        "result": _so_far(run),
                        "traceback": run.traceback or None,
                    }
                )
        return super()._get_task_meta_for(task_id)


def _so_far(run: JobRun) -> dict[str, Any]:
    """Progress, or the error that the next attempt waits for, as Celery's states have it."""
    if run.celery_state == states.RETRY:
        return ledger.celery_error(run.error_type, run.error_message)
    return {"percent": run.progress, "current": run.progress_current, "total": run.progress_total}


def _hear_of_death(task_id: str, error: Any, state: str, request: Any) -> None:
    run_id = intake.run_id_of(task_id)
    pid = getattr(request, "child_pid", None)
    if pid is not None:
        reaper.settle_dead_attempt(run_id, worker=request.hostname, pid=pid, error=error, state=state)
    elif state == states.REVOKED:
        ledger.revoke(run_id)
