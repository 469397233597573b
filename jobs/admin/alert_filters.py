"""Filters of the list of alerts."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.admin.base import DropdownFilter, ModelAdmin, user_of
from jobs.alerts.kinds import title_of
from jobs.models import Alert

Rows = QuerySet[Alert]
State = Alert.State


class AlertStateFilter(DropdownFilter):
    """Without a choice, what is wrong now."""

    title = "state"
    parameter_name = "state"
    all_option = ["", "Live: open, acknowledged, snoozed"]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        states = [choice for choice in State.choices if choice[0] != State.PENDING]
        return [("all", "All, resolved ones too"), *states]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        if self.value() == "all":
            return queryset
        return queryset.filter(state__in=[self.value()] if self.value() in State.values else State.live())


class SeverityFilter(DropdownFilter):
    title = "severity"
    parameter_name = "severity"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return list(Alert.Severity.choices)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(severity=self.value()) if self.value() in Alert.Severity.values else queryset


class KindFilter(DropdownFilter):
    """The kinds that there are alerts of, those of apps that are gone too."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        seen = Alert.objects.shown().visible_to(request.user)
        names = seen.order_by().values_list("kind", flat=True).distinct()
        return sorted(((name, title_of(name)) for name in names), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class UnreadFilter(DropdownFilter):
    title = "reading"
    parameter_name = "unread"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", "Not read by me")]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        if self.value() != "yes":
            return queryset
        return queryset.filter(pk__in=Alert.objects.unread_by(user_of(request)))
