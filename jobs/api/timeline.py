"""`schedules/timeline/`: outcomes of past slots, slots to come, and the runs of each minute."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import timeline
from jobs.api.parsing import read_query
from jobs.api.schedules import ScheduleViewSet, ZoneField
from jobs.models import JobRun
from jobs.timeline import View
from jobs.timing import zone_of


class TimelineQuerySerializer(serializers.Serializer[Any]):
    view = serializers.ChoiceField(
        choices=[(view.value, view.value) for view in View], default=View.DAY.value
    )
    date = serializers.DateField(required=False, help_text="The first day; today when left out.")
    timezone = ZoneField(max_length=64, default="UTC", help_text="Whose days.")
    job = serializers.CharField(max_length=200, default="")
    queue = serializers.CharField(max_length=100, default="")
    schedule = serializers.CharField(max_length=200, default="", help_text="Part of a name.")
    outcome = serializers.ChoiceField(
        choices=JobRun.Status.choices, default="", help_text="Schedules with such a slot in the time shown."
    )

    def validate_date(self, day: Any) -> Any:
        if not 1971 <= day.year <= 8999:
            raise serializers.ValidationError("Use a year between 1971 and 8999.")
        return day


class CellSerializer(serializers.Serializer[timeline.Cell]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    outcome = serializers.CharField(help_text="The gravest; empty when there is none yet.")
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Slots by outcome.")
    run = serializers.UUIDField(source="run_id", allow_null=True, help_text="Of the gravest outcome.")
    reason = serializers.CharField()
    coming = serializers.IntegerField(help_text="Slots still to come.")
    is_dense = serializers.BooleanField(help_text="There are more to come than that.")


class LaneSerializer(serializers.Serializer[timeline.Lane]):
    id = serializers.IntegerField(source="schedule.pk")
    name = serializers.CharField(source="schedule.name")
    job = serializers.CharField(source="schedule.task")
    cells = CellSerializer(many=True, help_text="Those in which something happened, or is to come.")

    def to_representation(self, instance: timeline.Lane) -> dict[str, Any]:
        cells = [cell for cell in instance.cells if cell.counts or cell.coming]
        return dict(super().to_representation(timeline.Lane(instance.schedule, cells)))


class LoadSerializer(serializers.Serializer[timeline.Minutes]):
    """Runs of all schedules: counted until now, expected for the 24 hours after."""

    start = serializers.DateTimeField()
    runs = serializers.ListField(child=serializers.IntegerField(), help_text="One number a minute.")
    is_estimate = serializers.BooleanField()


class TimelineSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    cell_seconds = serializers.IntegerField()
    load = LoadSerializer()
    lanes = LaneSerializer(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class TimelineViewSet(ScheduleViewSet):
    permission_of = {"timeline": ("jobs.view_schedule", "jobs.view_jobrun")}

    @extend_schema(
        operation_id="schedules_timeline",
        parameters=[
            TimelineQuerySerializer,
            OpenApiParameter("cursor", OpenApiTypes.STR, description="Of a page."),
            OpenApiParameter("page_size", OpenApiTypes.INT, description="Schedules on a page."),
        ],
        responses=TimelineSerializer,
    )
    def timeline(self, request: Request) -> Response:
        """Schedules by name with what became of their slots, what is to come, and the load of each minute."""
        query = read_query(TimelineQuerySerializer, request)
        now, zone = timezone.now(), zone_of(query["timezone"])
        span = timeline.span_of(query["view"], query.get("date") or now.astimezone(zone).date(), zone)
        wanted = timeline.Filter(**{name: query[name] for name in ("job", "queue", "schedule", "outcome")})
        page = self.paginate_queryset(timeline.chosen(self.get_queryset(), wanted, span))
        paginator: Any = self.paginator
        shown = {
            "start": span.start,
            "end": span.end,
            "cell_seconds": int(span.cell.total_seconds()),
            "load": timeline.minutes(span, now),
            "lanes": timeline.lanes(list(page or []), span, now),
            "next": paginator.get_next_link(),
            "previous": paginator.get_previous_link(),
        }
        return Response(TimelineSerializer(shown).data)
