"""What sources would find, as the API shows it."""

from rest_framework import serializers

from knowledge.previews import QueryPreview


class QueryPreviewSerializer(serializers.Serializer[QueryPreview]):
    source = serializers.IntegerField(source="source.pk", help_text="Its id.")  # type: ignore[assignment]  # what clients see
    source_name = serializers.CharField(source="source.name")
    text = serializers.CharField(help_text="What it was asked.")
    translated = serializers.CharField(help_text="As it understood that; empty with a problem.")
    hits = serializers.IntegerField(allow_null=True, help_text="null with a problem.")
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="Such as a phrase that the source does not know."
    )
    problem = serializers.CharField(help_text="Why it could not be asked; empty: it could.")
