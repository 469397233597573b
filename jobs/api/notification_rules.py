"""`notifications/rules/`: who is told of what."""

from datetime import time
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import person
from jobs.api.fields import ClockField, MomentField
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.schedules import ZoneField
from jobs.models import Alert, EscalationStep, NotificationChannel, NotificationRule
from jobs.notifications import configuration, explain
from jobs.notifications.configuration import Step
from jobs.notifications.matching import Occasion, Verdict

_MOST_PATTERNS = 100


class StepSerializer(StrictSerializer):
    after_minutes = serializers.IntegerField(min_value=1, max_value=43_200)
    channels = serializers.PrimaryKeyRelatedField(
        many=True, queryset=NotificationChannel.objects.all(), allow_empty=False
    )


class StepOutputSerializer(serializers.Serializer[EscalationStep]):
    after_minutes = serializers.IntegerField()
    channels = serializers.SerializerMethodField(help_text="Ids.")

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_channels(self, step: EscalationStep) -> list[int]:
        return [channel.pk for channel in step.channels.all()]


class RuleSerializer(serializers.Serializer[NotificationRule]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    position = serializers.IntegerField()
    is_enabled = serializers.BooleanField()
    is_default = serializers.BooleanField(help_text="Asked only when no other rule has matched.")
    stops = serializers.BooleanField(help_text="When it matches, no later rule is asked.")
    kinds = serializers.ListField(child=serializers.CharField())
    sources = serializers.ListField(child=serializers.CharField())
    severity_at_least = serializers.ChoiceField(choices=Alert.Severity.choices)
    changes = serializers.ListField(child=serializers.ChoiceField(choices=NotificationRule.CHANGES))
    tells_recovery = serializers.BooleanField()
    weekdays = serializers.ListField(child=serializers.IntegerField())
    from_time = ClockField(allow_null=True)
    until_time = ClockField(allow_null=True)
    time_zone = serializers.CharField()
    channels = serializers.SerializerMethodField(help_text="Ids.")
    pace = serializers.ChoiceField(choices=NotificationRule.Pace.choices)
    digest_at = ClockField()
    repeat_minutes = serializers.IntegerField()
    steps = StepOutputSerializer(many=True)

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_channels(self, rule: NotificationRule) -> list[int]:
        return [channel.pk for channel in rule.channels.all()]


class RuleInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100)
    position = serializers.IntegerField(min_value=0, max_value=1_000_000, default=100)
    is_enabled = serializers.BooleanField(default=True)
    is_default = serializers.BooleanField(default=False)
    stops = serializers.BooleanField(default=False)
    kinds = serializers.ListField(
        child=serializers.CharField(max_length=100),
        max_length=_MOST_PATTERNS,
        default=list,
        help_text="Kinds of alerts, with wildcards, such as jobs.*; empty: all.",
    )
    sources = serializers.ListField(
        child=serializers.CharField(max_length=200),
        max_length=_MOST_PATTERNS,
        default=list,
        help_text="Apps, jobs, subjects or owner groups (group:data), with wildcards; empty: all.",
    )
    severity_at_least = serializers.ChoiceField(choices=Alert.Severity.choices, default="low")
    changes = serializers.ListField(
        child=serializers.ChoiceField(choices=NotificationRule.CHANGES), min_length=1, max_length=50
    )
    tells_recovery = serializers.BooleanField(default=True)
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6),
        max_length=7,
        default=list,
        help_text="0 is Monday; empty: every day.",
    )
    from_time = ClockField(allow_null=True, default=None)
    until_time = ClockField(allow_null=True, default=None)
    time_zone = ZoneField(max_length=64, default="UTC")
    channels = serializers.PrimaryKeyRelatedField(
        many=True, queryset=NotificationChannel.objects.all(), default=list
    )
    pace = serializers.ChoiceField(choices=NotificationRule.Pace.choices, default="at_once")
    digest_at = ClockField(default=time(8), help_text="For `daily`.")
    repeat_minutes = serializers.IntegerField(min_value=1, max_value=525_600, default=240)
    steps = StepSerializer(many=True, default=list, help_text="Escalation.")


class ExplainInputSerializer(StrictSerializer):
    alert = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, help_text="An alert; or describe one."
    )
    change = serializers.ChoiceField(choices=NotificationRule.CHANGES, default="opened")
    kind = serializers.CharField(max_length=100, required=False)
    severity = serializers.ChoiceField(choices=Alert.Severity.choices, default="high")
    source = serializers.CharField(  # type: ignore[assignment]  # a field of that name is what clients send
        max_length=200, required=False, help_text="Such as a job's name."
    )
    at = MomentField(required=False, help_text="Now, unless you say when.")


class VerdictSerializer(serializers.Serializer[Verdict]):
    rule = serializers.IntegerField(source="rule.id")
    name = serializers.CharField(source="rule.name")
    matches = serializers.BooleanField()
    reason = serializers.CharField()


