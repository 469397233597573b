"""`alerts/`: what is wrong, and what people do about it."""

import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs import audit
from jobs.alerts import changes, cleanup, figures
from jobs.alerts.kinds import all_kinds, find_kind
from jobs.alerts.raising import Subject, raise_alert
from jobs.alerts.summary import by_severity
from jobs.api.alert_filters import AlertFilter
from jobs.api.alert_output import AlertSerializer, AlertSummarySerializer, KindSerializer
from jobs.api.answers import conflict, person
from jobs.api.fields import MomentField
from jobs.api.parsing import StrictSerializer, read_body
from jobs.models import Alert, AlertRead

_LARGEST_CONTEXT = 10_000
_MOST_AT_ONCE = 500
_LARGEST_ID = 2**63 - 1
_LATEST = 5

#: What can be done to many at once, with the permission that each needs.
CHANGES: dict[str, str] = {
    "read": "jobs.view_alert",
    "acknowledge": "jobs.acknowledge_alert",
    "snooze": "jobs.snooze_alert",
    "unsnooze": "jobs.snooze_alert",
    "resolve": "jobs.resolve_alert",
    "dismiss": "jobs.dismiss_alert",
}


class NewSubjectSerializer(StrictSerializer):
    type = serializers.CharField(max_length=50, help_text="Such as host, order or customer list.")
    id = serializers.CharField(max_length=100, default="", allow_blank=True)
    text = serializers.CharField(max_length=300, default="", allow_blank=True)
    link = serializers.RegexField(
        r"^(https?://\S+|/(?!/)\S*)?$",
        max_length=500,
        default="",
        allow_blank=True,
        help_text="An http(s) address, or a path of this site.",
    )


class NewAlertSerializer(StrictSerializer):
    kind = serializers.CharField(max_length=100, default="jobs.reported_trouble")
    title = serializers.CharField(max_length=200)
    message = serializers.CharField(max_length=10_000, default="", allow_blank=True)
    severity = serializers.ChoiceField(choices=Alert.Severity.choices, required=False)
    fingerprint = serializers.CharField(
        max_length=200,
        required=False,
        help_text="Equal for reports of one cause: they are counted on one alert. Without it, the subject tells.",
    )
    subject = NewSubjectSerializer()
    context = serializers.DictField(  # type: ignore[assignment]  # a field of that name is what clients send
        default=dict, help_text="Facts, without personal data."
    )

    def validate_kind(self, name: str) -> str:
        kind = find_kind(name)
        if kind is None or not kind.is_reportable:
            names = ", ".join(kind.name for kind in all_kinds() if kind.is_reportable)
            raise serializers.ValidationError(f"This kind cannot be reported. Those that can: {names}.")
        return name

    def validate_context(self, context: dict[str, Any]) -> dict[str, Any]:
        if len(json.dumps(context)) > _LARGEST_CONTEXT:
            raise serializers.ValidationError(f"As JSON it has more than {_LARGEST_CONTEXT:,} characters.")
        return context


class NoteSerializer(StrictSerializer):
    note = serializers.CharField(max_length=400, default="", allow_blank=True)


class SnoozeSerializer(NoteSerializer):
    until = MomentField(help_text=f"Within the next {changes.LONGEST_SNOOZE.days} days.")


