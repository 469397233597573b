"""`cronjobs/`: searches for papers that run by themselves."""

from typing import Any, ClassVar

from django.db.models import Count, Q
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs.api import idempotency
from jobs.api.answers import conflict, person
from jobs.api.fields import LARGEST_ID, IdsField
from jobs.api.parsing import StrictSerializer, read_body, read_query
from jobs.api.permissions import Needed
from jobs.models import JobRun, visibility_of
from knowledge import research, research_history, spaces
from knowledge.api.research_output import (
    MODES,
    VECTOR_STORE,
    ResearchJobSerializer,
    ResearchRunSerializer,
    rows,
)
from knowledge.errors import InvalidResearchJob
from knowledge.models import KnowledgePolicy, ResearchJob, Source
from knowledge.research import MOST_HOURS
from knowledge.research_history import STATES

#: Our names of fields by those of the API.
_NAMES = {"enabled": "is_enabled", "max_papers_per_run": "max_papers"}
_TOLD = {"is_enabled": "enabled", "max_papers": "max_papers_per_run", "cron": "cron_expression"}
TOTAL = OpenApiParameter(
    "X-Total-Count", int, OpenApiParameter.HEADER, response=[200], description="How many there are in all."
)


class PageSerializer(serializers.Serializer[Any]):
    skip = serializers.IntegerField(min_value=0, max_value=LARGEST_ID, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class JobsPageSerializer(PageSerializer):
    enabled_only = serializers.BooleanField(default=False)


class RunsPageSerializer(PageSerializer):
    status_filter = serializers.ChoiceField(choices=STATES, required=False)


class ResearchJobInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200)
    keywords = serializers.ListField(
        child=serializers.CharField(max_length=200),
        min_length=1,
        max_length=50,
        help_text="At least one; a paper with any of them is meant.",
    )
    sources = IdsField(
        Source.objects.all(), required=False, help_text="Ids; left out of a new job: all enabled ones."
    )
    cron_expression = serializers.CharField(
        max_length=200, required=False, allow_null=True, help_text="Either this or interval_hours."
    )
    interval_hours = serializers.IntegerField(
        min_value=1, max_value=MOST_HOURS, required=False, allow_null=True
    )
    enabled = serializers.BooleanField(required=False)
    max_papers_per_run = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    days_back = serializers.IntegerField(min_value=1, max_value=3650, required=False)
    mode = serializers.ChoiceField(choices=MODES, required=False)
    embedding_provider = serializers.CharField(
        max_length=40, required=False, help_text="If given, the one that is set up for all: see providers."
    )
    vector_db_provider = serializers.CharField(max_length=40, required=False, help_text="The same.")

    def validate_embedding_provider(self, name: str) -> str:
        if name != (used := KnowledgePolicy.current().embedder):
            raise serializers.ValidationError(f"All jobs share one index; its vectors are made by {used}.")
        return name

    def validate_vector_db_provider(self, name: str) -> str:
        if name != VECTOR_STORE:
            raise serializers.ValidationError(f"All jobs share one index, in {VECTOR_STORE}.")
        return name


class TriggerInputSerializer(StrictSerializer):
    force_reprocess = serializers.BooleanField(
        default=False, help_text="Whether papers that are here already are cut and embedded anew."
    )


class ResearchStartedSerializer(serializers.Serializer[Any]):
    job_run_id = serializers.UUIDField(help_text="Real from the first moment; the same as task_id.")
    task_id = serializers.UUIDField()
    status = serializers.CharField(help_text="Celery's name of its state: PENDING.")
    message = serializers.CharField()


class ResearchStatisticsSerializer(serializers.Serializer[Any]):
    total_runs = serializers.IntegerField()
    successful_runs = serializers.IntegerField()
    partial_runs = serializers.IntegerField()
    failed_runs = serializers.IntegerField()
    success_rate = serializers.FloatField(
        help_text="Percent, of the runs that a worker carried to an end; 0 without any."
    )


