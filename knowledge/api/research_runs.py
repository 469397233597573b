"""`cronjobs/runs/`, `cronjobs/tasks/` and `cronjobs/history/`: what research jobs did."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from jobs import health, ledger
from jobs.api.answers import conflict, person
from jobs.api.fields import LARGEST_ID
from jobs.api.parsing import read_query
from jobs.api.permissions import Needed
from jobs.api.system import CheckSerializer
from jobs.errors import RunNotFound
from jobs.models import JobRun, RunLog, visibility_of
from knowledge import research_export, research_history
from knowledge.api.research import TOTAL, RunsPageSerializer, page_of_runs
from knowledge.api.research_output import (
    ResearchProgressSerializer,
    ResearchRunDetailSerializer,
    ResearchRunSerializer,
    ResearchTaskSerializer,
    errors,
    papers,
    rows,
    task,
)
from knowledge.research_history import Counts, Figures, Summary

_LOG_LINES = 200
LONGEST_HISTORY = 366
_HEALTH = [(state.value, state.name) for state in health.Status]


class ResearchCancelledSerializer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=["CANCELLED", "CANCELLING"])
    message = serializers.CharField()


class ResearchTasksHealthSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=_HEALTH)
    checks = CheckSerializer(many=True)
    active_runs = serializers.IntegerField(help_text="Of research jobs, that have not ended.")
    timestamp = serializers.DateTimeField()


class DaysSerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField(
        min_value=1, max_value=LONGEST_HISTORY, default=30, help_text="How far back, today included (UTC)."
    )
    job_id = serializers.IntegerField(
        min_value=1, max_value=LARGEST_ID, required=False, help_text="Only runs of this research job."
    )


class HistoryPageSerializer(RunsPageSerializer):
    job_id = serializers.IntegerField(
        min_value=1, max_value=LARGEST_ID, required=False, help_text="Only runs of this research job."
    )


class ExportQuerySerializer(DaysSerializer):
    format = serializers.ChoiceField(choices=["csv", "json"], default="csv")


class ResearchFiguresSerializer(serializers.Serializer[Figures]):
    total_runs = serializers.IntegerField()
    successful_runs = serializers.IntegerField()
    partial_runs = serializers.IntegerField()
    failed_runs = serializers.IntegerField()
    cancelled_runs = serializers.IntegerField()
    success_rate = serializers.FloatField(
        allow_null=True, help_text="Percent of the runs that a worker carried to an end."
    )
    papers_found = serializers.IntegerField()
    papers_processed = serializers.IntegerField()
    papers_skipped = serializers.IntegerField()
    papers_embedded = serializers.IntegerField()
    processing_rate = serializers.FloatField(
        allow_null=True, help_text="Percent of the papers found that were new or changed."
    )
    embedding_rate = serializers.FloatField(
        allow_null=True, help_text="Percent of the processed papers that have their vectors."
    )
    average_duration_seconds = serializers.FloatField(allow_null=True)


_FIGURES = [str(name) for name in ResearchFiguresSerializer().fields]


class ResearchDaySerializer(ResearchFiguresSerializer):
    date = serializers.DateField()


class ResearchTopSerializer(ResearchFiguresSerializer):
    job_id = serializers.IntegerField()
    job_name = serializers.CharField(allow_null=True, help_text="null: it is gone.")


class ResearchSummarySerializer(serializers.Serializer[Any]):
    days = serializers.IntegerField()
    total = ResearchFiguresSerializer()
    daily = ResearchDaySerializer(many=True, help_text="Every day, the first one first.")
    top_jobs = ResearchTopSerializer(many=True, help_text="The ten that processed most papers.")


class ResearchRunsViewSet(ViewSet):
    queryset = JobRun.objects.all()  # what the ids are of; whatever is shown goes through `_seen`
    permission_of: ClassVar[Needed] = {
        "retrieve": "knowledge.view_harvest",
        "status": "knowledge.view_harvest",
        "progress": "knowledge.view_harvest",
        "cancel": "jobs.cancel_run",
        "health_check": "knowledge.view_harvest",
        "history": "knowledge.view_harvest",
        "stats": "knowledge.view_harvest",
    }

    @extend_schema(operation_id="cronjobs_run_retrieve", responses=ResearchRunDetailSerializer)
    def retrieve(self, request: Request, id: uuid.UUID) -> Response:
        """One run of a research job, with its log."""
        run = _seen(request, id)
        (row,) = rows([run])
        lines = list(RunLog.objects.filter(run=run).order_by("-pk")[:_LOG_LINES])[::-1]
        found = {**row, "result": run.result, "execution_log": lines}
        return Response(ResearchRunDetailSerializer(found).data)

    @extend_schema(operation_id="cronjobs_task_status", responses=ResearchTaskSerializer)
    def status(self, request: Request, id: uuid.UUID) -> Response:
        """How far a run is. Unknown ids are told as such."""
        return Response(ResearchTaskSerializer(task(_seen(request, id), timezone.now())).data)

    @extend_schema(operation_id="cronjobs_task_progress", responses=ResearchProgressSerializer)
    def progress(self, request: Request, id: uuid.UUID) -> Response:
        """The same, with what has become of papers so far."""
        run = _seen(request, id)
        found = research_history.counts([run]).get(run.pk, Counts())
        told = {
            **task(run, timezone.now()),
            "db_progress": run.progress,
            **papers(found),
            "errors": errors(found),
        }
        return Response(ResearchProgressSerializer(told).data)

    @extend_schema(
        operation_id="cronjobs_task_cancel",
        request=None,
        responses={
            200: OpenApiResponse(ResearchCancelledSerializer, description="It waited, and is cancelled."),
            202: OpenApiResponse(ResearchCancelledSerializer, description="It runs, and was asked to stop."),
            409: conflict("It has ended already."),
        },
    )
    def cancel(self, request: Request, id: uuid.UUID) -> Response:
        """Cancel a run: at once while it waits, else it stops at the next paper. What it has stored stays."""
        run = ledger.cancel(_seen(request, id).pk, by=person(request))
        words = (
            ("CANCELLING", "It runs, and was asked to stop.")
            if run.is_active
            else ("CANCELLED", "Cancelled.")
        )
        told = {"task_id": run.pk, "status": words[0], "message": words[1]}
        code = status.HTTP_202_ACCEPTED if run.is_active else status.HTTP_200_OK
        return Response(ResearchCancelledSerializer(told).data, status=code)

    @extend_schema(operation_id="cronjobs_task_health", responses=ResearchTasksHealthSerializer)
    def health_check(self, request: Request) -> Response:
        """Whether research jobs are carried out. A few seconds old at most."""
        found = health.monitor.look()
        told = {
            "status": found.status,
            "checks": found.checks,
            "active_runs": research_history.runs(visibility_of(request.user))
            .filter(status__in=JobRun.Status.active())
            .count(),
            "timestamp": found.checked_at,
        }
        return Response(ResearchTasksHealthSerializer(told).data)

    @extend_schema(
        operation_id="cronjobs_history_runs",
        parameters=[HistoryPageSerializer, TOTAL],
        responses=ResearchRunSerializer(many=True),
    )
    def history(self, request: Request) -> Response:
        """Runs of all research jobs, the latest first."""
        return page_of_runs(request, job_id=read_query(HistoryPageSerializer, request).get("job_id"))

    @extend_schema(
        operation_id="cronjobs_history_stats",
        parameters=[DaysSerializer],
        responses=ResearchSummarySerializer,
    )
    def stats(self, request: Request) -> Response:
        """Runs and papers over some days: in all, by day, and the jobs that brought most."""
        wanted = read_query(DaysSerializer, request)
        found = research_history.summary(
            visibility_of(request.user), timezone.now(), days=wanted["days"], job_id=wanted.get("job_id")
        )
        return Response(ResearchSummarySerializer(_summary(found, wanted["days"])).data)


class AsTheQuerySays(DefaultContentNegotiation):
    """`format` of the query string is the view's own; whoever takes anything gets what it names."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ExportView(APIView):
    content_negotiation_class: type[BaseContentNegotiation] = AsTheQuerySays
    permission_of: ClassVar[Needed] = {"get": "knowledge.view_harvest"}

    @extend_schema(
        operation_id="cronjobs_history_export",
        parameters=[ExportQuerySerializer],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/json"): ResearchRunSerializer(many=True),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """All runs of some days as a file, the latest first; sent as it is read, however many there are."""
        wanted = read_query(ExportQuerySerializer, request)
        since = research_history.first_moment(timezone.now(), wanted["days"])
        found = research_history.runs(visibility_of(request.user), job_id=wanted.get("job_id"), since=since)
        return _file(wanted["format"], found, timezone.now())


def _file(kind: str, found: Any, now: datetime) -> StreamingHttpResponse:
    batches = (
        [dict(row) for row in ResearchRunSerializer(rows(batch), many=True).data]
        for batch in research_export.batches(found)
    )
    write, media_type = (
        (research_export.as_csv, "text/csv; charset=utf-8")
        if kind == "csv"
        else (research_export.as_json, "application/json")
    )
    return StreamingHttpResponse(
        write(batches, [str(name) for name in ResearchRunSerializer().fields]),
        content_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="research-runs-{now:%Y%m%d-%H%M}.{kind}"'},
    )


def _seen(request: Request, run_id: uuid.UUID) -> JobRun:
    """The run of a research job, if the person may see it; raises RunNotFound."""
    run = research_history.runs(visibility_of(request.user)).filter(pk=run_id).first()
    if run is None:
        raise RunNotFound(f"There is no run {run_id} of a research job.")
    return run


def _summary(found: Summary, days: int) -> dict[str, Any]:
    return {
        "days": days,
        "total": _told(found.total),
        "daily": [{"date": day, **_told(figures)} for day, figures in found.by_day.items()],
        "top_jobs": [
            {"job_id": job, "job_name": name, **_told(figures)} for job, name, figures in found.top_jobs
        ],
    }


def _told(figures: Figures) -> dict[str, Any]:
    return {name: getattr(figures, name) for name in _FIGURES}
