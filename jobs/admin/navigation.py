"""The sidebar: each app adds its own entries when its admin is loaded; people see those they may open."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

_entries: list["Entry"] = []


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the sidebar. Groups stand in the order of their first entry, entries by `order`."""

    group: str
    title: str
    #: The name of a symbol of the Material Symbols font.
    icon: str
    #: Such as "admin:jobs_jobrun_changelist".
    url_name: str
    #: The entry is shown to those who have any of these.
    permissions: tuple[str, ...]
    #: And who have all of these.
    needs: tuple[str, ...] = ()
    order: int = 100
    #: Gives a number to show beside it; 0 shows none. Asked on every page, so it must be cheap.
    badge: Callable[[HttpRequest], int] | None = None

    def may_open(self, request: HttpRequest) -> bool:
        has = request.user.has_perm
        return any(map(has, self.permissions)) and all(map(has, self.needs))


def add(*entries: Entry) -> None:
    """Add entries to the sidebar."""
    _entries.extend(entries)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar as unfold wants it."""
    links = {entry: reverse(entry.url_name) for entry in sorted(_entries, key=lambda entry: entry.order)}
    active = _longest_match(request.path, links.values())
    groups: dict[str, list[dict[str, Any]]] = {}
    for entry, link in links.items():
        item = _item(entry, request, link=link, is_active=link == active)
        groups.setdefault(entry.group, []).append(item)
    overview = {
        "title": "Overview",
        "icon": "dashboard",
        "link": reverse("admin:index"),
        "active": request.path == reverse("admin:index"),
    }
    return [{"items": [overview]}] + [{"title": title, "items": items} for title, items in groups.items()]


def _item(entry: Entry, request: HttpRequest, *, link: str, is_active: bool) -> dict[str, Any]:
    return {
        "title": entry.title,
        "icon": entry.icon,
        "link": link,
        "active": is_active,
        "permission": entry.may_open,
        "badge": entry.badge(request) if entry.badge and entry.may_open(request) else 0,
    }


def _longest_match(path: str, links: Iterable[str]) -> str:
    """The link of the entry a page belongs to: "Run a job" and not "Runs" for a page below both."""
    return max((link for link in links if path.startswith(link)), key=len, default="")
