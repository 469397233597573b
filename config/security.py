"""What a page may load and run in the browser: docs/decisions/0005-content-security-policy.md tells why."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from jobs.live.address import stream_origin

Response = Callable[[HttpRequest], HttpResponse]

STRICT = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
#: The admin's theme evaluates expressions of its own templates (Alpine), and sets colours in a style element.
ADMIN = STRICT | {"script-src": "'self' 'unsafe-eval'", "style-src": "'self' 'unsafe-inline'"}


class ContentSecurityPolicy:
    """Puts a policy on every response that has none of its own."""

    def __init__(self, get_response: Response) -> None:
        self._get_response = get_response
        self._admin_root = reverse("admin:index")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        policy = ADMIN if request.path.startswith(self._admin_root) else STRICT
        if origin := stream_origin(request):
            policy = policy | {"connect-src": f"'self' {origin}"}
        response.headers.setdefault("Content-Security-Policy", header(policy))
        return response


def header(policy: dict[str, str]) -> str:
    """A policy as the value of its header."""
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())
