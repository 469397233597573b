"""What lists can be filtered by."""

import django_filters
from django.db.models import QuerySet

from jobs.api.filters import IdFilter, MomentFilter
from publishing import sources
from publishing.models import FeedItem, Source


class SourceFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    kind = django_filters.ChoiceFilter(choices=sources.choices)
    enabled = django_filters.BooleanFilter(field_name="is_enabled")
    failing = django_filters.BooleanFilter(method="by_failing", help_text="The last poll did not work.")
    due_before = MomentFilter(field_name="next_poll_at", lookup_expr="lt")
    url = django_filters.CharFilter(help_text="Exactly this address.")

    class Meta:
        model = Source
        fields: list[str] = []

    def by_failing(self, queryset: QuerySet[Source], name: str, value: bool) -> QuerySet[Source]:
        return (
            queryset.filter(consecutive_failures__gt=0) if value else queryset.filter(consecutive_failures=0)
        )


class ItemFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    source = IdFilter(field_name="source_id", help_text="Id of the source.")
    state = django_filters.MultipleChoiceFilter(
        choices=FeedItem.State.choices, help_text="Several are possible."
    )
    fetched_after = MomentFilter(
        field_name="fetched_at", lookup_expr="gte", help_text="Seen first then or later."
    )
    fetched_before = MomentFilter(field_name="fetched_at", lookup_expr="lt")
    published_after = MomentFilter(field_name="published_at", lookup_expr="gte")
    published_before = MomentFilter(field_name="published_at", lookup_expr="lt")
    title = django_filters.CharFilter(lookup_expr="icontains", help_text="Part of the title.")

    class Meta:
        model = FeedItem
        fields: list[str] = []
