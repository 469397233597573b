"""A transport that connects only to checked addresses and never outlives its deadline.

The name is resolved once per connection, here; the socket is opened to the checked address while the `Host`
header, SNI and the certificate check keep the name. So nothing can be swapped between check and connect.
"""

import ssl
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import httpcore
import httpx

from jobs.outbound.addresses import AddressGuard


class Deadline:
    """A point in monotonic time that all steps of one request share."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def remaining(self, step_seconds: float | None = None) -> float:
        """Seconds left for the next step, at most `step_seconds`; zero or less when the time is over."""
        left = self._at - time.monotonic()
        return left if step_seconds is None else min(left, step_seconds)


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose single reads and writes can never add up to more than the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        remaining = self._deadline.remaining(timeout)
        if remaining <= 0:
            raise httpcore.ReadTimeout("The time for the whole request is over.")
        return self._stream.read(max_bytes, remaining)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        remaining = self._deadline.remaining(timeout)
        if remaining <= 0:
            raise httpcore.WriteTimeout("The time for the whole request is over.")
        self._stream.write(buffer, remaining)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        remaining = max(self._deadline.remaining(timeout), 0.001)
        return _DeadlineStream(
            self._stream.start_tls(ssl_context, server_hostname, remaining), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _GuardedBackend(httpcore.NetworkBackend):
    def __init__(self, guard: AddressGuard, deadline: Deadline) -> None:
        self._guard = guard
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._guard.addresses(
            host.strip("[]"), port, max(self._deadline.remaining(timeout), 0.001)
        )
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            remaining = self._deadline.remaining(timeout)
            if remaining <= 0:
                break
            try:
                stream = self._network.connect_tcp(address, port, remaining, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _DeadlineStream(stream, self._deadline)
        raise failure or httpcore.ConnectTimeout("No address answered in time.")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("Unix sockets are not reachable from here.")


@lru_cache(maxsize=1)
def _tls_context() -> ssl.SSLContext:
    """One context for the process: reading the certificate store costs tens of milliseconds."""
    return httpx.create_ssl_context(trust_env=False)


class GuardedTransport(httpx.HTTPTransport):
    """httpx's transport over our own network backend; made for one request and its redirects."""

    def __init__(self, guard: AddressGuard, deadline: Deadline, tls: ssl.SSLContext | None = None) -> None:
        context = tls or _tls_context()
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=4,
            network_backend=_GuardedBackend(guard, deadline),
        )
