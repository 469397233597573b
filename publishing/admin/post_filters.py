"""How the list of posts is narrowed: by state as tabs, by agent, by publisher, by the day of the calendar."""

from collections.abc import Iterable
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpRequest

from jobs.admin.base import DropdownFilter
from publishing import content_calendar
from publishing.admin.post_looks import LOOKS
from publishing.admin.zones import viewer_zone
from publishing.models import Agent, Post, Publication, Publisher
from publishing.seo.score import PUBLISH_FROM

Status = Post.Status

STATE = "status__exact"
#: These tabs are there also when they are empty.
_ALWAYS = {Status.DRAFT, Status.IN_REVIEW, Status.SCHEDULED, Status.PUBLISHED}


def tabs(request: HttpRequest) -> list[tuple[str, str, int, str, bool]]:
    """Address, word, number, symbol of each state, and whether it is the one that is shown. One query."""
    # Without the usual order, which would be grouped by.
    counts: dict[str, int] = dict(Post.objects.order_by().values_list("status").annotate(posts=Count("pk")))
    chosen = request.GET.get(STATE, "")
    kept = {name: value for name, value in request.GET.items() if name not in (STATE, "p")}
    found = [("?" + urlencode(kept), "All", sum(counts.values()), "article", not chosen)]
    for status in Status:
        if counts.get(status) or status in _ALWAYS or chosen == status:
            address = "?" + urlencode({**kept, STATE: status.value})
            icon = LOOKS[status][0]
            found.append((address, str(status.label), counts.get(status, 0), icon, chosen == status))
    return found


class AgentFilter(DropdownFilter):
    title = "agent"
    parameter_name = "agent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Agent.objects.values_list("pk", "name")] + [
            ("none", "People")
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> QuerySet[Post]:
        value = self.value()
        if value == "none":
            return queryset.filter(agent=None)
        return queryset.filter(agent_id=int(value)) if value and value.isdecimal() else queryset


class PublisherFilter(DropdownFilter):
    title = "publisher"
    parameter_name = "publisher"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Publisher.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> QuerySet[Post]:
        value = self.value()
        if not (value and value.isdecimal()):
            return queryset
        there = Publication.objects.filter(post=OuterRef("pk"), publisher_id=int(value))
        return queryset.filter(Exists(there))


class DayFilter(admin.SimpleListFilter):
    """The posts of one day of the calendar; there only for who comes from there."""

    title = "day"
    parameter_name = "day"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        day = self.day()
        return [(day.isoformat(), f"{day:%a} {day.day} {day:%b %Y}")] if day else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> QuerySet[Post]:
        day = self.day()
        return content_calendar.on_day(queryset, day, viewer_zone(request)) if day else queryset

    def day(self) -> date | None:
        """The day that was asked for; None for what is none."""
        try:
            found = date.fromisoformat(self.value() or "")
        except ValueError:
            return None
        return found if 1971 <= found.year <= 8999 else None


class TroubleFilter(DropdownFilter):
    title = "trouble"
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("yes", "Failed, missed or unconfirmed"), ("poor", "Score too low to go out unseen")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Post]) -> QuerySet[Post]:
        if self.value() == "yes":
            return queryset.filter(status__in=[Status.FAILED, Status.MISSED, Status.UNCONFIRMED])
        return queryset.filter(score__lt=PUBLISH_FROM) if self.value() == "poor" else queryset
