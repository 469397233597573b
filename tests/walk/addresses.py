"""Every address that the URL resolver knows, with real ids in place of its parameters."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

_PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
#: What the walk leaves out, and why.
LEFT_OUT = {
    "admin/logout/": "ends the session of the walk",
    "admin/login/": "signing in is for everybody",
    "api/v1/auth/login/": "signing in is for everybody",
    "api/v1/auth/refresh/": "signing in is for everybody",
    "admin/r/": "a redirect of Django's to pages that we do not have",
    "admin/jsi18n/": "a script",
    "blog/": "for everybody, and only what is published",
    "robots.txt": "for search engines",
    "sample/": "the sample's own feeds, no part of the control plane",
}


@dataclass(frozen=True)
class Address:
    """One route, as it is written and with values."""

    route: str
    path: str
    callback: Callable[..., Any]
    #: Whether a value names the row that the walk is about.
    has_row: bool


class UnknownParameter(Exception):
    """A route has a parameter that the walk has no value for: add one to the world of the test."""


Rows = Mapping[type[models.Model], models.Model]


def addresses(rows: Rows, values: Mapping[str, str]) -> list[Address]:
    """Every address; `rows` gives the id of a model's row, `values` those of other parameters.

    Values are named by the parameter, or by the word in front of it and the parameter: `queues/name`.
    """
    found = []
    routes = [
        (route, pattern)
        for route, pattern in _patterns(get_resolver().url_patterns)
        if not any(route.startswith(prefix) for prefix in LEFT_OUT)
    ]
    by_prefix = {
        _prefix(route): model for route, pattern in routes if (model := _model_of(route, pattern.callback))
    }
    for route, pattern in routes:
        model = _model_of(route, pattern.callback) or by_prefix.get(_prefix(route))
        filled, has_row = _fill(route, model, rows, values)
        found.append(Address(route, f"/{filled}", pattern.callback, has_row))
    return found


def _patterns(entries: list[Any], prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in entries:
        if not isinstance(entry.pattern, RoutePattern):
            continue  # the admin's catch-all, which answers 404
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _patterns(entry.url_patterns, route)
        else:
            yield route, entry


def models_of_pages() -> set[type[models.Model]]:
    """The models that some address is about."""
    found = (_model_of(route, pattern.callback) for route, pattern in _patterns(get_resolver().url_patterns))
    return {model for model in found if model is not None}


def _prefix(route: str) -> str:
    """`api/v1/runs` for everything below it."""
    return "/".join(route.split("/")[:3])


def _model_of(route: str, callback: Any) -> type[models.Model] | None:
    """The model an address is about: by the admin's `admin/<app>/<model>/`, or the view's queryset."""
    queryset = getattr(getattr(callback, "cls", None), "queryset", None)
    if queryset is not None:
        model: type[models.Model] = queryset.model
        return model
    parts = route.split("/")
    if parts[0] == "admin" and len(parts) > 3:
        try:
            return apps.get_model(parts[1], parts[2])
        except LookupError:
            return None
    return None


def _fill(
    route: str, model: type[models.Model] | None, rows: Rows, values: Mapping[str, str]
) -> tuple[str, bool]:
    has_row = False

    def value(found: re.Match[str]) -> str:
        nonlocal has_row
        name, before = found[2], route[: found.start()].rstrip("/").rpartition("/")[2]
        for key in (f"{before}/{name}", name):
            if key in values:
                return values[key]
        if (
            model is not None
            and model in rows
            and (name in ("object_id", "pk", "id") or name.endswith("_id"))
        ):
            has_row = True
            return str(rows[model].pk)
        if found[1] == "int":  # the first of something below the row, such as its versions
            return "1"
        raise UnknownParameter(f"{route}: <{found[1]}:{name}>, of {model}")

    return _PARAMETER.sub(value, route), has_row
