"""Answers that are read as they come, under the same rules as those of `fetch`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from django.conf import settings

from jobs.outbound.addresses import AddressGuard
from jobs.outbound.client import USER_AGENT, Limits, checked_url, error_of
from jobs.outbound.decoding import read_pieces
from jobs.outbound.errors import OutboundError
from jobs.outbound.headers import parse_retry_after, redact
from jobs.outbound.transport import Deadline, GuardedTransport


@dataclass(frozen=True)
class OutboundStream:
    """An answer whose body is still on its way. Header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    _response: httpx.Response
    _max_bytes: int

    def pieces(self) -> Iterator[bytes]:
        """The body, each part as soon as it is there; once only. Raises OutboundUnavailable, OutboundRejected."""
        encoding = self.headers.get("content-encoding", "")
        try:
            yield from read_pieces(self._response.iter_raw(), encoding=encoding, max_bytes=self._max_bytes)
        except OutboundError as error:
            error.may_have_arrived = True
            raise
        except httpx.TransportError as error:
            told = error_of(error, redact(self.url))
            told.may_have_arrived = True
            raise told from error

    @property
    def retry_after(self) -> float | None:
        """Seconds the server asked us to wait; None when it named no time."""
        return parse_retry_after(self.headers.get("retry-after"), now=datetime.now(UTC))


@contextmanager
def stream(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    limits: Limits | None = None,
    guard: AddressGuard | None = None,
) -> Iterator[OutboundStream]:
    """Send one request; the answer is there as soon as its head is. Leaving the block ends the connection.

    Redirects are not followed: they are answers, as any status is. `limits.read_seconds` is the longest silence, before
    the head and between two pieces. Raises OutboundUnavailable (try later) or OutboundRejected (do not).
    """
    limits = limits or Limits()
    guard = guard or AddressGuard(settings.OUTBOUND_ALLOWED_HOSTS)
    target = checked_url(url)
    sent = {"user-agent": USER_AGENT, "accept": "*/*", "accept-encoding": "identity"}
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    timeout = httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds)
    transport = GuardedTransport(guard, Deadline(limits.total_seconds))
    with httpx.Client(transport=transport, trust_env=False, timeout=timeout) as client:
        request = client.build_request(method, target, headers=sent, content=content)
        try:
            response = client.send(request, stream=True)
        except httpx.TransportError as error:
            raise error_of(error, redact(url)) from error
        try:
            yield OutboundStream(
                url=str(target),
                status=response.status_code,
                headers={key.lower(): value for key, value in response.headers.items()},
                _response=response,
                _max_bytes=limits.max_bytes,
            )
        finally:
            response.close()
