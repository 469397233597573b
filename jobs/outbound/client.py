"""Fetching an address that somebody else chose."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from jobs.outbound.addresses import AddressGuard
from jobs.outbound.decoding import ACCEPTED, read_body
from jobs.outbound.errors import OutboundError, OutboundRejected, OutboundUnavailable
from jobs.outbound.headers import parse_retry_after, redact
from jobs.outbound.transport import Deadline, GuardedTransport

USER_AGENT = "Almanac/0.1 (scheduled agents; feed reader)"

_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}
_LATER = {408, 425, 429}
#: The connection was never made.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)
#: What another origin is sent after a redirect. Everything else may be a credential, whatever it is called.
_FOR_STRANGERS = {
    *("user-agent", "accept", "accept-encoding", "accept-language"),
    *("if-none-match", "if-modified-since", "range"),
}


@dataclass(frozen=True)
class Limits:
    """How long and how much one request may take, redirects included."""

    connect_seconds: float = 10.0
    read_seconds: float = 20.0
    total_seconds: float = 60.0
    max_bytes: int = 15 * 1024 * 1024
    max_redirects: int = 10


@dataclass(frozen=True)
class Redirect:
    """One hop: this address answered with this status and sent us on."""

    url: str
    status: int


@dataclass(frozen=True)
class OutboundResponse:
    """What came back, whatever its status. Header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    redirects: tuple[Redirect, ...] = ()
    seconds: float = 0.0
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def permanent_url(self) -> str | None:
        """The address to use from now on; None unless every hop of the way said it is permanent."""
        if self.redirects and all(hop.status in _PERMANENT for hop in self.redirects):
            return self.url
        return None

    @property
    def retry_after(self) -> float | None:
        """Seconds the server asked us to wait; None when it named no time."""
        return parse_retry_after(self.headers.get("retry-after"), now=self.received_at)

    def raise_for_status(self) -> None:
        """Raise OutboundUnavailable for what may pass (408, 425, 429, 5xx), OutboundRejected for other 3xx and 4xx."""
        if self.status < 300 or self.status == 304:
            return
        message = f"{redact(self.url)} answered with status {self.status}."
        if self.status in _LATER or self.status >= 500:
            raise OutboundUnavailable(message, status=self.status, retry_after=self.retry_after)
        raise OutboundRejected(message, status=self.status)


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
    limits: Limits | None = None,
    guard: AddressGuard | None = None,
) -> OutboundResponse:
    """Send one request, follow its redirects by hand and read the answer within the limits.

    Redirects are followed for GET and HEAD only; credentials are not carried to another origin. Any status is an
    answer, not an error. Raises OutboundUnavailable (try later) or OutboundRejected (do not).
    """
    limits = limits or Limits()
    guard = guard or AddressGuard(settings.OUTBOUND_ALLOWED_HOSTS)
    started = time.monotonic()
    deadline = Deadline(limits.total_seconds)
    current = checked_url(url)
    sent = {"user-agent": USER_AGENT, "accept": "*/*", "accept-encoding": ACCEPTED}
    sent |= {name.lower(): value for name, value in (headers or {}).items()}
    hops: list[Redirect] = []
    timeout = httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds)
    with httpx.Client(
        transport=GuardedTransport(guard, deadline), trust_env=False, timeout=timeout
    ) as client:
        while True:
            answer, location = _exchange(client, method, current, sent, content, limits.max_bytes)
            if location is None or method not in {"GET", "HEAD"}:
                break
            hops.append(Redirect(str(current), answer.status))
            if len(hops) > limits.max_redirects:
                raise OutboundRejected(f"{redact(url)} redirects more than {limits.max_redirects} times.")
            target = checked_url(location, base=current)
            if _origin(target) != _origin(current):
                sent = {name: value for name, value in sent.items() if name in _FOR_STRANGERS}
            current = target
    return OutboundResponse(
        url=str(current),
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        redirects=tuple(hops),
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def _exchange(
    client: httpx.Client,
    method: str,
    url: httpx.URL,
    headers: Mapping[str, str],
    content: bytes | None,
    max_bytes: int,
) -> tuple[_Answer, str | None]:
    """One request and its answer, and where it redirects to. A redirect's body is not read."""
    name = redact(str(url))
    is_sent = False
    try:
        with client.stream(method, url, headers=dict(headers), content=content) as response:
            is_sent = True
            found = {key.lower(): value for key, value in response.headers.items()}
            location = found.get("location") if response.status_code in _REDIRECTS else None
            if location is not None and method in {"GET", "HEAD"}:
                return _Answer(response.status_code, found, b""), location
            body = read_body(
                response.iter_raw(),
                encoding=found.get("content-encoding", "") if method != "HEAD" else "",
                max_bytes=max_bytes,
            )
            return _Answer(response.status_code, found, body), None
    except OutboundError as error:
        error.may_have_arrived = is_sent
        raise
    except httpx.TransportError as error:
        raise error_of(error, name) from error


def error_of(error: httpx.TransportError, name: str) -> OutboundError:
    """What a failed request means, and whether it may have arrived."""
    told = _told(error, name)
    told.may_have_arrived = not isinstance(error, _NOT_SENT)
    return told


def _told(error: httpx.TransportError, name: str) -> OutboundError:
    if isinstance(error, httpx.TimeoutException):
        return OutboundUnavailable(f"{name} did not answer in time.")
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return OutboundRejected(f"{name} cannot be asked for: {error}.")
    return OutboundUnavailable(f"{name} could not be read: {_reason(error)}.")


def _reason(error: httpx.TransportError) -> str:
    return str(error).rstrip(".") or type(error).__name__


def checked_url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    """The absolute http(s) URL; OutboundRejected with the reason for anything else."""
    try:
        url = httpx.URL(text.strip())
        url = base.join(url) if base is not None else url
        port = urlsplit(str(url)).port
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise OutboundRejected(f"{redact(text)} is not an address that can be read.") from error
    if url.scheme not in {"http", "https"}:
        raise OutboundRejected(
            f"Only http and https addresses are read, not {url.scheme or 'one without a scheme'}."
        )
    if not url.host:
        raise OutboundRejected("The address names no host.")
    if port == 0:
        raise OutboundRejected("The address names port 0.")
    return url.copy_with(fragment=None)


def _origin(url: httpx.URL) -> Sequence[object]:
    return url.scheme, url.host, url.port
