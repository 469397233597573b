"""`medical/knowledge/papers/`: what is known, and from where."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import conflict, person
from jobs.api.filters import IdFilter, MomentFilter
from jobs.api.pagination import NewestFirst
from jobs.api.permissions import Needed
from knowledge import connectors, papers
from knowledge.api.paper_output import PaperSerializer, PaperSummarySerializer
from knowledge.models import Paper
from knowledge.records import clean_doi
from knowledge.standing import oldest_current_year


class HasFilter(django_filters.CharFilter):  # type: ignore[misc]  # the package has no types
    """Rows whose list has this word."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, max_length=200, **kwargs)

    def filter(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(**{f"{self.field_name}__contains": [value]}) if value else rows


class YearFilter(django_filters.NumberFilter):  # type: ignore[misc]  # the package has no types
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=9999, **kwargs)


class PaperFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    source = django_filters.MultipleChoiceFilter(
        method="by_source",
        choices=connectors.choices,
        help_text="A connector that gave it; several are possible.",
    )
    topic = IdFilter(field_name="findings__topic", help_text="Id of a topic that found it.")
    research_job = IdFilter(
        field_name="findings__research_job", help_text="Id of a research job that found it."
    )
    min_year = YearFilter(field_name="year", lookup_expr="gte")
    max_year = YearFilter(field_name="year", lookup_expr="lte")
    type = HasFilter(field_name="types", help_text="Exactly this kind of publication, such as Review.")
    category = HasFilter(field_name="categories", help_text="Exactly this subject of the source's scheme.")
    language = HasFilter(field_name="languages", help_text="An ISO 639 code such as en.")
    retracted = django_filters.BooleanFilter(field_name="is_retracted")
    corrected = django_filters.BooleanFilter(field_name="is_corrected")
    doubted = django_filters.BooleanFilter(field_name="is_doubted")
    doi = django_filters.CharFilter(
        method="by_doi", help_text="Exactly this DOI, with or without an address."
    )
    pmid = django_filters.CharFilter(help_text="Exactly this PMID.")
    pmcid = django_filters.CharFilter(help_text="Exactly this PMCID.")
    arxiv_id = django_filters.CharFilter(help_text="Exactly this arXiv id, without a version.")
    title = django_filters.CharFilter(lookup_expr="icontains", help_text="Part of the title.")
    first_seen_after = MomentFilter(field_name="first_seen_at", lookup_expr="gte")
    first_seen_before = MomentFilter(field_name="first_seen_at", lookup_expr="lt")

    class Meta:
        model = Paper
        fields: ClassVar[list[str]] = []

    def by_source(self, rows: QuerySet[Paper], name: str, value: list[str]) -> QuerySet[Paper]:
        return rows.filter(sources__overlap=value) if value else rows

    def by_doi(self, rows: QuerySet[Paper], name: str, value: str) -> QuerySet[Paper]:
        doi = clean_doi(value)
        return rows.filter(doi=doi) if doi else rows.none()


class PaperViewSet(mixins.ListModelMixin, GenericViewSet[Paper]):
    queryset = Paper.objects.all()
    serializer_class = PaperSummarySerializer
    filterset_class = PaperFilter
    pagination_class = NewestFirst
    permission_of: ClassVar[Needed] = {
        "list": "knowledge.view_paper",
        "retrieve": "knowledge.view_paper",
        "destroy": "knowledge.delete_paper",
    }

    def get_queryset(self) -> QuerySet[Paper]:
        papers = super().get_queryset()
        return papers.defer("abstract", "mesh", "details", "provenance") if self.action == "list" else papers

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "oldest_year": oldest_current_year()}

    @extend_schema(operation_id="knowledge_papers_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Papers without their abstracts, the latest that came in first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="knowledge_papers_retrieve", responses=PaperSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """One paper with its abstract, notices of retraction and correction, and who said what."""
        return Response(PaperSerializer(self.get_object(), context=self.get_serializer_context()).data)

    @extend_schema(
        operation_id="knowledge_papers_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone."), 409: conflict("A kept answer cites it.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a paper; no search finds it from then on. An update may bring it again."""
        papers.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
