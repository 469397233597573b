"""`schedules/{id}/backfill/`: slots of a span that has passed run after all, or once more."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import backfill
from jobs.api.answers import person
from jobs.api.fields import MomentField
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.schedules import ScheduleViewSet


class BackfillSerializer(StrictSerializer):
    start = MomentField(help_text="The first slot is then or later.")
    end = MomentField(help_text="The last slot is before; not in the future.")
    which = serializers.ChoiceField(
        choices=backfill.Which.choices,
        default=backfill.Which.NEVER_RAN,
        help_text="Slots under way, and runs that were made again before, are left alone in any case.",
    )
    dry_run = serializers.BooleanField(default=False, help_text="Only tell what would run.")


class BackfilledSerializer(serializers.Serializer[Any]):
    found = serializers.DictField(
        child=serializers.IntegerField(), help_text="The slots of the span by status; or `no row`."
    )
    count = serializers.IntegerField(help_text="How many runs there are, or would be.")
    runs = serializers.ListField(child=serializers.UUIDField(), help_text="Their ids; empty for a dry run.")


class BackfillViewSet(ScheduleViewSet):
    permission_of = {"backfill": "jobs.run_schedule"}

    @extend_schema(
        operation_id="schedules_backfill",
        request=BackfillSerializer,
        responses={200: BackfilledSerializer, 202: BackfilledSerializer},
    )
    def backfill(self, request: Request, pk: int) -> Response:
        """Run slots that have passed: 202 with the runs, or 200 with what a dry run found."""
        schedule, now = self.get_object(), timezone.now()
        wish = read_body(BackfillSerializer, request)
        is_dry = wish.pop("dry_run")
        plan = backfill.plan(schedule, **wish, now=now)
        runs = [] if is_dry else backfill.carry_out(schedule, **wish, now=now, by=person(request))
        answer = {"found": plan.found, "count": plan.count if is_dry else len(runs), "runs": runs}
        return Response(
            BackfilledSerializer(answer).data,
            status=status.HTTP_200_OK if is_dry else status.HTTP_202_ACCEPTED,
        )
