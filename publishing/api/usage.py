"""`usage/` and `publishing/statistics/`: what models took and cost, and how posts do."""

from datetime import timedelta
from typing import Any, ClassVar

import django_filters
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from jobs.api.fields import MomentField
from jobs.api.filters import IdFilter, MomentFilter
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import read_query
from publishing import statistics, usage
from publishing.api.usage_output import UsageRecordSerializer
from publishing.models import Post, UsageRecord

_LARGEST_ID = 2**31 - 1
#: Days that a summary can span, by its period, and does unless said otherwise.
_LONGEST = {"day": 100, "month": 1100}
_USUAL = {"day": 30, "month": 365}


class UsageFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    agent = IdFilter(field_name="agent_id", help_text="Id of the agent.")
    post = IdFilter(field_name="generation__post_id", help_text="Id of the post that came of it.")
    generation = IdFilter(field_name="generation_id", help_text="Id of the generation.")
    model = django_filters.CharFilter(help_text="Exactly this name.")
    step = django_filters.CharFilter(help_text="Exactly this step.")
    since = MomentFilter(field_name="at", lookup_expr="gte", help_text="At this moment or later.")
    until = MomentFilter(field_name="at", lookup_expr="lt", help_text="Before this moment.")

    class Meta:
        model = UsageRecord
        fields: list[str] = []


class UsageViewSet(mixins.ListModelMixin, GenericViewSet[UsageRecord]):
    queryset = UsageRecord.objects.select_related("generation").defer("generation__brief")
    serializer_class = UsageRecordSerializer
    filterset_class = UsageFilter
    pagination_class = NewestFirst
    permission_of: ClassVar = {"list": "publishing.view_usagerecord"}

    @extend_schema(operation_id="usage_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every use of a model, the newest first; also what was paid for nothing."""
        return super().list(request, *args, **kwargs)


class SummaryQuerySerializer(serializers.Serializer[Any]):
    period = serializers.ChoiceField(choices=["day", "month"], default="day", help_text="What to add up.")
    since = MomentField(required=False, help_text="Left out: 30 days, or for months a year, before `until`.")
    until = MomentField(required=False, help_text="Left out: now.")
    agent = serializers.IntegerField(min_value=1, max_value=_LARGEST_ID, required=False, help_text="Its id.")
    model = serializers.CharField(max_length=200, required=False, help_text="Exactly this name.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        period = attrs["period"]
        until = attrs.get("until") or timezone.now()
        since = attrs.get("since") or until - timedelta(days=_USUAL[period])
        if since >= until:
            raise serializers.ValidationError({"since": ["This is not before the end."]})
        if until - since > timedelta(days=_LONGEST[period]):
            raise serializers.ValidationError({"since": [f"At most {_LONGEST[period]} days are added up."]})
        return {**attrs, "since": since, "until": until}


class TakenSerializer(serializers.Serializer[usage.Used]):
    calls = serializers.IntegerField()
    tokens_in = serializers.IntegerField()
    tokens_cached = serializers.IntegerField(help_text="Part of the tokens in.")
    tokens_out = serializers.IntegerField()
    cost = serializers.DecimalField(max_digits=20, decimal_places=9, help_text="US dollars.")
    posts = serializers.IntegerField(help_text="That it had a part in.")


class TakenRowSerializer(TakenSerializer):
    period = serializers.DateField(help_text="The first day of the period, in the agent's time zone.")
    agent = serializers.IntegerField()
    agent_name = serializers.CharField()
    model = serializers.CharField(help_text="Empty: posts that were written without any model.")


class SummarySerializer(serializers.Serializer[Any]):
    period = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    total = TakenSerializer()
    rows = TakenRowSerializer(many=True, help_text="The latest period first; then by agent and model.")


class UsageSummaryView(APIView):
    permission_of: ClassVar = {"get": "publishing.view_usagerecord"}

    @extend_schema(
        operation_id="usage_summary", parameters=[SummaryQuerySerializer], responses=SummarySerializer
    )
    def get(self, request: Request) -> Response:
        """Tokens, cost and posts by day or month, agent and model. Days begin at midnight where the agent is."""
        query = read_query(SummaryQuerySerializer, request)
        found = usage.summary(
            query["since"],
            query["until"],
            period=query["period"],
            agent_id=query.get("agent"),
            model=query.get("model"),
        )
        answer = {key: query[key] for key in ("period", "since", "until")}
        return Response(SummarySerializer({**answer, "total": found.total, "rows": found.rows}).data)


class PostFiguresSerializer(serializers.Serializer[statistics.Figures]):
    posts = serializers.IntegerField()
    by_status = inline_serializer(
        "PostsByStatus", {status.value: serializers.IntegerField() for status in Post.Status}
    )
    success_rate = serializers.FloatField(
        allow_null=True, help_text="Of those whose publishing has ended, how many went out, 0 to 1."
    )
    posts_last_7_days = serializers.IntegerField(help_text="That went out then.")
    posts_last_30_days = serializers.IntegerField(help_text="That went out then.")
    upcoming_posts = serializers.IntegerField(help_text="That are scheduled.")
    next_post_at = serializers.DateTimeField(allow_null=True, help_text="When the first of these goes out.")
    mean_score = serializers.FloatField(allow_null=True, help_text="Of those that have a score, 0 to 100.")


class AgentFiguresSerializer(serializers.Serializer[statistics.AgentFigures]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    is_enabled = serializers.BooleanField()
    figures = PostFiguresSerializer()
    failed_generations = serializers.IntegerField(help_text="How often it could not write a post.")
    last_written_at = serializers.DateTimeField(allow_null=True)


class PublishingStatisticsSerializer(serializers.Serializer[statistics.Statistics]):
    total = PostFiguresSerializer()
    by_people = PostFiguresSerializer(help_text="Posts that no agent wrote.")
    by_agent = AgentFiguresSerializer(many=True, help_text="By name.")


class PublishingStatisticsView(APIView):
    permission_of: ClassVar = {"get": ("publishing.view_post", "publishing.view_agent")}

    @extend_schema(operation_id="publishing_statistics", responses=PublishingStatisticsSerializer)
    def get(self, request: Request) -> Response:
        """How posts do: totals, success, what went out lately and what is to come; for each agent, too."""
        return Response(PublishingStatisticsSerializer(statistics.figures(timezone.now())).data)
