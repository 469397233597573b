"""Changing workers while they run. Nothing of it outlives the worker: a restart brings back what it was started with.

Each function waits for the worker's answer and leaves an audit row. They raise UnknownWorker for a worker that does not
live, WorkerRefused for one that does not answer or says no, BrokerUnavailable, and InvalidInput.
"""

import re
from typing import Any

from celery import current_app
from django.contrib.auth.models import AbstractBaseUser

from jobs import audit, queues
from jobs.errors import InvalidInput, UnknownQueue, UnknownWorker, WorkerRefused
from jobs.remote.asking import ask, tell
from jobs.remote.inspection import living_workers

#: How many processes can be added or taken away at once.
MOST_PROCESSES = 32
#: The longest time limit, in seconds.
LONGEST = 7 * 86_400
_RATE = re.compile(r"\d{1,6}(/[smh])?")

By = AbstractBaseUser | None


def ping(worker: str, *, by: By) -> str:
    """Whether it answers."""
    return _do(worker, "ping", {}, by=by, done="Answered a ping.")


def grow(worker: str, count: int, *, by: By) -> str:
    """Add processes to its pool."""
    _check_count(count)
    return _do(worker, "pool_grow", {"n": count}, by=by, done=f"{_processes(count)} added to its pool.")


def shrink(worker: str, count: int, *, by: By) -> str:
    """Take processes away from its pool; those that run something end it first."""
    _check_count(count)
    return _do(worker, "pool_shrink", {"n": count}, by=by, done=f"{_processes(count)} taken from its pool.")


def autoscale(worker: str, fewest: int, most: int, *, by: By) -> str:
    """Change between how many processes it scales by itself; only for workers started with `--autoscale`."""
    if not 0 <= fewest <= most <= 1000 or most == 0:
        raise InvalidInput({"most": ["The most must be at least 1, at most 1000, and not below the fewest."]})
    return _do(
        worker, "autoscale", {"min": fewest, "max": most}, by=by, done=f"It scales from {fewest} to {most}."
    )


def restart_pool(worker: str, *, by: By) -> str:
    """Replace every process of its pool; those that run something end it first."""
    return _do(worker, "pool_restart", {}, by=by, done="Its processes are replaced when they are idle.")


def add_queue(worker: str, queue: str, *, by: By) -> str:
    """Let it take from one more queue."""
    _check_queue(queue)
    return _do(worker, "add_consumer", {"queue": queue}, by=by, done=f"It takes from the queue {queue}.")


def cancel_queue(worker: str, queue: str, *, by: By) -> str:
    """Let it take no more from a queue. What it has in hand it still does."""
    _check_queue(queue)
    return _do(worker, "cancel_consumer", {"queue": queue}, by=by, done=f"It leaves the queue {queue} alone.")


def limit_rate(worker: str, task: str, rate: str, *, by: By) -> str:
    """Start a task no more often than `10/s`, `10/m` or `10/h` on this worker; empty: as often as it comes."""
    _check_task(task)
    if rate and not _RATE.fullmatch(rate):
        raise InvalidInput(
            {"rate": ["Write a number with /s, /m or /h behind it, such as 10/m; empty: no limit."]}
        )
    done = f"{task} starts {rate} at most." if rate else f"{task} has no rate limit."
    return _do(worker, "rate_limit", {"task_name": task, "rate_limit": rate or None}, by=by, done=done)


def limit_time(worker: str, task: str, soft: int | None, hard: int | None, *, by: By) -> str:
    """End a task of this worker after so many seconds: gently, then by force; None: no limit."""
    _check_task(task)
    for name, value in (("soft", soft), ("hard", hard)):
        if value is not None and not 1 <= value <= LONGEST:
            raise InvalidInput({name: [f"It must be from 1 to {LONGEST} seconds; empty: no limit."]})
    if soft is not None and hard is not None and soft >= hard:
        raise InvalidInput(
            {"soft": ["The soft limit must be below the hard one, or it never gets its turn."]}
        )
    done = f"{task} gets {soft or 'any number of'} seconds, then {hard or 'no end'} by force."
    return _do(
        worker, "almanac_limit_time", {"task_name": task, "soft": soft, "hard": hard}, by=by, done=done
    )


def shut_down(worker: str, *, by: By) -> str:
    """Let it end its runs and then itself. Whether it comes back is up to what started it."""
    _do(worker, "ping", {}, by=None, done="")  # this command itself is never answered
    tell("shutdown", worker)
    return _tell_audit(worker, "It ends what it runs, then itself.", by=by)


def _do(worker: str, command: str, arguments: dict[str, Any], *, by: By, done: str) -> str:
    """Ask one worker to do something; returns what was done, for people."""
    if worker not in living_workers():
        raise UnknownWorker(f"No worker named {worker!r} lives.")
    answer = ask(command, [worker], **arguments).get(worker)
    if answer is None:
        raise WorkerRefused(f"{worker} gave no answer.")
    if "error" in answer:
        raise WorkerRefused(f"{worker} says: {answer['error']}")
    return _tell_audit(worker, done, by=by)


def _tell_audit(worker: str, done: str, *, by: By) -> str:
    audit.record_about(by, f"worker {worker}", done)
    return done


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_PROCESSES:
        raise InvalidInput({"count": [f"It must be from 1 to {MOST_PROCESSES}."]})


def _check_queue(queue: str) -> None:
    try:
        queues.check_name(queue)
    except UnknownQueue as error:
        raise InvalidInput({"queue": [str(error)]}) from error


def _check_task(task: str) -> None:
    if task not in current_app.tasks or task.startswith("celery."):
        raise InvalidInput({"task": [f"There is no task named {task!r}."]})


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"
