"""One HTTP request of a publisher, and what its answer means for a post that must go out exactly once."""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from jobs.outbound import Limits, OutboundError, OutboundRejected, OutboundResponse, fetch, redact
from jobs.storable import clean_text
from publishing.errors import PublishingError
from publishing.publishers.base import PublishLater, PublishRefused, PublishUnknown

#: Of one request. Within a turn it may be shorter: see `ends_by`.
LIMITS = Limits(connect_seconds=10, read_seconds=30, total_seconds=45, max_bytes=2 * 1024 * 1024)
#: The server says that it has not even begun. Not 503: proxies give it for a server that broke off in the middle.
_NOT_BEGUN = {408, 425, 429}
#: Characters of an answer that are told.
_TOLD = 200


@dataclass(frozen=True)
class _Turn:
    until: float
    each: float


_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


@contextmanager
def ends_by(until: float, *, each: float) -> Iterator[None]:
    """Requests of the block end by that time of `time.monotonic`, and take `each` seconds at most.

    A change that might not end in time is not begun: afterwards somebody else may be at it.
    """
    token = _turn.set(_Turn(until, each))
    try:
        yield
    finally:
        _turn.reset(token)


#: Given an answer that is no 2xx and a sentence that tells of it: the error to raise, where the kind knows better than
#: its status says; None where it does not.
Judge = Callable[[OutboundResponse, str], PublishingError | None]


def change(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    hidden: Collection[str] = (),
    judge: Judge | None = None,
) -> OutboundResponse:
    """Send the one request that changes something; the answer is a 2xx.

    Raises PublishLater when nothing can have been changed and later may work, PublishRefused when the server said no,
    and PublishUnknown for everything that leaves it open: no answer, half an answer, a server's own error.
    `hidden` are texts that must not come back in messages. `judge` may know better what an answer means.
    """
    limits = _limits(is_change=True)
    try:
        response = fetch(url, method=method, headers=headers, content=body, limits=limits)
    except OutboundError as error:
        message = _scrubbed(str(error), hidden)
        if error.may_have_arrived:
            raise PublishUnknown(message) from error
        if isinstance(error, OutboundRejected):
            raise PublishRefused(message) from error
        raise PublishLater(message) from error
    if 200 <= response.status < 300:
        return response
    message = _told(response, hidden)
    if judge is not None and (known := judge(response, message)) is not None:
        raise known
    if response.status in _NOT_BEGUN:
        raise PublishLater(message, status=response.status, retry_after=response.retry_after)
    if response.status < 500:
        raise PublishRefused(message, status=response.status)
    raise PublishUnknown(message, status=response.status)


def look(
    url: str,
    headers: Mapping[str, str],
    *,
    hidden: Collection[str] = (),
    judge: Judge | None = None,
) -> OutboundResponse:
    """Read; the answer is a 2xx or 404. Raises PublishLater, PublishRefused; `judge` as for `change`."""
    limits = _limits(is_change=False)
    try:
        response = fetch(url, headers=headers, limits=limits)
    except OutboundError as error:
        message = _scrubbed(str(error), hidden)
        if isinstance(error, OutboundRejected):
            raise PublishRefused(message) from error
        raise PublishLater(message) from error
    if 200 <= response.status < 300 or response.status == 404:
        return response
    message = _told(response, hidden)
    if judge is not None and (known := judge(response, message)) is not None:
        raise known
    if response.status in _NOT_BEGUN or response.status >= 500:
        raise PublishLater(message, status=response.status, retry_after=response.retry_after)
    raise PublishRefused(message, status=response.status)


def _limits(*, is_change: bool) -> Limits:
    """What one request may take now; raises PublishLater when the turn has no time left for it."""
    turn = _turn.get()
    if turn is None:
        return LIMITS
    whole, left = min(LIMITS.total_seconds, turn.each), turn.until - time.monotonic()
    if left <= (whole if is_change else 0):
        raise PublishLater(
            "There was no time left to send it." if is_change else "There was no time left to look."
        )
    return replace(LIMITS, total_seconds=min(whole, left))


def object_of(response: OutboundResponse) -> dict[str, Any] | None:
    """The JSON object of an answer; None when it is none."""
    found = _json_of(response)
    return found if isinstance(found, dict) else None


def objects_of(response: OutboundResponse) -> list[dict[str, Any]] | None:
    """The JSON objects of an answer that is a list of them; None when it is none."""
    found = _json_of(response)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return None
    return found


def address_of(value: object) -> str:
    """An http(s) address that an answer names; empty when it is none."""
    return value if isinstance(value, str) and value.startswith(("http://", "https://")) else ""


def _json_of(response: OutboundResponse) -> object:
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        return None


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON as it is signed and sent: the same bytes for the same content."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def _told(response: OutboundResponse, hidden: Collection[str]) -> str:
    said = " ".join(response.body.decode(errors="replace").split())[:_TOLD]
    told = f"{redact(response.url)} answered with status {response.status}{f': {said}' if said else ''}"
    return _scrubbed(told, hidden)


def _scrubbed(text: str, hidden: Collection[str]) -> str:
    for secret in hidden:
        if secret:
            text = text.replace(secret, "[hidden]")
    return clean_text(text)[:500]
