"""The REST API `/api/v1/`: its routes, and the one place where errors become answers.

Every error has one shape, whatever raised it:

    {"code": "invalid_input", "message": "…", "fields": {"parameters.left": ["Field required"]}}

`fields` is there when the input is at fault: bad input is always 400.
"""

import math
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views import defaults
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import InvalidToken, TooManyAttempts, WrongCredentials
from config import security
from jobs.errors import BrokerUnavailable, IllegalState, InvalidInput, InvalidParameters, JobsError, NotFound
from knowledge.embedding import EmbedderRefused, EmbedderUnavailable
from knowledge.errors import ConnectorRejected, ConnectorUnavailable, QueryRejected
from publishing.errors import QuotaExceeded


class DocsView(SpectacularSwaggerSplitView):
    """The browsable page of the API, drawn by a script that sets styles on its elements."""

    def finalize_response(
        self, request: Request, response: Response, *args: object, **kwargs: object
    ) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Content-Security-Policy"] = security.header(
            security.STRICT | {"style-src": "'self' 'unsafe-inline'"}
        )
        return response


urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/", include("accounts.api.urls")),
    path("", include("jobs.api.urls")),
    path("", include("publishing.api.urls")),
    path("", include("knowledge.api.urls")),
    path("schema/", SpectacularAPIView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(url_name="api:schema"), name="docs"),
    path("", RedirectView.as_view(pattern_name="api:docs")),
]

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="api"'}
_PREFIX = "/api/"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An error as the API tells it."""

    status: int
    code: str
    message: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        return body | {"fields": self.fields} if self.fields else body


def answer_to_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """The answer to an error in a view; None for one that nobody expected, which is a bug and answers 500."""
    problem = _problem(error)
    if problem is None:
        return None
    return Response(problem.body, status=problem.status, headers=problem.headers)


def _problem(error: Exception) -> Problem | None:
    match error:
        case InvalidParameters():
            return _invalid({_below("parameters", name): texts for name, texts in error.fields.items()})
        case InvalidInput():
            return _invalid(error.fields)
        case NotFound():
            return Problem(status=404, code="not_found", message=str(error))
        case QuotaExceeded():
            return Problem(status=402, code="quota_exceeded", message=str(error))
        case IllegalState():
            return Problem(status=409, code="illegal_state", message=str(error))
        case BrokerUnavailable():
            return Problem(status=503, code="unavailable", message=str(error), headers={"Retry-After": "5"})
        case JobsError():
            return Problem(status=409, code="refused", message=str(error))
        case QueryRejected():
            return _invalid({"query": [str(error)]})
        case ConnectorUnavailable() | EmbedderUnavailable():
            return _elsewhere(error, error.retry_after)
        case ConnectorRejected() | EmbedderRefused():
            return Problem(status=409, code="refused", message=str(error))
        case WrongCredentials() | InvalidToken():
            return Problem(status=401, code="not_authenticated", message=str(error), headers=_CHALLENGE)
        case TooManyAttempts():
            return _throttled(str(error), error.wait_seconds)
        case OperationalError() | InterfaceError():
            return Problem(
                status=503,
                code="unavailable",
                message="The database does not answer. Try again in a moment.",
                headers={"Retry-After": "5"},
            )
        case Http404():
            return Problem(status=404, code="not_found", message="There is no such thing.")
        case PermissionDenied():
            return _problem(exceptions.PermissionDenied(*error.args))
        case exceptions.APIException():
            return _framework_problem(error)
    return None


def _framework_problem(error: exceptions.APIException) -> Problem:
    """An error of Django REST framework."""
    match error:
        case exceptions.ValidationError():
            return _invalid(_flattened(error.detail))
        case exceptions.Throttled():
            return _throttled("There were too many requests.", getattr(error, "wait", None) or 1)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            status, code = error.status_code, "not_authenticated"
        case _:
            status, code = error.status_code, error.default_code
    challenge = getattr(error, "auth_header", None)
    headers = {"WWW-Authenticate": str(challenge)} if challenge else {}
    return Problem(status=status, code=code, message=_sentence(error.detail), headers=headers)


def _invalid(fields: dict[str, list[str]]) -> Problem:
    message = "This does not fit: " + ", ".join(fields) + "." if fields else "This does not fit."
    return Problem(status=400, code="invalid_input", message=message, fields=fields)


def _elsewhere(error: Exception, retry_after: float | None) -> Problem:
    """Another service that is needed does not answer."""
    wait = str(max(math.ceil(retry_after or 5), 1))
    return Problem(status=503, code="unavailable", message=str(error), headers={"Retry-After": wait})


def _throttled(message: str, wait_seconds: float) -> Problem:
    return Problem(
        status=429,
        code="throttled",
        message=message,
        headers={"Retry-After": str(max(math.ceil(wait_seconds), 1))},
    )


def _flattened(detail: Any, name: str = "") -> dict[str, list[str]]:
    """Nested messages by dotted names: `{"solar": {"latitude": ["…"]}}` is about `solar.latitude`."""
    if isinstance(detail, dict):
        pairs = list(detail.items())
    elif any(isinstance(part, (dict, list)) for part in detail):
        pairs = list(enumerate(detail))
    else:
        return {name or "request": [str(message) for message in detail]}
    flat: dict[str, list[str]] = {}
    for key, part in pairs:
        if part:
            flat |= _flattened(part, f"{name}.{key}" if name else str(key))
    return flat


def _below(parent: str, name: str) -> str:
    return name if name == parent else f"{parent}.{name}"


def _sentence(detail: Any) -> str:
    if isinstance(detail, dict):  # simplejwt puts its message beside its reasons
        return str(detail.get("detail", "This was refused."))
    return str(detail)


# What Django answers by itself, before any view of the API: the same shape below /api/, its own pages elsewhere.


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path.startswith(_PREFIX):
        return defaults.bad_request(request, exception)
    return _json(Problem(status=400, code="bad_request", message="The request cannot be read."))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path.startswith(_PREFIX):
        return defaults.page_not_found(request, exception)
    return _json(Problem(status=404, code="not_found", message="There is no such address."))


def server_error(request: HttpRequest) -> HttpResponse:
    if not request.path.startswith(_PREFIX):
        return defaults.server_error(request)
    return _json(Problem(status=500, code="error", message="Something broke here. It has been logged."))


def _json(problem: Problem) -> JsonResponse:
    return JsonResponse(problem.body, status=problem.status, headers=problem.headers)
