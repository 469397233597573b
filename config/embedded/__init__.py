"""The embedded servers: a real PostgreSQL and a real Valkey that belong to one checkout.

Both come from wheels, so that a machine with Python alone runs the whole product. They listen on unix sockets in
a folder that only their owner can enter, never on a TCP port. `urls` is pure: settings know the addresses whether
the servers run or not.

An ordinary user's data is in `.almanac/` inside the checkout. PostgreSQL refuses to run as root, so root's data is
in `/var/lib/almanac/<checkout hash>`, and both servers run as the system user `_almanac`.

The servers outlive the process that started them, however it ends; the next `start` adopts them, or replaces them
when they do not answer. Only `stop` ends them.
"""

from pathlib import Path

from config.embedded.errors import EmbeddedError
from config.embedded.identity import set_strangers_data_aside
from config.embedded.places import Places, StackUrls
from config.embedded.stack import ServerStatus, Stack, StackStatus

__all__ = [
    "EmbeddedError",
    "Places",
    "ServerStatus",
    "Stack",
    "StackStatus",
    "StackUrls",
    "is_running",
    "remove",
    "start",
    "status",
    "stop",
    "urls",
]


def urls(root: Path) -> StackUrls:
    """The addresses of the servers of the checkout at `root`, whether they run or not."""
    return Places.of_checkout(root).urls


def start(root: Path) -> StackUrls:
    """Start what does not run yet and return when both servers answer. EmbeddedError says why they cannot."""
    set_strangers_data_aside(root)
    stack = _stack(root)
    stack.start()
    return stack.urls


def stop(root: Path) -> None:
    """Stop both servers of the checkout cleanly; nothing happens when they do not run."""
    _stack(root).stop()


def status(root: Path) -> StackStatus:
    """What each server of the checkout is doing now."""
    return _stack(root).status()


def is_running(root: Path) -> bool:
    """Whether both servers of the checkout answer."""
    return status(root).is_running


def remove(root: Path) -> None:
    """Stop both servers of the checkout and delete all their data, for good."""
    _stack(root).remove()


def _stack(root: Path) -> Stack:
    return Stack(Places.of_checkout(root))
