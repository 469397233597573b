"""A live process for tests, and a client that reads one of its streams."""

import json
import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.spawner import Spawned, Spawner

PATIENCE = 15.0
#: How long the process may take to start, on a busy machine.
START_PATIENCE = 60.0


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def live_process(spawner: Spawner, port: int, **settings: Any) -> Iterator[Spawned]:
    """`gunicorn config.asgi` on that port, as in the Procfile, once it answers."""
    options = ["--worker-class", "asgi", "--graceful-timeout", "1", "--log-level", "warning"]
    process = spawner.start(
        "gunicorn", "config.asgi", "--bind", f"127.0.0.1:{port}", *options, settings=settings
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/healthz", process)
        yield process
    finally:
        process.stop(PATIENCE)


def _wait_for(address: str, process: Spawned) -> None:
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("The live process does not answer.")


@dataclass(frozen=True)
class Received:
    """One event, as a browser would get it."""

    kind: str
    data: dict[str, Any]
    #: The last id that was sent up to and with this event.
    id: str
    at: float


class Listener:
    """Reads a stream in a thread of its own until it is closed."""

    def __init__(self, url: str, headers: dict[str, str], **parameters: str) -> None:
        self.received: queue.Queue[Received | None] = queue.Queue()
        self.status = 0
        self.id = ""
        self._client = httpx.Client(timeout=httpx.Timeout(5, read=60))
        self._request = self._client.build_request("GET", url, headers=headers, params=parameters)
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Listener":
        self._response = self._client.send(self._request, stream=True)
        self.status = self._response.status_code
        if self.status != 200:
            self._response.read()
        else:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Break the connection from this side."""
        stream = self._response.extensions["network_stream"]
        sock = stream.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.shutdown(socket.SHUT_RDWR)
        if self._thread.is_alive():
            self._thread.join(5)
        self._client.close()

    @property
    def problem(self) -> Any:
        """The JSON of an answer that is no stream."""
        return self._response.json()

    @property
    def headers(self) -> httpx.Headers:
        return self._response.headers

    def next(self, *kinds: str, timeout: float = PATIENCE) -> Received:
        """The next event of one of the kinds; others are passed over."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                event = self.received.get(timeout=max(deadline - time.monotonic(), 0.001))
            except queue.Empty:
                raise AssertionError(f"No {' or '.join(kinds)} came within {timeout:g} s.") from None
            if event is None:
                raise AssertionError("The stream has ended.")
            if event.kind in kinds:
                return event

    def has_ended(self, timeout: float = PATIENCE) -> bool:
        """Whether the other side ends the stream in time; what comes before is thrown away."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            try:
                if self.received.get(timeout=left) is None:
                    return True
            except queue.Empty:
                break
        return False

    def _read(self) -> None:
        kind, data = "message", ""
        try:
            for line in self._response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif name == "id":
                    self.id = value
                elif not line and data:
                    self.received.put(Received(kind, json.loads(data), self.id, time.time()))
                    kind, data = "message", ""
        except (httpx.TransportError, httpx.StreamError, ValueError, OSError):
            pass  # either side broke the connection: the end of the stream
        finally:
            self.received.put(None)
