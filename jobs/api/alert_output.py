"""How the API shows alerts."""

from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.alerts import incidents, related
from jobs.alerts.kinds import find_kind, title_of
from jobs.api.runs import ScheduleLinkSerializer
from jobs.models import Alert, AlertEvent, JobRun


class SubjectSerializer(serializers.Serializer[Alert]):
    type = serializers.CharField(source="subject_type")
    id = serializers.CharField(source="subject_id")
    text = serializers.CharField(source="subject_text", help_text="As people call it.")
    link = serializers.CharField(help_text="Path of its page; empty: it has none.")


class AlertSummarySerializer(serializers.ModelSerializer[Alert]):
    """The rows are annotated with `read_at` for the person who asks."""

    kind_title = serializers.SerializerMethodField()
    subject = SubjectSerializer(source="*")
    owner_group = serializers.CharField(source="owner_group.name", allow_null=True, default=None)
    is_unread = serializers.SerializerMethodField(help_text="Live, with news that you have not read.")
    folded = serializers.IntegerField(source="folded_count", help_text="How many alerts are folded into it.")

    class Meta:
        model = Alert
        fields: ClassVar[list[str]] = [
            "id",
            "kind",
            "kind_title",
            "severity",
            "priority",
            "state",
            "snoozed_until",
            "resolution",
            "title",
            "message",
            "app",
            "job",
            "subject",
            "owner_group",
            "fingerprint",
            "count",
            "first_seen_at",
            "last_seen_at",
            "opened_at",
            "resolved_at",
            "is_unread",
            "is_flapping",
            "incident",
            "folded",
        ]
        read_only_fields = fields

    def get_kind_title(self, alert: Alert) -> str:
        return title_of(alert.kind)

    def get_is_unread(self, alert: Alert) -> bool:
        read_at: datetime | None = getattr(alert, "read_at", None)
        return alert.is_news_to(read_at)


class AlertEventSerializer(serializers.ModelSerializer[AlertEvent]):
    by = serializers.CharField(source="by.username", allow_null=True, default=None)

    class Meta:
        model = AlertEvent
        fields: ClassVar[list[str]] = [
            "id",
            "what",
            "at",
            "by",
            "severity",
            "note",
            "is_silent",
            "notified_at",
        ]
        read_only_fields = fields


class RelatedRunSerializer(serializers.ModelSerializer[JobRun]):
    schedule = ScheduleLinkSerializer(allow_null=True)

    class Meta:
        model = JobRun
        fields: ClassVar[list[str]] = [
            "id",
            "job",
            "status",
            "reason",
            "schedule",
            "scheduled_for",
            "queued_at",
            "finished_at",
        ]
        read_only_fields = fields


class IncidentSlotsSerializer(serializers.Serializer[incidents.Slots]):
    total = serializers.IntegerField()
    caught_up = serializers.IntegerField(help_text="They ran, if late.")
    waiting = serializers.IntegerField()
    missed = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="Left out by a rule of their schedule.")
    lost = serializers.IntegerField()
    cancelled = serializers.IntegerField()


class AlertSerializer(AlertSummarySerializer):
    """An alert with everything that is known of it."""

    runbook = serializers.SerializerMethodField(help_text="What to do, a step a line.")
    events = serializers.SerializerMethodField(help_text="The latest 200, the oldest of them first.")
    runs = serializers.SerializerMethodField(help_text="The latest runs that it is about.")
    slots = serializers.SerializerMethodField(
        help_text="For incidents: what became of the slots of the outage."
    )

    class Meta(AlertSummarySerializer.Meta):
        fields: ClassVar[list[str]] = [
            *AlertSummarySerializer.Meta.fields,
            "context",
            "runbook",
            "events",
            "runs",
            "slots",
        ]
        read_only_fields = fields

    def get_runbook(self, alert: Alert) -> str:
        kind = find_kind(alert.kind)
        return kind.runbook if kind else ""

    @extend_schema_field(AlertEventSerializer(many=True))
    def get_events(self, alert: Alert) -> Any:
        return AlertEventSerializer(related.history(alert), many=True).data

    @extend_schema_field(RelatedRunSerializer(many=True))
    def get_runs(self, alert: Alert) -> Any:
        found = related.runs(alert, timezone.now(), seen_by=self.context["request"].user)
        return RelatedRunSerializer(found, many=True).data

    @extend_schema_field(IncidentSlotsSerializer(allow_null=True))
    def get_slots(self, alert: Alert) -> Any:
        if not incidents.is_incident(alert):
            return None
        return IncidentSlotsSerializer(incidents.slots_of(alert, timezone.now())).data


class KindSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    title = serializers.CharField()
    severity = serializers.ChoiceField(choices=Alert.Severity.choices)
    help_text = serializers.CharField(help_text="What it means.")  # type: ignore[assignment]  # clients see it
    runbook = serializers.CharField()
    is_outage = serializers.BooleanField(help_text="Others are folded into its alerts.")
    is_reportable = serializers.BooleanField(help_text="Can be raised through the API.")
