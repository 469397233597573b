"""A local HTTP server that stands in for a public service: it counts requests, keeps limits, and can be told to go wrong."""

import socket
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qsl, urlsplit

#: What any request can meet, beside the answers that only one service gives.
FAULTS = ("broken", "busy", "dropped", "half", "page", "slow")


@dataclass(frozen=True)
class Asked:
    """A request; the fields of its form and of its address together."""

    method: str
    path: str
    fields: dict[str, str]
    #: Monotonic seconds.
    at: float
    address_length: int


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that hung up, or was killed, is nothing to tell of."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # only printed


class ServiceServer(ABC):
    """Subclasses answer requests (`respond`) and say how they refuse (`busy`).

    `faults` is what the next requests meet, in order; "" and the end of the list mean nothing. `fault` can decide for each
    request instead. The port is taken at once; connections are refused until it is running.
    """

    #: How many requests a second are answered, or 0 for any number; the next ones are refused.
    per_second: float = 0
    #: Whether two at once are refused.
    one_at_a_time = False

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.fault: Callable[[Asked], str] = self._next_fault
        self.slow_seconds = 0.5
        self.retry_after: int | None = None
        self.requests: list[Asked] = []
        #: How many were refused for being too many.
        self.refused = 0
        self.lock = threading.RLock()
        self._answered: list[float] = []
        self._at_work = 0
        self._server = _Server(("127.0.0.1", 0), self._handler(), bind_and_activate=False)
        self._server.server_bind()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def address(self) -> str:
        return f"http://{self.host}"

    @contextmanager
    def running(self) -> Iterator[Self]:
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    @abstractmethod
    def respond(self, asked: Asked) -> Reply:
        """Answer as the service does. One request at a time."""

    @abstractmethod
    def busy(self) -> Reply:
        """How it says that it is asked too often."""

    def special(self, fault: str, asked: Asked) -> Reply:
        """The answer to a fault that only this service has."""
        raise ValueError(f"There is no fault named {fault!r}.")

    def _next_fault(self, asked: Asked) -> str:
        return self.faults.pop(0) if self.faults else ""

    def _is_too_many(self, now: float) -> bool:
        """Whether this request comes too soon after those that were answered, or while one is."""
        if self.one_at_a_time and self._at_work:
            return True
        if not self.per_second:
            return False
        window, most = (1.0, int(self.per_second)) if self.per_second >= 1 else (1 / self.per_second, 1)
        self._answered = [moment for moment in self._answered if now - moment < window]
        return len(self._answered) >= most

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                fields = dict(
                    parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
                )
                fields |= dict(parse_qsl(body, keep_blank_values=True))
                asked = Asked(self.command, parts.path, fields, time.monotonic(), len(self.path))
                with server.lock:
                    server.requests.append(asked)
                    if server._is_too_many(asked.at):
                        server.refused += 1
                        self._answer(server.busy())
                        return
                    server._answered.append(asked.at)
                    server._at_work += 1
                    fault = server.fault(asked)
                try:
                    self._meet(fault, asked)
                finally:
                    with server.lock:
                        server._at_work -= 1

            do_POST = do_GET

            def _meet(self, fault: str, asked: Asked) -> None:
                if fault == "dropped":
                    self._hang_up()
                elif fault == "broken":
                    self._answer(Reply(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}))
                elif fault == "busy":
                    self._answer(server.busy())
                elif fault == "page":
                    self._answer(Reply(200, b"<!doctype html><html><p>We will be back soon<br></html>"))
                elif fault not in {"", "half", "slow"}:
                    with server.lock:
                        reply = server.special(fault, asked)
                    self._answer(reply)
                else:
                    if fault == "slow":
                        time.sleep(server.slow_seconds)
                    with server.lock:
                        reply = server.respond(asked)
                    if fault == "half":
                        self._half(reply)
                    else:
                        self._answer(reply)

            def _answer(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def _half(self, reply: Reply) -> None:
                self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(reply.body) + 9}\r\n\r\n".encode())
                self.wfile.write(reply.body[: len(reply.body) // 2])
                self.wfile.flush()
                self._hang_up()

            def _hang_up(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler
