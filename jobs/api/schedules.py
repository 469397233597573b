"""`schedules/`: when jobs run."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs import ownership, schedules, versions
from jobs.api.answers import STARTED, conflict, person, started
from jobs.api.fields import FiniteFloatField, MomentField, ParametersField
from jobs.api.filters import ScheduleFilter
from jobs.api.pagination import ByName
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.api.schedule_policies import NAMES, PolicyInputSerializer, PolicySerializer, changed
from jobs.definitions import is_known
from jobs.errors import InvalidSchedule
from jobs.models import JobRun, Schedule, SchedulePolicy, visibility_of
from jobs.policies import Policies
from jobs.timing import InvalidTiming, Timing, describe, timing_of, zone_of
from jobs.timing.solar import EVENTS
from jobs.when import When, when_of

_TIMING = ("cron", "interval", "clock", "solar")
_SLOTS_SHOWN = 5


class ZoneField(serializers.CharField):
    """The name of a time zone, checked."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        try:
            zone_of(name)
        except InvalidTiming as error:
            raise serializers.ValidationError(error.reason) from error
        return name


class SolarSerializer(StrictSerializer):
    event = serializers.ChoiceField(choices=sorted(EVENTS))
    latitude = FiniteFloatField(min_value=-90, max_value=90, help_text="Degrees, north positive.")
    longitude = FiniteFloatField(min_value=-180, max_value=180, help_text="Degrees, east positive.")


class TimingSerializer(StrictSerializer):
    """Exactly one of cron, interval, clock and solar."""

    cron = serializers.CharField(
        max_length=200, required=False, allow_null=True, help_text="Five fields, or an alias like @daily."
    )
    timezone = ZoneField(max_length=64, default="UTC", help_text="Whose clocks `cron` is about.")
    interval = serializers.CharField(
        max_length=100, required=False, allow_null=True, help_text="every 15 minutes, 2h, 90 s"
    )
    clock = MomentField(required=False, allow_null=True, help_text="One moment.")
    solar = SolarSerializer(required=False, allow_null=True)
    start_time = MomentField(required=False, allow_null=True, help_text="No slot before.")
    expires = MomentField(required=False, allow_null=True, help_text="No slot from then on.")


class ScheduleInputSerializer(TimingSerializer, PolicyInputSerializer):
    name = serializers.CharField(max_length=200)
    job = serializers.CharField(max_length=200, help_text="Name of the job.")
    parameters = ParametersField(default=dict)
    description = serializers.CharField(max_length=10_000, allow_blank=True, default="")
    enabled = serializers.BooleanField(default=True)
    one_off = serializers.BooleanField(default=False, help_text="Switched off after its first run.")
    catch_up = serializers.ChoiceField(
        choices=SchedulePolicy.CatchUp.choices, default=SchedulePolicy.CatchUp.LAST
    )
    catch_up_window_seconds = serializers.IntegerField(min_value=10, max_value=366 * 86_400, default=86_400)
    deadline_seconds = serializers.IntegerField(
        min_value=1,
        max_value=366 * 86_400,
        allow_null=True,
        default=None,
        help_text="A run must have ended so long after its slot; null: no deadline.",
    )
    keep_days = serializers.IntegerField(
        min_value=1,
        max_value=36_525,
        allow_null=True,
        default=None,
        help_text="Its runs are forgotten so long after their end; null: like other runs.",
    )
    keep_runs = serializers.IntegerField(
        min_value=1,
        max_value=1_000_000,
        allow_null=True,
        default=None,
        help_text="Only so many of its latest ended runs are kept; null: any number.",
    )
    owner_group = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=150,
        help_text="A group of yours: only its members see the schedule and its runs; null: everybody. "
        "Left out, it stays as it is.",
    )

    def validate_job(self, name: str) -> str:
        if not is_known(name):
            raise serializers.ValidationError(f"There is no job named {name!r}.")
        return name


class PauseSerializer(serializers.Serializer[SchedulePolicy]):
    at = serializers.DateTimeField(source="paused_at")
    until = serializers.DateTimeField(source="paused_until", allow_null=True)
    note = serializers.CharField(source="pause_note")


class PauseInputSerializer(StrictSerializer):
    until = MomentField(required=False, allow_null=True, default=None, help_text="null: until resumed.")
    note = serializers.CharField(max_length=200, allow_blank=True, default="")


class RunNowSerializer(StrictSerializer):
    parameters = ParametersField(required=False, help_text="Other parameters than the schedule's.")


class SchedulePlaceSerializer(serializers.Serializer[Any]):
    event = serializers.CharField()
    latitude = serializers.FloatField()
    longitude = serializers.FloatField()


