"""An HTTP server that can be told to go wrong at any point of a request; stand-ins of real services build on it.

A stand-in says what its service does (`respond`) and which requests change a post (`marker_of`); those meet what
`fault` says. All others, such as reading and logging in, meet what `fault_of_reading` says.
"""

import json
import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

#: What a request can meet, and "late": it is carried out when the sender has given up. With those in `KEPT` it is carried out, whatever the sender hears.
FAULTS = (
    *("dropped", "cut", "half", "slow", "wrong_json", "busy"),
    *("broken", "broken_but_kept", "proxy_gave_up", "forbidden"),
)
KEPT = {"cut", "half", "slow", "late", "wrong_json", "broken_but_kept", "proxy_gave_up"}


@dataclass(frozen=True)
class Incoming:
    """A request. Header names are lower case; `path` is as it was sent, without the query."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body or b"{}")
        return found


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> "Reply":
        sent = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
        return cls(status, json.dumps(content).encode(), sent)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that hung up, or was killed, is nothing to tell of."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # only printed


class FaultyServer(ABC):
    """`fault` is given the marker of a post and names what the request meets, or nothing. `requests` are all that came.

    `fault_of_reading` does the same for requests that are not about one post's publishing. The port is taken at once, but
    connections are refused until it is running, and while it is `away`.
    """

    #: The kind of publisher that speaks to it.
    kind: ClassVar[str]

    def __init__(self) -> None:
        self.fault: Callable[[str], str] = lambda marker: ""
        self.fault_of_reading: Callable[[Incoming], str] = lambda request: ""
        self.slow_seconds = 1.0
        self.retry_after = 0
        self.requests: list[Incoming] = []
        self.lock = threading.RLock()
        self._server = self._bound(0)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def address(self) -> str:
        return f"http://{self.host}"

    @contextmanager
    def running(self) -> Iterator["FaultyServer"]:
        self._serve()
        yield self
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """New connections are refused; requests that it has are answered."""
        self._server.shutdown()
        self._server.server_close()
        yield
        self._server = self._bound(self._server.server_port)
        self._serve()

    def _bound(self, port: int) -> ThreadingHTTPServer:
        server = _Server(("127.0.0.1", port), self._handler(), bind_and_activate=False)
        server.server_bind()
        return server

    def _serve(self) -> None:
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Settings of a publisher that speaks to it, without secrets."""

    @abstractmethod
    def secrets(self) -> dict[str, str]:
        """Its secrets."""

    @abstractmethod
    def count(self, marker: str) -> int:
        """How many posts with the marker readers see."""

    @abstractmethod
    def text_of(self, marker: str) -> str:
        """What readers see of the post; raises KeyError when there is none."""

    @abstractmethod
    def marker_of(self, request: Incoming) -> str | None:
        """The marker of the post that the request publishes, changes or takes back; None for every other request."""

    @abstractmethod
    def respond(self, request: Incoming) -> Reply:
        """Carry the request out, as the service does. One at a time."""

    def busy(self) -> Reply:
        """How it says that it is asked too often; `retry_after` are the seconds to wait."""
        return Reply(429, b"slow down", {"Retry-After": str(self.retry_after)})

    def forbidden(self) -> Reply:
        """How it says that it does not know who asks."""
        return Reply(401, b"who are you?")

    def _met(self, request: Incoming) -> str:
        marker = self.marker_of(request)
        return self.fault_of_reading(request) if marker is None else self.fault(marker)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self) -> None:
                parts = urlsplit(self.path)
                request = Incoming(
                    method=self.command,
                    path=parts.path,
                    query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(int(self.headers.get("content-length", 0))),
                )
                with server.lock:
                    server.requests.append(request)
                    fault = server._met(request)
                if fault == "late":
                    time.sleep(server.slow_seconds)
                with server.lock:
                    reply = server.respond(request) if not fault or fault in KEPT else Reply()
                getattr(self, f"_{fault or 'answer'}")(reply)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = handle_request

            def _answer(self, reply: Reply) -> None:
                begin = self.send_response_only if "date" in reply.headers else self.send_response
                begin(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def _dropped(self, reply: Reply) -> None:
                self._hang_up()

            def _cut(self, reply: Reply) -> None:
                self._hang_up()

            def _half(self, reply: Reply) -> None:
                length = len(reply.body) + 500
                self.wfile.write(f"HTTP/1.1 {reply.status} OK\r\nContent-Length: {length}\r\n\r\n".encode())
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self.wfile.flush()
                self._hang_up()

            def _slow(self, reply: Reply) -> None:
                time.sleep(server.slow_seconds)
                self._hang_up()

            def _late(self, reply: Reply) -> None:
                self._hang_up()

            def _wrong_json(self, reply: Reply) -> None:
                self._answer(Reply(200, b"<html>Thank you!</html>"))

            def _busy(self, reply: Reply) -> None:
                self._answer(server.busy())

            def _broken(self, reply: Reply) -> None:
                self._answer(Reply(500, b"oops"))

            def _broken_but_kept(self, reply: Reply) -> None:
                self._answer(Reply(500, b"oops, but after the commit"))

            def _proxy_gave_up(self, reply: Reply) -> None:
                self._answer(Reply(503, b"backend fetch failed", {"Retry-After": "0"}))

            def _forbidden(self, reply: Reply) -> None:
                self._answer(server.forbidden())

            def _hang_up(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler
