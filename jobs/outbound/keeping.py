"""Keeping connections between requests, for as long as a block runs."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from jobs.outbound.connection import Connection

#: Servers close what was silent for longer, and a name's addresses may have changed since.
IDLE_SECONDS = 15.0
#: Connections older than this are not used again: the name is resolved and checked anew.
OLDEST_SECONDS = 120.0
MOST_IDLE = 200

#: Scheme, host and port.
Origin = tuple[str, str, int | None]


class Connections:
    """Idle connections by origin. For several threads; each connection is used by one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: OrderedDict[Origin, list[tuple[float, float, Connection]]] = OrderedDict()
        self._count = 0
        self._is_closed = False

    def take(self, origin: Origin) -> tuple[Connection, float] | None:
        """A connection of that origin which nobody uses, and when it was opened; None if there is none."""
        now = time.monotonic()
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                if not idle:
                    return None
                opened_at, left_at, connection = idle.pop()
                self._count -= 1
                if not idle:
                    del self._idle[origin]
            is_fresh = now - left_at < IDLE_SECONDS and now - opened_at < OLDEST_SECONDS
            if is_fresh and connection.is_quiet:
                return connection, opened_at
            connection.close()

    def give(self, origin: Origin, connection: Connection, opened_at: float) -> None:
        """Keep a connection for the next request; the one that nobody wanted for longest makes room."""
        dropped = None
        with self._lock:
            if self._is_closed:
                dropped = connection
            else:
                self._idle.setdefault(origin, []).append((opened_at, time.monotonic(), connection))
                self._idle.move_to_end(origin)
                self._count += 1
                if self._count > MOST_IDLE:
                    oldest, idle = next(iter(self._idle.items()))
                    _, _, dropped = idle.pop(0)
                    self._count -= 1
                    if not idle:
                        del self._idle[oldest]
        if dropped is not None:
            dropped.close()

    def close(self) -> None:
        """Close what is idle, and from now on what comes back."""
        with self._lock:
            self._is_closed = True
            left = [entry[2] for idle in self._idle.values() for entry in idle]
            self._idle.clear()
            self._count = 0
        for connection in left:
            connection.close()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Requests made by this thread in this block use them."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Connections | None] = ContextVar("connections", default=None)


def current() -> Connections | None:
    """What requests of this thread use now."""
    return _current.get()


@contextmanager
def keep_connections() -> Iterator[Connections]:
    """Connections that are kept until the end of the block. Other threads enter `in_use` to share them."""
    connections = Connections()
    try:
        with connections.in_use():
            yield connections
    finally:
        connections.close()
