"""Sources and items as the API shows and takes them."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from jobs.api.parsing import StrictSerializer
from publishing import sources
from publishing.models import FeedItem, Source

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=30)


class SecondsField(serializers.IntegerField):
    """A length of time as whole seconds, from a minute to thirty days unless said otherwise."""

    def __init__(
        self, *, shortest: timedelta = _SHORTEST, longest: timedelta = _LONGEST, **options: Any
    ) -> None:
        super().__init__(
            min_value=int(shortest.total_seconds()), max_value=int(longest.total_seconds()), **options
        )

    def to_representation(self, value: Any) -> int:
        return int(value.total_seconds())

    def run_validation(self, data: Any = serializers.empty) -> Any:
        value = super().run_validation(data)
        return timedelta(seconds=value) if isinstance(value, int) else value


class SourceSerializer(serializers.ModelSerializer[Source]):
    state = serializers.ChoiceField(choices=Source.State.choices, read_only=True)
    min_interval_seconds = SecondsField(source="min_interval", read_only=True)
    max_interval_seconds = SecondsField(source="max_interval", read_only=True)
    item_count = serializers.IntegerField(read_only=True, help_text="Items that were not removed.")
    last_run = serializers.SerializerMethodField(help_text="The run that polled it last.")

    class Meta:
        model = Source
        fields = [
            "id", "name", "kind", "url", "options", "language", "is_enabled", "state", "backfill_limit",
            "auto_generate", "min_interval_seconds", "max_interval_seconds", "next_poll_at", "last_polled_at", "last_success_at",
            "last_changed_at", "last_status", "last_error", "consecutive_failures", "gone_at", "redirect_url",
            "redirect_first_seen_at", "redirect_sightings", "item_count", "last_run", "created_at",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_last_run(self, source: Source) -> str | None:
        if source.last_run_id is None:
            return None
        return reverse("api:run-detail", args=[source.last_run_id], request=self.context["request"])


class SourceInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=200)
    kind = serializers.CharField(max_length=40, default="feed", help_text="One of the installed kinds.")
    url = serializers.CharField(
        max_length=2000,
        allow_blank=True,
        default="",
        help_text="An http or https address. Kinds that make it of their options, or have none, want it empty or ignore it.",
    )
    options = serializers.DictField(required=False, help_text="Settings of this kind of source.")
    language = serializers.CharField(max_length=35, allow_blank=True, default="")
    backfill_limit = serializers.IntegerField(min_value=0, max_value=1_000, default=20)
    auto_generate = serializers.BooleanField(
        default=False, help_text="Its agents write of what a poll brings at once, three posts at most."
    )
    min_interval_seconds = SecondsField(source="min_interval", default=timedelta(minutes=5))
    max_interval_seconds = SecondsField(source="max_interval", default=timedelta(hours=24))

    def validate_kind(self, kind: str) -> str:
        if kind not in sources.kinds():
            raise serializers.ValidationError(
                f"There is no such kind. The kinds are: {', '.join(sources.kinds())}."
            )
        return kind


class PollInputSerializer(StrictSerializer):
    force = serializers.BooleanField(
        default=False, help_text="Read everything, whatever was there last time."
    )


class ForgottenSerializer(serializers.Serializer[Any]):
    forgotten_items = serializers.IntegerField()


class ItemInputSerializer(StrictSerializer):
    title = serializers.CharField(max_length=2000)
    html = serializers.CharField(
        max_length=1_000_000, help_text="The text as HTML; what could do harm is taken out."
    )
    url = serializers.CharField(
        max_length=2000, allow_blank=True, default="", help_text="Where it was published."
    )
    author = serializers.CharField(max_length=2000, allow_blank=True, default="")
    categories = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=50, default=list
    )
    published_at = serializers.DateTimeField(allow_null=True, default=None, help_text="Empty: now.")


class ItemSerializer(serializers.ModelSerializer[FeedItem]):
    source = serializers.IntegerField(  # type: ignore[assignment]  # a field of that name is what clients see
        source="source_id", read_only=True
    )

    class Meta:
        model = FeedItem
        fields = [
            "id", "source", "title", "url", "author", "language", "categories", "published_at", "fetched_at",
            "changed_at", "state", "state_reason",
        ]  # fmt: skip
        read_only_fields = fields


class ItemDetailSerializer(ItemSerializer):
    enclosures = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta(ItemSerializer.Meta):
        fields = [*ItemSerializer.Meta.fields, "identity", "summary_html", "content_html", "enclosures"]
        read_only_fields = fields
