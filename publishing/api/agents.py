"""`agents/`: who writes posts, of what, when and for how much; and letting them write."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from jobs.api import idempotency
from jobs.api.answers import STARTED, ErrorSerializer, conflict, person, started
from jobs.api.fields import ClockField, IdsField
from jobs.api.filters import IdFilter
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.models import JobRun
from publishing import agents, quotas, writers
from publishing.agents import InvalidAgent
from publishing.api.publishers import PublisherViewSet
from publishing.api.serializers import SecondsField
from publishing.api.views import SourceViewSet
from publishing.languages import TAG
from publishing.models import Agent, Publisher, Source
from publishing.writers import Length

QUOTA_EXCEEDED = OpenApiResponse(ErrorSerializer, description="The agent has used up its quota.")

_LONGEST_AGE = timedelta(days=365)


class AgentSerializer(serializers.ModelSerializer[Agent]):
    sources: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)
    publishers: Any = serializers.PrimaryKeyRelatedField(many=True, read_only=True)
    max_age_seconds = SecondsField(source="max_age", help_text="Older items are not used.")
    publish_at = ClockField(format="%H:%M", help_text="The hour of scheduled posts, in the time zone.")
    schedule_cron = serializers.CharField(
        source="cron", help_text="When it writes by itself, in the time zone; empty: not, or not by cron."
    )
    schedule = serializers.IntegerField(
        source="schedule_id",
        allow_null=True,
        help_text="Id of that schedule; more of it can be changed there.",
    )
    next_run_at = serializers.SerializerMethodField(help_text="When it writes next by itself.")

    class Meta:
        model = Agent
        fields: ClassVar[list[str]] = [
            "id", "name", "is_enabled", "expertise", "persona", "tone", "audience", "language", "length", "writer",
            "topic", "keywords", "avoid", "sources", "max_items", "max_age_seconds", "workflow", "publishers",
            "publish_at", "timezone", "schedule_cron", "schedule", "next_run_at", "daily_posts", "monthly_posts",
            "daily_tokens", "monthly_tokens", "daily_cost", "monthly_cost", "created_at",
        ]  # fmt: skip
        read_only_fields = fields

    def to_representation(self, agent: Agent) -> dict[str, Any]:
        agent.cron = agents.schedule_cron(agent)  # type: ignore[attr-defined]  # for the field above
        return dict(super().to_representation(agent))

    def get_next_run_at(self, agent: Agent) -> datetime | None:
        return agents.next_run_at(agent, timezone.now())


class _CostField(serializers.DecimalField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_digits=10, decimal_places=2, min_value=Decimal(0), allow_null=True, required=False, **options
        )


class _CountField(serializers.IntegerField):
    def __init__(self, largest: int, **options: Any) -> None:
        super().__init__(min_value=0, max_value=largest, allow_null=True, required=False, **options)


class _WordsField(serializers.ListField):
    def __init__(self, **options: Any) -> None:
        super().__init__(
            child=serializers.CharField(max_length=100), max_length=100, required=False, **options
        )


class AgentInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, help_text="Readers see it as the author.")
    expertise = serializers.CharField(max_length=100, allow_blank=True, required=False)
    persona = serializers.CharField(
        max_length=5000, allow_blank=True, required=False, help_text="Who is writing, in a few sentences."
    )
    tone = serializers.CharField(max_length=100, allow_blank=True, required=False)
    audience = serializers.CharField(max_length=200, allow_blank=True, required=False)
    language = serializers.RegexField(TAG, max_length=35, required=False, help_text="Such as en or de-AT.")
    length = serializers.ChoiceField(choices=[size.value for size in Length], required=False)
    writer = serializers.CharField(
        max_length=30, required=False, help_text="One of those at `agents/writers/`."
    )
    topic = serializers.CharField(
        max_length=300, allow_blank=True, required=False, help_text="Empty: whatever the sources bring."
    )
    keywords = _WordsField(help_text="To use; the first is the main one.")
    avoid = _WordsField(help_text="Words and phrases that must not occur.")
    sources = IdsField(Source.objects.all(), required=False, help_text="Ids of sources.")
    max_items = serializers.IntegerField(min_value=1, max_value=200, required=False)
    max_age_seconds = SecondsField(
        source="max_age",
        required=False,
        shortest=timedelta(hours=1),
        longest=_LONGEST_AGE,
        help_text="Older items are not used.",
    )
    workflow = serializers.ChoiceField(choices=Agent.Workflow.choices, required=False)
    publishers = IdsField(
        Publisher.objects.all(), required=False, help_text="Ids of publishers: where its posts go out."
    )
    publish_at = ClockField(required=False, help_text="The hour of scheduled posts, in the time zone.")
    timezone = serializers.CharField(max_length=63, required=False, help_text="Such as Europe/Warsaw.")
    schedule_cron = serializers.CharField(
        max_length=200,
        allow_blank=True,
        required=False,
        help_text="When it writes by itself: five fields or an alias such as @daily; empty: not by itself.",
    )
    daily_posts = _CountField(2**31 - 1, help_text="null: any number.")
    monthly_posts = _CountField(2**31 - 1, help_text="null: any number.")
    daily_tokens = _CountField(2**63 - 1, help_text="null: any number.")
    monthly_tokens = _CountField(2**63 - 1, help_text="null: any number.")
    daily_cost = _CostField(help_text="US dollars; null: any amount.")
    monthly_cost = _CostField(help_text="US dollars; null: any amount.")


class WriteInputSerializer(StrictSerializer):
    topic = serializers.CharField(
        max_length=300,
        allow_blank=True,
        default="",
        help_text="Left out: the agent's, or what its sources bring.",
    )
    keyword = serializers.CharField(
        max_length=100,
        allow_blank=True,
        default="",
        help_text="The main keyword; left out: the agent's first.",
    )


class QuotaSerializer(serializers.Serializer[quotas.Quota]):
    period = serializers.ChoiceField(choices=quotas.PERIODS)
    what = serializers.ChoiceField(choices=["posts", "tokens", "cost"])
    used = serializers.FloatField(help_text="Posts, tokens or US dollars; what is being written included.")
    limit = serializers.FloatField(allow_null=True, help_text="null: there is none.")
    left = serializers.FloatField(allow_null=True)
    percent = serializers.IntegerField(allow_null=True, help_text="0 to 100; null without a limit.")


class AgentUsageSerializer(serializers.Serializer[Any]):
    agent = serializers.IntegerField()
    day_ends_at = serializers.DateTimeField(help_text="When the daily quotas begin anew.")
    month_ends_at = serializers.DateTimeField(help_text="When the monthly quotas begin anew.")
    quotas = QuotaSerializer(many=True, help_text="Those of the day first.")


class WriterSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="What `writer` of an agent says.")
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name is what clients see
    is_default = serializers.BooleanField()
    is_usable = serializers.BooleanField()
    why_not = serializers.CharField(
        help_text="Why it cannot be used here, such as a missing key; else empty."
    )
    fewest_items = serializers.IntegerField(help_text="With fewer new items it does not begin.")


class AgentFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    enabled = django_filters.BooleanFilter(field_name="is_enabled")
    writer = django_filters.CharFilter(help_text="Exactly this kind.")
    workflow = django_filters.ChoiceFilter(choices=Agent.Workflow.choices)
    name = django_filters.CharFilter(lookup_expr="icontains", help_text="Part of the name.")
    source = IdFilter(field_name="sources", help_text="Id of a source that it uses.")
    publisher = IdFilter(field_name="publishers", help_text="Id of a publisher that it uses.")

    class Meta:
        model = Agent
        fields: list[str] = []


class AgentViewSet(mixins.ListModelMixin, GenericViewSet[Agent]):
    queryset = Agent.objects.complete()
    serializer_class = AgentSerializer
    filterset_class = AgentFilter
    pagination_class = NewestFirst
    permission_of: ClassVar = {
        "list": "publishing.view_agent",
        "create": "publishing.add_agent",
        "retrieve": "publishing.view_agent",
        "partial_update": "publishing.change_agent",
        "destroy": "publishing.delete_agent",
        "run": "publishing.run_agent",
        "usage": "publishing.view_agent",
        "enable": "publishing.enable_agent",
        "disable": "publishing.enable_agent",
    }

    @extend_schema(operation_id="agents_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Agents, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="agents_create", request=AgentInputSerializer, responses={201: AgentSerializer}
    )
    def create(self, request: Request) -> Response:
        """Add an agent. It is enabled; with a schedule, it writes first when that comes next."""
        agent = _saved(Agent(), read_body(AgentInputSerializer, request), request)
        return self._answer(agent, status.HTTP_201_CREATED)

    @extend_schema(operation_id="agents_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One agent."""
        return self._answer(self.get_object())

    @extend_schema(operation_id="agents_change", request=AgentInputSerializer(partial=True))
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of an agent's settings; lists are replaced."""
        agent = self.get_object()
        serializer = AgentInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._answer(_saved(agent, serializer.validated_data, request))

    @extend_schema(
        operation_id="agents_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone."), 409: conflict("It has written already.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete an agent that has written nothing yet; disable others."""
        agents.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="agents_run",
        request=WriteInputSerializer,
        parameters=[idempotency.HEADER],
        responses={
            202: STARTED,
            402: QUOTA_EXCEEDED,
            409: conflict("It is disabled, or the key was used with other words."),
        },
    )
    def run(self, request: Request, pk: int) -> Response:
        """Let the agent write a post now. The run's result tells of the post."""
        order = read_body(WriteInputSerializer, request)
        return started(write(request, self.get_object(), **order), request)

    @extend_schema(operation_id="agents_usage", responses=AgentUsageSerializer)
    def usage(self, request: Request, pk: int) -> Response:
        """What of its quotas the agent has used. Days and months begin in its time zone."""
        agent, now = self.get_object(), timezone.now()
        found = {
            "agent": agent.pk,
            "day_ends_at": agent.day_ends(now),
            "month_ends_at": agent.month_ends(now),
            "quotas": quotas.quotas(agent, now),
        }
        return Response(AgentUsageSerializer(found).data)

    @extend_schema(operation_id="agents_enable", request=None)
    def enable(self, request: Request, pk: int) -> Response:
        """Let it write again, and by its schedule; what it would have written meanwhile stays unwritten."""
        return self._switch(request, True)

    @extend_schema(operation_id="agents_disable", request=None)
    def disable(self, request: Request, pk: int) -> Response:
        """Let it write nothing until it is enabled."""
        return self._switch(request, False)

    def _switch(self, request: Request, is_enabled: bool) -> Response:
        agent = self.get_object()
        agents.set_enabled(agent, is_enabled, by=person(request))
        return self._answer(agent)

    def _answer(self, agent: Agent, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=agent.pk)
        return Response(self.get_serializer(fresh).data, status=code)


