"""HTTP/1.1 over a connection that goes only to a checked address, and never outlives its deadline.

The name is resolved once per connection, here; the socket is opened to the checked address while the `Host`
header, SNI and the certificate check keep the name. So nothing can be swapped between check and connect, and a
connection that is kept for the next request still leads to where it was checked to lead. Answers are read by
the standard library's `http.client`.
"""

import http.client
import io
import re
import select
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import httpx

from jobs.outbound.addresses import AddressGuard

_TARGET = re.compile(r"[!-~]+")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_PIECE_BYTES = 64 * 1024
_MOST_INTERIM_ANSWERS = 10


class NotARequest(ValueError):
    """The request cannot be written down as HTTP."""


class Deadline:
    """A point in monotonic time that all steps of one request share."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def remaining(self, step_seconds: float | None = None) -> float:
        """Seconds left for the next step, at most `step_seconds`; raises TimeoutError when the time is over."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("The time for the whole request is over.")
        return left if step_seconds is None else min(left, step_seconds)


class _Incoming(io.RawIOBase):
    """What arrives; single reads can never add up to more than the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.deadline = Deadline(0)
        self.step_seconds = 0.0
        self.is_asleep = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        if self.is_asleep:
            return None
        self._socket.settimeout(self.deadline.remaining(self.step_seconds))
        return self._socket.recv_into(buffer)


class _Reader(io.BufferedReader):
    """One buffer for all answers of a connection; `http.client` closes it after each."""

    def close(self) -> None:
        """Keep it open: the next answer is read from it, too."""


class Connection:
    """One connection. Not for several threads at once."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._incoming = _Incoming(sock)
        self._reader = _Reader(self._incoming, _PIECE_BYTES)
        self._answer: Answer | None = None

    @classmethod
    def open(
        cls,
        url: httpx.URL,
        *,
        guard: AddressGuard,
        deadline: Deadline,
        connect_seconds: float,
        tls: ssl.SSLContext | None = None,
    ) -> "Connection":
        """Connect to the first of the host's checked addresses that answers.

        Raises OutboundError for a host that must not or cannot be reached, OSError for one that does not answer.
        """
        host, port = url.raw_host.decode("ascii"), _port_of(url)
        failure: OSError | None = None
        for address in guard.addresses(host, port, deadline.remaining(connect_seconds)):
            try:
                sock = socket.create_connection((address, port), deadline.remaining(connect_seconds))
            except OSError as error:
                failure = error
                continue
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if url.scheme == "https":
                    sock.settimeout(deadline.remaining(connect_seconds))
                    sock = (tls or _tls_context()).wrap_socket(sock, server_hostname=host)
            except BaseException:
                sock.close()
                raise
            return cls(sock)
        raise failure or TimeoutError("No address answered in time.")

    def ask(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | None,
        *,
        deadline: Deadline,
        read_seconds: float,
    ) -> "Answer":
        """Send a request and read the answer's head. Raises OSError, HTTPException, or NotARequest before anything is sent."""
        head = _written(method, url, headers, content)
        self._incoming.deadline, self._incoming.step_seconds = deadline, read_seconds
        self._socket.settimeout(deadline.remaining(read_seconds))
        self._socket.sendall(head + (content or b""))
        for _ in range(_MOST_INTERIM_ANSWERS):
            self._answer = Answer(self, method)
            if not 101 < self._answer.status < 200:
                return self._answer
        raise http.client.BadStatusLine("interim answers without an end")

    def makefile(self, mode: str) -> io.BufferedReader:
        """For `http.client`: where the answer is read from."""
        return self._reader

    @property
    def can_be_kept(self) -> bool:
        """Whether another request may follow: the answer was read to its end, and nothing came after it."""
        if self._answer is None or not self._answer.is_complete or self._answer.closes_connection:
            return False
        self._incoming.is_asleep = True
        is_clean = not self._reader.peek(1)
        self._incoming.is_asleep = False
        return is_clean

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has happened since the last answer; a server that closes makes itself heard."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN | select.POLLHUP | select.POLLERR)
        return not waiting.poll(0)

    def close(self) -> None:
        self._socket.close()


class Answer:
    """The head of an answer, and its body in pieces."""

    def __init__(self, connection: Connection, method: str) -> None:
        self._response = http.client.HTTPResponse(connection, method=method)  # type: ignore[arg-type]  # all it wants is `makefile`
        self._response.begin()
        self.status = self._response.status

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case; values of repeated ones joined by commas."""
        found: dict[str, str] = {}
        for name, value in self._response.headers.items():
            name, value = name.lower(), _CONTROLS.sub("", str(value)).strip()
            found[name] = f"{found[name]}, {value}" if name in found else value
        return found

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes; raises IncompleteRead when the connection ends before it does."""
        while piece := self._response.read1(_PIECE_BYTES):
            yield piece
        if self._response.length:
            raise http.client.IncompleteRead(b"", self._response.length)

    @property
    def is_complete(self) -> bool:
        return self._response.isclosed() or self._response.length == 0

    @property
    def closes_connection(self) -> bool:
        return self.status == 101 or bool(self._response.will_close)


def _written(method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None) -> bytes:
    target = url.raw_path.decode("ascii")
    if not _TARGET.fullmatch(target) or not _NAME.fullmatch(method):
        raise NotARequest("its path has characters that HTTP forbids")
    lines = [f"{method} {target} HTTP/1.1", f"host: {url.netloc.decode('ascii')}"]
    if content is not None or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"content-length: {len(content or b'')}")
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise NotARequest(f"the header {name!r} has characters that HTTP forbids")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _port_of(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    """One context for the process: reading the certificate store costs tens of milliseconds."""
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context
