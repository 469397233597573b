"""What lists can be filtered by."""

from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet

from jobs.api.fields import EARLIEST, LATEST
from jobs.models import JobRun, Schedule, first_run_id

_LARGEST_ID = 2**31 - 1


class IdFilter(django_filters.Filter):  # type: ignore[misc]  # the package has no types
    """A whole number that a primary key can be."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, max_value=_LARGEST_ID, **kwargs)


class _MomentField(django_filters.fields.IsoDateTimeField):  # type: ignore[misc]  # the package has no types
    """A moment in UTC: PostgreSQL knows no offsets of 16 hours and more, which Python and ISO 8601 allow."""

    def clean(self, value: Any) -> Any:
        moment = super().clean(value)
        if moment is not None and not EARLIEST.year < moment.year < LATEST.year:
            raise forms.ValidationError("Use a year between 1971 and 8999.")
        return moment and moment.astimezone(UTC)


class MomentFilter(django_filters.IsoDateTimeFilter):  # type: ignore[misc]  # the package has no types
    field_class = _MomentField


class RunFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    job = django_filters.CharFilter()
    queue = django_filters.CharFilter()
    status = django_filters.MultipleChoiceFilter(
        choices=JobRun.Status.choices, help_text="Several are possible."
    )
    trigger = django_filters.MultipleChoiceFilter(
        choices=JobRun.Trigger.choices, help_text="Several are possible."
    )
    schedule = IdFilter(field_name="schedule_id", help_text="Id of the schedule.")
    requested_by = django_filters.CharFilter(field_name="requested_by__username", help_text="Username.")
    error_fingerprint = django_filters.CharFilter(help_text="Runs that failed for the same cause.")
    queued_after = MomentFilter(method="from_moment", help_text="Asked for at this moment or later.")
    queued_before = MomentFilter(field_name="queued_at", lookup_expr="lt", help_text="Asked for before.")

    class Meta:
        model = JobRun
        fields: list[str] = []

    def from_moment(self, runs: QuerySet[JobRun], name: str, moment: datetime) -> QuerySet[JobRun]:
        """Bounded by id as well: the list is read in the order of the primary key."""
        return runs.filter(queued_at__gte=moment, pk__gte=first_run_id(moment))


class ScheduleFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    job = django_filters.CharFilter(field_name="task")
    enabled = django_filters.BooleanFilter()
    origin = django_filters.ChoiceFilter(
        field_name="policy__origin", choices=[("code", "Code"), ("admin", "A person")]
    )
    paused = django_filters.BooleanFilter(
        field_name="policy__paused_at", lookup_expr="isnull", exclude=True, help_text="Paused at some time."
    )

    class Meta:
        model = Schedule
        fields: list[str] = []
