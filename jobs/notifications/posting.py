"""Posting JSON to an address that somebody gave us, and reading the answer for what it means."""

import json
import ssl
from collections.abc import Collection, Mapping
from typing import Any

from jobs.notifications.channels.base import Answer
from jobs.notifications.errors import ChannelRefused, NotNow, Refused
from jobs.outbound import Limits, OutboundError, OutboundResponse, OutboundUnavailable, fetch, redact
from jobs.storable import clean_text

LIMITS = Limits(connect_seconds=5, read_seconds=10, total_seconds=15, max_bytes=256 * 1024)
#: Characters of an answer that are kept.
KEPT = 500

_LATER = {408, 425, 429}
#: Whoever answers this will not take the next message either.
_CLOSED = {401, 403, 404, 405, 410, 421, 426, 451}


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON as it is signed and sent: the same bytes for the same content."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    shown: str | None = None,
    hidden: Collection[str] = (),
) -> Answer:
    """Post, and give the answer of a server that took it.

    `shown` stands for the address wherever people see it, `hidden` are texts that must not come back in the log. Raises
    NotNow, Refused, and ChannelRefused for an address that must not or cannot be used again.
    """
    shown = shown or redact(url)
    request = {"method": "POST", "to": shown, "bytes": len(body)}
    try:
        response = fetch(
            url,
            method="POST",
            headers={"content-type": "application/json", **headers},
            content=body,
            limits=LIMITS,
        )
    except OutboundUnavailable as error:
        if _is_certificate_problem(error):
            raise ChannelRefused(
                f"The certificate of {shown} cannot be trusted: {_certificate_problem(error)}.",
                request=request,
            ) from error
        raise NotNow(_scrubbed(str(error).replace(redact(url), shown), hidden), request=request) from error
    except OutboundError as error:
        raise ChannelRefused(
            _scrubbed(str(error).replace(redact(url), shown), hidden), request=request
        ) from error
    return _read(response, request, hidden)


def _read(response: OutboundResponse, request: dict[str, Any], hidden: Collection[str]) -> Answer:
    text = _scrubbed(clean_text(response.body[: 4 * KEPT].decode(errors="replace")), hidden)[:KEPT].strip()
    status = response.status
    if 200 <= status < 300:
        return Answer(status=status, text=text, request=request)
    sentence = f"{request['to']} answered {status}" + (f": {text}" if text else ".")
    if status in _LATER or status >= 500:
        raise NotNow(sentence, status=status, request=request, retry_after=response.retry_after)
    if status in _CLOSED:
        raise ChannelRefused(sentence, status=status, request=request)
    if status < 400:
        raise ChannelRefused(
            f"{request['to']} redirects ({status}); messages are not sent on: use the final address.",
            status=status,
            request=request,
        )
    raise Refused(sentence, status=status, request=request)


def _scrubbed(text: str, hidden: Collection[str]) -> str:
    for secret in hidden:
        if secret:
            text = text.replace(secret, "(hidden)")
    return text


def _is_certificate_problem(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _certificate_problem(error: BaseException) -> str:
    found = next(cause for cause in _causes(error) if isinstance(cause, ssl.SSLCertVerificationError))
    return found.verify_message.rstrip(".") or "it does not fit"


def _causes(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain
