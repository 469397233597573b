"""`medical/knowledge/topics/`: what is kept up to date."""

from datetime import datetime
from typing import Any, ClassVar

import django_filters
from django.db.models import Count
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from jobs.api import idempotency
from jobs.api.answers import STARTED, conflict, person, started
from jobs.api.fields import IdField
from jobs.api.pagination import ByName
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.api.throttling import RequestRate
from jobs.models import JobRun
from knowledge import topics
from knowledge.api.fields import WholeField
from knowledge.api.online import AskingRate
from knowledge.api.previews import QueryPreviewSerializer
from knowledge.errors import InvalidTopic
from knowledge.models import Source, Topic, TopicQuery
from knowledge.topics import MOST_DAYS_BACK, MOST_PAPERS_PER_TOPIC, SourceQuery

#: Priorities by their names.
PRIORITIES = {priority.name.lower(): priority for priority in Topic.Priority}
_NAMES = {priority.value: name for name, priority in PRIORITIES.items()}


class TopicQuerySerializer(serializers.ModelSerializer[TopicQuery]):
    source = serializers.IntegerField(source="source_id")  # type: ignore[assignment]  # what clients see

    class Meta:
        model = TopicQuery
        fields: ClassVar[list[str]] = ["source", "text", "is_enabled"]
        read_only_fields = fields


class TopicSerializer(serializers.ModelSerializer[Topic]):
    priority = serializers.SerializerMethodField(help_text="high, medium or low.")
    queries = TopicQuerySerializer(
        many=True, help_text="For sources that are asked for something else than the name, or not at all."
    )
    schedule_cron = serializers.SerializerMethodField(
        help_text="When it is updated by a schedule of its own; empty: by the nightly update."
    )
    schedule = serializers.IntegerField(
        source="schedule_id", allow_null=True, help_text="Id of that schedule."
    )
    next_run_at = serializers.SerializerMethodField(help_text="When it is updated next by itself.")
    papers = serializers.IntegerField(source="paper_count", help_text="How many were found for it.")

    class Meta:
        model = Topic
        fields: ClassVar[list[str]] = [
            "id", "name", "priority", "is_enabled", "papers_per_run", "days_back", "queries", "schedule_cron", "schedule",
            "next_run_at", "papers", "updated_at", "created_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_priority(self, topic: Topic) -> str:
        return _NAMES[topic.priority]

    def get_schedule_cron(self, topic: Topic) -> str:
        return topics.cron_of(topic)

    def get_next_run_at(self, topic: Topic) -> datetime | None:
        return topics.next_run_at(topic, timezone.now())


class TopicQueryInputSerializer(StrictSerializer):
    source = IdField(Source.objects.all())  # type: ignore[assignment]  # what clients see
    text = serializers.CharField(max_length=4000, allow_blank=True, default="", help_text="Empty: the name.")
    is_enabled = serializers.BooleanField(default=True, help_text="Whether it is asked for the topic at all.")


class TopicInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200)
    priority = serializers.ChoiceField(choices=list(PRIORITIES), required=False)
    is_enabled = serializers.BooleanField(required=False)
    papers_per_run = serializers.IntegerField(
        min_value=1, max_value=MOST_PAPERS_PER_TOPIC, required=False, help_text="At most, from each source."
    )
    days_back = serializers.IntegerField(min_value=1, max_value=MOST_DAYS_BACK, required=False)
    queries = WholeField(
        child=TopicQueryInputSerializer(),
        max_length=100,
        required=False,
        help_text="All of them: a source that is not named is asked for the topic's name.",
    )
    schedule_cron = serializers.CharField(
        max_length=200,
        allow_blank=True,
        required=False,
        help_text="Five fields or an alias such as @weekly; empty: with the nightly update.",
    )


class RunTopicSerializer(StrictSerializer):
    papers_per_topic = serializers.IntegerField(min_value=1, max_value=MOST_PAPERS_PER_TOPIC, required=False)
    days_back = serializers.IntegerField(min_value=1, max_value=MOST_DAYS_BACK, required=False)


class PreviewWishSerializer(StrictSerializer):
    source = IdField(  # type: ignore[assignment]  # what clients see
        Source.objects.all(), required=False, help_text="Its id; left out: all that are asked for the topic."
    )


class TopicFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    enabled = django_filters.BooleanFilter(field_name="is_enabled")
    priority = django_filters.ChoiceFilter(
        method="by_priority", choices=[(name, name) for name in PRIORITIES]
    )
    name = django_filters.CharFilter(lookup_expr="icontains", help_text="Part of the name.")

    class Meta:
        model = Topic
        fields: ClassVar[list[str]] = []

    def by_priority(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(priority=PRIORITIES[value]) if value else rows


class TopicViewSet(mixins.ListModelMixin, GenericViewSet[Topic]):
    queryset = (
        Topic.objects.annotate(paper_count=Count("findings"))
        .select_related("schedule__crontab", "schedule__interval", "schedule__policy")
        .prefetch_related("queries")
    )
    serializer_class = TopicSerializer
    filterset_class = TopicFilter
    pagination_class = ByName
    permission_of: ClassVar[Needed] = {
        "list": "knowledge.view_topic",
        "create": "knowledge.add_topic",
        "retrieve": "knowledge.view_topic",
        "partial_update": "knowledge.change_topic",
        "destroy": "knowledge.delete_topic",
        "enable": "knowledge.change_topic",
        "disable": "knowledge.change_topic",
        "preview": "knowledge.run_topic",
        "run": "knowledge.run_topic",
    }

    def get_throttles(self) -> list[BaseThrottle]:
        return [RequestRate(), AskingRate()] if self.action == "preview" else super().get_throttles()

    @extend_schema(operation_id="knowledge_topics_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Topics by name."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="knowledge_topics_create", request=TopicInputSerializer, responses={201: TopicSerializer}
    )
    def create(self, request: Request) -> Response:
        """Add a topic. The next update looks for it."""
        topic = _saved(Topic(), read_body(TopicInputSerializer, request), request)
        return self._answer(topic, status.HTTP_201_CREATED)

    @extend_schema(operation_id="knowledge_topics_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One topic."""
        return self._answer(self.get_object())

    @extend_schema(operation_id="knowledge_topics_change", request=TopicInputSerializer(partial=True))
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of a topic's settings; queries are replaced."""
        topic = self.get_object()
        serializer = TopicInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._answer(_saved(topic, serializer.validated_data, request))

    @extend_schema(
        operation_id="knowledge_topics_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a topic with its history and schedule; its papers stay, though cleaning may take them later."""
        topics.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(operation_id="knowledge_topics_enable", request=None)
    def enable(self, request: Request, pk: int) -> Response:
        """Look for new papers on it again."""
        return self._switch(request, True)

    @extend_schema(operation_id="knowledge_topics_disable", request=None)
    def disable(self, request: Request, pk: int) -> Response:
        """Look for nothing on it until it is enabled; what is here stays."""
        return self._switch(request, False)

    @extend_schema(
        operation_id="knowledge_topics_preview",
        request=PreviewWishSerializer,
        responses=QueryPreviewSerializer(many=True),
    )
    def preview(self, request: Request, pk: int) -> Response:
        """Ask each source how much it has on the topic, and how it understands the query. Nothing is stored."""
        topic = self.get_object()
        source = read_body(PreviewWishSerializer, request).get("source")
        found = [QueryPreviewSerializer(preview).data for preview in topics.preview(topic, source)]
        return Response(found)

    @extend_schema(
        operation_id="knowledge_topics_run",
        request=RunTopicSerializer,
        parameters=[idempotency.HEADER],
        responses={202: STARTED, 409: conflict("It is disabled, or the key was used with other figures.")},
    )
    def run(self, request: Request, pk: int) -> Response:
        """Look for new papers on it now."""
        body = read_body(RunTopicSerializer, request)
        run = topics.run(
            [self.get_object()],
            papers_per_topic=body.get("papers_per_topic"),
            days_back=body.get("days_back"),
            by=person(request),
            trigger=JobRun.Trigger.API,
            idempotency_key=idempotency.key_of(request),
        )
        return started(run, request)

    def _switch(self, request: Request, is_enabled: bool) -> Response:
        topic = self.get_object()
        topics.set_enabled(topic, is_enabled, by=person(request))
        return self._answer(topic)

    def _answer(self, topic: Topic, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=topic.pk)
        return Response(self.get_serializer(fresh).data, status=code)


def _saved(topic: Topic, changes: dict[str, Any], request: Request) -> Topic:
    """The topic with the changes; complaints name the API's fields."""
    changes = dict(changes)
    cron = changes.pop("schedule_cron", None)
    queries = changes.pop("queries", None)
    if "priority" in changes:
        changes["priority"] = PRIORITIES[changes["priority"]]
    try:
        return topics.save(
            topic,
            changes,
            queries=None if queries is None else [SourceQuery(**query) for query in queries],
            cron=cron,
            by=person(request),
        )
    except InvalidTopic as error:
        raise InvalidTopic(
            {"schedule_cron" if name == "cron" else name: why for name, why in error.fields.items()}
        ) from error
