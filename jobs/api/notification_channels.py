"""`notifications/channels/`: where notifications go."""

from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import conflict, person
from jobs.api.fields import ClockField, ParametersField
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.schedules import ZoneField
from jobs.errors import JobsError
from jobs.models import NotificationChannel
from jobs.notifications import channels, configuration
from jobs.notifications.channels.base import AnyKind
from jobs.notifications.configuration import Tried


class ChannelKindSerializer(serializers.Serializer[AnyKind]):
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


class RefusedRecipientSerializer(serializers.Serializer[Any]):
    recipient = serializers.CharField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class ChannelSerializer(serializers.Serializer[NotificationChannel]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField()
    address = serializers.SerializerMethodField(help_text="Where it leads, without secrets.")
    settings = serializers.DictField(help_text="Without secrets.")
    secrets_set = serializers.SerializerMethodField(
        help_text="Which secrets it has; null when no key opens them."
    )
    is_enabled = serializers.BooleanField()
    disabled_reason = serializers.CharField(help_text="Why the system disabled it; empty: a person did.")
    disabled_at = serializers.DateTimeField(allow_null=True)
    refused_recipients = serializers.SerializerMethodField()
    time_zone = serializers.CharField()
    quiet_from = ClockField(allow_null=True)
    quiet_until = ClockField(allow_null=True)
    critical_is_never_quiet = serializers.BooleanField()
    pause_until = serializers.DateTimeField(allow_null=True, help_text="As the receiver asked.")
    failures_in_a_row = serializers.IntegerField()
    last_error = serializers.CharField()
    last_failed_at = serializers.DateTimeField(allow_null=True)
    last_sent_at = serializers.DateTimeField(allow_null=True)

    def get_address(self, channel: NotificationChannel) -> str:
        try:
            return channels.get_kind(channel.kind).address(channels.read_settings(channel))
        except JobsError as error:
            return str(error)

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_secrets_set(self, channel: NotificationChannel) -> list[str] | None:
        return configuration.secret_names(channel)

    @extend_schema_field(RefusedRecipientSerializer(many=True))
    def get_refused_recipients(self, channel: NotificationChannel) -> list[dict[str, Any]]:
        refused: dict[str, dict[str, Any]] = channel.refused_recipients
        return [{"recipient": name, **refusal} for name, refusal in refused.items()]


class ChannelInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    kind = serializers.CharField(max_length=30, help_text="It cannot be changed later.")
    settings = ParametersField(
        help_text="As the schema of the kind says. A secret that is left out stays what it is."
    )
    time_zone = ZoneField(max_length=64, default="UTC")
    quiet_from = ClockField(allow_null=True, default=None)
    quiet_until = ClockField(allow_null=True, default=None)
    critical_is_never_quiet = serializers.BooleanField(default=True)


class TriedSerializer(serializers.Serializer[Tried]):
    recipient = serializers.CharField(source="delivery.recipient", help_text="Empty: there is but one.")
    was_sent = serializers.BooleanField()
    status = serializers.IntegerField(allow_null=True, help_text="Code of HTTP or SMTP.")
    answer = serializers.CharField(help_text="What the other side said, or why nothing was sent.")
    delivery = serializers.UUIDField(source="delivery.id")


class KindsView(APIView):
    permission_of: ClassVar = {"get": "jobs.view_notificationchannel"}

    @extend_schema(operation_id="notification_kinds_list", responses=ChannelKindSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The kinds of channels, with what each wants to know."""
        return Response([ChannelKindSerializer(kind).data for kind in channels.all_kinds()])


class ChannelViewSet(mixins.ListModelMixin, GenericViewSet[NotificationChannel]):
    queryset = NotificationChannel.objects.all()
    serializer_class = ChannelSerializer
    pagination_class = NewestFirst
    permission_of: ClassVar = {
        "list": "jobs.view_notificationchannel",
        "create": "jobs.add_notificationchannel",
        "retrieve": "jobs.view_notificationchannel",
        "update": "jobs.change_notificationchannel",
        "partial_update": "jobs.change_notificationchannel",
        "destroy": "jobs.delete_notificationchannel",
        "test": "jobs.test_notificationchannel",
        "enable": "jobs.enable_notificationchannel",
        "disable": "jobs.enable_notificationchannel",
    }

    @extend_schema(operation_id="notification_channels_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Channels, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="notification_channels_create",
        request=ChannelInputSerializer,
        responses={201: ChannelSerializer},
    )
    def create(self, request: Request) -> Response:
        """Add a channel. Send a test to see that it works."""
        body = read_body(ChannelInputSerializer, request)
        channel = NotificationChannel()
        _save(channel, body, body.pop("settings"), request)
        return self._answer(channel, status.HTTP_201_CREATED)

    @extend_schema(operation_id="notification_channels_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One channel."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(operation_id="notification_channels_update", request=ChannelInputSerializer)
    def update(self, request: Request, pk: int) -> Response:
        """Replace a channel's settings; what is left out gets its default, but for secrets, which stay."""
        channel = self.get_object()
        body = read_body(ChannelInputSerializer, request)
        _save(channel, body, body.pop("settings"), request)
        return self._answer(channel)

    @extend_schema(operation_id="notification_channels_change", request=ChannelInputSerializer(partial=True))
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of a channel's settings, those of its kind one by one too."""
        channel = self.get_object()
        serializer = ChannelInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        body = serializer.validated_data
        given = body.pop("settings", None)
        _save(channel, body, None if given is None else {**channel.settings, **given}, request)
        return self._answer(channel)

    @extend_schema(
        operation_id="notification_channels_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a channel with its deliveries."""
        configuration.delete_channel(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="notification_channels_test",
        request=None,
        responses={
            200: TriedSerializer(many=True),
            409: conflict("Its kind is gone, or its settings or secrets cannot be read."),
        },
    )
    def test(self, request: Request, pk: int) -> Response:
        """Really send a test now, to every recipient, and give the real answers."""
        tried = configuration.try_out(self.get_object(), by=person(request))
        return Response([TriedSerializer(one).data for one in tried])

    @extend_schema(operation_id="notification_channels_enable", request=None)
    def enable(self, request: Request, pk: int) -> Response:
        """Send over the channel again, and to every recipient; what waits goes out at once."""
        channel = self.get_object()
        configuration.enable(channel, by=person(request))
        return self._answer(channel)

    @extend_schema(operation_id="notification_channels_disable", request=None)
    def disable(self, request: Request, pk: int) -> Response:
        """Send nothing over the channel until it is enabled; what waits is kept for a day."""
        channel = self.get_object()
        configuration.disable(channel, by=person(request))
        return self._answer(channel)

    def _answer(self, channel: NotificationChannel, code: int = status.HTTP_200_OK) -> Response:
        channel.refresh_from_db()
        return Response(self.get_serializer(channel).data, status=code)


def _save(
    channel: NotificationChannel, body: dict[str, Any], settings: dict[str, Any] | None, request: Request
) -> None:
    if channel.kind and body.get("kind", channel.kind) != channel.kind:
        raise serializers.ValidationError({"kind": ["The kind of a channel cannot be changed."]})
    for name, value in body.items():
        setattr(channel, name, value)
    configuration.save_channel(channel, settings=settings, by=person(request))
