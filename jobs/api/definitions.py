"""`jobs/`: what can be run, and running it."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from jobs import follow, history, outbox, ownership
from jobs.api import idempotency
from jobs.api.answers import STARTED, conflict, person, started
from jobs.api.fields import FiniteFloatField, ParametersField
from jobs.api.parsing import StrictSerializer, read_body, read_query
from jobs.api.runs import RunSerializer, in_full
from jobs.definitions import AnyJob, Cron, all_jobs, enqueue, get_job
from jobs.models import JobRun, visibility_of

LONGEST_WAIT = 30


class RetrySerializer(serializers.Serializer[Any]):
    max_attempts = serializers.IntegerField()
    base_seconds = serializers.FloatField(help_text="Upper bound of the first delay.")
    cap_seconds = serializers.FloatField(help_text="Upper bound of every delay.")
    retry_lost = serializers.BooleanField(help_text="Whether a run whose worker died is made again.")


class DefaultScheduleSerializer(serializers.Serializer[Any]):
    cron = serializers.CharField(allow_null=True)
    timezone = serializers.CharField(allow_null=True)
    interval_seconds = serializers.FloatField(allow_null=True)


class DurationsSerializer(serializers.Serializer[history.Durations]):
    p50 = serializers.FloatField(help_text="Seconds.")
    p90 = serializers.FloatField(help_text="Seconds.")
    runs = serializers.IntegerField(help_text="How many of the latest successful runs were asked.")


class JobSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    app = serializers.CharField(source="app_label")
    help = serializers.CharField(source="help_text")
    queue = serializers.CharField()
    priority = serializers.IntegerField(help_text="0 is the most urgent, 9 the least.")
    soft_time_limit = serializers.IntegerField(help_text="Seconds.")
    time_limit = serializers.IntegerField(help_text="Seconds.")
    retry = RetrySerializer()
    default_schedule = serializers.SerializerMethodField()
    parameters_schema = serializers.SerializerMethodField(help_text="JSON schema of the parameters.")
    durations = serializers.SerializerMethodField(help_text="Of latest successful runs; null without one.")

    @extend_schema_field(DefaultScheduleSerializer(allow_null=True))
    def get_default_schedule(self, job: AnyJob) -> dict[str, Any] | None:
        if job.schedule is None:
            return None
        if isinstance(job.schedule, Cron):
            return {
                "cron": job.schedule.expression,
                "timezone": job.schedule.timezone,
                "interval_seconds": None,
            }
        seconds = job.schedule.interval.total_seconds()
        return {"cron": None, "timezone": None, "interval_seconds": seconds}

    def get_parameters_schema(self, job: AnyJob) -> dict[str, Any]:
        return job.parameters.model_json_schema()

    @extend_schema_field(DurationsSerializer(allow_null=True))
    def get_durations(self, job: AnyJob) -> dict[str, Any] | None:
        typical: Mapping[str, history.Durations] = self.context["typical"]
        found = typical.get(job.name)
        return None if found is None else dict(DurationsSerializer(found).data)


class TriggerSerializer(StrictSerializer):
    parameters = ParametersField(required=False, default=dict)
    owner_group = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=150,
        help_text="A group of yours: only its members see the run; null: everybody.",
    )


class WaitSerializer(serializers.Serializer[Any]):
    wait = FiniteFloatField(
        min_value=0,
        max_value=LONGEST_WAIT,
        default=0,
        help_text="Seconds to wait for the run's end. Answers 200 with the finished run, or 202 when it is not.",
    )


class JobViewSet(ViewSet):
    lookup_field = "name"
    permission_of = {
        "list": "jobs.view_jobrun",
        "retrieve": "jobs.view_jobrun",
        "trigger": "jobs.run_job",
    }

    @extend_schema(operation_id="jobs_list", responses=JobSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Every job that can be run."""
        jobs = all_jobs()
        typical = history.durations_by_job((job.name for job in jobs), visibility_of(request.user))
        return Response(JobSerializer(jobs, many=True, context={"typical": typical}).data)

    @extend_schema(operation_id="jobs_retrieve", responses=JobSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """One job."""
        job = get_job(name)
        typical = history.durations_by_job([job.name], visibility_of(request.user))
        return Response(JobSerializer(job, context={"typical": typical}).data)

    @extend_schema(
        operation_id="jobs_trigger",
        request=TriggerSerializer,
        parameters=[WaitSerializer, idempotency.HEADER],
        responses={
            200: OpenApiResponse(RunSerializer, description="The run has ended; only with `wait`."),
            202: STARTED,
            409: conflict("The key was used with other parameters."),
        },
    )
    def trigger(self, request: Request, name: str) -> Response:
        """Run a job now."""
        job = get_job(name)
        wait = read_query(WaitSerializer, request)["wait"] if request.query_params else 0
        run = self._enqueue(job, read_body(TriggerSerializer, request), request)
        if wait:
            outbox.send_held()
            run = follow.wait(run.id, timeout=wait)
            if not run.is_active:
                return Response(in_full(run.id))
        return started(run, request)

    def _enqueue(self, job: AnyJob, body: dict[str, Any], request: Request) -> JobRun:
        key, user = idempotency.key_of(request), person(request)
        group = ownership.chosen(body.get("owner_group"), user)
        run = enqueue(
            job,
            body["parameters"],
            trigger=JobRun.Trigger.API,
            requested_by=user,
            owner_group_id=group.pk if group else None,
            idempotency_key=key,
        )
        if key is not None:
            idempotency.check_seen(run, request)
        return run
