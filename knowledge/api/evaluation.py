"""`medical/knowledge/evaluation/`: what the search should find, and how well it does."""

from typing import Any, ClassVar

import django_filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import STARTED, person, started
from jobs.api.fields import IdField
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.definitions import enqueue, get_job
from jobs.models import JobRun
from knowledge import judging
from knowledge.api.fields import WholeField
from knowledge.api.search_input import LONGEST_QUERY, WAYS
from knowledge.evaluation import MOST_RESULTS
from knowledge.models import Evaluation, JudgedQuery, Judgement, Paper
from knowledge.search.engine import Mode

_GRADES = [0, 1, 2]


class JudgementSerializer(serializers.ModelSerializer[Judgement]):
    paper = serializers.IntegerField(source="paper_id")
    title = serializers.CharField(source="paper.title")

    class Meta:
        model = Judgement
        fields: ClassVar[list[str]] = ["paper", "title", "grade"]
        read_only_fields = fields


class JudgedQuerySerializer(serializers.ModelSerializer[JudgedQuery]):
    query = serializers.CharField(source="text")
    judgements = JudgementSerializer(many=True)

    class Meta:
        model = JudgedQuery
        fields: ClassVar[list[str]] = [
            "id", "query", "expected_terms", "judgements", "is_enabled", "created_at",
        ]  # fmt: skip
        read_only_fields = fields


class JudgementInputSerializer(StrictSerializer):
    paper = IdField(Paper.objects.all(), help_text="Its id.")
    grade = serializers.ChoiceField(
        choices=_GRADES, default=2, help_text="0: it does not answer the query, 1: partly, 2: well."
    )


class JudgedQueryInputSerializer(StrictSerializer):
    query = serializers.CharField(source="text", max_length=LONGEST_QUERY)
    expected_terms = serializers.ListField(
        child=serializers.CharField(max_length=200),
        max_length=50,
        required=False,
        help_text="At least one of them stands in a good result, in any of its forms.",
    )
    judgements = WholeField(
        child=JudgementInputSerializer(), max_length=500, required=False, help_text="All of them."
    )
    is_enabled = serializers.BooleanField(required=False)


class EvaluateSerializer(StrictSerializer):
    top_k = serializers.IntegerField(min_value=1, max_value=MOST_RESULTS, default=10)
    search_mode = serializers.ChoiceField(choices=WAYS, default=Mode.HYBRID.value)


class EvaluationSummarySerializer(serializers.ModelSerializer[Evaluation]):
    search_mode = serializers.CharField(source="mode")

    class Meta:
        model = Evaluation
        fields: ClassVar[list[str]] = [
            "id", "at", "run_id", "search_mode", "top_k", "model", "queries", "hit_rate", "ndcg", "recall",
        ]  # fmt: skip
        read_only_fields = fields


class EvaluationSerializer(EvaluationSummarySerializer):
    details = serializers.ListField(
        child=serializers.DictField(), help_text="Each query with its figures and what was found."
    )

    class Meta(EvaluationSummarySerializer.Meta):
        fields: ClassVar[list[str]] = [*EvaluationSummarySerializer.Meta.fields, "details"]
        read_only_fields = fields


class JudgedQueryFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    enabled = django_filters.BooleanFilter(field_name="is_enabled")
    query = django_filters.CharFilter(field_name="text", lookup_expr="icontains", help_text="Part of it.")

    class Meta:
        model = JudgedQuery
        fields: ClassVar[list[str]] = []


class JudgedQueryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[JudgedQuery]):
    queryset = JudgedQuery.objects.prefetch_related("judgements__paper")
    serializer_class = JudgedQuerySerializer
    filterset_class = JudgedQueryFilter
    pagination_class = NewestFirst
    permission_of: ClassVar[Needed] = {
        "list": "knowledge.view_judgedquery",
        "create": "knowledge.add_judgedquery",
        "retrieve": "knowledge.view_judgedquery",
        "partial_update": "knowledge.change_judgedquery",
        "destroy": "knowledge.delete_judgedquery",
    }

    @extend_schema(operation_id="knowledge_judged_queries_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Queries with what a good search finds for them, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="knowledge_judged_queries_create",
        request=JudgedQueryInputSerializer,
        responses={201: JudgedQuerySerializer},
    )
    def create(self, request: Request) -> Response:
        """Add a query. Evaluations from now on ask it."""
        query = self._saved(JudgedQuery(), read_body(JudgedQueryInputSerializer, request))
        return self._answer(query, status.HTTP_201_CREATED)

    @extend_schema(operation_id="knowledge_judged_queries_retrieve")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One query with its judgements."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(
        operation_id="knowledge_judged_queries_change", request=JudgedQueryInputSerializer(partial=True)
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of it; judgements are replaced. Evaluations that were made stay as they were."""
        serializer = JudgedQueryInputSerializer(data=request.data, partial=True)
        query = self.get_object()
        serializer.is_valid(raise_exception=True)
        return self._answer(self._saved(query, serializer.validated_data))

    @extend_schema(
        operation_id="knowledge_judged_queries_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a query with its judgements; evaluations that were made stay."""
        judging.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _saved(self, query: JudgedQuery, changes: dict[str, Any]) -> JudgedQuery:
        changes = dict(changes)
        given = changes.pop("judgements", None)
        judgements = None if given is None else [(one["paper"], one["grade"]) for one in given]
        return judging.save(query, changes, judgements=judgements, by=person(self.request))

    def _answer(self, query: JudgedQuery, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=query.pk)
        return Response(self.get_serializer(fresh).data, status=code)


class EvaluationViewSet(mixins.ListModelMixin, GenericViewSet[Evaluation]):
    queryset = Evaluation.objects.all()
    serializer_class = EvaluationSummarySerializer
    pagination_class = NewestFirst
    permission_of: ClassVar[Needed] = {
        "list": "knowledge.view_evaluation",
        "create": "knowledge.run_evaluation",
        "retrieve": "knowledge.view_evaluation",
    }

    @extend_schema(operation_id="knowledge_evaluations_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Evaluations without their details, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="knowledge_evaluations_create", request=EvaluateSerializer, responses={202: STARTED}
    )
    def create(self, request: Request) -> Response:
        """Ask all enabled judged queries, and keep how the search did. The run's result tells the evaluation."""
        wanted = read_body(EvaluateSerializer, request)
        run = enqueue(
            get_job("knowledge.evaluate_search"),
            {"top_k": wanted["top_k"], "mode": wanted["search_mode"]},
            trigger=JobRun.Trigger.API,
            requested_by=person(request),
        )
        return started(run, request)

    @extend_schema(operation_id="knowledge_evaluations_retrieve", responses=EvaluationSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """One evaluation: each query with what was found."""
        return Response(EvaluationSerializer(self.get_object()).data)
