"""Each request has an id: on its answer, and on every log record that is made while it is answered."""

import logging
import re
import time
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.utils.functional import SimpleLazyObject, empty

if TYPE_CHECKING:  # logging is set up by the settings, before Django can be used
    from django.http import HttpRequest, HttpResponseBase

#: One record for each answer; shown in JSON logs only.
logger = logging.getLogger("almanac.request")

HEADER = "X-Request-ID"
_FIT = re.compile(r"[\w.:-]{1,100}", re.ASCII)

_current: "ContextVar[HttpRequest | None]" = ContextVar("current_request", default=None)


class IdentifyRequests:
    """Middleware: takes the id that a proxy of ours gave, or makes one, and logs the answer."""

    def __init__(self, get_response: "Callable[[HttpRequest], HttpResponseBase]") -> None:
        self._get_response = get_response

    def __call__(self, request: "HttpRequest") -> "HttpResponseBase":
        given = request.headers.get(HEADER, "")
        request.id = given if _FIT.fullmatch(given) else uuid.uuid4().hex  # type: ignore[attr-defined]  # ours
        token = _current.set(request)
        began = time.perf_counter()
        try:
            response = self._get_response(request)
            response[HEADER] = request.id  # type: ignore[attr-defined]
            logger.info(
                "%s %s: %d in %.0f ms",
                request.method,
                request.path,
                response.status_code,
                (time.perf_counter() - began) * 1000,
            )
            return response
        finally:
            _current.reset(token)


def fields() -> Mapping[str, object]:
    """What a record made now should carry: the id of the request that is answered, and whose it is."""
    request = _current.get()
    if request is None:
        return {}
    found: dict[str, object] = {"request_id": getattr(request, "id", "")}
    user_id = _user_id(request.__dict__.get("user"))
    return found if user_id is None else found | {"user_id": user_id}


def _user_id(user: Any) -> Any:
    """Of a user that is known already: a log record is no reason to ask the database."""
    if isinstance(user, SimpleLazyObject) and user.__dict__["_wrapped"] is empty:
        return None
    return getattr(user, "pk", None)
