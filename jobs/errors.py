"""Errors of the control plane, and the three that a job's body may raise to say what should happen next."""

from collections.abc import Mapping


class JobsError(Exception):
    """The control plane refused."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").splitlines()[0])


class NotFound(JobsError):
    """There is no such thing."""


class UnknownJob(NotFound):
    """No job of that name is registered."""


class RunNotFound(NotFound):
    """There is no such run."""


class UnknownQueue(NotFound):
    """There is no such queue."""


class UnknownWorker(NotFound):
    """There is no such worker, or it does not live."""


class WorkerRefused(JobsError):
    """The worker gave no answer, or said no."""


class BrokerUnavailable(JobsError):
    """The broker does not answer. Try again in a moment."""


class LimitNotFound(NotFound):
    """The job has no limits."""


class IllegalState(JobsError):
    """The run or schedule is not in a state that allows this."""


class InvalidInput(JobsError):
    """Something that was given does not fit. `fields` maps each field's name to what is wrong with it."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self.fields = dict(fields)
        super().__init__("; ".join(f"{name}: {' '.join(reasons)}" for name, reasons in self.fields.items()))


class KeyReused(IllegalState):
    """The idempotency key belongs to a run with other parameters."""


class InvalidParameters(InvalidInput):
    """The parameters do not fit the job. Nested parameters have dotted names."""


class InvalidSchedule(InvalidInput):
    """The schedule cannot be like that."""


class InvalidLimit(InvalidInput):
    """The limits cannot be like that."""


class InvalidWindow(InvalidInput):
    """The maintenance window cannot be like that."""


class InvalidCalendar(InvalidInput):
    """The calendar cannot be like that."""


class TransientError(Exception):
    """Try again later: the cause is outside and expected to pass.

    `retry_after` (seconds) is a wish of the other side, such as the HTTP header; no attempt is made before it.
    """

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentError(Exception):
    """Never try again: an answer, not a bug. The run fails with the message alone, without a traceback."""


class RunLost(TransientError):
    """The worker fell silent: its lease ran out before the run ended."""


class RunExpired(PermanentError):
    """The run was begun and lost or failed, and expired before another attempt."""


class RunInterrupted(KeyboardInterrupt):
    """Raised inside a job's body to end it. Not an `Exception`, so that blanket handlers let it pass.

    Like Ctrl-C, and one of its kind: libraries that wait for something tidy up for it. psycopg, for one, cancels
    the statement that runs; else the server would go on with it, and keep its locks.
    """


class RunCancelled(RunInterrupted):
    """Somebody asked for the run to be cancelled."""


class RunSuperseded(RunInterrupted):
    """This attempt no longer owns the run: it was taken for lost, or the run ended elsewhere."""
