"""`notifications/deliveries/`, `notifications/inbox/`: what was sent, and what came for oneself."""

import uuid
from typing import Any, ClassVar

import django_filters
from django.db.models import Count, QuerySet
from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import conflict, person
from jobs.api.filters import IdFilter, MomentFilter
from jobs.api.pagination import NewestFirst
from jobs.models import Alert, Delivery, DeliveryAttempt, InboxMessage, first_run_id
from jobs.notifications import configuration, deliveries, inbox


class DeliveryFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    channel = IdFilter(field_name="channel_id", help_text="Id of the channel.")
    alert = IdFilter(field_name="alert_id", help_text="Id of the alert.")
    state = django_filters.MultipleChoiceFilter(
        choices=Delivery.State.choices, help_text="Several are possible."
    )
    purpose = django_filters.MultipleChoiceFilter(
        choices=Delivery.Purpose.choices, help_text="Several are possible."
    )
    recipient = django_filters.CharFilter()
    since = MomentFilter(method="from_moment", help_text="Made at this moment or later.")

    class Meta:
        model = Delivery
        fields: list[str] = []

    def from_moment(self, rows: QuerySet[Delivery], name: str, moment: Any) -> QuerySet[Delivery]:
        """Bounded by id as well: the list is read in the order of the primary key."""
        return rows.filter(created_at__gte=moment, pk__gte=first_run_id(moment))


class InboxFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    unread = django_filters.BooleanFilter(
        field_name="read_at", lookup_expr="isnull", help_text="Only unread ones, or only read ones."
    )
    severity = django_filters.MultipleChoiceFilter(
        choices=Alert.Severity.choices, help_text="Several are possible."
    )

    class Meta:
        model = InboxMessage
        fields: list[str] = []


class DeliverySerializer(serializers.Serializer[Delivery]):
    id = serializers.UUIDField(help_text="Goes along as idempotency id.")
    channel = serializers.IntegerField(source="channel_id")
    recipient = serializers.CharField()
    purpose = serializers.ChoiceField(choices=Delivery.Purpose.choices)
    alert = serializers.IntegerField(source="alert_id", allow_null=True)
    rule = serializers.IntegerField(source="rule_id", allow_null=True)
    severity = serializers.ChoiceField(choices=Alert.Severity.choices)
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    attempts = serializers.IntegerField()
    last_answer = serializers.CharField()


class AttemptSerializer(serializers.Serializer[DeliveryAttempt]):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    outcome = serializers.ChoiceField(choices=DeliveryAttempt.Outcome.choices)
    status = serializers.IntegerField(allow_null=True, help_text="Code of HTTP or SMTP.")
    request = serializers.DictField(help_text="Where it went and how large it was; nothing secret.")
    answer = serializers.CharField()


class DeliveryDetailSerializer(DeliverySerializer):
    """A delivery with its message and every attempt."""

    message = serializers.DictField()
    log = serializers.SerializerMethodField(help_text="Every attempt, in order.")

    @extend_schema_field(AttemptSerializer(many=True))
    def get_log(self, delivery: Delivery) -> list[dict[str, Any]]:
        return [dict(AttemptSerializer(row).data) for row in configuration.attempts_of(delivery)]


class MessageSerializer(serializers.Serializer[InboxMessage]):
    id = serializers.IntegerField()
    title = serializers.CharField()
    text = serializers.CharField()
    severity = serializers.ChoiceField(choices=Alert.Severity.choices)
    link = serializers.CharField(help_text="Path of the page it is about; may be empty.")
    alert = serializers.IntegerField(source="alert_id", allow_null=True)
    at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class InboxSummarySerializer(serializers.Serializer[Any]):
    unread = serializers.IntegerField()
    by_severity = serializers.DictField(child=serializers.IntegerField(), help_text="Of the unread ones.")


class ReadSerializer(serializers.Serializer[Any]):
    changed = serializers.IntegerField(help_text="How many were not like that before.")


class DeliveryViewSet(mixins.ListModelMixin, GenericViewSet[Delivery]):
    queryset = Delivery.objects.all()
    filterset_class = DeliveryFilter
    pagination_class = NewestFirst
    serializer_class = DeliverySerializer
    permission_of: ClassVar = {
        "list": "jobs.view_delivery",
        "retrieve": "jobs.view_delivery",
        "retry": "jobs.retry_delivery",
    }

    def get_queryset(self) -> QuerySet[Delivery]:
        rows = Delivery.objects.visible_to(self.request.user)
        return rows.defer("message") if self.action == "list" else rows

    @extend_schema(operation_id="deliveries_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Deliveries, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="deliveries_retrieve", responses=DeliveryDetailSerializer)
    def retrieve(self, request: Request, pk: uuid.UUID) -> Response:
        """One delivery with its message and every attempt."""
        return Response(DeliveryDetailSerializer(self.get_object()).data)

    @extend_schema(
        operation_id="deliveries_retry",
        request=None,
        responses={200: DeliverySerializer, 409: conflict("It neither failed nor was withdrawn.")},
    )
    def retry(self, request: Request, pk: uuid.UUID) -> Response:
        """Put a failed or withdrawn delivery back, to be sent now."""
        delivery = self.get_object()
        deliveries.retry([delivery], by=person(request))
        delivery.refresh_from_db()
        return Response(self.get_serializer(delivery).data)


class InboxViewSet(mixins.ListModelMixin, GenericViewSet[InboxMessage]):
    queryset = InboxMessage.objects.all()
    filterset_class = InboxFilter
    pagination_class = NewestFirst
    serializer_class = MessageSerializer
    permission_of: ClassVar = {
        "list": "jobs.view_inboxmessage",
        "summary": "jobs.view_inboxmessage",
        "read": "jobs.change_inboxmessage",
        "unread": "jobs.change_inboxmessage",
        "read_all": "jobs.change_inboxmessage",
    }

    def get_queryset(self) -> QuerySet[InboxMessage]:
        return InboxMessage.objects.of(person(self.request))

    @extend_schema(operation_id="inbox_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One's own messages, the newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="inbox_summary", responses=InboxSummarySerializer, filters=False)
    def summary(self, request: Request) -> Response:
        """How many of one's own messages are unread."""
        unread = self.get_queryset().unread().order_by()  # type: ignore[attr-defined]  # ours has it
        counts = dict(unread.values_list("severity").annotate(Count("pk")))
        return Response({"unread": sum(counts.values()), "by_severity": counts})

    @extend_schema(operation_id="inbox_read", request=None, responses=MessageSerializer)
    def read(self, request: Request, pk: int) -> Response:
        """Mark a message as read."""
        inbox.mark_read(person(request), [pk])
        return self._answer(pk)

    @extend_schema(operation_id="inbox_unread", request=None, responses=MessageSerializer)
    def unread(self, request: Request, pk: int) -> Response:
        """Put a message back among the unread ones."""
        inbox.mark_unread(person(request), [pk])
        return self._answer(pk)

    @extend_schema(operation_id="inbox_read_all", request=None, responses=ReadSerializer)
    def read_all(self, request: Request) -> Response:
        """Mark all of one's own messages as read."""
        return Response({"changed": inbox.mark_read(person(request))})

    def _answer(self, pk: int) -> Response:
        message = self.get_queryset().filter(pk=pk).first()
        if message is None:
            raise Http404
        return Response(self.get_serializer(message).data)