class ScheduleSerializer(PolicySerializer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    job = serializers.CharField(source="task", help_text="Name of the job, or of another Celery task.")
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    cron = serializers.CharField(source="when.cron", allow_null=True)
    timezone = serializers.CharField(source="when.timezone")
    interval = serializers.CharField(source="when.interval", allow_null=True)
    clock = serializers.DateTimeField(source="when.clock", allow_null=True)
    solar = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField(help_text="When it runs, in words.")
    parameters = serializers.SerializerMethodField(help_text="null: what is stored is not a JSON object.")
    start_time = serializers.DateTimeField(allow_null=True)
    expires = serializers.DateTimeField(allow_null=True)
    one_off = serializers.BooleanField()
    catch_up = serializers.ChoiceField(source="policy.catch_up", choices=SchedulePolicy.CatchUp.choices)
    catch_up_window_seconds = serializers.IntegerField(source="policy.catch_up_window_seconds")
    deadline_seconds = serializers.IntegerField(source="policy.deadline_seconds", allow_null=True)
    keep_days = serializers.IntegerField(source="policy.keep_days", allow_null=True)
    keep_runs = serializers.IntegerField(source="policy.keep_runs", allow_null=True)
    next_slot_at = serializers.DateTimeField(
        source="policy.next_slot_at", allow_null=True, help_text="As planned by the scheduler's latest tick."
    )
    planning_error = serializers.CharField(source="policy.planning_error")
    pause = serializers.SerializerMethodField()
    version = serializers.IntegerField(source="policy.version", help_text="Grows by one with each change.")
    origin = serializers.ChoiceField(source="policy.origin", choices=SchedulePolicy.Origin.choices)
    owner = serializers.CharField(source="policy.owner.username", allow_null=True, default=None)
    owner_group = serializers.CharField(
        source="policy.owner_group.name",
        allow_null=True,
        default=None,
        help_text="Only members of this group see the schedule and its runs; null: everybody.",
    )
    is_orphan = serializers.SerializerMethodField(help_text="No code is left for the job.")
    last_run_at = serializers.DateTimeField(allow_null=True)
    total_run_count = serializers.IntegerField()

    def to_representation(self, instance: Schedule) -> dict[str, Any]:
        instance.when = when_of(instance)
        return dict(super().to_representation(instance))

    @extend_schema_field(SchedulePlaceSerializer(allow_null=True))
    def get_solar(self, schedule: Schedule) -> dict[str, Any] | None:
        place = schedule.when.solar
        return None if place is None else dict(zip(("event", "latitude", "longitude"), place, strict=True))

    def get_words(self, schedule: Schedule) -> str:
        try:
            return describe(stored_timing(schedule))
        except InvalidTiming as error:
            return f"Cannot be read: {error}"

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_parameters(self, schedule: Schedule) -> dict[str, Any] | None:
        try:
            return versions.parameters_in(schedule.kwargs)
        except InvalidSchedule:
            return None

    @extend_schema_field(PauseSerializer(allow_null=True))
    def get_pause(self, schedule: Schedule) -> dict[str, Any] | None:
        policy = schedule.policy
        return dict(PauseSerializer(policy).data) if policy.is_paused(timezone.now()) else None

    def get_is_orphan(self, schedule: Schedule) -> bool:
        return schedules.is_orphan(schedule)


class ScheduleDetailSerializer(ScheduleSerializer):
    """A schedule and its next slots, counted from now and as it is saved."""

    next_slots = serializers.SerializerMethodField()

    def get_next_slots(self, schedule: Schedule) -> list[datetime]:
        if not schedule.enabled:
            return []
        try:
            return list(stored_timing(schedule).slots(timezone.now(), limit=_SLOTS_SHOWN))
        except InvalidTiming:
            return []


class ScheduleViewSet(mixins.ListModelMixin, GenericViewSet[Schedule]):
    queryset = Schedule.objects.select_related(
        "crontab", "interval", "solar", "clocked", "policy", "policy__owner", "policy__owner_group"
    ).prefetch_related("calendars")
    serializer_class = ScheduleSerializer
    filterset_class = ScheduleFilter
    pagination_class = ByName
    permission_of: Needed = {
        "list": "jobs.view_schedule",
        "create": "jobs.add_schedule",
        "retrieve": "jobs.view_schedule",
        "update": "jobs.change_schedule",
        "partial_update": "jobs.change_schedule",
        "destroy": "jobs.delete_schedule",
        "pause": "jobs.pause_schedule",
        "run_now": "jobs.run_schedule",
    }

    def get_queryset(self) -> QuerySet[Schedule]:
        seen = visibility_of(self.request.user).condition("policy__owner_group")
        return super().get_queryset().filter(seen)

    @extend_schema(operation_id="schedules_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Schedules by name."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="schedules_create",
        request=ScheduleInputSerializer,
        responses={201: ScheduleDetailSerializer},
    )
    def create(self, request: Request) -> Response:
        """Make a schedule. Its first slot is the next one from now."""
        body = read_body(ScheduleInputSerializer, request)
        with transaction.atomic():
            schedule = schedules.create(_wish(body), by=person(request))
            _give(schedule, body, request)
        return self._answer(schedule.pk, status.HTTP_201_CREATED)

    @extend_schema(operation_id="schedules_retrieve", responses=ScheduleDetailSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """One schedule with its next slots."""
        return self._answer(pk)

    @extend_schema(
        operation_id="schedules_update", request=ScheduleInputSerializer, responses=ScheduleDetailSerializer
    )
    def update(self, request: Request, pk: int) -> Response:
        """Replace a schedule; what is left out gets its default."""
        schedule = self.get_object()
        body = read_body(ScheduleInputSerializer, request)
        with transaction.atomic():
            schedules.change(schedule, _wish(body), by=person(request))
            _give(schedule, body, request)
        return self._answer(pk)

    @extend_schema(
        operation_id="schedules_change",
        request=ScheduleInputSerializer(partial=True),
        responses=ScheduleDetailSerializer,
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change parts of a schedule. A new timing replaces the old one, whatever its kind."""
        schedule = self.get_object()
        serializer = ScheduleInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = serializer.validated_data
        wish = schedules.wish_of(schedule)
        wish = replace(
            wish,
            when=changed_when(wish.when, changes),
            policies=changed(wish.policies, changes),
            **_policy_and_names(changes),
        )
        with transaction.atomic():
            schedules.change(schedule, wish, by=person(request))
            _give(schedule, changes, request)
        return self._answer(pk)

    @extend_schema(
        operation_id="schedules_delete",
        request=None,
        responses={
            204: OpenApiResponse(description="It is gone; its runs stay."),
            409: conflict("A job declares it: disable it instead."),
        },
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a schedule that a person made."""
        schedules.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="schedules_pause", request=PauseInputSerializer, responses=ScheduleDetailSerializer
    )
    def pause(self, request: Request, pk: int) -> Response:
        """Skip slots from now on, until a moment or until resumed."""
        body = read_body(PauseInputSerializer, request)
        schedules.pause(self.get_object(), until=body["until"], note=body["note"], by=person(request))
        return self._answer(pk)

    @extend_schema(operation_id="schedules_run_now", request=RunNowSerializer, responses={202: STARTED})
    def run_now(self, request: Request, pk: int) -> Response:
        """Run the schedule's job once, now, beside its slots."""
        schedule = self.get_object()
        parameters = read_body(RunNowSerializer, request).get("parameters")
        run = schedules.run_now(
            schedule, by=person(request), trigger=JobRun.Trigger.API, parameters=parameters
        )
        return started(run, request)

    def _answer(self, pk: int, code: int = status.HTTP_200_OK) -> Response:
        """The schedule as it is stored now."""
        self.kwargs["pk"] = pk
        return Response(ScheduleDetailSerializer(self.get_object()).data, status=code)


def stored_timing(schedule: Schedule) -> Timing:
    """When a schedule fires, as it is stored; raises InvalidTiming."""
    return timing_of(schedule, anchor=schedule.policy.anchor_at or timezone.now())


def _give(schedule: Schedule, body: Mapping[str, Any], request: Request) -> None:
    """Change the owner group when the body names one."""
    if "owner_group" in body:
        user = person(request)
        ownership.give(schedule, ownership.chosen(body["owner_group"], user), by=user)


def _wish(body: Mapping[str, Any]) -> schedules.Wish:
    return schedules.Wish(
        when=when_of_body(body), policies=changed(Policies(), body), **_policy_and_names(body)
    )


def when_of_body(body: Mapping[str, Any]) -> When:
    """The timing of a validated body."""
    solar = body.get("solar")
    return When(
        cron=body.get("cron"),
        timezone=body.get("timezone", "UTC"),
        interval=body.get("interval"),
        clock=body.get("clock"),
        solar=(solar["event"], solar["latitude"], solar["longitude"]) if solar else None,
    )


def changed_when(before: When, changes: Mapping[str, Any]) -> When:
    """A timing after the changes of a validated, partial body."""
    if any(changes.get(name) is not None for name in _TIMING):
        return when_of_body({"timezone": before.timezone, **changes})
    return replace(before, timezone=changes["timezone"]) if "timezone" in changes else before


def _policy_and_names(body: Mapping[str, Any]) -> dict[str, Any]:
    others = {*_TIMING, *NAMES, "timezone", "owner_group"}
    return {name: value for name, value in body.items() if name not in others}
