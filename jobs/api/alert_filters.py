"""What the list of alerts can be filtered by."""

import django_filters
from django.db.models import Q, QuerySet

from jobs.api.filters import IdFilter, MomentFilter
from jobs.models import Alert

_STATES = [choice for choice in Alert.State.choices if choice[0] != Alert.State.PENDING]


class AlertFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    since = MomentFilter(
        field_name="last_seen_at", lookup_expr="gte", help_text="Seen at this moment or later."
    )
    severity = django_filters.MultipleChoiceFilter(
        choices=Alert.Severity.choices, help_text="Several are possible."
    )
    kind = django_filters.CharFilter(help_text="Such as jobs.run_failed.")
    state = django_filters.MultipleChoiceFilter(choices=_STATES, help_text="Several are possible.")
    unread_only = django_filters.BooleanFilter(
        method="only_unread", help_text="Live alerts with news that you have not read."
    )
    subject = django_filters.CharFilter(
        method="about", help_text="A type such as schedule, or one thing such as schedule:12."
    )
    source = django_filters.CharFilter(method="from_source", help_text="Name of an app or of a job.")
    incident = IdFilter(
        field_name="incident_id", help_text="Alerts folded into this incident. Else no folded ones are shown."
    )

    class Meta:
        model = Alert
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        found: QuerySet[Alert] = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["incident"] else found.filter(incident=None)

    def only_unread(self, alerts: QuerySet[Alert], name: str, wanted: bool) -> QuerySet[Alert]:
        return alerts.filter(pk__in=Alert.objects.unread_by(self.request.user)) if wanted else alerts

    def about(self, alerts: QuerySet[Alert], name: str, subject: str) -> QuerySet[Alert]:
        kind, separator, thing = subject.partition(":")
        found = alerts.filter(subject_type=kind)
        return found.filter(subject_id=thing) if separator else found

    def from_source(self, alerts: QuerySet[Alert], name: str, source: str) -> QuerySet[Alert]:
        return alerts.filter(Q(app=source) | Q(job=source))
