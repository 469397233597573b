"""`workers/`, `queues/`, `health/`: what runs the jobs."""

from typing import Any

from django.db import Error
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import health, queues, workers
from jobs.api.answers import person
from jobs.api.parsing import StrictSerializer, read_body

_STATUSES = [(state.value, state.name) for state in health.Status]


class WorkerSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    pid = serializers.IntegerField()
    is_alive = serializers.BooleanField()
    started_at = serializers.DateTimeField()
    seen_at = serializers.DateTimeField()
    queues = serializers.ListField(child=serializers.CharField())
    concurrency = serializers.IntegerField(allow_null=True)
    running = serializers.IntegerField(help_text="Runs that it holds now.")


class QueueSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    depth = serializers.IntegerField(
        allow_null=True, help_text="Messages on the broker; null when it does not answer."
    )
    waiting = serializers.IntegerField(help_text="Runs that may start now.")
    retrying = serializers.IntegerField(help_text="Runs that wait for their next attempt.")
    running = serializers.IntegerField()
    consumers = serializers.IntegerField(help_text="Living workers that take from it.")
    oldest_at = serializers.DateTimeField(
        allow_null=True, help_text="When the run that waits longest was asked for."
    )


class PurgeSerializer(StrictSerializer):
    confirm = serializers.CharField(max_length=200, help_text="The name of the queue, once more.")


class PurgedSerializer(serializers.Serializer[queues.Purged]):
    queue = serializers.CharField()
    cancelled = serializers.IntegerField(help_text="Runs cancelled in the ledger.")
    messages = serializers.IntegerField(
        allow_null=True, help_text="Messages removed from the broker; null when it does not answer."
    )


class CheckSerializer(serializers.Serializer[health.Check]):
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=_STATUSES)
    message = serializers.CharField()


class HealthSerializer(serializers.Serializer[health.Health]):
    status = serializers.ChoiceField(choices=_STATUSES)
    checked_at = serializers.DateTimeField()
    checks = CheckSerializer(
        many=True, required=False, help_text="Only with the permission jobs.view_system."
    )


class WorkersView(APIView):
    permission_of = {"get": "jobs.view_system"}

    @extend_schema(operation_id="workers_list", responses=WorkerSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Workers, those that died in the last day included."""
        return Response(WorkerSerializer(workers.overview(timezone.now()), many=True).data)


class QueuesView(APIView):
    permission_of = {"get": "jobs.view_system"}

    @extend_schema(operation_id="queues_list", responses=QueueSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Every queue with what waits in it."""
        return Response(QueueSerializer(queues.overview(), many=True).data)


class PurgeView(APIView):
    permission_of = {"post": "jobs.purge_queue"}

    @extend_schema(operation_id="queues_purge", request=PurgeSerializer, responses=PurgedSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Cancel every run that waits in a queue, or to be retried on it, and empty it on the broker."""
        queues.check_name(name)
        confirm = read_body(PurgeSerializer, request)["confirm"]
        if confirm != name:
            raise serializers.ValidationError({"confirm": [f"Write the name of the queue, {name!r}."]})
        return Response(PurgedSerializer(queues.purge(name, by=person(request))).data)


class HealthView(APIView):
    permission_classes = (AllowAny,)

    def perform_authentication(self, request: Request) -> None:
        """Later, in `_may_see_details`: the answer is needed most when the database cannot tell who asks."""

    @extend_schema(
        operation_id="health",
        responses={
            200: OpenApiResponse(HealthSerializer, description="Healthy, or degraded: it works in part."),
            503: OpenApiResponse(HealthSerializer, description="Unhealthy."),
        },
    )
    def get(self, request: Request) -> Response:
        """Whether everything that jobs need is there. A few seconds old at most."""
        found = health.monitor.look()
        body: dict[str, Any] = dict(HealthSerializer(found).data)
        if not self._may_see_details(request):
            del body["checks"]
        is_up = found.status != health.Status.UNHEALTHY
        return Response(body, status=status.HTTP_200_OK if is_up else status.HTTP_503_SERVICE_UNAVAILABLE)

    def _may_see_details(self, request: Request) -> bool:
        try:
            return bool(request.user.has_perm("jobs.view_system"))
        except Error:
            return False
