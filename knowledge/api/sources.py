"""`medical/knowledge/sources/`: who is asked for papers, trying them out, and looking for news of known papers."""

from typing import Any, ClassVar

import django_filters
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import STARTED, conflict, person, started
from jobs.api.fields import IdsField
from jobs.api.pagination import ByName
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.api.throttling import RequestRate
from jobs.models import JobRun
from knowledge import connectors, previews, sources
from knowledge.api.online import AskingRate
from knowledge.api.previews import QueryPreviewSerializer
from knowledge.connectors.base import LONGEST_QUERY
from knowledge.models import Source

_ALONE = conflict("It is the only source of a research job.")
_DISABLED = conflict("A source is disabled.")


class PaperSourceSerializer(serializers.ModelSerializer[Source]):
    class Meta:
        model = Source
        fields: ClassVar[list[str]] = [
            "id", "name", "connector", "addresses", "is_enabled", "revised_until", "synced_at", "problem",
        ]  # fmt: skip
        read_only_fields = fields


class PaperSourceInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    connector = serializers.CharField(max_length=40, help_text="Such as pubmed, arxiv, europepmc or feeds.")
    addresses = serializers.ListField(
        child=serializers.CharField(max_length=2000),
        max_length=100,
        required=False,
        help_text="What feeds it reads; empty for services with an address of their own.",
    )
    is_enabled = serializers.BooleanField(required=False)


class SourceTestSerializer(StrictSerializer):
    query = serializers.CharField(max_length=LONGEST_QUERY, help_text="Words, or the source's own syntax.")
    days_back = serializers.IntegerField(min_value=1, max_value=3650, default=30)


class SyncSerializer(StrictSerializer):
    sources = IdsField(Source.objects.all(), default=list, help_text="Ids; left out: all enabled ones.")


class SourceFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    connector = django_filters.ChoiceFilter(choices=connectors.choices)
    enabled = django_filters.BooleanFilter(field_name="is_enabled")

    class Meta:
        model = Source
        fields: ClassVar[list[str]] = []


class SourceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Source]):
    queryset = Source.objects.all()
    serializer_class = PaperSourceSerializer
    filterset_class = SourceFilter
    pagination_class = ByName
    permission_of: ClassVar[Needed] = {
        "list": "knowledge.view_source",
        "create": "knowledge.add_source",
        "retrieve": "knowledge.view_source",
        "partial_update": "knowledge.change_source",
        "destroy": "knowledge.delete_source",
        "enable": "knowledge.change_source",
        "disable": "knowledge.change_source",
        "test": "knowledge.sync_source",
        "sync": "knowledge.sync_source",
    }

    def get_throttles(self) -> list[BaseThrottle]:
        return [RequestRate(), AskingRate()] if self.action == "test" else super().get_throttles()

    @extend_schema(operation_id="knowledge_sources_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sources by name."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="knowledge_sources_create",
        request=PaperSourceInputSerializer,
        responses={201: PaperSourceSerializer},
    )
    def create(self, request: Request) -> Response:
        """Add a source. The next update asks it, too."""
        source = sources.save(Source(), read_body(PaperSourceInputSerializer, request), by=person(request))
        return self._answer(source, status.HTTP_201_CREATED)

    @extend_schema(operation_id="knowledge_sources_retrieve")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One source."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(operation_id="knowledge_sources_change", request=PaperSourceInputSerializer(partial=True))
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of a source's settings; addresses are replaced."""
        source = self.get_object()
        serializer = PaperSourceInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._answer(sources.save(source, serializer.validated_data, by=person(request)))

    @extend_schema(
        operation_id="knowledge_sources_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone."), 409: _ALONE},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a source with its part of the history of updates; its papers stay."""
        sources.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(operation_id="knowledge_sources_enable", request=None)
    def enable(self, request: Request, pk: int) -> Response:
        """Ask the source by itself again."""
        return self._switch(request, True)

    @extend_schema(operation_id="knowledge_sources_disable", request=None)
    def disable(self, request: Request, pk: int) -> Response:
        """Ask the source nothing until it is enabled."""
        return self._switch(request, False)

    @extend_schema(
        operation_id="knowledge_sources_test", request=SourceTestSerializer, responses=QueryPreviewSerializer
    )
    def test(self, request: Request, pk: int) -> Response:
        """Ask the source how much it has on a query, and how it understands it. Nothing is stored.

        A source that cannot be asked is no error of this request: `problem` tells why.
        """
        source = self.get_object()
        wanted = read_body(SourceTestSerializer, request)
        (found,) = previews.preview([(source, wanted["query"])], days_back=wanted["days_back"])
        return Response(QueryPreviewSerializer(found).data)

    @extend_schema(
        operation_id="knowledge_sources_sync",
        request=SyncSerializer,
        responses={202: STARTED, 409: _DISABLED},
    )
    def sync(self, request: Request) -> Response:
        """Look for corrections and retractions of known papers at some sources, or at all enabled ones."""
        chosen = read_body(SyncSerializer, request)["sources"]
        return started(sources.sync(chosen, by=person(request), trigger=JobRun.Trigger.API), request)

    def _switch(self, request: Request, is_enabled: bool) -> Response:
        source = self.get_object()
        sources.set_enabled(source, is_enabled, by=person(request))
        return self._answer(source)

    def _answer(self, source: Source, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=source.pk)
        return Response(self.get_serializer(fresh).data, status=code)