class ResearchStatusSerializer(serializers.Serializer[Any]):
    job_id = serializers.IntegerField()
    job_name = serializers.CharField()
    enabled = serializers.BooleanField()
    latest_run = ResearchRunSerializer(allow_null=True)
    statistics = ResearchStatisticsSerializer()


class ResearchJobViewSet(GenericViewSet[ResearchJob]):
    queryset = ResearchJob.objects.select_related(
        "schedule__crontab", "schedule__interval", "schedule__policy"
    ).prefetch_related("sources")
    serializer_class = ResearchJobSerializer
    filter_backends = ()
    pagination_class = None
    permission_of: ClassVar[Needed] = {
        "list": "knowledge.view_researchjob",
        "create": "knowledge.add_researchjob",
        "retrieve": "knowledge.view_researchjob",
        "update": "knowledge.change_researchjob",
        "partial_update": "knowledge.change_researchjob",
        "destroy": "knowledge.delete_researchjob",
        "toggle": "knowledge.enable_researchjob",
        "trigger": "knowledge.run_researchjob",
        "runs": ("knowledge.view_researchjob", "knowledge.view_harvest"),
        "state": ("knowledge.view_researchjob", "knowledge.view_harvest"),
    }

    def get_serializer_context(self) -> dict[str, Any]:
        live = spaces.live()
        return {
            **super().get_serializer_context(),
            "embedder": KnowledgePolicy.current().embedder,
            "model": live.name if live else "",
        }

    @extend_schema(
        operation_id="cronjobs_list",
        parameters=[JobsPageSerializer, TOTAL],
        responses=ResearchJobSerializer(many=True),
    )
    def list(self, request: Request) -> Response:
        """Research jobs by name."""
        page = read_query(JobsPageSerializer, request)
        found = self.get_queryset()
        if page["enabled_only"]:
            found = found.filter(is_enabled=True)
        shown = found[page["skip"] : page["skip"] + page["limit"]]
        return Response(
            self.get_serializer(shown, many=True).data, headers={"X-Total-Count": str(found.count())}
        )

    @extend_schema(
        operation_id="cronjobs_create",
        request=ResearchJobInputSerializer,
        responses={201: ResearchJobSerializer},
    )
    def create(self, request: Request) -> Response:
        """Add a research job, with exactly one of cron_expression and interval_hours."""
        given = read_body(ResearchJobInputSerializer, request)
        given.setdefault("sources", list(Source.objects.enabled()))
        return self._answer(_saved(ResearchJob(), given, request), status.HTTP_201_CREATED)

    @extend_schema(operation_id="cronjobs_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One research job."""
        return self._answer(self.get_object())

    @extend_schema(operation_id="cronjobs_update", request=ResearchJobInputSerializer)
    def update(self, request: Request, pk: int) -> Response:
        """Replace a research job's settings, with exactly one of cron_expression and interval_hours."""
        job = self.get_object()
        given = read_body(ResearchJobInputSerializer, request)
        given.setdefault("cron_expression", None)
        return self._answer(_saved(job, _defaults() | given, request))

    @extend_schema(operation_id="cronjobs_change", request=ResearchJobInputSerializer(partial=True))
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of a research job's settings; without either timing it runs as before."""
        job = self.get_object()
        serializer = ResearchJobInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._answer(_saved(job, serializer.validated_data, request))

    @extend_schema(
        operation_id="cronjobs_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a research job with its schedule; its runs and papers stay."""
        research.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(operation_id="cronjobs_toggle", request=None)
    def toggle(self, request: Request, pk: int) -> Response:
        """Enable a disabled research job, disable an enabled one."""
        job = self.get_object()
        research.set_enabled(job, not job.is_enabled, by=person(request))
        return self._answer(job)

    @extend_schema(
        operation_id="cronjobs_trigger",
        request=TriggerInputSerializer,
        parameters=[idempotency.HEADER],
        responses={
            202: OpenApiResponse(ResearchStartedSerializer, description="It is queued."),
            409: conflict("The key was used with other words."),
        },
    )
    def trigger(self, request: Request, pk: int) -> Response:
        """Run a research job now, also a disabled one: that means not by itself."""
        job = self.get_object()
        run = research.run(
            job,
            force_reprocess=read_body(TriggerInputSerializer, request)["force_reprocess"],
            by=person(request),
            trigger=JobRun.Trigger.API,
            idempotency_key=idempotency.key_of(request),
        )
        told = {
            "job_run_id": run.pk,
            "task_id": run.pk,
            "status": run.celery_state,
            "message": f"{job.name} looks for papers.",
        }
        return Response(ResearchStartedSerializer(told).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        operation_id="cronjobs_runs",
        parameters=[RunsPageSerializer, TOTAL],
        responses=ResearchRunSerializer(many=True),
    )
    def runs(self, request: Request, pk: int) -> Response:
        """Runs of a research job, the latest first."""
        return page_of_runs(request, job_id=self.get_object().pk)

    @extend_schema(operation_id="cronjobs_status", responses=ResearchStatusSerializer)
    def state(self, request: Request, pk: int) -> Response:
        """How a research job does."""
        job = self.get_object()
        runs = research_history.runs(visibility_of(request.user), job_id=job.pk)
        latest = runs.first()
        counted = runs.order_by().aggregate(
            total=Count("pk"),
            **{name: Count("pk", filter=Q(status=name)) for name in ("succeeded", "partial", "failed")},
        )
        ended = counted["succeeded"] + counted["partial"] + counted["failed"]
        found = {
            "job_id": job.pk,
            "job_name": job.name,
            "enabled": job.is_enabled,
            "latest_run": rows([latest])[0] if latest else None,
            "statistics": {
                "total_runs": counted["total"],
                "successful_runs": counted["succeeded"],
                "partial_runs": counted["partial"],
                "failed_runs": counted["failed"],
                "success_rate": round(100 * counted["succeeded"] / ended, 1) if ended else 0.0,
            },
        }
        return Response(ResearchStatusSerializer(found).data)

    def _answer(self, job: ResearchJob, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=job.pk)
        return Response(self.get_serializer(fresh).data, status=code)


def page_of_runs(request: Request, *, job_id: int | None = None) -> Response:
    """The runs that the query string asks for."""
    page = read_query(RunsPageSerializer, request)
    found = research_history.runs(visibility_of(request.user), job_id=job_id, state=page.get("status_filter"))
    shown = rows(list(found[page["skip"] : page["skip"] + page["limit"]]))
    told = ResearchRunSerializer(shown, many=True).data
    return Response(told, headers={"X-Total-Count": str(found.count())})


def _defaults() -> dict[str, Any]:
    """What a job has that is replaced and leaves them out."""
    fresh = ResearchJob()
    return {
        "enabled": fresh.is_enabled,
        "max_papers_per_run": fresh.max_papers,
        "days_back": fresh.days_back,
        "mode": fresh.mode,
    }


def _saved(job: ResearchJob, given: dict[str, Any], request: Request) -> ResearchJob:
    """The job with the changes; complaints name the API's fields."""
    changes = {_NAMES.get(name, name): value for name, value in given.items()}
    for name in ("embedding_provider", "vector_db_provider"):
        changes.pop(name, None)
    cron, hours = changes.pop("cron_expression", None), changes.pop("interval_hours", None)
    chosen = changes.pop("sources", None)
    try:
        if "cron_expression" in given and cron is None and hours is None:
            cron = ""  # said to have none
        return research.save(
            job, changes, sources=chosen, cron=cron, interval_hours=hours, by=person(request)
        )
    except InvalidResearchJob as error:
        raise InvalidResearchJob(
            {_TOLD.get(name, name): why for name, why in error.fields.items()}
        ) from error
