"""`maintenance-windows/` and `calendars/`: when schedules do not run."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs import calendars, maintenance
from jobs.api.answers import person
from jobs.api.fields import MomentField
from jobs.api.pagination import ByName
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.schedules import ZoneField
from jobs.calendars import Days
from jobs.maintenance import WindowWish
from jobs.models import Calendar, CalendarDays, MaintenanceWindow, Schedule

_LARGEST_ID = 2**31 - 1
_GONE = {204: OpenApiResponse(description="It is gone.")}
_MOST_DAYS = 1000


class WindowInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200)
    note = serializers.CharField(max_length=200, allow_blank=True, default="")
    enabled = serializers.BooleanField(default=True)
    mode = serializers.ChoiceField(
        choices=MaintenanceWindow.Mode.choices, default=MaintenanceWindow.Mode.HOLD
    )
    starts_at = MomentField(allow_null=True, default=None)
    ends_at = MomentField(allow_null=True, default=None)
    cron = serializers.CharField(
        max_length=200, allow_blank=True, default="", help_text="Instead of a start: when it begins."
    )
    timezone = ZoneField(max_length=64, default="UTC", help_text="Whose clocks `cron` is about.")
    duration_minutes = serializers.IntegerField(
        min_value=1, max_value=7 * 24 * 60, allow_null=True, default=None, help_text="With `cron`."
    )
    covers_all = serializers.BooleanField(default=False)
    jobs = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=500, default=list, help_text="Names of jobs."
    )
    queues = serializers.ListField(
        child=serializers.CharField(max_length=100),
        max_length=100,
        default=list,
        help_text="Names of queues.",
    )
    schedules = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_LARGEST_ID),
        max_length=1000,
        default=list,
        help_text="Ids of schedules.",
    )


class WindowSerializer(serializers.Serializer[MaintenanceWindow]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    note = serializers.CharField()
    enabled = serializers.BooleanField()
    mode = serializers.ChoiceField(choices=MaintenanceWindow.Mode.choices)
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    cron = serializers.CharField()
    timezone = serializers.CharField()
    duration_minutes = serializers.IntegerField(allow_null=True)
    covers_all = serializers.BooleanField()
    jobs = serializers.ListField(child=serializers.CharField())
    queues = serializers.ListField(child=serializers.CharField())
    schedules = serializers.SerializerMethodField(help_text="Ids of schedules.")

    def get_schedules(self, window: MaintenanceWindow) -> list[int]:
        return sorted(schedule.pk for schedule in window.schedules.all())


class DaysInputSerializer(StrictSerializer):
    first_day = serializers.DateField()
    last_day = serializers.DateField(help_text="Included; the same as the first for a single day.")
    is_yearly = serializers.BooleanField(default=False, help_text="The same day and month in every year.")
    note = serializers.CharField(max_length=200, allow_blank=True, default="")


class CalendarInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200)
    description = serializers.CharField(max_length=500, allow_blank=True, default="")
    days = serializers.ListField(child=DaysInputSerializer(), max_length=_MOST_DAYS, default=list)


class DaysSerializer(serializers.Serializer[CalendarDays]):
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    is_yearly = serializers.BooleanField()
    note = serializers.CharField()


class CalendarSerializer(serializers.Serializer[Calendar]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    days = DaysSerializer(many=True)
    schedules = serializers.SerializerMethodField(help_text="Ids of the schedules without slots on its days.")

    def get_schedules(self, calendar: Calendar) -> list[int]:
        return sorted(schedule.pk for schedule in calendar.schedules.all())


class _SchedulesSeen:
    """Schedules of other groups are not told."""

    def get_queryset(self) -> Any:
        user = self.request.user  # type: ignore[attr-defined]  # of the view it stands before
        seen = Schedule.objects.visible_to(user)
        return super().get_queryset().prefetch_related(Prefetch("schedules", queryset=seen))  # type: ignore[misc]  # a mixin


class MaintenanceWindowViewSet(_SchedulesSeen, mixins.ListModelMixin, GenericViewSet[MaintenanceWindow]):
    queryset = MaintenanceWindow.objects.all()
    serializer_class = WindowSerializer
    pagination_class = ByName
    permission_of = {
        "list": "jobs.view_maintenancewindow",
        "create": "jobs.add_maintenancewindow",
        "retrieve": "jobs.view_maintenancewindow",
        "partial_update": "jobs.change_maintenancewindow",
        "destroy": "jobs.delete_maintenancewindow",
    }

    @extend_schema(operation_id="maintenance_windows_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Maintenance windows by name."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="maintenance_windows_create",
        request=WindowInputSerializer,
        responses={201: WindowSerializer},
    )
    def create(self, request: Request) -> Response:
        """Make a window: from a start to an end, or again and again by cron."""
        wish = WindowWish(**_as_tuples(read_body(WindowInputSerializer, request)))
        return self._answer(maintenance.save(None, wish, by=person(request)).pk, status.HTTP_201_CREATED)

    @extend_schema(operation_id="maintenance_windows_retrieve", responses=WindowSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """One window."""
        return self._answer(pk)

    @extend_schema(
        operation_id="maintenance_windows_change",
        request=WindowInputSerializer(partial=True),
        responses=WindowSerializer,
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change parts of a window."""
        window = self.get_object()
        changes = _changes(WindowInputSerializer, request)
        maintenance.save(window, replace(maintenance.wish_of(window), **changes), by=person(request))
        return self._answer(pk)

    @extend_schema(operation_id="maintenance_windows_delete", request=None, responses=_GONE)
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a window; slots that it holds run when they would have."""
        maintenance.remove(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _answer(self, pk: int, code: int = status.HTTP_200_OK) -> Response:
        self.kwargs["pk"] = pk
        return Response(WindowSerializer(self.get_object()).data, status=code)


class CalendarViewSet(_SchedulesSeen, mixins.ListModelMixin, GenericViewSet[Calendar]):
    queryset = Calendar.objects.prefetch_related("days")
    serializer_class = CalendarSerializer
    pagination_class = ByName
    permission_of = {
        "list": "jobs.view_calendar",
        "create": "jobs.add_calendar",
        "retrieve": "jobs.view_calendar",
        "update": "jobs.change_calendar",
        "destroy": "jobs.delete_calendar",
    }

    @extend_schema(operation_id="calendars_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Calendars by name. Which schedules follow one is said with the schedule."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="calendars_create", request=CalendarInputSerializer, responses={201: CalendarSerializer}
    )
    def create(self, request: Request) -> Response:
        """Make a calendar with its days."""
        return self._save(None, request, status.HTTP_201_CREATED)

    @extend_schema(operation_id="calendars_retrieve", responses=CalendarSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """One calendar with its days."""
        return self._answer(pk)

    @extend_schema(
        operation_id="calendars_update", request=CalendarInputSerializer, responses=CalendarSerializer
    )
    def update(self, request: Request, pk: int) -> Response:
        """Replace a calendar and all of its days."""
        return self._save(self.get_object(), request, status.HTTP_200_OK)

    @extend_schema(operation_id="calendars_delete", request=None, responses=_GONE)
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a calendar; its schedules have slots on its days from now on."""
        calendars.remove(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _save(self, calendar: Calendar | None, request: Request, code: int) -> Response:
        body = read_body(CalendarInputSerializer, request)
        days = [Days(**each) for each in body["days"]]
        saved = calendars.save(
            calendar, name=body["name"], description=body["description"], days=days, by=person(request)
        )
        return self._answer(saved.pk, code)

    def _answer(self, pk: int, code: int = status.HTTP_200_OK) -> Response:
        self.kwargs["pk"] = pk
        return Response(CalendarSerializer(self.get_object()).data, status=code)


def _changes(kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    serializer = kind(data=request.data, partial=True)
    serializer.is_valid(raise_exception=True)
    return _as_tuples(serializer.validated_data)


def _as_tuples(body: Mapping[str, Any]) -> dict[str, Any]:
    """Lists as tuples without repeats, as wishes keep them."""
    return {
        name: tuple(dict.fromkeys(value)) if isinstance(value, list) else value
        for name, value in body.items()
    }
