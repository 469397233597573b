"""The first page of the admin: the registered panels, each for those who may see it, followed live."""

from typing import Any

from django.http import HttpRequest
from django.urls import path

from jobs.admin import panels
from jobs.admin.live import stream_for


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's hook: adds the panels to the context of the admin's first page."""
    live = stream_for(request)
    shown = panels.shown_to(request)
    places = {place: [one for one in shown if one.panel.place == place] for place in ("wide", "main", "side")}
    return {
        **context,
        "title": "Overview",
        "live": live,
        "panels": places,
        "has_panels": bool(shown),
        "kinds": ",".join(sorted({kind for one in shown for kind in one.panel.follows} | {"run"})),
    }


def urls(site: Any) -> list[Any]:
    """The panels' own addresses, below the admin's."""
    return [path("overview/<slug:name>/", site.admin_view(panels.panel_view), name="overview-panel")]
