"""What it means when a server answers with something else than an answer."""

import json
from collections.abc import Mapping

from pydantic import JsonValue

from chat.endpoint import Endpoint
from chat.errors import ChatError, ChatRefused, ChatUnavailable, NotUnderstood
from jobs.storable import clean_text

#: Waiting does not help: the account has to be looked after.
_NO_MONEY = {
    *("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"),
    *("insufficient_credits", "quota_exceeded"),
}
_LATER = {408, 409, 425, 429}
#: Requests that the server could not make sense of. Those after them name no parameter that we could do without.
_NOT_UNDERSTOOD = {400, 422}
#: Characters of an answer that are told.
_TOLD = 400


def error_of_status(
    status: int, body: bytes, endpoint: Endpoint, *, location: str = "", retry_after: float | None = None
) -> ChatError:
    """The error for an answer that is no success."""
    code, parameter, said = _read(body)
    where = f"The server of {endpoint.model}"
    words = told(f": {said}" if said else f" with status {status} and no reason.", endpoint)
    if 300 <= status < 400:
        return ChatRefused(
            told(
                f"{where} sends us on to {location or 'nowhere'}: set CHAT_BASE_URL to its new address.",
                endpoint,
            )
        )
    if status == 402 or code in _NO_MONEY:
        return ChatRefused(f"{where} wants its account to be looked after{words}")
    if status in {401, 403}:
        return ChatRefused(f"{where} does not let us in{words}")
    if status in _LATER:
        return ChatUnavailable(f"{where} is busy{words}", retry_after=retry_after)
    if status in _NOT_UNDERSTOOD:
        return NotUnderstood(f"{where} refuses the request{words}", said=said, parameter=parameter)
    if status >= 500 and status != 501:
        return ChatUnavailable(f"{where} failed{words}", retry_after=retry_after)
    if status == 404:
        return ChatRefused(f"{where} does not know the model or the address{words}")
    return ChatRefused(f"{where} refuses the request{words}")


def error_of_event(error: JsonValue, endpoint: Endpoint) -> ChatError:
    """The error that a server tells of in the middle of an answer."""
    code, _, said = _read(json.dumps({"error": error}).encode())
    words = told(f"The server of {endpoint.model} broke off: {said or 'no reason given'}", endpoint)
    return ChatRefused(words) if code in _NO_MONEY else ChatUnavailable(words)


def told(text: str, endpoint: Endpoint) -> str:
    """Words of a server as they may be shown: without our key, without signs that cannot be stored, not too long."""
    if endpoint.api_key:
        text = text.replace(endpoint.api_key, "[hidden]")
    return clean_text(" ".join(text.split(" ")))[:_TOLD]


def _read(body: bytes) -> tuple[str, str, str]:
    """Code, parameter and message of an error; servers have a few ways to put them."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return "", "", " ".join(body.decode(errors="replace").split())
    error = found.get("error", found) if isinstance(found, Mapping) else found
    if isinstance(error, str):
        return "", "", error
    if not isinstance(error, Mapping):
        return "", "", json.dumps(found, ensure_ascii=False)
    codes = [str(error.get(name) or "") for name in ("code", "type")]
    code = next((code for code in codes if code in _NO_MONEY), codes[0] or codes[1])
    message = error.get("message") or error.get("detail") or error
    said = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
    return code, str(error.get("param") or ""), said
