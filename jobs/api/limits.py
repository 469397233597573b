"""`limits/`: how many runs of a job at a time, and how many starts in a while."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs import limits
from jobs.api.answers import conflict, person
from jobs.api.pagination import ByJob
from jobs.api.parsing import StrictSerializer, read_body
from jobs.limits import Limits
from jobs.models import JobLimit
from jobs.rates import parse_rate

_MOST_RUNNING = 100_000


class RateField(serializers.CharField):
    """A rate as people write it, checked."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            parse_rate(text)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error
        return text


class LimitInputSerializer(StrictSerializer):
    """All limits of a job: what is left out is no limit."""

    max_running = serializers.IntegerField(
        min_value=1, max_value=_MOST_RUNNING, allow_null=True, default=None, help_text="Runs at a time."
    )
    key_by = serializers.ListField(
        child=serializers.CharField(max_length=100),
        max_length=10,
        default=list,
        help_text="Parameters: runs with equal values of them count together.",
    )
    max_running_per_key = serializers.IntegerField(
        min_value=1,
        max_value=_MOST_RUNNING,
        allow_null=True,
        default=None,
        help_text="Runs with the same key at a time.",
    )
    rate = RateField(
        max_length=30, allow_null=True, default=None, help_text="Starts in a while: 10/m, 5/30s, 1000/day."
    )


class LimitSerializer(serializers.Serializer[JobLimit]):
    job = serializers.CharField()
    max_running = serializers.IntegerField(allow_null=True)
    key_by = serializers.ListField(child=serializers.CharField())
    max_running_per_key = serializers.IntegerField(allow_null=True)
    rate = serializers.SerializerMethodField()
    words = serializers.SerializerMethodField(help_text="All of it in words.")
    origin = serializers.ChoiceField(choices=JobLimit.Origin.choices)
    waiting = serializers.IntegerField(read_only=True, help_text="Runs that wait for a place now.")

    def get_rate(self, row: JobLimit) -> str | None:
        rate = limits.of_row(row).rate
        return str(rate) if rate else None

    def get_words(self, row: JobLimit) -> str:
        return str(limits.of_row(row))


class LimitViewSet(mixins.ListModelMixin, GenericViewSet[JobLimit]):
    queryset = limits.counted(JobLimit.objects.all())
    serializer_class = LimitSerializer
    pagination_class = ByJob
    permission_of = {
        "list": "jobs.view_joblimit",
        "retrieve": "jobs.view_joblimit",
        "update": "jobs.change_joblimit",
        "destroy": "jobs.delete_joblimit",
    }

    @extend_schema(operation_id="limits_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Jobs that have limits, by name."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="limits_retrieve", responses=LimitSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """The limits of one job."""
        return self._answer(limits.get(name))

    @extend_schema(operation_id="limits_update", request=LimitInputSerializer, responses=LimitSerializer)
    def update(self, request: Request, name: str) -> Response:
        """Set the limits of a job, from now on; runs that are queued or running already are left alone."""
        body = read_body(LimitInputSerializer, request)
        rate = parse_rate(body["rate"]) if body["rate"] is not None else None
        wanted = Limits(**{**body, "key_by": tuple(body["key_by"]), "rate": rate})
        return self._answer(limits.put(name, wanted, by=person(request)))

    @extend_schema(
        operation_id="limits_delete",
        request=None,
        responses={
            204: OpenApiResponse(description="They are lifted; whoever waited goes on."),
            409: conflict("The job declares them: empty them instead."),
        },
    )
    def destroy(self, request: Request, name: str) -> Response:
        """Lift the limits of a job."""
        limits.remove(name, by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _answer(self, row: JobLimit) -> Response:
        """The limits as they are stored now."""
        return Response(LimitSerializer(self.get_queryset().get(pk=row.pk)).data)
