"""Fetching an address that somebody else chose."""

import base64
import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import httpx
from django.conf import settings

from jobs.outbound import keeping
from jobs.outbound.addresses import AddressGuard
from jobs.outbound.connection import Answer, Connection, Deadline, NotARequest
from jobs.outbound.decoding import ACCEPTED, read_body
from jobs.outbound.errors import OutboundError, OutboundRejected, OutboundUnavailable
from jobs.outbound.headers import parse_retry_after, redact
from jobs.outbound.keeping import Connections, Origin

USER_AGENT = "Almanac/0.1 (scheduled agents; feed reader)"

_REDIRECTS = {301, 302, 303, 307, 308}
_PERMANENT = {301, 308}
_LATER = {408, 425, 429}
#: Methods whose redirects are followed, and that may be sent again when a kept connection turns out to be closed.
_REPEATABLE = {"GET", "HEAD"}
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
    asking = _Asking(guard, deadline, limits, keeping.current())
    while True:
        answer, location = asking.exchange(method, current, sent, content)
        if location is None or method not in _REPEATABLE:
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


@dataclass(frozen=True)
class _Asking:
    """What the requests of one `fetch` have in common."""

    guard: AddressGuard
    deadline: Deadline
    limits: Limits
    connections: Connections | None

    def exchange(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[_Answer, str | None]:
        """One request and its answer, and where it redirects to. A redirect's body is not read."""
        sent = with_credentials(url, headers)
        if self.connections is None or method not in _REPEATABLE:
            sent = {**sent, "connection": "close"}
            return self._new(method, url, sent, content)
        kept = self.connections.take(_origin(url))
        if kept is not None:
            connection, opened_at = kept
            try:
                answer = self._head(connection, method, url, sent, content)
            except (http.client.RemoteDisconnected, ConnectionError):
                connection.close()  # the server has closed it meanwhile; a fresh one will do
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise told(error, url, may_have_arrived=True) from error
            else:
                return self._body(connection, opened_at, answer, method, url)
        return self._new(method, url, sent, content)

    def _new(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], content: bytes | None
    ) -> tuple[_Answer, str | None]:
        opened_at = time.monotonic()
        try:
            connection = Connection.open(
                url, guard=self.guard, deadline=self.deadline, connect_seconds=self.limits.connect_seconds
            )
        except OSError as error:
            raise told(error, url, may_have_arrived=False) from error
        try:
            answer = self._head(connection, method, url, headers, content)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise told(error, url, may_have_arrived=True) from error
        return self._body(connection, opened_at, answer, method, url)

    def _head(
        self,
        connection: Connection,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        content: bytes | None,
    ) -> Answer:
        try:
            return connection.ask(
                method, url, headers, content, deadline=self.deadline, read_seconds=self.limits.read_seconds
            )
        except NotARequest as error:
            connection.close()
            raise OutboundRejected(f"{redact(str(url))} cannot be asked for: {error}.") from error

    def _body(
        self, connection: Connection, opened_at: float, answer: Answer, method: str, url: httpx.URL
    ) -> tuple[_Answer, str | None]:
        is_kept = False
        try:
            found = answer.headers
            location = found.get("location") if answer.status in _REDIRECTS else None
            if location is not None and method in _REPEATABLE:
                return _Answer(answer.status, found, b""), location
            body = read_body(
                answer.pieces(),
                encoding=found.get("content-encoding", "") if method != "HEAD" else "",
                max_bytes=self.limits.max_bytes,
            )
            is_kept = self.connections is not None and connection.can_be_kept
            return _Answer(answer.status, found, body), None
        except OutboundError as error:
            error.may_have_arrived = True
            raise
        except (OSError, http.client.HTTPException) as error:
            raise told(error, url, may_have_arrived=True) from error
        finally:
            if is_kept and self.connections is not None:
                self.connections.give(_origin(url), connection, opened_at)
            else:
                connection.close()


def with_credentials(url: httpx.URL, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, with the user and password that the address may hold."""
    if not url.userinfo or "authorization" in headers:
        return dict(headers)
    user, _, password = url.userinfo.partition(b":")
    plain = f"{unquote(user.decode())}:{unquote(password.decode())}"
    return {**headers, "authorization": f"Basic {base64.b64encode(plain.encode()).decode()}"}


def told(
    error: OSError | http.client.HTTPException, url: httpx.URL, *, may_have_arrived: bool
) -> OutboundError:
    """What a failed request means."""
    name = redact(str(url))
    if isinstance(error, TimeoutError):
        meant = OutboundUnavailable(f"{name} did not answer in time.")
    else:
        meant = OutboundUnavailable(f"{name} could not be read: {_reason(error)}.")
    meant.may_have_arrived = may_have_arrived
    return meant


def _reason(error: Exception) -> str:
    if isinstance(error, http.client.IncompleteRead):
        return "the answer ended too early"
    text = str(error.strerror or error) if isinstance(error, OSError) else str(error)
    return text.rstrip(".") or type(error).__name__


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
    return url.copy_with(fragment=None) if url.fragment else url


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port
