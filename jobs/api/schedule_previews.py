"""`schedules/preview/` and `schedules/{id}/preview/`: what a timing will do, before anything is saved."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import changes, obstacles
from jobs.api.parsing import read_body, read_query
from jobs.api.schedules import (
    ScheduleViewSet,
    TimingSerializer,
    ZoneField,
    changed_when,
    stored_timing,
    when_of_body,
)
from jobs.load import Collisions
from jobs.models import Schedule
from jobs.obstacles import Obstacle
from jobs.timing import InvalidTiming, Slot, Timing, describe, dst_warnings, preview, zone_of
from jobs.when import timing_of_when, when_of

_MOST_SLOTS = 100
_OBSTACLE = "Why the schedule will not start then: a day of its calendars, or a maintenance window."


class PreviewInputSerializer(TimingSerializer):
    count = serializers.IntegerField(min_value=1, max_value=_MOST_SLOTS, default=10)
    show_in = ZoneField(max_length=64, required=False, help_text="Time zone of the local times.")


class PreviewQuerySerializer(serializers.Serializer[Any]):
    count = serializers.IntegerField(min_value=1, max_value=_MOST_SLOTS, default=10)
    show_in = ZoneField(max_length=64, required=False, help_text="Time zone of the local times.")


class SlotSerializer(serializers.Serializer[Slot]):
    utc = serializers.DateTimeField()
    local = serializers.SerializerMethodField(help_text="The same moment in the zone asked for.")
    note = serializers.CharField(help_text="What a change of the clocks does to it.")
    obstacle = serializers.SerializerMethodField(help_text=_OBSTACLE)

    @extend_schema_field(OpenApiTypes.DATETIME)
    def get_local(self, slot: Slot) -> str:
        return slot.local.isoformat()

    def get_obstacle(self, slot: Slot) -> str:
        obstacle: Obstacle = self.context["obstacle"]
        return obstacle(slot.utc)


class WarningSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    text = serializers.CharField()


class SharedMinuteSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    others = serializers.IntegerField(help_text="Runs of other schedules in this minute.")


class LighterSerializer(serializers.Serializer[Any]):
    minutes = serializers.IntegerField(help_text="How much later; negative: earlier.")
    others = serializers.IntegerField(help_text="Runs of other schedules in its heaviest minute there.")


class CollisionsSerializer(serializers.Serializer[Collisions]):
    """The coming 24 hours, as all schedules are now."""

    slots = serializers.IntegerField(help_text="Minutes in which it runs.")
    most = serializers.IntegerField(help_text="Runs of other schedules in its heaviest minute.")
    heavy = SharedMinuteSerializer(many=True, help_text="Its minutes that are heavy, heaviest first.")
    lighter = LighterSerializer(allow_null=True, help_text="A place close by with half as many, or fewer.")
    is_estimate = serializers.BooleanField(help_text="There are too many timings to walk through them all.")


class PreviewSerializer(serializers.Serializer[Any]):
    words = serializers.CharField()
    slots = SlotSerializer(many=True)
    warnings = WarningSerializer(many=True, help_text="Changes of the clocks in the next year that touch it.")
    collisions = CollisionsSerializer()


class MarkedSlotSerializer(serializers.Serializer[changes.MarkedSlot]):
    utc = serializers.DateTimeField(source="slot.utc")
    local = serializers.SerializerMethodField(help_text="The same moment in the zone asked for.")
    note = serializers.CharField(source="slot.note", help_text="What a change of the clocks does to it.")
    mark = serializers.ChoiceField(
        choices=[(mark.value, mark.value) for mark in changes.Mark], help_text="What the change does to it."
    )

    obstacle = serializers.SerializerMethodField(help_text=_OBSTACLE)

    @extend_schema_field(OpenApiTypes.DATETIME)
    def get_local(self, marked: changes.MarkedSlot) -> str:
        return marked.slot.local.isoformat()

    def get_obstacle(self, marked: changes.MarkedSlot) -> str:
        obstacle: Obstacle = self.context["obstacle"]
        return obstacle(marked.slot.utc)


class ChangePreviewInputSerializer(PreviewInputSerializer):
    """What would be changed; the rest stays as it is."""

    enabled = serializers.BooleanField(required=False)


class ChangePreviewSerializer(serializers.Serializer[Any]):
    words_before = serializers.CharField()
    words = serializers.CharField()
    before = MarkedSlotSerializer(many=True)
    after = MarkedSlotSerializer(many=True)
    notes = serializers.ListField(
        child=serializers.CharField(),
        help_text="What happens to slots that have passed, and to runs under way.",
    )
    warnings = WarningSerializer(many=True)
    collisions = CollisionsSerializer()


class SchedulePreviewViewSet(ScheduleViewSet):
    permission_of = {
        "preview": "jobs.view_schedule",
        "preview_change": "jobs.view_schedule",
        "preview_unsaved": "jobs.view_schedule",
    }

    @extend_schema(
        operation_id="schedules_preview", parameters=[PreviewQuerySerializer], responses=PreviewSerializer
    )
    def preview(self, request: Request, pk: int) -> Response:
        """The next slots of a schedule, in local time and UTC, and with whom it shares its minutes."""
        schedule = self.get_object()
        return _preview(_readable_timing(schedule), read_query(PreviewQuerySerializer, request), schedule)

    @extend_schema(
        operation_id="schedules_preview_change",
        request=ChangePreviewInputSerializer(partial=True),
        responses=ChangePreviewSerializer,
    )
    def preview_change(self, request: Request, pk: int) -> Response:
        """What a change would do: the slots before and after, and what becomes of those that have passed."""
        schedule, now = self.get_object(), timezone.now()
        serializer = ChangePreviewInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        timing = _changed_timing(schedule, body, now)
        zone = zone_of(body["show_in"]) if "show_in" in body else None
        change = changes.change_of(
            schedule, timing, now, count=body.get("count", 10), enabled=body.get("enabled"), zone=zone
        )
        shown = {
            "words_before": _words(schedule),
            "words": describe(timing),
            "before": change.before,
            "after": change.after,
            "notes": change.notes,
            "warnings": dst_warnings(timing, now),
            "collisions": changes.others_at_its_minutes(timing, now, schedule),
        }
        context = {"obstacle": obstacles.of_schedule(schedule, now)}
        return Response(ChangePreviewSerializer(shown, context=context).data)

    @extend_schema(
        operation_id="schedules_preview_unsaved",
        request=PreviewInputSerializer,
        responses=PreviewSerializer,
    )
    def preview_unsaved(self, request: Request) -> Response:
        """The slots that a timing would have, before it is saved."""
        body = read_body(PreviewInputSerializer, request)
        timing = timing_of_when(
            when_of_body(body), anchor=timezone.now(), start=body.get("start_time"), end=body.get("expires")
        )
        return _preview(timing, body)


def _preview(timing: Timing, wanted: Mapping[str, Any], schedule: Schedule | None = None) -> Response:
    now = timezone.now()
    zone = zone_of(wanted["show_in"]) if "show_in" in wanted else None
    shown = {
        "words": describe(timing),
        "slots": preview(timing, now, wanted["count"], zone=zone),
        "warnings": dst_warnings(timing, now),
        "collisions": changes.others_at_its_minutes(timing, now, schedule),
    }
    obstacle = obstacles.of_schedule(schedule, now) if schedule else obstacles.none
    return Response(PreviewSerializer(shown, context={"obstacle": obstacle}).data)


def _changed_timing(schedule: Schedule, body: Mapping[str, Any], now: datetime) -> Timing:
    """The timing after a change; an interval that stays the same keeps its phase. Raises InvalidSchedule."""
    before = when_of(schedule)
    when = changed_when(before, body)
    anchor = schedule.policy.anchor_at if when == before else None
    return timing_of_when(
        when,
        anchor=anchor or now.replace(microsecond=0),
        start=body.get("start_time", schedule.start_time),
        end=body.get("expires", schedule.expires),
    )


def _readable_timing(schedule: Schedule) -> Timing:
    try:
        return stored_timing(schedule)
    except InvalidTiming as error:
        raise serializers.ValidationError({error.field: [error.reason]}) from error


def _words(schedule: Schedule) -> str:
    try:
        return describe(stored_timing(schedule))
    except InvalidTiming as error:
        return f"Cannot be read: {error}"
