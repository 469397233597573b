"""`schedules/{id}/versions/`: what a schedule was, who changed it, and the way back."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import rollback, versions
from jobs.api.answers import conflict, person
from jobs.api.pagination import NewestFirst
from jobs.api.schedules import ScheduleDetailSerializer, ScheduleViewSet
from jobs.models import ScheduleVersion


class VersionSerializer(serializers.Serializer[ScheduleVersion]):
    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    by = serializers.CharField(source="by.username", allow_null=True, default=None)
    note = serializers.CharField()


class DifferenceSerializer(serializers.Serializer[versions.Difference]):
    name = serializers.CharField()
    before = serializers.CharField()
    after = serializers.CharField()


class VersionDetailSerializer(VersionSerializer):
    changed = serializers.SerializerMethodField(help_text="What it changed; empty for the first.")
    snapshot = serializers.JSONField(help_text="The columns of the row, of its timing and of its policy.")

    @extend_schema_field(DifferenceSerializer(many=True))
    def get_changed(self, version: ScheduleVersion) -> list[dict[str, Any]]:
        earlier = versions.before(version)
        found = versions.differences(earlier, version) if earlier else []
        return [dict(DifferenceSerializer(one).data) for one in found]


class ScheduleVersionViewSet(ScheduleViewSet):
    permission_of = {
        "versions": "jobs.view_schedule",
        "version": "jobs.view_schedule",
        "restore": "jobs.change_schedule",
    }
    pagination_class = NewestFirst  # type: ignore[assignment]  # of versions, not of schedules

    @extend_schema(operation_id="schedules_versions", responses=VersionSerializer(many=True))
    def versions(self, request: Request, pk: int) -> Response:
        """The versions of a schedule, newest first."""
        rows = ScheduleVersion.objects.filter(schedule_id=self.get_object().pk).select_related("by")
        page: Any = self.paginate_queryset(rows.defer("snapshot"))  # type: ignore[arg-type]  # of versions
        return self.get_paginated_response(VersionSerializer(page, many=True).data)

    @extend_schema(operation_id="schedules_version", responses=VersionDetailSerializer)
    def version(self, request: Request, pk: int, number: int) -> Response:
        """One version, and what it changed."""
        return Response(VersionDetailSerializer(versions.get(self.get_object(), number)).data)

    @extend_schema(
        operation_id="schedules_restore",
        request=None,
        responses={
            200: ScheduleDetailSerializer,
            409: conflict("It would change nothing, or its job is gone."),
        },
    )
    def restore(self, request: Request, pk: int, number: int) -> Response:
        """Go back to a version, as a new version. Whether it is on, paused, and whose it is stays."""
        rollback.roll_back(self.get_object(), number, by=person(request))
        return self._answer(pk)
