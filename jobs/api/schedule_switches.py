"""`schedules/{id}/`: switched on and off and resumed, with or without the slots that passed meanwhile."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import passed, schedules
from jobs.api.answers import conflict, person
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.schedules import ScheduleDetailSerializer, ScheduleViewSet

_RUN = "jobs.run_schedule"


class CatchUpSerializer(StrictSerializer):
    catch_up = serializers.ChoiceField(
        choices=passed.MakeUp.choices,
        default=passed.MakeUp.SKIP,
        help_text="Slots that passed meanwhile: run none, the last or all of them. "
        "Other than skip it needs the permission jobs.run_schedule too.",
    )


class PassedSerializer(serializers.Serializer[passed.Passed]):
    count = serializers.IntegerField(help_text=f"Counted up to {passed.COUNTED}.")
    is_more = serializers.BooleanField(help_text="There are more than `count`.")
    is_too_many = serializers.BooleanField(help_text=f"All of them together are over {passed.MOST} runs.")
    since = serializers.DateTimeField(allow_null=True)
    slots = serializers.ListField(
        child=serializers.DateTimeField(), help_text="In their order; only the latest when they are too many."
    )


class SlotsPassedSerializer(serializers.Serializer[Any]):
    while_paused = PassedSerializer(help_text="In the present pause.")
    while_off = PassedSerializer(
        help_text="Since it was switched off, or its timing was changed while it was."
    )


class SwitchedSerializer(ScheduleDetailSerializer):
    """A schedule, and the runs that were made for slots that passed."""

    made_up = serializers.ListField(child=serializers.UUIDField(), help_text="Ids of the runs.")


class ScheduleSwitchViewSet(ScheduleViewSet):
    permission_of = {
        "passed": "jobs.view_schedule",
        "resume": "jobs.pause_schedule",
        "enable": "jobs.change_schedule",
        "disable": "jobs.change_schedule",
    }

    @extend_schema(operation_id="schedules_passed", responses=SlotsPassedSerializer)
    def passed(self, request: Request, pk: int) -> Response:
        """The slots that passed while it was paused or off: what `catch_up` is about."""
        schedule, now = self.get_object(), timezone.now()
        is_paused = schedule.policy.is_paused(now)
        found = {
            "while_paused": passed.while_paused(schedule, now) if is_paused else passed.Passed(),
            "while_off": passed.while_off(schedule, now),
        }
        return Response(SlotsPassedSerializer(found).data)

    @extend_schema(
        operation_id="schedules_resume",
        request=CatchUpSerializer,
        responses={200: SwitchedSerializer, 409: conflict("It is not paused.")},
    )
    def resume(self, request: Request, pk: int) -> Response:
        """End a pause: the next slot fires again, and those that passed as `catch_up` says."""
        schedule = self.get_object()
        made = schedules.resume(schedule, by=person(request), catch_up=_rule(request))
        return self._switched(pk, made)

    @extend_schema(
        operation_id="schedules_enable", request=CatchUpSerializer, responses={200: SwitchedSerializer}
    )
    def enable(self, request: Request, pk: int) -> Response:
        """Switch it on: it fires from its next slot, and those that passed run as `catch_up` says."""
        schedule = self.get_object()
        made = schedules.set_enabled(schedule, True, by=person(request), catch_up=_rule(request))
        return self._switched(pk, made)

    @extend_schema(operation_id="schedules_disable", request=None, responses={200: ScheduleDetailSerializer})
    def disable(self, request: Request, pk: int) -> Response:
        """Switch it off: its slots are not recorded. To have them recorded as skipped, pause it."""
        schedules.set_enabled(self.get_object(), False, by=person(request))
        return self._answer(pk)

    def _switched(self, pk: int, made: list[Any]) -> Response:
        self.kwargs["pk"] = pk
        schedule = self.get_object()
        schedule.made_up = made
        return Response(SwitchedSerializer(schedule).data)


def _rule(request: Request) -> str:
    """What to do with the slots that passed; raises PermissionDenied for one who may not run schedules."""
    rule: str = read_body(CatchUpSerializer, request)["catch_up"]
    if rule != passed.MakeUp.SKIP and not request.user.has_perm(_RUN):
        raise PermissionDenied(f"Making up for slots needs the permission {_RUN} too.")
    return rule
