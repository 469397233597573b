"""The panels of the admin's first page: each app adds its own when its admin is loaded; people see those they may see.

A panel is a card with a template. It is rendered with the page, and again by itself when live events of the kinds that it
follows come in, or without them every few seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

_panels: dict[str, "Panel"] = {}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One card of the first page. `fill` gives what its template needs, with a fixed number of queries."""

    name: str
    title: str
    #: The body of the card; `fill`'s values, `now` and `request` are there.
    template: str
    #: The panel is shown to those who have any of these.
    permissions: tuple[str, ...]
    fill: Callable[[HttpRequest, datetime], dict[str, Any]]
    order: int = 100
    #: wide, main or side: across the page, in the wider or in the narrower column.
    place: str = "main"
    #: Kinds of live events after which it looks different.
    follows: tuple[str, ...] = ()
    #: Seconds after which it looks different in any case; 0: never.
    every: int = 60
    #: Text, URL name and query of the link in its head.
    link: tuple[str, str, str] | None = None

    def may_see(self, request: HttpRequest) -> bool:
        return any(request.user.has_perm(permission) for permission in self.permissions)


@dataclass(frozen=True)
class Shown:
    """A panel as somebody sees it."""

    panel: Panel
    url: str
    link: tuple[str, str] | None
    body: SafeString


def add(*panels: Panel) -> None:
    """Add panels to the first page; raises ValueError for a name that is taken."""
    for panel in panels:
        if panel.name in _panels:
            raise ValueError(f"There is a panel named {panel.name} already.")
        _panels[panel.name] = panel


def shown_to(request: HttpRequest) -> list[Shown]:
    """The panels that the person may see, in their order."""
    now = timezone.now()
    return [
        Shown(
            panel=panel,
            url=reverse("overview-panel", args=[panel.name]),
            link=(panel.link[0], reverse(panel.link[1]) + panel.link[2]) if panel.link else None,
            body=_body(panel, request, now),
        )
        for panel in sorted(_panels.values(), key=lambda panel: panel.order)
        if panel.may_see(request)
    ]


def panel_view(request: HttpRequest, name: str) -> HttpResponse:
    """One panel by itself, for the page that shows it."""
    panel = _panels.get(name)
    if panel is None or not panel.may_see(request):
        raise Http404
    return HttpResponse(_body(panel, request, timezone.now()), headers={"Cache-Control": "no-store"})


def _body(panel: Panel, request: HttpRequest, now: datetime) -> SafeString:
    return render_to_string(panel.template, {**panel.fill(request, now), "now": now}, request)
