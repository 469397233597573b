"""`runs/`: the ledger, read; and runs cancelled and made again."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs import follow, history, ledger
from jobs.api.answers import STARTED, conflict, person, seen_run, started
from jobs.api.fields import ParametersField
from jobs.api.filters import RunFilter
from jobs.api.parsing import StrictSerializer, read_body, read_query
from jobs.definitions import retry_run
from jobs.models import JobRun, RunLog, visibility_of


class EtaSerializer(serializers.Serializer[history.Eta]):
    seconds = serializers.FloatField(help_text="Best guess of the time left.")
    p90_seconds = serializers.FloatField(allow_null=True, help_text="90 % of runs like it need less.")
    basis = serializers.CharField(help_text="What it rests on: progress, history, or both.")


class ProgressSerializer(serializers.Serializer[JobRun]):
    percent = serializers.FloatField(source="progress")
    current = serializers.IntegerField(source="progress_current", allow_null=True)
    total = serializers.IntegerField(source="progress_total", allow_null=True)
    text = serializers.CharField(source="progress_text", help_text="What it is doing now.")


class ScheduleLinkSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class RunSummarySerializer(serializers.ModelSerializer[JobRun]):
    celery_state = serializers.CharField(help_text="The state under Celery's names.")
    schedule = ScheduleLinkSerializer(allow_null=True)
    requested_by = serializers.CharField(source="requested_by.username", allow_null=True, default=None)
    owner_group = serializers.CharField(
        source="owner_group.name",
        allow_null=True,
        default=None,
        help_text="Only members of this group see the run; null: everybody.",
    )
    progress = ProgressSerializer(source="*")
    waiting_for = serializers.ChoiceField(
        choices=[("", "Nothing"), *JobRun.WaitingFor.choices],
        help_text="What a run in status `waiting` waits for; of one that ended while it waited, what it was.",
    )
    wait_seconds = serializers.SerializerMethodField(
        help_text="From being asked for to the start of the latest attempt, or until now."
    )
    duration_seconds = serializers.SerializerMethodField(help_text="Of the latest attempt, or until now.")
    eta = serializers.SerializerMethodField(help_text="For running runs, when something can be said.")

    class Meta:
        model = JobRun
        fields: ClassVar[list[str]] = [
            "id",
            "job",
            "queue",
            "priority",
            "status",
            "celery_state",
            "reason",
            "trigger",
            "schedule",
            "scheduled_for",
            "schedule_version",
            "requested_by",
            "owner_group",
            "retry_of",
            "attempt",
            "max_attempts",
            "queued_at",
            "started_at",
            "finished_at",
            "next_attempt_at",
            "waiting_for",
            "waiting_since",
            "not_before",
            "wait_seconds",
            "duration_seconds",
            "progress",
            "eta",
        ]
        read_only_fields = fields

    _now: datetime | None = None

    @property
    def now(self) -> datetime:
        """One moment for all rows of an answer."""
        if self._now is None:
            self._now = timezone.now()
        return self._now

    def get_wait_seconds(self, run: JobRun) -> float | None:
        waited = run.waited(self.now)
        return None if waited is None else waited.total_seconds()

    def get_duration_seconds(self, run: JobRun) -> float | None:
        elapsed = run.elapsed(self.now)
        return None if elapsed is None else elapsed.total_seconds()

    @extend_schema_field(EtaSerializer(allow_null=True))
    def get_eta(self, run: JobRun) -> dict[str, Any] | None:
        typical: Mapping[str, history.Durations | None] = self.context["typical"]
        left = history.eta(run, self.now, typical.get(run.job))
        return None if left is None else dict(EtaSerializer(left).data)


class RunErrorSerializer(serializers.Serializer[JobRun]):
    type = serializers.CharField(source="error_type")
    message = serializers.CharField(source="error_message")
    fingerprint = serializers.CharField(
        source="error_fingerprint", help_text="Equal for errors of the same cause."
    )
    traceback = serializers.CharField()


class CancelSerializer(serializers.Serializer[JobRun]):
    requested_at = serializers.DateTimeField(source="cancel_requested_at")
    requested_by = serializers.CharField(source="cancel_requested_by.username", allow_null=True, default=None)
    acknowledged_at = serializers.DateTimeField(source="cancel_acknowledged_at", allow_null=True)


class RunSerializer(RunSummarySerializer):
    """A run with everything that is known of it."""

    args = serializers.JSONField(help_text="Positional arguments of other Celery tasks.")
    result = serializers.JSONField(allow_null=True)
    parameters = serializers.JSONField()
    error = serializers.SerializerMethodField()
    cancel = serializers.SerializerMethodField()
    retries = serializers.SerializerMethodField(help_text="Runs that made this one again.")

    class Meta(RunSummarySerializer.Meta):
        fields: ClassVar[list[str]] = [
            *RunSummarySerializer.Meta.fields,
            "parameters",
            "args",
            "result",
            "error",
            "cancel",
            "retries",
            "parent",
            "published_at",
            "publish_count",
            "expires_at",
            "worker",
            "worker_pid",
        ]
        read_only_fields = fields

    @extend_schema_field(RunErrorSerializer(allow_null=True))
    def get_error(self, run: JobRun) -> dict[str, Any] | None:
        return dict(RunErrorSerializer(run).data) if run.error_type or run.error_message else None

    @extend_schema_field(CancelSerializer(allow_null=True))
    def get_cancel(self, run: JobRun) -> dict[str, Any] | None:
        return dict(CancelSerializer(run).data) if run.cancel_requested_at else None

    def get_retries(self, run: JobRun) -> list[uuid.UUID]:
        return list(run.retries.order_by("pk").values_list("pk", flat=True))


class RunProgressSerializer(serializers.ModelSerializer[JobRun]):
    celery_state = serializers.CharField()
    progress = ProgressSerializer(source="*")
    duration_seconds = serializers.FloatField(allow_null=True)
    eta = EtaSerializer(allow_null=True)

    class Meta:
        model = JobRun
        fields = ["id", "status", "celery_state", "attempt", "progress", "duration_seconds", "eta"]


class LogLineSerializer(serializers.ModelSerializer[RunLog]):
    class Meta:
        model = RunLog
        fields = ["id", "at", "level", "attempt", "message"]


class LogsSerializer(serializers.Serializer[Any]):
    lines = LogLineSerializer(many=True)
    last = serializers.IntegerField(help_text="Give it as `after` to go on from here.")
    has_ended = serializers.BooleanField(help_text="The run has ended, and no more lines follow.")


class LogsQuerySerializer(serializers.Serializer[Any]):
    after = serializers.IntegerField(
        min_value=0, max_value=2**63 - 1, default=0, help_text="Only lines behind the line with this id."
    )
    limit = serializers.IntegerField(min_value=1, max_value=1000, default=500)


class RetryInputSerializer(StrictSerializer):
    parameters = ParametersField(required=False, help_text="Other parameters than before.")


def in_full(run_id: uuid.UUID) -> dict[str, Any]:
    """Everything about a run, read anew; raises RunNotFound."""
    run = ledger.get(run_id)
    typical = {run.job: history.typical(run)} if run.is_active else {}
    return dict(RunSerializer(run, context={"typical": typical}).data)


class RunViewSet(mixins.ListModelMixin, GenericViewSet[JobRun]):
    queryset = JobRun.objects.select_related("schedule", "requested_by", "owner_group").defer(
        "parameters", "args", "result", "traceback", "error_message"
    )
    serializer_class = RunSummarySerializer
    filterset_class = RunFilter
    lookup_field = "id"
    permission_of = {
        "list": "jobs.view_jobrun",
        "active": "jobs.view_jobrun",
        "retrieve": "jobs.view_jobrun",
        "progress": "jobs.view_jobrun",
        "logs": "jobs.view_jobrun",
        "cancel": "jobs.cancel_run",
        "retry": "jobs.run_job",
    }

    def get_queryset(self) -> QuerySet[JobRun]:
        seen = visibility_of(self.request.user).condition("owner_group")
        runs = super().get_queryset().filter(seen)
        return runs.filter(status__in=JobRun.Status.active()) if self.action == "active" else runs

    def paginate_queryset(self, queryset: Any) -> Any:
        """The page's runs; typical durations of their jobs are read once for all of them."""
        self.page: list[JobRun] = list(super().paginate_queryset(queryset) or [])
        return self.page

    def get_serializer_context(self) -> dict[str, Any]:
        running = {run.job for run in getattr(self, "page", []) if run.status == JobRun.Status.RUNNING}
        typical = history.durations_by_job(running) if running else {}
        return {**super().get_serializer_context(), "typical": typical}

    @extend_schema(operation_id="runs_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Runs, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="runs_active", responses=RunSummarySerializer(many=True))
    def active(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Runs that wait, run, or wait for their next attempt."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="runs_retrieve", responses=RunSerializer)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:
        """One run with everything that is known of it."""
        return Response(in_full(seen_run(request, id).pk))

    @extend_schema(operation_id="runs_progress", responses=RunProgressSerializer)
    def progress(self, request: Request, id: uuid.UUID) -> Response:
        """How far a run is."""
        run, now = seen_run(request, id), timezone.now()
        elapsed = run.elapsed(now)
        typical = history.typical(run) if run.status == JobRun.Status.RUNNING else None
        run.duration_seconds = None if elapsed is None else elapsed.total_seconds()  # type: ignore[attr-defined]
        run.eta = history.eta(run, now, typical)  # type: ignore[attr-defined]
        return Response(RunProgressSerializer(run).data)

    @extend_schema(operation_id="runs_logs", parameters=[LogsQuerySerializer], responses=LogsSerializer)
    def logs(self, request: Request, id: uuid.UUID) -> Response:
        """The log of a run. To follow it, ask again with `after` until `has_ended`."""
        query = read_query(LogsQuerySerializer, request)
        # The run is read before its log: when it has ended, the log is complete.
        run = seen_run(request, id)
        lines = follow.logs(run.id, after=query["after"], limit=query["limit"])
        last = lines[-1].pk if lines else query["after"]
        has_ended = not run.is_active and len(lines) < query["limit"]
        return Response(LogsSerializer({"lines": lines, "last": last, "has_ended": has_ended}).data)

    @extend_schema(
        operation_id="runs_cancel",
        request=None,
        responses={
            200: OpenApiResponse(RunSerializer, description="It waited, and is cancelled."),
            202: OpenApiResponse(RunSerializer, description="It runs, and was asked to stop."),
            409: conflict("It has ended already."),
        },
    )
    def cancel(self, request: Request, id: uuid.UUID) -> Response:
        """Cancel a run: at once while it waits, else it is asked to stop, and made to when it does not."""
        run = ledger.cancel(seen_run(request, id).pk, by=person(request))
        code = status.HTTP_202_ACCEPTED if run.is_active else status.HTTP_200_OK
        return Response(in_full(run.id), status=code)

    @extend_schema(
        operation_id="runs_retry",
        request=RetryInputSerializer,
        responses={202: STARTED, 409: conflict("It has not ended yet.")},
    )
    def retry(self, request: Request, id: uuid.UUID) -> Response:
        """Make a finished run again as a new run, with the same parameters or others."""
        parameters = read_body(RetryInputSerializer, request).get("parameters")
        run = retry_run(seen_run(request, id), by=person(request), parameters=parameters)
        return started(run, request)
