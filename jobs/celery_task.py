"""The class of every Celery task here: messages of the ledger go through the runner."""

from typing import Any

from celery import Task
from celery.result import AsyncResult

from jobs import ledger, runner
from jobs.context import ActiveRun
from jobs.definitions import find_job
from jobs.runlogs import current_run

#: Options of Celery that would keep a run on the broker, which may lose it.
_NOT_FOR_JOBS = ("countdown", "eta", "expires")


class LedgerTask(Task[Any, Any]):
    """Base of our jobs and of Celery tasks of other packages, so that schedules may name either."""

    abstract = True
    Request = "jobs.celery_request:LedgerRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        return runner.execute(self, args, kwargs)

    def apply_async(  # type: ignore[override]  # the options are Celery's, passed on as they come
        self, args: Any = None, kwargs: Any = None, **options: Any
    ) -> AsyncResult[Any]:
        """Celery's own way in: for a job it writes a run first, like `Job.enqueue`.

        Raises TypeError for positional arguments and for delays, InvalidParameters like `enqueue`. A task of
        another package that retries itself is sent again by the ledger, when the delay is over.
        """
        run = current_run.get()
        if isinstance(run, ActiveRun) and options.get("task_id") == str(run.id):
            ledger.change_arguments(run.id, run.attempt, args or (), kwargs or {})
            return self.AsyncResult(str(run.id))
        job = find_job(self.name)
        if job is None:
            return super().apply_async(args, kwargs, **options)
        if args:
            raise TypeError(f"{self.name} takes keyword arguments only.")
        unfit = [name for name in _NOT_FOR_JOBS if options.get(name) is not None]
        if unfit:
            raise TypeError(f"{self.name} is a job and takes no {', '.join(unfit)}: make a schedule instead.")
        return self.AsyncResult(str(job.enqueue(**(kwargs or {})).id))
