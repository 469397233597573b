"""A receiver of webhooks that keeps what it gets, and can be told to go wrong at any point of a request."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

#: What a request can meet. With those in `KEPT` the post is there afterwards, whatever the sender heard.
FAULTS = (
    *("dropped", "cut", "half", "slow", "wrong_json", "busy"),
    *("broken", "broken_but_kept", "proxy_gave_up", "forbidden"),
)
KEPT = {"cut", "half", "slow", "wrong_json", "broken_but_kept", "proxy_gave_up"}


class Receiver:
    """`posts` counts each post that was taken, by its id; `fault` says what the next request meets."""

    def __init__(self) -> None:
        self.posts: Counter[str] = Counter()
        self.fault: Callable[[str], str] = lambda marker: ""
        self.slow_seconds = 1.0
        self.retry_after = "0"
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/posts"

    def keep(self, marker: str) -> None:
        with self._lock:
            self.posts[marker] += 1

    @contextmanager
    def running(self) -> Iterator["Receiver"]:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                marker = json.loads(body).get("id", "")
                fault = receiver.fault(marker)
                if fault in KEPT or not fault:
                    receiver.keep(marker)
                getattr(self, f"_{fault or 'fine'}")(marker)

            def do_GET(self) -> None:
                marker = parse_qs(urlsplit(self.path).query).get("id", [""])[0]
                if marker in receiver.posts:
                    self._fine(marker)
                else:
                    self._answer(404, b"{}")

            def _fine(self, marker: str) -> None:
                found = {"id": marker[:8], "url": f"http://blog.example/{marker}"}
                self._answer(200, json.dumps(found).encode())

            def _dropped(self, marker: str) -> None:
                self._hang_up()

            def _cut(self, marker: str) -> None:
                self._hang_up()

            def _half(self, marker: str) -> None:
                self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"id": ')
                self.wfile.flush()
                self._hang_up()

            def _slow(self, marker: str) -> None:
                time.sleep(receiver.slow_seconds)
                self._hang_up()

            def _wrong_json(self, marker: str) -> None:
                self._answer(200, b"<html>Thank you!</html>")

            def _busy(self, marker: str) -> None:
                self._answer(429, b"slow down", **{"Retry-After": receiver.retry_after})

            def _broken(self, marker: str) -> None:
                self._answer(500, b"oops")

            def _broken_but_kept(self, marker: str) -> None:
                self._answer(500, b"oops, but after the commit")

            def _proxy_gave_up(self, marker: str) -> None:
                self._answer(503, b"backend fetch failed", **{"Retry-After": "0"})

            def _forbidden(self, marker: str) -> None:
                self._answer(401, b"who are you?")

            def _answer(self, status: int, body: bytes, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _hang_up(self) -> None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler
