"""The class of every Celery task here: messages of the ledger go through the runner."""

from typing import Any

from celery import Task
from celery.result import AsyncResult

from jobs import runner
from jobs.definitions import find_job


class LedgerTask(Task[Any, Any]):
    """Base of our jobs and of Celery tasks of other packages, so that schedules may name either."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        return runner.execute(self, args, kwargs)

    def apply_async(  # type: ignore[override]  # the options are Celery's, passed on as they come
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> AsyncResult[Any]:
        """Celery's own way in: for a job it writes a run first, like `Job.enqueue`."""
        job = find_job(self.name)
        if job is None:
            return super().apply_async(args, kwargs, **options)
        if args:
            raise TypeError(f"{self.name} takes keyword arguments only.")
        run = job.enqueue(**(kwargs or {}))
        return self.AsyncResult(str(run.id))
