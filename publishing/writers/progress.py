"""Following a writer at work, for whoever has a progress bar to fill. Writers tell; nobody has to listen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from publishing.writers.usage import Usage


class Progress(Protocol):
    """A step that is not done yet, as far as it is when it is looked at."""

    @property
    def words(self) -> int:
        """How many words of the answer are there."""

    @property
    def usage(self) -> Usage:
        """What the step would have cost if it ended now."""


Listener = Callable[[Progress], None]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Tell the listener, within the block, how far a writer is. What it raises ends the writer's step."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def listener() -> Listener | None:
    """Whoever listens now."""
    return _listener.get()
