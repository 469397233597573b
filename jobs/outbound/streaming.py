"""Answers that are read as they come, under the same rules as those of `fetch`."""

import http.client
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from django.conf import settings

from jobs.outbound.addresses import AddressGuard
from jobs.outbound.client import USER_AGENT, Limits, checked_url, told, with_credentials
from jobs.outbound.connection import Answer, Connection, Deadline, NotARequest
from jobs.outbound.decoding import read_pieces
from jobs.outbound.errors import OutboundError, OutboundRejected
from jobs.outbound.headers import parse_retry_after, redact


@dataclass(frozen=True)
class OutboundStream:
    """An answer whose body is still on its way. Header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    _answer: Answer
    _max_bytes: int

    def pieces(self) -> Iterator[bytes]:
        """The body, each part as soon as it is there; once only. Raises OutboundUnavailable, OutboundRejected."""
        encoding = self.headers.get("content-encoding", "")
        try:
            yield from read_pieces(self._answer.pieces(), encoding=encoding, max_bytes=self._max_bytes)
        except OutboundError as error:
            error.may_have_arrived = True
            raise
        except (OSError, http.client.HTTPException) as error:
            raise told(error, httpx.URL(self.url), may_have_arrived=True) from error

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
    sent = {**with_credentials(target, sent), "connection": "close"}
    deadline = Deadline(limits.total_seconds)
    try:
        connection = Connection.open(
            target, guard=guard, deadline=deadline, connect_seconds=limits.connect_seconds
        )
    except OSError as error:
        raise told(error, target, may_have_arrived=False) from error
    with closing(connection):
        try:
            answer = connection.ask(
                method, target, sent, content, deadline=deadline, read_seconds=limits.read_seconds
            )
        except NotARequest as error:
            raise OutboundRejected(f"{redact(url)} cannot be asked for: {error}.") from error
        except (OSError, http.client.HTTPException) as error:
            raise told(error, target, may_have_arrived=True) from error
        yield OutboundStream(
            url=str(target),
            status=answer.status,
            headers=answer.headers,
            _answer=answer,
            _max_bytes=limits.max_bytes,
        )
