"""What a worker does with a message: claim the run, execute its body, record how it ended."""

import contextlib
import itertools
import logging
import os
import random
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded
from celery.app.task import Task
from celery.exceptions import Ignore, Retry
from django.conf import settings
from django.db import Error, IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg.pq import TransactionStatus
from pydantic_core import to_jsonable_python

from jobs import admission, fingerprints, intake, ledger, log_lines, outbox, release, runlogs, tracing
from jobs.attendant import attendant
from jobs.context import ActiveRun
from jobs.definitions import AnyJob, RetryPolicy, find_job
from jobs.errors import InvalidParameters, PermanentError, RunCancelled, RunInterrupted, TransientError
from jobs.intake import NewRun, run_id_of
from jobs.ledger import Claim, Outcome
from jobs.models import JobRun
from jobs.outbox import HEADER
from jobs.storable import clean_json, clean_text

logger = logging.getLogger(__name__)

Status = JobRun.Status

#: Nobody's `Retry-After` puts a run off for longer than a week.
LONGEST_RETRY_AFTER_SECONDS = 7 * 86_400

#: Celery tasks of other packages: they are made again when their worker dies, and retry by their own rules.
_FOREIGN_RETRY = RetryPolicy(max_attempts=3)


@dataclass(frozen=True)
class _Ended:
    """An attempt's end: the outcome, the error behind it, and the delay when it is to be made again."""

    outcome: Outcome
    error: BaseException | None = None
    retry_in: float | None = None


