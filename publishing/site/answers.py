"""Answers to readers: the same for everybody, kept by caches, and 304 for who has them already."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from publishing.feeds.sanitise import clean_line
from publishing.site.catalogue import NothingThere

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]

#: Posts may show images and films of other sites; nothing runs, nothing is sent, nothing is framed.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data: https: http:; media-src 'self' https: http:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: Seconds that caches may keep an answer without asking.
PAGE_AGE, FEED_AGE = 60, 300


def public(view: View[P]) -> View[P]:
    """A page for everybody, which only reads; what is not there gets the site's own page that says so."""

    @wraps(view)
    def answered(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except (Http404, NothingThere):
            return not_found()

    return require_safe(answered)


def page(
    request: HttpRequest, name: str, context: Mapping[str, Any], *, modified_at: datetime | None = None
) -> HttpResponseBase:
    """A page made of a template."""
    text = render_to_string(f"publishing/site/{name}.html", _everywhere() | dict(context))
    return document(request, text, "text/html; charset=utf-8", modified_at=modified_at, max_age=PAGE_AGE)


def unlisted(name: str, context: Mapping[str, Any]) -> HttpResponse:
    """The same page for one person, before it is there: no cache keeps it, no search engine finds it."""
    text = render_to_string(f"publishing/site/{name}.html", _everywhere() | dict(context))
    response = HttpResponse(text)
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Content-Security-Policy"] = POLICY
    return response


def document(
    request: HttpRequest, text: str, content_type: str, *, modified_at: datetime | None = None, max_age: int
) -> HttpResponseBase:
    """Any text; its ETag is made of all of it, so that 304 is right whatever has changed."""
    response = HttpResponse(text, content_type=content_type)
    response["Cache-Control"] = f"public, max-age={max_age}"
    response["Content-Security-Policy"] = POLICY
    response["ETag"] = etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    last_modified = int(modified_at.timestamp()) if modified_at else None
    if last_modified is not None:
        response["Last-Modified"] = http_date(last_modified)
    return get_conditional_response(request, etag, last_modified, response) or response


def not_found() -> HttpResponse:
    text = render_to_string("publishing/site/not_found.html", _everywhere())
    response = HttpResponse(text, status=404)
    response["Cache-Control"] = "no-cache"
    response["Content-Security-Policy"] = POLICY
    return response


def _everywhere() -> dict[str, Any]:
    """What every page shows."""
    return {
        "site_name": clean_line(settings.SITE_NAME),
        "site_description": clean_line(settings.SITE_DESCRIPTION),
        "language": "en",
    }
