"""`publishers/`: where posts go out."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import STARTED, conflict, person, started
from jobs.api.fields import ParametersField
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.models import JobRun
from publishing import configuration, publishers
from publishing.api.serializers import SecondsField
from publishing.models import Publisher
from publishing.publishers.base import AnyKind


class PublisherKindSerializer(serializers.Serializer[AnyKind]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name is what clients see
    help_text = serializers.CharField()  # type: ignore[assignment]  # as above
    schema = serializers.SerializerMethodField(help_text="JSON schema of its settings.")
    secrets = serializers.SerializerMethodField(help_text="Settings that are written and never read.")

    @extend_schema_field(serializers.DictField())
    def get_schema(self, kind: AnyKind) -> dict[str, Any]:
        return kind.parameters.model_json_schema()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_secrets(self, kind: AnyKind) -> list[str]:
        return sorted(kind.parameters.secret_names())


class PublisherSerializer(serializers.Serializer[Publisher]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField()
    settings = serializers.DictField(help_text="Without secrets.")
    secrets_set = serializers.SerializerMethodField(
        help_text="Which secrets it has; null when no key opens them."
    )
    is_enabled = serializers.BooleanField()
    lateness_seconds = SecondsField(source="lateness")
    created_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_secrets_set(self, publisher: Publisher) -> list[str] | None:
        return configuration.secret_names(publisher)


class PublisherInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    kind = serializers.CharField(max_length=30, help_text="It cannot be changed later.")
    settings = ParametersField(
        help_text="As the schema of the kind says. A secret that is left out stays what it is."
    )
    lateness_seconds = SecondsField(
        source="lateness", required=False, help_text="A post that is later is missed. An hour."
    )


class PublisherKindsView(APIView):
    permission_of: ClassVar = {"get": "publishing.view_publisher"}

    @extend_schema(operation_id="publisher_kinds_list", responses=PublisherKindSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The kinds of publishers, with what each wants to know."""
        return Response([PublisherKindSerializer(kind).data for kind in publishers.all_kinds()])


class PublisherViewSet(mixins.ListModelMixin, GenericViewSet[Publisher]):
    queryset = Publisher.objects.all()
    serializer_class = PublisherSerializer
    pagination_class = NewestFirst
    permission_of: ClassVar[Needed] = {
        "list": "publishing.view_publisher",
        "create": "publishing.add_publisher",
        "retrieve": "publishing.view_publisher",
        "partial_update": "publishing.change_publisher",
        "destroy": "publishing.delete_publisher",
        "test": "publishing.test_publisher",
        "enable": "publishing.enable_publisher",
        "disable": "publishing.enable_publisher",
    }

    @extend_schema(operation_id="publishers_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Publishers, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="publishers_create",
        request=PublisherInputSerializer,
        responses={201: PublisherSerializer},
    )
    def create(self, request: Request) -> Response:
        """Add a publisher. Test it to see that it works."""
        body = read_body(PublisherInputSerializer, request)
        publisher = Publisher()
        _save(publisher, body, body.pop("settings"), request)
        return self._answer(publisher, status.HTTP_201_CREATED)

    @extend_schema(operation_id="publishers_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One publisher."""
        return self._answer(self.get_object())

    @extend_schema(operation_id="publishers_change", request=PublisherInputSerializer(partial=True))
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of a publisher's settings, those of its kind one by one too."""
        publisher = self.get_object()
        serializer = PublisherInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        given = body.pop("settings", None)
        _save(publisher, body, None if given is None else {**publisher.settings, **given}, request)
        return self._answer(publisher)

    @extend_schema(
        operation_id="publishers_delete",
        request=None,
        responses={
            204: OpenApiResponse(description="It is gone."),
            409: conflict("Posts went or go out to it."),
        },
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a publisher that nothing was published to; disable others."""
        configuration.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(operation_id="publishers_test", request=None, responses={202: STARTED})
    def test(self, request: Request, pk: int) -> Response:
        """Try address and credentials without publishing; the run's result tells."""
        run = configuration.test(self.get_object(), by=person(request), trigger=JobRun.Trigger.API)
        return started(run, request)

    @extend_schema(operation_id="publishers_enable", request=None)
    def enable(self, request: Request, pk: int) -> Response:
        """Send to it again; what waits and is not too late goes out with the next round."""
        configuration.enable(self.get_object(), by=person(request))
        return self._answer(self.get_object())

    @extend_schema(operation_id="publishers_disable", request=None)
    def disable(self, request: Request, pk: int) -> Response:
        """Send nothing to it until it is enabled."""
        configuration.disable(self.get_object(), by=person(request))
        return self._answer(self.get_object())

    def _answer(self, publisher: Publisher, code: int = status.HTTP_200_OK) -> Response:
        return Response(self.get_serializer(publisher).data, status=code)


def _save(
    publisher: Publisher, body: dict[str, Any], settings: dict[str, Any] | None, request: Request
) -> None:
    if publisher.kind and body.get("kind", publisher.kind) != publisher.kind:
        raise serializers.ValidationError({"kind": ["The kind of a publisher cannot be changed."]})
    for name, value in body.items():
        setattr(publisher, name, value)
    configuration.save(publisher, settings=settings, by=person(request))
