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
from typing import Any, ClassVar, Concatenate, Generic, ParamSpec, TypeVar

from celery import current_app, shared_task
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.core.exceptions import ValidationError as RefusedByModel
from django.db import InterfaceError, OperationalError
from django.http import Http404
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from jobs import admission, intake
from jobs.context import ActiveRun
from jobs.errors import (
    IllegalState,
    InvalidParameters,
    JobsError,
    KeyReused,
    PermanentError,
    TransientError,
    UnknownJob,
)
from jobs.intake import NewRun
from jobs.models import JobRun, SchedulePolicy
from jobs.rates import Rate, parse_rate
from jobs.storable import clean_json, clean_text

P = ParamSpec("P")
R = TypeVar("R")

#: The same again would only fail again, whatever a job's `retry_on` says.
_NEVER_TRIED_AGAIN = (
    PermanentError,
    JobsError,
    RefusedByModel,
    ValidationError,
    ObjectDoesNotExist,
    Http404,
    PermissionDenied,
    PermissionError,
    FileNotFoundError,
)

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
    #: Errors worth another attempt, beside `TransientError`, a database that is away, and their subclasses.
    retry_on: tuple[type[Exception], ...] = ()
    #: Whether a run whose worker died is made again. False for work that must not be repeated blindly.
    retry_lost: bool = True

    def is_transient(self, error: BaseException) -> bool:
        """Whether another attempt may help. Wrong input, missing things and missing rights never get another."""
        if isinstance(error, _NEVER_TRIED_AGAIN):
            return False
        return isinstance(error, (TransientError, OperationalError, InterfaceError, *self.retry_on))


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A default schedule by cron expression (Debian's rules) in a time zone."""

    expression: str
    timezone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class Every:
    """A default schedule by a fixed interval, a whole number of seconds."""

    interval: timedelta


@dataclass(frozen=True, kw_only=True)
class Concurrency:
    """How many runs of a job at a time; operators can change it."""

    #: Of the job in all; None: any number.
    in_all: int | None = None
    #: With equal values of the parameters `key_by`; None: any number.
    per_key: int | None = None
    key_by: tuple[str, ...] = ()


def at_most(count: int, *, per: str | tuple[str, ...] = (), in_all: int | None = None) -> Concurrency:
    """`at_most(2)` runs at a time; `at_most(1, per="source_id", in_all=10)`: one for each source, ten in all."""
    if not per:
        return Concurrency(in_all=count)
    return Concurrency(in_all=in_all, per_key=count, key_by=(per,) if isinstance(per, str) else per)


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

    #: Django's templates show a job; without this they would call it.
    do_not_call_in_templates: ClassVar[bool] = True

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
    #: How long a run should take at most, in seconds: it is told beforehand when one will take longer. None: any time.
    expected_duration: float | None = None
    #: 0 is the most urgent, 9 the least.
    priority: int = 5
    #: How long a cancelled body may take to stop by itself, in seconds; None: the installation's default.
    cancel_grace: float | None = None
    schedule: Cron | Every | None = None
    #: What becomes of a slot of a new schedule of this job that comes while an earlier run has not ended.
    overlap: SchedulePolicy.Overlap = SchedulePolicy.Overlap.SKIP
    concurrency: Concurrency | None = None
    #: How many runs may start in a while.
    rate: Rate | None = None
    #: Weights of the steps announced with `run.step`, in order; empty: progress is what the body says.
    steps: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, run: ActiveRun, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(run, *args, **kwargs)

    def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> JobRun:
        """Write a run and send it once the current transaction commits; returns the run's row."""
        return enqueue(self, kwargs, trigger=JobRun.Trigger.CODE)

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
        unfit = [name for name, value in parameters.items() if clean_json(value) != value]
        if unfit:
            raise InvalidParameters(
                {clean_text(name): ["Has characters or numbers that cannot be stored."] for name in unfit}
            )
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


def is_known(name: str) -> bool:
    """Whether a job or another Celery task has that name."""
    return find_job(name) is not None or name in current_app.tasks


def all_jobs() -> list[AnyJob]:
    """Every registered job, by name."""
    return [_registry[name] for name in sorted(_registry)]


def enqueue(
    job: AnyJob,
    parameters: Mapping[str, object],
    *,
    trigger: JobRun.Trigger,
    requested_by: AbstractBaseUser | None = None,
    schedule_id: int | None = None,
    retry_of: JobRun | None = None,
    owner_group_id: int | None = None,
    idempotency_key: str | None = None,
) -> JobRun:
    """Write a run of a job in the current transaction and send it after commit; returns its row.

    Raises InvalidParameters. With an idempotency key that the job has seen, the earlier run is returned
    and nothing is sent; raises KeyReused when that run had other parameters.
    """
    cleaned = job.clean(parameters)
    run, is_new = intake.insert(
        NewRun(
            job=job.name,
            queue=job.queue,
            trigger=trigger,
            parameters=cleaned,
            priority=job.priority,
            max_attempts=job.retry.max_attempts,
            requested_by=requested_by,
            schedule_id=schedule_id,
            retry_of=retry_of,
            owner_group_id=owner_group_id,
            idempotency_key=idempotency_key,
        )
    )
    if is_new:
        admission.send_or_wait(run)
    elif run.parameters != cleaned:
        raise KeyReused
    return run


def retry_run(
    run: JobRun, *, by: AbstractBaseUser | None, parameters: Mapping[str, object] | None = None
) -> JobRun:
    """Make a finished run again as a new run, with the same parameters or edited ones.

    Raises IllegalState while the run is active, UnknownJob when its job is gone, InvalidParameters.
    """
    if run.is_active:
        raise IllegalState(f"The run has not ended: it is {run.get_status_display().lower()}.")
    return enqueue(
        get_job(run.job),
        run.parameters if parameters is None else parameters,
        trigger=JobRun.Trigger.RETRY,
        requested_by=by,
        schedule_id=run.schedule_id,
        retry_of=run,
    )


def job(
    name: str,
    *,
    title: str,
    queue: str = "default",
    retry: RetryPolicy | None = None,
    soft_time_limit: int = 3300,
    time_limit: int = 3600,
    expected_duration: float | None = None,
    priority: int = 5,
    cancel_grace: float | None = None,
    schedule: Cron | Every | None = None,
    overlap: str = SchedulePolicy.Overlap.SKIP,
    concurrency: Concurrency | None = None,
    rate: str | None = None,
    steps: Mapping[str, float] | None = None,
) -> Callable[[Callable[Concatenate[ActiveRun, P], R]], Job[P, R]]:
    """Register the decorated function as a job. See the module's docstring.

    Raises ValueError at import for a name that is taken or malformed, an unknown overlap rule and a rate that cannot
    be read, and TypeError for a signature that is not `(run, *, name: type, …)` or lacks a parameter of the key.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"A job's name is <app>.<verb>_<noun> in lower case; {name!r} is not.")

    def register(function: Callable[Concatenate[ActiveRun, P], R]) -> Job[P, R]:
        if name in _registry:
            raise ValueError(f"There are two jobs named {name!r}.")
        parameters = _parameters_of(function, name)
        for key in concurrency.key_by if concurrency else ():
            if key not in parameters.model_fields:
                raise TypeError(f"{name}: its limit is per {key}, which is no parameter.")
        definition = Job(
            name=name,
            title=title,
            queue=queue,
            function=function,
            parameters=parameters,
            retry=retry or RetryPolicy(),
            soft_time_limit=soft_time_limit,
            time_limit=time_limit,
            expected_duration=expected_duration,
            priority=priority,
            cancel_grace=cancel_grace,
            schedule=schedule,
            overlap=SchedulePolicy.Overlap(overlap),
            concurrency=concurrency,
            rate=parse_rate(rate) if rate else None,
            steps=steps or {},
        )
        _registry[name] = definition
        shared_task(name=name, soft_time_limit=soft_time_limit, time_limit=time_limit)(_unreachable(name))
        return definition

    return register


def _parameters_of(function: Callable[..., Any], name: str) -> type[JobParameters]:
    _run, *others = inspect.signature(function, eval_str=True).parameters.values()
    fields: dict[str, Any] = {}
    for parameter in others:
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            raise TypeError(f"{name}: parameter {parameter.name} must be keyword-only: put it behind a *.")
        if parameter.annotation is inspect.Parameter.empty:
            raise TypeError(f"{name}: parameter {parameter.name} has no type.")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (parameter.annotation, default)
    return create_model(f"{name} parameters", __base__=JobParameters, **fields)


def _unreachable(name: str) -> Callable[..., Any]:
    """The body Celery sees. It is never called: `jobs.celery_task.LedgerTask` hands its calls to the runner."""

    def run(*args: object, **kwargs: object) -> None:
        raise TypeError(f"{name} is a job: call the decorated function, or enqueue it.")

    run.__name__ = name.rpartition(".")[2]
    return run
