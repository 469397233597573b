"""Uses of models as the API shows them."""

from rest_framework import serializers

from publishing.models import UsageRecord


class UsageSerializer(serializers.ModelSerializer[UsageRecord]):
    price_in = serializers.DecimalField(12, 6, allow_null=True, help_text="US dollars a million tokens.")
    price_cached = serializers.DecimalField(12, 6, allow_null=True, help_text="The same.")
    price_out = serializers.DecimalField(12, 6, allow_null=True, help_text="The same.")

    class Meta:
        model = UsageRecord
        fields = [
            "id", "step", "model", "calls", "tokens_in", "tokens_cached", "tokens_out", "price_in", "price_cached",
            "price_out", "cost", "seconds", "is_estimated", "is_doubtful", "has_result", "at",
        ]  # fmt: skip
        read_only_fields = fields


class UsageRecordSerializer(UsageSerializer):
    """The same, with whose it is."""

    post = serializers.IntegerField(
        source="generation.post_id",
        default=None,
        allow_null=True,
        read_only=True,
        help_text="null: no post came of it.",
    )

    class Meta(UsageSerializer.Meta):
        fields = [*UsageSerializer.Meta.fields, "agent", "generation", "post"]
        read_only_fields = fields
