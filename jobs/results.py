"""The result backend: django-celery-results' table, written by the ledger in the transaction of the outcome."""

import uuid
from typing import Any

from celery import states
from celery.exceptions import Retry
from django_celery_results.backends import DatabaseBackend
from django_celery_results.models import TaskResult

from jobs import reaper
from jobs.models import JobRun
from jobs.outbox import HEADER


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
        if not getattr(request, HEADER, False):
            return super().store_result(
                task_id, result, state, traceback=traceback, request=request, **kwargs
            )
        if getattr(request, "is_attempt", False):
            return result
        if state in states.EXCEPTION_STATES and not isinstance(result, Retry):
            reaper.settle_dead_attempt(uuid.UUID(task_id), worker=request.hostname, error=result, state=state)
        return result

    def _get_task_meta_for(self, task_id: str) -> Any:
        """The stored outcome, or the state of a run that has not ended."""
        if not TaskResult.objects.filter(task_id=task_id).exists():
            run = _find(task_id)
            if run is not None:
                progress = {
                    "percent": run.progress,
                    "current": run.progress_current,
                    "total": run.progress_total,
                }
                return self.meta_from_decoded(
                    {"task_id": task_id, "status": run.celery_state, "result": progress, "traceback": None}
                )
        return super()._get_task_meta_for(task_id)


def _find(task_id: str) -> JobRun | None:
    try:
        return JobRun.objects.filter(pk=uuid.UUID(task_id)).first()
    except ValueError:
        return None