def execute(task: Task[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Execute the message's run and return its result to Celery.

    Raises Ignore for a message that must not run (delivered twice, cancelled, or sent for a row that does not
    exist), Retry when another attempt will follow, and the body's own error when the run failed.
    """
    request = task.request
    request.update(is_attempt=True)  # for jobs.results: the outcome is recorded here, in the child
    job = find_job(task.name)
    run_id = run_id_of(request.id or "")
    is_ours = getattr(request, HEADER, False)
    if job is None and not is_ours:
        return task.run(*args, **kwargs)  # a Celery task that somebody else sent: not ours to record
    if job is not None and not is_ours:
        _adopt(job, run_id, args, kwargs)
        request.update({HEADER: True})
    began = tracing.now()
    claim = _claim(run_id, request.hostname or "eager", outbox.sent_at(request))
    if claim is None:
        logger.info(
            "Nothing to do for %s[%s]: it ended, runs elsewhere or never existed.", task.name, request.id
        )
        raise Ignore
    # For tasks of other packages that retry by Celery's means: it counts as the ledger does.
    request.update(retries=claim.attempt - 1)
    with tracing.of_attempt(claim, began):
        return _attempt(task, job, claim)


def _claim(run_id: uuid.UUID, worker: str, sent_at: float | None) -> Claim | None:
    """Claim the run; once more over a new connection when the kept one turns out to be broken."""
    connection.health_check_done = True  # type: ignore[attr-defined]  # not in the stubs; the claim is the check
    try:
        return ledger.claim(run_id, worker=worker, pid=os.getpid(), sent_at=sent_at)
    except (OperationalError, InterfaceError) as error:
        logger.info("Run %s: claiming it over a new connection: %s", run_id, error)
        connection.close()
        return ledger.claim(run_id, worker=worker, pid=os.getpid(), sent_at=sent_at)


def _attempt(task: Task[Any, Any], job: AnyJob | None, claim: Claim) -> Any:
    run = ActiveRun(
        claim.run_id,
        claim.attempt,
        scheduled_for=claim.scheduled_for,
        steps=job.steps if job else None,
        log_fields=_log_fields(claim),
    )
    token = runlogs.begin(run)
    attendant.watch(run, grace=_grace(job))
    is_nested = connection.in_atomic_block
    try:
        try:
            try:
                with tracing.of_body(run):
                    value = _body(task, job, claim, run)()
            finally:
                attendant.body_is_over(run)
        except Exception as error:  # noqa: BLE001 - the one place where every error becomes an outcome
            ended = _from_error(error, job.retry if job else _FOREIGN_RETRY, claim, run)
        except SystemExit as exit_:
            refusal = RuntimeError(f"The job tried to end its process: exit code {exit_.code}.")
            ended = _from_error(refusal.with_traceback(exit_.__traceback__), _FOREIGN_RETRY, claim, run)
        except RunInterrupted as interrupt:
            ended = _from_interrupt(interrupt, run)
        else:
            ended = _from_value(value, claim, run)
        if not is_nested:
            _end_transaction(run)
        with tracing.of("record outcome"):
            is_recorded = _record(run, ended)
    finally:
        attendant.release(run)
        runlogs.end(run, token)
    if not is_recorded:
        logger.warning("Run %s: attempt %d is superseded; its outcome is dropped.", run.id, run.attempt)
        raise Ignore
    if claim.is_limited or claim.schedule_id is not None:
        _make_room(claim)
    return _answer(task, ended)


def _make_room(claim: Claim) -> None:
    """Let the next run through that waited for this one's end. If it fails, the scheduler's next tick does it."""
    try:
        if claim.schedule_id is not None and release.is_awaited(claim.schedule_id):
            outbox.send(release.release(timezone.now(), schedule_ids=[claim.schedule_id]))
        if claim.is_limited:
            outbox.send(admission.admit_job(claim.job))
    except Error as error:
        logger.warning("Run %s: the next one is left to the scheduler: %s", claim.run_id, error)


def _log_fields(claim: Claim) -> dict[str, object]:
    fields: dict[str, object] = {"run_id": str(claim.run_id), "job": claim.job, "attempt": claim.attempt}
    return fields | ({"schedule": claim.schedule_id} if claim.schedule_id is not None else {})


def _body(task: Task[Any, Any], job: AnyJob | None, claim: Claim, run: ActiveRun) -> Callable[[], Any]:
    if job is None:
        return lambda: task.run(*claim.args, **claim.parameters)
    return lambda: job.function(run, **_arguments(job, claim))


def _arguments(job: AnyJob, claim: Claim) -> dict[str, Any]:
    if claim.args:
        raise InvalidParameters({"args": ["A job takes parameters by name only."]})
    return job.arguments(claim.parameters)


def _from_value(value: Any, claim: Claim, run: ActiveRun) -> _Ended:
    try:
        result = clean_json(to_jsonable_python(value))
    except ValueError as error:
        refusal = PermanentError(f"The result cannot be written as JSON: {error}")
        return _Ended(_failure(refusal, claim, run), error)
    complete = replace(run.progress, percent=100)
    if not run.failed_units:
        return _Ended(Outcome(status=Status.SUCCEEDED, result=result, progress=complete))
    count = len(run.failed_units)
    total = count + run.succeeded_units
    first = "; ".join(f"{name}: {reason}" for name, reason in list(run.failed_units.items())[:3])
    message = clean_text(f"{count} of {total} failed: {first}{' …' if count > 3 else ''}")
    if run.succeeded_units:
        outcome = Outcome(
            status=Status.PARTIAL, result=result, reason=message, error_message=message, progress=complete
        )
        return _Ended(outcome)
    failure = PermanentError(message)
    return _Ended(_failure(failure, claim, run), failure)


def _from_error(error: Exception, retry: RetryPolicy, claim: Claim, run: ActiveRun) -> _Ended:
    if isinstance(error, Ignore):
        return _Ended(Outcome(status=Status.SKIPPED, reason="The task asked to be ignored."), error)
    if isinstance(error, Retry):  # a Celery task of another package has sent itself again
        return _Ended(_failure(error.exc or error, claim, run), error, retry_in=_celery_delay(error))
    outcome = _failure(error, claim, run)
    if not retry.is_transient(error) or claim.attempt >= claim.max_attempts:
        return _Ended(outcome, error)
    return _Ended(outcome, error, retry_in=backoff(retry, claim.attempt, getattr(error, "retry_after", None)))


def _from_interrupt(error: RunInterrupted, run: ActiveRun) -> _Ended:
    if isinstance(error, RunCancelled):
        how = "it was interrupted" if run.is_interrupted else "it stopped by itself"
        return _Ended(Outcome(status=Status.CANCELLED, reason=f"Cancelled while running: {how}."), error)
    return _Ended(Outcome(status=Status.FAILED, reason="Superseded."), error)


def backoff(retry: RetryPolicy, attempt: int, retry_after: float | None = None) -> float:
    """Seconds before the attempt after `attempt`: exponential with full jitter, `Retry-After` as the floor."""
    ceiling = min(retry.cap_seconds, retry.base_seconds * 2 ** min(attempt - 1, 50))
    delay = random.uniform(0, ceiling)  # noqa: S311 - spreads load, guards nothing
    return max(delay, min(retry_after or 0, LONGEST_RETRY_AFTER_SECONDS))


def _failure(error: BaseException, claim: Claim, run: ActiveRun) -> Outcome:
    # An answer (permanent or transient, wrong parameters) has a message; anything else is a bug and shows where.
    is_answer = isinstance(error, (PermanentError, TransientError, InvalidParameters, SoftTimeLimitExceeded))
    message = clean_text(str(error)).strip()
    if isinstance(error, SoftTimeLimitExceeded):
        message = "The run took longer than its soft time limit."
    return Outcome(
        status=Status.FAILED,
        reason=message.splitlines()[0] if message else type(error).__name__,
        error_type=f"{type(error).__module__}.{type(error).__qualname__}",
        error_message=message,
        error_fingerprint=fingerprints.of_error(claim.job, error),
        traceback="" if is_answer else clean_text("".join(traceback.format_exception(error))),
        progress=run.progress,
    )


def _end_transaction(run: ActiveRun) -> None:
    """Roll back a transaction that the body left open: the outcome would be written into it, and lost with it."""
    raw = connection.connection
    is_open = connection.in_atomic_block or (
        raw is not None
        and not raw.closed
        and not (raw.autocommit and raw.info.transaction_status == TransactionStatus.IDLE)
    )
    if is_open:
        run.log("The job left a transaction open: it was rolled back.", level=logging.WARNING)
        # Without the two, Django would wait for the end of the block before it gives the connection up.
        connection.in_atomic_block = connection.closed_in_transaction = False
        connection.close()


def _record(run: ActiveRun, ended: _Ended) -> bool:
    """Write logs and outcome, again and again while the database does not answer; False when superseded."""
    _, lines = run.drain()
    pauses = itertools.chain([0.2, 0.5, 1, 2], itertools.repeat(5))
    while True:
        # The outer one: the soft time limit may come at any moment, also while we wait.
        try:
            try:
                log_lines.write(run.id, run.attempt, lines)
                lines = []
                if ended.retry_in is None:
                    return ledger.finish(run.id, run.attempt, ended.outcome)
                return ledger.retry_later(run.id, run.attempt, ended.outcome, delay_seconds=ended.retry_in)
            except (OperationalError, InterfaceError) as error:
                logger.warning("Run %s: the outcome waits for the database: %s", run.id, error)
                connection.close()
                time.sleep(next(pauses))
        except SoftTimeLimitExceeded:
            logger.info("Run %s: the soft time limit came after its end.", run.id)
            connection.close()


def _answer(task: Task[Any, Any], ended: _Ended) -> Any:
    """Tell Celery what the ledger already holds, for its events and logs."""
    if isinstance(ended.error, (Ignore, Retry)):
        raise ended.error
    if isinstance(ended.error, RunInterrupted):
        task.send_event("task-revoked", terminated=False, signum=None, expired=False)
        raise Ignore
    if ended.retry_in is not None:
        raise Retry(exc=_as_exception(ended.error), when=timezone.now() + timedelta(seconds=ended.retry_in))
    if ended.error is not None:
        raise ended.error
    return ended.outcome.result


def _as_exception(error: BaseException | None) -> Exception | None:
    return error if isinstance(error, Exception) else None


def _adopt(job: AnyJob, run_id: uuid.UUID, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Give a run to a message that was sent with Celery's own means, so that it is recorded like any other."""
    if JobRun.objects.filter(pk=run_id).exists():
        return
    new = NewRun(
        id=run_id,
        job=job.name,
        queue=job.queue,
        trigger=JobRun.Trigger.CODE,
        parameters=clean_json(kwargs),
        args=clean_json(list(args)),
        priority=job.priority,
        max_attempts=job.retry.max_attempts,
    )
    # The message may be delivered twice, at the same moment.
    with contextlib.suppress(IntegrityError), transaction.atomic():
        intake.insert(new)


def _grace(job: AnyJob | None) -> float:
    if job is None or job.cancel_grace is None:
        return float(settings.JOBS_CANCEL_GRACE_SECONDS)
    return job.cancel_grace


def _celery_delay(error: Retry) -> float:
    if isinstance(error.when, datetime):
        return max((error.when - timezone.now()).total_seconds(), 0)
    return float(error.when or 0)
