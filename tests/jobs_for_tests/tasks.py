"""Jobs that do little, fail on purpose, or take their time."""

import contextlib
import logging
import threading
import time
from typing import Annotated, Any

from celery import shared_task
from django.db import OperationalError, connection
from pydantic import Field

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, every, job
from jobs.errors import PermanentError, TransientError

logger = logging.getLogger(__name__)


@job("testing.add_numbers", title="Add numbers")
def add_numbers(run: ActiveRun, *, left: int, right: Annotated[int, Field(ge=0, le=1000)] = 1) -> int:
    """Add two numbers."""
    return left + right


@job("testing.count_slowly", title="Count slowly", cancel_grace=1.0, steps={"Warming up": 1, "Counting": 3})
def count_slowly(run: ActiveRun, *, until: int = 10, pause: float = 0.05) -> int:
    """Count with progress, marking each beginning and end in the table of marks."""
    mark(run, "begin")
    run.step("Warming up")
    run.step("Counting")
    for _ in run.track(range(until), "Counting"):
        time.sleep(pause)
    mark(run, "end")
    return until


@job("testing.outlive_database", title="Outlive the database")
def outlive_database(run: ActiveRun, *, seconds: float) -> None:
    """Work without the database, whose connections may break meanwhile, and come back to it at the end."""
    mark(run, "begin")
    connection.close()
    for _ in run.track(range(int(seconds / 0.1)), "Working"):
        time.sleep(0.1)
    while not connection.is_usable():
        connection.close()
        time.sleep(0.1)
        with contextlib.suppress(OperationalError):
            connection.connect()
    mark(run, "end")


@job("testing.sleep_deaf", title="Sleep without looking", cancel_grace=0.5)
def sleep_deaf(run: ActiveRun, *, seconds: float) -> None:
    """Sleep in one piece: only an interrupt ends it."""
    time.sleep(seconds)


@job("testing.ignore_interrupts", title="Ignore interrupts", cancel_grace=0.5)
def ignore_interrupts(run: ActiveRun, *, seconds: float) -> None:
    """Swallow even interrupts: only a kill ends it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            time.sleep(0.1)
        except BaseException:  # noqa: BLE001 - misbehaves on purpose
            continue


@job("testing.never_stop", title="Never stop", cancel_grace=600)
def never_stop(run: ActiveRun) -> None:
    """Like `ignore_interrupts`, with more patience than any test has: only a stop by force ends it."""
    ignore_interrupts(run, seconds=600)


@job("testing.fail_transiently", title="Fail at first", retry=RetryPolicy(max_attempts=3, base_seconds=0.1))
def fail_transiently(run: ActiveRun, *, until_attempt: int = 2, retry_after: float | None = None) -> int:
    """Fail with a transient error before the given attempt."""
    if run.attempt < until_attempt:
        raise TransientError("The other side is busy.", retry_after=retry_after)
    return run.attempt


@job("testing.fail_for_good", title="Fail for good")
def fail_for_good(run: ActiveRun, *, as_bug: bool = False) -> None:
    """Fail with an answer, or with a bug."""
    if as_bug:
        raise ZeroDivisionError("a bug")
    raise PermanentError("There is no such thing.")


@job("testing.handle_units", title="Handle units")
def handle_units(run: ActiveRun, *, good: int, bad: int) -> dict[str, int]:
    """Handle units of which some fail."""
    for _ in range(good):
        run.unit_succeeded()
    for number in range(bad):
        run.unit_failed(f"unit {number}", "broken")
    return {"good": good, "bad": bad}


@job("testing.take_too_long", title="Take too long", soft_time_limit=1, time_limit=3)
def take_too_long(run: ActiveRun, *, deaf: bool = False) -> None:
    """Run into the soft time limit, or with `deaf` into the hard one."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            time.sleep(0.2)
        except Exception:
            if not deaf:
                raise


@job("testing.echo_text", title="Echo a text")
def echo_text(run: ActiveRun, *, text: str) -> str:
    """Give the text back."""
    return text


@job("testing.log_secrets", title="Log secrets")
def log_secrets(run: ActiveRun, *, text: str, threads: int = 0) -> None:
    """Say something that should not be said, also in threads of its own."""
    logger.info("from the body")
    logger.warning("careless: %s", text)
    helpers = [threading.Thread(target=logger.info, args=("from a thread",)) for _ in range(threads)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join()


@job("testing.tell_connection", title="Tell which connection it has")
def tell_connection(run: ActiveRun) -> int:
    """The process id of the database server's side of this worker's connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@job("testing.do_nothing", title="Do nothing", schedule=every(hours=1))
def do_nothing(run: ActiveRun) -> None:
    """Nothing at all."""


@shared_task(name="foreign.add")
def foreign_add(left: int, right: int) -> int:
    """A Celery task of somebody else's."""
    return left + right


@shared_task(name="foreign.retry_twice", autoretry_for=(ConnectionError,), max_retries=2, retry_backoff=True)
def foreign_retry_twice() -> None:
    """A Celery task of somebody else's that retries by Celery's means, and gives up."""
    raise ConnectionError("busy")


@shared_task(name="foreign.count_down", bind=True)
def foreign_count_down(self: Any, number: int) -> str:
    """A Celery task of somebody else's that sends itself again with other arguments."""
    if number:
        raise self.retry(args=[number - 1], countdown=1)
    return "done"


@shared_task(name="foreign.mark")
def foreign_mark(text: str) -> None:
    """A Celery task of somebody else's that leaves a trace."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO testing_mark (run_id, attempt, what) VALUES (%s, 0, %s)", [text, "foreign"]
        )


def mark(run: ActiveRun, what: str) -> Any:
    """Leave a trace outside the ledger, so that tests can count executions."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO testing_mark (run_id, attempt, what) VALUES (%s, %s, %s)",
            [str(run.id), run.attempt, what],
        )