class BulkSerializer(NoteSerializer):
    action = serializers.ChoiceField(choices=sorted(CHANGES))
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_LARGEST_ID),
        min_length=1,
        max_length=_MOST_AT_ONCE,
    )
    until = MomentField(required=False, help_text="For snooze.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["action"] == "snooze") != ("until" in attrs):
            raise serializers.ValidationError({"until": ["Give it with snooze, and only with snooze."]})
        return attrs


class RefusedSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reason = serializers.CharField()


class BulkAnswerSerializer(serializers.Serializer[Any]):
    done = serializers.ListField(child=serializers.IntegerField())
    refused = RefusedSerializer(many=True)


class CleanupSerializer(StrictSerializer):
    keep_days = serializers.IntegerField(
        min_value=cleanup.SHORTEST, max_value=cleanup.LONGEST, default=cleanup.USUAL
    )
    dry_run = serializers.BooleanField(default=False, help_text="Only count.")


class CleanupAnswerSerializer(serializers.Serializer[Any]):
    deleted = serializers.IntegerField(help_text="Alerts that went, or would go.")


class _CountsField(serializers.DictField):
    child = serializers.IntegerField()


class AlertFiguresSerializer(serializers.Serializer[figures.Figures]):
    total = serializers.IntegerField()
    live = serializers.IntegerField(help_text="Open, acknowledged or snoozed.")
    by_state = _CountsField()
    by_severity = _CountsField(help_text="Of the live ones, as the next two.")
    by_kind = _CountsField()
    by_app = _CountsField()
    flapping = serializers.IntegerField()
    opened_today = serializers.IntegerField(help_text="In the last 24 hours.")
    resolved_today = serializers.IntegerField(help_text="In the last 24 hours.")
    seconds_to_acknowledge = serializers.FloatField(allow_null=True, help_text="Mean of the last 30 days.")
    seconds_to_resolve = serializers.FloatField(allow_null=True, help_text="Mean of the last 30 days.")


class UnreadSerializer(serializers.Serializer[Any]):
    unread = serializers.IntegerField()
    by_severity = _CountsField()
    latest = AlertSummarySerializer(many=True)


_GONE = conflict("Its state does not allow it: it is resolved, or is so already.")


class AlertViewSet(mixins.ListModelMixin, GenericViewSet[Alert]):
    queryset = Alert.objects.select_related("owner_group")
    serializer_class = AlertSummarySerializer
    filterset_class = AlertFilter
    permission_of = {
        "list": "jobs.view_alert",
        "create": "jobs.add_alert",
        "kinds": "jobs.view_alert",
        "stats": "jobs.view_alert",
        "unread_summary": "jobs.view_alert",
        "retrieve": "jobs.view_alert",
        "read": "jobs.view_alert",
        "unread": "jobs.view_alert",
        "acknowledge": "jobs.acknowledge_alert",
        "snooze": "jobs.snooze_alert",
        "unsnooze": "jobs.snooze_alert",
        "resolve": "jobs.resolve_alert",
        "dismiss": "jobs.dismiss_alert",
        "bulk": "jobs.view_alert",
        "cleanup": "jobs.cleanup_alerts",
    }

    def get_queryset(self) -> QuerySet[Alert]:
        return shown_to(self.request)

    @extend_schema(operation_id="alerts_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Alerts, newest first; those folded into an incident are found by naming it."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="alerts_create",
        request=NewAlertSerializer,
        responses={
            201: OpenApiResponse(AlertSerializer, description="A new alert."),
            200: OpenApiResponse(AlertSerializer, description="Counted on the alert of this cause."),
        },
    )
    def create(self, request: Request) -> Response:
        """Report that something is wrong. Say it as often as you like: one cause is one alert."""
        given = read_body(NewAlertSerializer, request)
        alert = raise_alert(subject=Subject(**given.pop("subject")), **given)
        is_new = alert.count == 1
        if is_new:
            audit.record(person(request), alert, "Reported.", action=audit.ADDITION)
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(in_full(request, alert.pk), status=code)

    @extend_schema(operation_id="alerts_kinds", responses=KindSerializer(many=True), filters=False)
    def kinds(self, request: Request) -> Response:
        """The kinds of alerts that there can be."""
        return Response(KindSerializer(all_kinds(), many=True).data)

    @extend_schema(operation_id="alerts_stats", responses=AlertFiguresSerializer, filters=False)
    def stats(self, request: Request) -> Response:
        """How many alerts there are, how bad, and how quickly they are looked after."""
        found = figures.figures(Alert.objects.visible_to(request.user), timezone.now())
        return Response(AlertFiguresSerializer(found).data)

    @extend_schema(operation_id="alerts_unread_summary", responses=UnreadSerializer, filters=False)
    def unread_summary(self, request: Request) -> Response:
        """What is new to the person who asks: how much, how bad, and the most pressing of it."""
        unread = Alert.objects.visible_to(request.user).unread_by(person(request))
        latest = shown_to(request).filter(pk__in=unread.order_by("-priority", "-news_at")[:_LATEST])
        counts = by_severity(unread)
        answer = {
            "unread": sum(counts.values()),
            "by_severity": counts,
            "latest": latest.order_by("-priority", "-news_at"),
        }
        return Response(UnreadSerializer(answer, context=self.get_serializer_context()).data)

    @extend_schema(operation_id="alerts_retrieve", responses=AlertSerializer)
    def retrieve(self, request: Request, pk: int) -> Response:
        """One alert with its history, its runbook and the runs that it is about."""
        return Response(in_full(request, pk))

    @extend_schema(operation_id="alerts_read", request=None, responses=AlertSerializer)
    def read(self, request: Request, pk: int) -> Response:
        """Remember that you have read it as it is now."""
        changes.read([seen(request, pk).pk], by=person(request))
        return Response(in_full(request, pk))

    @extend_schema(operation_id="alerts_unread", request=None, responses=AlertSerializer)
    def unread(self, request: Request, pk: int) -> Response:
        """Forget that you have read it."""
        changes.unread([seen(request, pk).pk], by=person(request))
        return Response(in_full(request, pk))

    @extend_schema(
        operation_id="alerts_acknowledge",
        request=NoteSerializer,
        responses={200: AlertSerializer, 409: _GONE},
    )
    def acknowledge(self, request: Request, pk: int) -> Response:
        """Say that somebody looks after it."""
        return self._change(request, pk, changes.acknowledge, NoteSerializer)

    @extend_schema(
        operation_id="alerts_snooze", request=SnoozeSerializer, responses={200: AlertSerializer, 409: _GONE}
    )
    def snooze(self, request: Request, pk: int) -> Response:
        """Put it off; it comes back by itself."""
        return self._change(request, pk, changes.snooze, SnoozeSerializer)

    @extend_schema(
        operation_id="alerts_unsnooze", request=NoteSerializer, responses={200: AlertSerializer, 409: _GONE}
    )
    def unsnooze(self, request: Request, pk: int) -> Response:
        """Bring it back before its time."""
        return self._change(request, pk, changes.unsnooze, NoteSerializer)

    @extend_schema(
        operation_id="alerts_resolve", request=NoteSerializer, responses={200: AlertSerializer, 409: _GONE}
    )
    def resolve(self, request: Request, pk: int) -> Response:
        """Say that it is over. If its cause is seen again soon, it is opened again."""
        return self._change(request, pk, changes.resolve, NoteSerializer)

    @extend_schema(
        operation_id="alerts_dismiss", request=NoteSerializer, responses={200: AlertSerializer, 409: _GONE}
    )
    def dismiss(self, request: Request, pk: int) -> Response:
        """Say that it is nothing to act on. As long as its cause never pauses for long, it stays quiet."""
        return self._change(request, pk, changes.dismiss, NoteSerializer)

    @extend_schema(operation_id="alerts_bulk", request=BulkSerializer, responses=BulkAnswerSerializer)
    def bulk(self, request: Request) -> Response:
        """Do one thing to many alerts; it needs the permission of the action. What one refuses hinders no other."""
        given = read_body(BulkSerializer, request)
        action, ids = given.pop("action"), given.pop("ids")
        if not request.user.has_perm(CHANGES[action]):
            raise PermissionDenied(f"This needs the permission {CHANGES[action]}.")
        visible = set(
            Alert.objects.shown().visible_to(request.user).filter(pk__in=ids).values_list("pk", flat=True)
        )
        unknown = {pk: f"There is no alert {pk}." for pk in ids if pk not in visible}
        known = [pk for pk in ids if pk in visible]
        if action == "read":
            changes.read(known, by=person(request))
            changed = changes.Changed(done=list(dict.fromkeys(known)))
        else:
            changed = changes.each(known, getattr(changes, action), by=person(request), **given)
        refused = [{"id": pk, "reason": reason} for pk, reason in (unknown | changed.refused).items()]
        return Response({"done": changed.done, "refused": refused})

    @extend_schema(
        operation_id="alerts_cleanup", request=CleanupSerializer, responses=CleanupAnswerSerializer
    )
    def cleanup(self, request: Request) -> Response:
        """Delete the alerts that were resolved more than so many days ago, with their history."""
        given = read_body(CleanupSerializer, request)
        deleted = cleanup.cleanup(timezone.now(), **given)
        if not given["dry_run"]:
            message = f"Deleted {deleted} that were resolved more than {given['keep_days']} days ago."
            audit.record_about(person(request), "alerts", message)
        return Response({"deleted": deleted})

    def _change(
        self,
        request: Request,
        pk: int,
        change: Callable[..., Alert],
        kind: type[serializers.Serializer[Any]],
    ) -> Response:
        change(seen(request, pk).pk, by=person(request), **read_body(kind, request))
        return Response(in_full(request, pk))


def shown_to(request: Request) -> QuerySet[Alert]:
    """The alerts that the person who asks may see, with when the person last read each."""
    read_at = AlertRead.objects.filter(alert=OuterRef("pk"), user_id=person(request).pk).values("at")
    folded = Alert.objects.filter(incident=OuterRef("pk")).order_by().values("incident")
    alerts = Alert.objects.shown().visible_to(request.user).select_related("owner_group")
    return alerts.annotate(
        read_at=Subquery(read_at),
        folded_count=Coalesce(Subquery(folded.annotate(count=Count("pk")).values("count")), 0),
    )


def seen(request: Request, pk: int) -> Alert:
    """The alert, if the person who asks may see it; raises AlertNotFound."""
    alert = shown_to(request).filter(pk=pk).first()
    if alert is None:
        raise changes.AlertNotFound(f"There is no alert {pk}.")
    return alert


def in_full(request: Request, pk: int) -> dict[str, Any]:
    """Everything about an alert, read anew; raises AlertNotFound."""
    return dict(AlertSerializer(seen(request, pk), context={"request": request}).data)
