"""Jobs: one decorated function is the Celery task, the typed parameters, the form, the schema and the schedule.

    @job("knowledge.refresh_source", title="Refresh a source", queue="sources", schedule=every(minutes=15))
    def refresh_source(run: ActiveRun, *, source_id: int) -> RefreshResult:
        '''Fetch one source and store what is new.'''
        return ingest.refresh(Source.objects.get(pk=source_id))

`refresh_source.enqueue(source_id=3)` writes the run and sends it after commit; mypy checks the arguments.
`refresh_source(run, source_id=3)` calls the plain function, as tests do.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from celery import shared_task
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from jobs.context import ActiveRun
from jobs.errors import InvalidParameters, TransientError, UnknownJob
from jobs.models import JobRun

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[a-z][a-z0-9]*\.[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When and how often a failed attempt is made again.

    The delay before attempt n+1 is drawn evenly from 0 to min(cap, base * 2**(n-1)) seconds ("full jitter",
    AWS Architecture Blog 2015), and never less than a `Retry-After` that the other side asked for.
    """

    #: Attempts in total, the first and those lost with their worker included.
    max_attempts: int = 4
    #: Upper bound of the first delay, in seconds.
    base_seconds: float = 60
    #: Upper bound of every delay, in seconds.
    cap_seconds: float = 3600
    #: Errors worth another attempt, beside `TransientError` and its subclasses.
    retry_on: tuple[type[Exception], ...] = ()
    #: Whether a run whose worker died is made again. False for work that must not be repeated blindly.
    retry_lost: bool = True

    def is_transient(self, error: BaseException) -> bool:
        """Whether another attempt may help."""
        return isinstance(error, (TransientError, *self.retry_on))


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A default schedule by cron expression (Debian's rules) in a time zone."""

    expression: str
    timezone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Every:
    """A default schedule by a fixed interval, a whole number of seconds."""

    interval: timedelta


def cron(expression: str, *, timezone: str = "UTC") -> Cron:
    """`cron("0 8 * * mon-fri", timezone="Europe/London")`."""
    return Cron(expression=expression, timezone=timezone)


def every(*, seconds: int = 0, minutes: int = 0, hours: int = 0, days: int = 0) -> Every:
    """`every(minutes=30)`."""
    return Every(interval=timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days))


class JobParameters(BaseModel):
    """Base of every job's parameter model: unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, kw_only=True, eq=False)
class Job(Generic[P, R]):
    """Everything the control plane knows about one job."""

    #: `<app>.<verb>_<noun>`; stored for ever in schedules and runs.
    name: str
    title: str
    queue: str
    function: Callable[Concatenate[ActiveRun, P], R]
    parameters: type[JobParameters]
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: After the soft limit the body gets an exception, after the hard one its process is killed. Seconds.
    soft_time_limit: int = 3300
    time_limit: int = 3600
    #: 0 is the most urgent, 9 the least.
    priority: int = 5
    #: How long a cancelled body may take to stop by itself, in seconds; None: the installation's default.
    cancel_grace: float | None = None
    schedule: Cron | Every | None = None
    #: Weights of the steps announced with `run.step`, in order; empty: progress is what the body says.
    steps: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, run: ActiveRun, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(run, *args, **kwargs)

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> JobRun:
        """Write a run and send it once the current transaction commits; returns the run's row."""
        return enqueue_job(self, kwargs)

    @property
    def app_label(self) -> str:
        return self.name.partition(".")[0]

    @property
    def help_text(self) -> str:
        """The docstring of the function."""
        return inspect.getdoc(self.function) or ""

    def clean(self, parameters: Mapping[str, object]) -> dict[str, Any]:
        """The parameters as JSON, defaults filled in; raises InvalidParameters naming each field."""
        return self._validated(parameters).model_dump(mode="json")

    def arguments(self, parameters: Mapping[str, object]) -> dict[str, Any]:
        """The parameters as the function's typed arguments; raises InvalidParameters."""
        model = self._validated(parameters)
        return {name: getattr(model, name) for name in type(model).model_fields}

    def _validated(self, parameters: Mapping[str, object]) -> JobParameters:
        try:
            return self.parameters.model_validate(dict(parameters))
        except ValidationError as error:
            fields: dict[str, list[str]] = {}
            for problem in error.errors(include_url=False):
                name = ".".join(str(part) for part in problem["loc"]) or "parameters"
                fields.setdefault(name, []).append(problem["msg"])
            raise InvalidParameters(fields) from error


AnyJob = Job[Any, Any]
_registry: dict[str, AnyJob] = {}


def get_job(name: str) -> AnyJob:
    """The job of that name; raises UnknownJob."""
    try:
        return _registry[name]
    except KeyError:
        raise UnknownJob(f"There is no job named {name!r}.") from None


def find_job(name: str) -> AnyJob | None:
    """The job of that name, or None for a name that is another Celery task's or nobody's."""
    return _registry.get(name)


def all_jobs() -> list[AnyJob]:
    """Every registered job, by name."""
    return [_registry[name] for name in sorted(_registry)]
