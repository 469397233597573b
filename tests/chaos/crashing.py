"""A scheduler that kills itself with SIGKILL at a named point of its work, once there is work of that kind.

CHAOS_CRASH_AT=after_commit celery -A config beat -S tests.chaos.crashing:CrashingScheduler
"""

import os
import signal
from collections.abc import Callable
from typing import Any, NoReturn

from jobs import outbox, reaper, slot_rows, slots
from jobs.scheduler import SlotScheduler


def die(*args: object) -> NoReturn:
    """kill -9 of this process."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("alive after SIGKILL")


def before(function: Callable[..., Any]) -> Callable[..., Any]:
    """Die when the function is called with something in hand."""

    def crashing(*args: Any) -> Any:
        return die() if args and args[0] else function(*args)

    return crashing


def after(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call the function and die when it gave something."""

    def crashing(*args: Any) -> Any:
        value = function(*args)
        return die() if value else value

    return crashing


def on_second_call(function: Callable[..., Any]) -> Callable[..., Any]:
    """Die when the function is called for the second time."""
    calls = []

    def crashing(*args: Any) -> Any:
        calls.append(args)
        return die() if len(calls) > 1 else function(*args)

    return crashing


def then_die(function: Callable[..., Any]) -> Callable[..., Any]:
    """Call the function with something in hand, and die."""

    def crashing(*args: Any) -> Any:
        value = function(*args)
        return die() if args and args[0] else value

    return crashing


#: Where to crash, in the order of a tick: the module and the function, and when.
POINTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "planning_a_new_schedule": (slots, "_plan", before),
    "after_locking_due_schedules": (slots, "_settle", before),
    "before_inserting_runs": (slot_rows, "insert", before),
    "after_inserting_runs": (slot_rows, "insert", after),
    "after_advancing_schedules": (slots, "_save", then_die),
    "before_commit": (slots, "_count_runs", then_die),
    "after_commit": (outbox, "send", before),
    "between_two_sends": (outbox, "_send_one", on_second_call),
    "after_sending": (outbox, "send", after),
    "after_promoting_retries": (reaper, "promote_retries", after),
    "between_marking_and_sending_again": (outbox, "_take", after),
    "recovering_a_lost_run": (reaper, "_recover", then_die),
}


class CrashingScheduler(SlotScheduler):
    """The production scheduler with one of its steps replaced by a crash."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        point = os.environ["CHAOS_CRASH_AT"]
        module, name, when = POINTS[point]
        setattr(module, name, when(getattr(module, name)))
        super().__init__(*args, **kwargs)
