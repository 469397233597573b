"""`workers/{name}/`: one worker as it tells about itself, and its controls."""

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from jobs.api.answers import ErrorSerializer, conflict, person
from jobs.api.parsing import StrictSerializer, read_body
from jobs.errors import BrokerUnavailable, UnknownWorker, WorkerRefused
from jobs.remote import control, inspection
from jobs.remote.visible import seen_by


class HeldSerializer(serializers.Serializer[inspection.Held]):
    id = serializers.CharField(help_text="Of the run, and of its Celery task.")
    name = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    pid = serializers.IntegerField(allow_null=True)
    eta = serializers.DateTimeField(allow_null=True)


class LimitsSerializer(serializers.Serializer[inspection.Limits]):
    rate = serializers.CharField(allow_null=True, help_text="Such as 10/m; null: no limit.")
    soft_seconds = serializers.FloatField(allow_null=True)
    hard_seconds = serializers.FloatField(allow_null=True)


class ReportSerializer(serializers.Serializer[inspection.Report]):
    worker = serializers.CharField()
    pid = serializers.IntegerField()
    uptime_seconds = serializers.IntegerField()
    processed = serializers.DictField(
        child=serializers.IntegerField(), help_text="Messages handled, by task."
    )
    pool = serializers.CharField()
    processes = serializers.ListField(child=serializers.IntegerField())
    size = serializers.IntegerField(help_text="Runs at once.")
    prefetch = serializers.IntegerField()
    main_memory = serializers.IntegerField(help_text="Bytes in RAM, of the main process.")
    children_memory = serializers.IntegerField(help_text="Bytes in RAM, of its children.")
    autoscale = serializers.ListField(child=serializers.IntegerField(), allow_null=True)
    can_restart_pool = serializers.BooleanField()
    queues = serializers.ListField(child=serializers.CharField())
    active = HeldSerializer(many=True)
    reserved = HeldSerializer(many=True)
    scheduled = HeldSerializer(many=True)
    revoked = serializers.ListField(child=serializers.CharField())
    tasks = serializers.DictField(child=LimitsSerializer())


class CountSerializer(StrictSerializer):
    count = serializers.IntegerField(
        min_value=1, max_value=control.MOST_PROCESSES, default=1, help_text="How many processes."
    )


class AutoscaleSerializer(StrictSerializer):
    fewest = serializers.IntegerField(min_value=0, max_value=1000)
    most = serializers.IntegerField(min_value=1, max_value=1000)


class ConfirmSerializer(StrictSerializer):
    confirm = serializers.CharField(max_length=200, help_text="The name of the worker, once more.")


class QueueNameSerializer(StrictSerializer):
    queue = serializers.CharField(max_length=100)


class RateSerializer(StrictSerializer):
    task = serializers.CharField(max_length=200)
    rate = serializers.CharField(max_length=10, allow_blank=True, help_text="Such as 10/m; empty: no limit.")


class TimeSerializer(StrictSerializer):
    task = serializers.CharField(max_length=200)
    soft = serializers.IntegerField(min_value=1, max_value=control.LONGEST, allow_null=True, default=None)
    hard = serializers.IntegerField(min_value=1, max_value=control.LONGEST, allow_null=True, default=None)


class DoneSerializer(serializers.Serializer[Any]):
    worker = serializers.CharField()
    done = serializers.CharField(help_text="For people.")


class NothingSerializer(StrictSerializer):
    """An empty body."""


_DOWN = OpenApiResponse(ErrorSerializer, description="The broker does not answer.")


def _control(
    operation: str, body: type[StrictSerializer]
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """How every control is documented."""
    return extend_schema(
        operation_id=f"workers_{operation}",
        request=body,
        responses={
            200: DoneSerializer,
            409: conflict("The worker gave no answer, or said no."),
            503: _DOWN,
        },
    )


class WorkerViewSet(ViewSet):
    """Controls change the worker as it runs; a restart brings back what it was started with."""

    permission_of: ClassVar[dict[str, str]] = {
        "retrieve": "jobs.view_system",
        **dict.fromkeys(
            (
                "ping",
                "grow",
                "shrink",
                "autoscale",
                "restart_pool",
                "add_queue",
                "cancel_queue",
                "limit_rate",
                "limit_time",
                "shut_down",
            ),
            "jobs.control_worker",
        ),
    }

    @extend_schema(
        operation_id="workers_retrieve",
        responses={200: ReportSerializer, 409: conflict("It gave no answer."), 503: _DOWN},
    )
    def retrieve(self, request: Request, name: str) -> Response:
        """A living worker as it tells about itself now: pool, queues, what it holds, limits."""
        if name not in inspection.living_workers():
            raise UnknownWorker(f"No worker named {name!r} lives.")
        found = inspection.inspect([name])
        if found.is_broker_down:
            raise BrokerUnavailable
        if name not in found.reports:
            raise WorkerRefused(f"{name} gave no answer.")
        return Response(ReportSerializer(seen_by(person(request), found.reports[name])).data)

    @_control("ping", NothingSerializer)
    def ping(self, request: Request, name: str) -> Response:
        """Ask for a sign of life."""
        return self._done(request, name, NothingSerializer, control.ping)

    @_control("grow", CountSerializer)
    def grow(self, request: Request, name: str) -> Response:
        """Add processes to the pool."""
        return self._done(request, name, CountSerializer, control.grow)

    @_control("shrink", CountSerializer)
    def shrink(self, request: Request, name: str) -> Response:
        """Take processes from the pool, when they are idle."""
        return self._done(request, name, CountSerializer, control.shrink)

    @_control("autoscale", AutoscaleSerializer)
    def autoscale(self, request: Request, name: str) -> Response:
        """Change the bounds of a worker that scales by itself."""
        return self._done(request, name, AutoscaleSerializer, control.autoscale)

    @_control("restart_pool", ConfirmSerializer)
    def restart_pool(self, request: Request, name: str) -> Response:
        """Replace every process of the pool, when it is idle."""
        return self._confirmed(request, name, control.restart_pool)

    @_control("add_queue", QueueNameSerializer)
    def add_queue(self, request: Request, name: str) -> Response:
        """Take from one more queue."""
        return self._done(request, name, QueueNameSerializer, control.add_queue)

    @_control("cancel_queue", QueueNameSerializer)
    def cancel_queue(self, request: Request, name: str) -> Response:
        """Take no more from a queue."""
        return self._done(request, name, QueueNameSerializer, control.cancel_queue)

    @_control("limit_rate", RateSerializer)
    def limit_rate(self, request: Request, name: str) -> Response:
        """How often a task starts at most on this worker."""
        return self._done(request, name, RateSerializer, control.limit_rate)

    @_control("limit_time", TimeSerializer)
    def limit_time(self, request: Request, name: str) -> Response:
        """How long a task may take on this worker."""
        return self._done(request, name, TimeSerializer, control.limit_time)

    @_control("shut_down", ConfirmSerializer)
    def shut_down(self, request: Request, name: str) -> Response:
        """End it, after what it runs."""
        return self._confirmed(request, name, control.shut_down)

    def _done(
        self, request: Request, name: str, body: type[StrictSerializer], change: Callable[..., str]
    ) -> Response:
        done = change(name, **read_body(body, request), by=person(request))
        return Response({"worker": name, "done": done})

    def _confirmed(self, request: Request, name: str, change: Callable[..., str]) -> Response:
        if read_body(ConfirmSerializer, request)["confirm"] != name:
            raise serializers.ValidationError({"confirm": [f"Write the name of the worker, {name!r}."]})
        return Response({"worker": name, "done": change(name, by=person(request))})