class WaySerializer(serializers.Serializer[explain.Way]):
    channel = serializers.IntegerField(source="channel.id")
    name = serializers.CharField(source="channel.name")
    rule = serializers.IntegerField(source="rule.id")
    at = serializers.DateTimeField(allow_null=True, help_text="When it would be sent; null: not at all.")
    reason = serializers.CharField()


class ExplanationSerializer(serializers.Serializer[explain.Explanation]):
    verdicts = VerdictSerializer(many=True, help_text="What each rule says, in order.")
    ways = WaySerializer(many=True, help_text="Where a message would go.")


class RuleViewSet(mixins.ListModelMixin, GenericViewSet[NotificationRule]):
    queryset = NotificationRule.objects.prefetch_related("channels", "steps__channels")
    serializer_class = RuleSerializer
    pagination_class = NewestFirst
    permission_of: ClassVar = {
        "list": "jobs.view_notificationrule",
        "create": "jobs.add_notificationrule",
        "retrieve": "jobs.view_notificationrule",
        "update": "jobs.change_notificationrule",
        "partial_update": "jobs.change_notificationrule",
        "destroy": "jobs.delete_notificationrule",
        "explain": "jobs.view_notificationrule",
    }

    def get_queryset(self) -> QuerySet[NotificationRule]:
        return super().get_queryset().order_by("-pk")

    @extend_schema(operation_id="notification_rules_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Rules, the newest first; they are asked by `position`."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        operation_id="notification_rules_create",
        request=RuleInputSerializer,
        responses={201: RuleSerializer},
    )
    def create(self, request: Request) -> Response:
        """Add a rule."""
        rule = NotificationRule()
        _save_rule(rule, read_body(RuleInputSerializer, request), request)
        return self._answer(rule, status.HTTP_201_CREATED)

    @extend_schema(operation_id="notification_rules_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One rule."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(operation_id="notification_rules_update", request=RuleInputSerializer)
    def update(self, request: Request, pk: int) -> Response:
        """Replace a rule; what is left out gets its default."""
        rule = self.get_object()
        _save_rule(rule, read_body(RuleInputSerializer, request), request)
        return self._answer(rule)

    @extend_schema(operation_id="notification_rules_change", request=RuleInputSerializer(partial=True))
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change some of a rule."""
        rule = self.get_object()
        serializer = RuleInputSerializer(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        _save_rule(rule, serializer.validated_data, request)
        return self._answer(rule)

    @extend_schema(
        operation_id="notification_rules_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a rule; what was collected for it is not told."""
        configuration.delete_rule(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="notification_rules_explain",
        request=ExplainInputSerializer,
        responses=ExplanationSerializer,
    )
    def explain(self, request: Request) -> Response:
        """Which rules would fire, why not the others, and where a message would go and when."""
        found = explain.explain(_occasion(read_body(ExplainInputSerializer, request), request))
        return Response(ExplanationSerializer(found).data)

    def _answer(self, rule: NotificationRule, code: int = status.HTTP_200_OK) -> Response:
        fresh = self.get_queryset().get(pk=rule.pk)
        return Response(self.get_serializer(fresh).data, status=code)


def _save_rule(rule: NotificationRule, body: dict[str, Any], request: Request) -> None:
    steps = _complete_steps(body.pop("steps", None))
    chosen = body.pop("channels", None)
    for name, value in body.items():
        setattr(rule, name, value)
    configuration.save_rule(
        rule,
        channels=chosen,
        steps=steps,
        by=person(request),
    )


def _complete_steps(steps: list[dict[str, Any]] | None) -> list[Step] | None:
    """Steps are replaced together: also where only a part of a rule is changed, each has to be complete."""
    missing = {
        f"steps.{number}.{name}": ["This field is required."]
        for number, step in enumerate(steps or [])
        for name in ("after_minutes", "channels")
        if name not in step
    }
    if missing:
        raise serializers.ValidationError(missing)
    return None if steps is None else [Step(**step) for step in steps]


def _occasion(asked: dict[str, Any], request: Request) -> Occasion:
    at = asked.get("at") or timezone.now()
    if "alert" in asked:
        seen = Alert.objects.shown().visible_to(request.user)
        alert = seen.filter(pk=asked["alert"]).first() if request.user.has_perm("jobs.view_alert") else None
        if alert is None:
            raise serializers.ValidationError({"alert": ["There is no such alert, or you may not see it."]})
        return explain.occasion_of(alert, change=asked["change"], at=at)
    if "kind" not in asked:
        raise serializers.ValidationError({"kind": ["Give an alert, or the kind of one."]})
    names = (asked["kind"].partition(".")[0], asked.get("source", ""))
    return Occasion(
        kind=asked["kind"],
        change=asked["change"],
        severity=asked["severity"],
        sources=tuple(name for name in names if name),
        at=at,
    )
