"""Following a writer at work, for whoever has a progress bar to fill. Writers tell; nobody has to listen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from publishing.writers.usage import Usage


@dataclass(frozen=True)
class Progress:
    """A step that is not done yet."""

    #: How many words have been written in this answer, about.
    words: int
    #: What this answer would have cost if it ended now; what was paid in the step before it is not counted.
    usage: Usage


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