class AgentSourcesViewSet(SourceViewSet):
    """The sources of an agent. They may be another's as well, so they are made and changed at `sources/`."""

    permission_of: ClassVar[Needed] = {"list": ("publishing.view_agent", "publishing.view_source")}

    def get_queryset(self) -> QuerySet[Source]:
        agent = get_object_or_404(Agent, pk=self.kwargs["pk"])
        return super().get_queryset().filter(pk__in=agent.sources.values("pk"))

    @extend_schema(operation_id="agents_sources")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The sources that an agent uses, the newest first. They are made and changed at `sources/`."""
        return super().list(request, *args, **kwargs)


class AgentPublishersViewSet(PublisherViewSet):
    """The publishers of an agent; they are made and changed at `publishers/`."""

    permission_of: ClassVar[Needed] = {"list": ("publishing.view_agent", "publishing.view_publisher")}

    def get_queryset(self) -> QuerySet[Publisher]:
        agent = get_object_or_404(Agent, pk=self.kwargs["pk"])
        return super().get_queryset().filter(pk__in=agent.publishers.values("pk"))

    @extend_schema(operation_id="agents_publishers")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The publishers that an agent's posts go out to. They are made and changed at `publishers/`."""
        return super().list(request, *args, **kwargs)


class WritersView(APIView):
    permission_of: ClassVar = {"get": "publishing.view_agent"}

    @extend_schema(operation_id="agents_writers", responses=WriterSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What can put the words together, and why not if it cannot here."""
        return Response(WriterSerializer([_writer(kind) for kind in writers.kinds()], many=True).data)


def write(request: Request, agent: Agent, *, topic: str, keyword: str) -> JobRun:
    """Let the agent write for whoever asks; a repeated Idempotency-Key gives the run of the first request."""
    key = idempotency.key_of(request)
    run = agents.run_now(
        agent,
        topic=topic,
        keyword=keyword,
        by=person(request),
        trigger=JobRun.Trigger.API,
        idempotency_key=key,
    )
    if key is not None:
        idempotency.check_seen(run, request)
    return run


def _writer(kind: str) -> dict[str, Any]:
    writer = writers.get(kind)
    why_not = writer.why_not()
    return {
        "kind": kind,
        "label": writer.label,
        "is_default": kind == writers.DEFAULT_KIND,
        "is_usable": not why_not,
        "why_not": why_not,
        "fewest_items": writer.fewest_items,
    }


def _saved(agent: Agent, body: dict[str, Any], request: Request) -> Agent:
    """The agent with the changes, checked and saved; every complaint names its field."""
    sources, publishers = body.pop("sources", None), body.pop("publishers", None)
    cron = body.pop("schedule_cron", None)
    try:
        return agents.save(agent, body, sources=sources, publishers=publishers, cron=cron, by=person(request))
    except InvalidAgent as error:
        named = {"__all__": "request", "max_age": "max_age_seconds"}
        raise InvalidAgent({named.get(name, name): why for name, why in error.fields.items()}) from error
