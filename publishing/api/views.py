"""`sources/` and `items/`."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError as ModelValidationError
from django.db.models import Count, Q
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import STARTED, conflict, person, started
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import read_body
from jobs.api.permissions import Needed
from jobs.models import JobRun
from publishing import controls
from publishing.api.filters import ItemFilter, SourceFilter
from publishing.api.serializers import (
    ForgottenSerializer,
    ItemDetailSerializer,
    ItemInputSerializer,
    ItemSerializer,
    PollInputSerializer,
    SourceInputSerializer,
    SourceSerializer,
)
from publishing.models import FeedItem, Source

_NOT_POLLED = conflict("The texts of this source are added by hand.")


class SourceViewSet(mixins.ListModelMixin, GenericViewSet[Source]):
    queryset = Source.objects.annotate(item_count=Count("items", filter=Q(items__removed_at=None)))
    serializer_class = SourceSerializer
    filterset_class = SourceFilter
    pagination_class = NewestFirst
    permission_of: ClassVar[Needed] = {
        "list": "publishing.view_source",
        "create": "publishing.add_source",
        "retrieve": "publishing.view_source",
        "update": "publishing.change_source",
        "partial_update": "publishing.change_source",
        "destroy": "publishing.delete_source",
        "poll": "publishing.poll_source",
        "test": "publishing.test_source",
        "reset": "publishing.reset_source",
        "enable": "publishing.enable_source",
        "disable": "publishing.enable_source",
        "add_item": "publishing.add_feeditem",
    }

    @extend_schema(operation_id="sources_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sources, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="sources_create", request=SourceInputSerializer, responses={201: SourceSerializer}
    )
    def create(self, request: Request) -> Response:
        """Add a source. Its first poll comes with the next round."""
        source = _saved(Source(), read_body(SourceInputSerializer, request), request)
        return self._answer(source, status.HTTP_201_CREATED)

    @extend_schema(operation_id="sources_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One source."""
        return self._answer(self.get_object())

    @extend_schema(operation_id="sources_update", request=SourceInputSerializer)
    def update(self, request: Request, pk: int) -> Response:
        """Replace a source's settings; what is left out gets its default. A new address begins anew."""
        return self._answer(_saved(self.get_object(), read_body(SourceInputSerializer, request), request))

    @extend_schema(operation_id="sources_change", request=SourceInputSerializer(partial=True))
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of a source's settings."""
        source = self.get_object()
        serializer = SourceInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        return self._answer(_saved(source, serializer.validated_data, request))

    @extend_schema(
        operation_id="sources_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a source with all its items."""
        controls.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="sources_poll", request=PollInputSerializer, responses={202: STARTED, 409: _NOT_POLLED}
    )
    def poll(self, request: Request, pk: int) -> Response:
        """Poll the source now, due or not."""
        force = read_body(PollInputSerializer, request)["force"]
        run = controls.poll(self.get_object(), by=person(request), trigger=JobRun.Trigger.API, force=force)
        return started(run, request)

    @extend_schema(operation_id="sources_test", request=None, responses={202: STARTED, 409: _NOT_POLLED})
    def test(self, request: Request, pk: int) -> Response:
        """Fetch the source and show what it gives, in the run's result; nothing is stored."""
        return started(
            controls.test(self.get_object(), by=person(request), trigger=JobRun.Trigger.API), request
        )

    @extend_schema(operation_id="sources_reset", request=None, responses=ForgottenSerializer)
    def reset(self, request: Request, pk: int) -> Response:
        """Forget all items of the source; its next poll is like its first."""
        return Response({"forgotten_items": controls.reset(self.get_object(), by=person(request))})

    @extend_schema(operation_id="sources_enable", request=None)
    def enable(self, request: Request, pk: int) -> Response:
        """Poll the source by itself again, also one that was gone or given up on."""
        controls.enable(self.get_object(), by=person(request))
        return self._answer(self.get_object())

    @extend_schema(operation_id="sources_disable", request=None)
    def disable(self, request: Request, pk: int) -> Response:
        """Leave the source alone until it is enabled."""
        controls.disable(self.get_object(), by=person(request))
        return self._answer(self.get_object())

    @extend_schema(
        operation_id="sources_add_item",
        request=ItemInputSerializer,
        responses={
            201: ItemDetailSerializer,
            200: OpenApiResponse(ItemDetailSerializer, description="It was there already."),
            409: conflict("The items of this source are polled."),
        },
    )
    def add_item(self, request: Request, pk: int) -> Response:
        """Add a text to a source of the kind `manual`. The same title and text is the same item."""
        source = self.get_object()
        item, is_new = controls.add_item(
            source, **read_body(ItemInputSerializer, request), by=person(request)
        )
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(ItemDetailSerializer(item, context={"request": request}).data, status=code)

    def _answer(self, source: Source, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=source.pk)
        return Response(self.get_serializer(fresh).data, status=code)


def _saved(source: Source, changes: dict[str, Any], request: Request) -> Source:
    """The source with the changes, checked and saved; every complaint names its field."""
    for name, value in changes.items():
        setattr(source, name, value)
    try:
        controls.save(source, by=person(request))
    except ModelValidationError as error:
        named = {
            "__all__": "request",
            "min_interval": "min_interval_seconds",
            "max_interval": "max_interval_seconds",
        }
        raise serializers.ValidationError(
            {named.get(name, name): texts for name, texts in error.message_dict.items()}
        ) from error
    return source


class ItemViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[FeedItem]):
    queryset = FeedItem.objects.kept()
    filterset_class = ItemFilter
    pagination_class = NewestFirst
    permission_of = {
        "list": "publishing.view_feeditem",
        "retrieve": "publishing.view_feeditem",
        "destroy": "publishing.delete_feeditem",
        "replay": "publishing.replay_feeditem",
    }

    def get_serializer_class(self) -> type[ItemSerializer]:
        return ItemSerializer if self.action == "list" else ItemDetailSerializer

    @extend_schema(operation_id="items_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Items without their text, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="items_retrieve")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One item with its sanitised text."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(
        operation_id="items_remove",
        request=None,
        responses={204: OpenApiResponse(description="It is removed.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Remove an item; no poll brings it back."""
        item = self.get_object()
        controls.remove(FeedItem.objects.filter(pk=item.pk), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(operation_id="items_replay", request=None)
    def replay(self, request: Request, pk: int) -> Response:
        """Put an item back to be used again; one that waits already stays as it is."""
        item = self.get_object()
        controls.replay(FeedItem.objects.filter(pk=item.pk), by=person(request))
        return Response(self.get_serializer(self.get_object()).data)
