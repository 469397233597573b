"""What people may do to workers from the admin: each control, what it asks for, and what it says."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser
from django.http import QueryDict

from jobs.errors import InvalidInput
from jobs.remote import control

Change = Callable[[str, QueryDict, AbstractBaseUser], str]


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control. With a question it has a page of its own that asks first."""

    title: str
    change: Change
    question: str = ""


def _whole(data: QueryDict, name: str) -> int:
    number = _whole_or_none(data, name)
    if number is None:
        raise InvalidInput({name: ["Write a whole number."]})
    return number


def _whole_or_none(data: QueryDict, name: str) -> int | None:
    text = data.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise InvalidInput({name: [f"Write a whole number; it is {text[:20]!r}."]})
    return int(text)


CONTROLS: dict[str, Control] = {
    "ping": Control(title="Ping", change=lambda worker, data, by: control.ping(worker, by=by)),
    "grow": Control(
        title="Add processes",
        change=lambda worker, data, by: control.grow(worker, _whole(data, "count"), by=by),
    ),
    "shrink": Control(
        title="Take processes away",
        change=lambda worker, data, by: control.shrink(worker, _whole(data, "count"), by=by),
    ),
    "autoscale": Control(
        title="Scale",
        change=lambda worker, data, by: control.autoscale(
            worker, _whole(data, "fewest"), _whole(data, "most"), by=by
        ),
    ),
    "add-queue": Control(
        title="Take from a queue",
        change=lambda worker, data, by: control.add_queue(worker, data.get("queue", ""), by=by),
    ),
    "cancel-queue": Control(
        title="Leave a queue alone",
        change=lambda worker, data, by: control.cancel_queue(worker, data.get("queue", ""), by=by),
    ),
    "rate": Control(
        title="Limit the rate",
        change=lambda worker, data, by: control.limit_rate(
            worker, data.get("task", ""), data.get("rate", "").strip(), by=by
        ),
    ),
    "time": Control(
        title="Limit the time",
        change=lambda worker, data, by: control.limit_time(
            worker,
            data.get("task", ""),
            _whole_or_none(data, "soft"),
            _whole_or_none(data, "hard"),
            by=by,
        ),
    ),
    "restart": Control(
        title="Replace the processes",
        question="Replace every process of its pool? Each ends what it runs first; idle ones are replaced at once.",
        change=lambda worker, data, by: control.restart_pool(worker, by=by),
    ),
    "shutdown": Control(
        title="Shut the worker down",
        question="Shut this worker down? It takes nothing new, ends what it runs, and then itself. Whether it comes "
        "back is up to what started it.",
        change=lambda worker, data, by: control.shut_down(worker, by=by),
    ),
}
