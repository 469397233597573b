"""Posts as the API shows them: rows of lists, and one with everything that is known of how it came to be."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from publishing import assessment, posts
from publishing.api.usage_output import UsageSerializer
from publishing.models import Generation, GenerationStep, Post, PostSource, PostTransition, Publication


class TransitionSerializer(serializers.ModelSerializer[PostTransition]):
    by = serializers.CharField(source="by.username", default=None, allow_null=True, read_only=True)

    class Meta:
        model = PostTransition
        fields = ["before", "after", "at", "by", "note"]
        read_only_fields = fields


class PostSourceSerializer(serializers.ModelSerializer[PostSource]):
    class Meta:
        model = PostSource
        fields = ["position", "item", "title", "url", "source_name"]
        read_only_fields = fields


class PostPublicationSerializer(serializers.ModelSerializer[Publication]):
    url = serializers.CharField(source="remote_url", help_text="Its address there, once it is known.")

    class Meta:
        model = Publication
        fields = ["id", "publisher", "state", "errand", "reason", "due_at", "published_at", "url"]
        read_only_fields = fields


class GenerationStepSerializer(serializers.ModelSerializer[GenerationStep]):
    seconds = serializers.FloatField(help_text="From the end of the step before; waiting included.")

    class Meta:
        model = GenerationStep
        fields = ["name", "ended_at", "seconds"]
        read_only_fields = fields


class GenerationSerializer(serializers.ModelSerializer[Generation]):
    """How a post was written: the steps with their times, and what each use of a model took."""

    steps = serializers.SerializerMethodField()
    usage = UsageSerializer(many=True, read_only=True)
    tokens = serializers.SerializerMethodField(help_text="All that went in and came out.")
    cost = serializers.SerializerMethodField(help_text="US dollars.")

    class Meta:
        model = Generation
        fields = [
            "id", "run_id", "state", "reason", "writer", "topic", "keyword", "began_at", "ended_at", "steps", "usage",
            "tokens", "cost",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(GenerationStepSerializer(many=True))
    def get_steps(self, generation: Generation) -> list[dict[str, Any]]:
        before, rows = generation.began_at, []
        for step in generation.steps.all():
            step.seconds = (step.ended_at - before).total_seconds()  # type: ignore[attr-defined]  # for the field
            before = step.ended_at
            rows.append(dict(GenerationStepSerializer(step).data))
        return rows

    def get_tokens(self, generation: Generation) -> int:
        return sum(used.tokens_in + used.tokens_out for used in generation.usage.all())

    @extend_schema_field(serializers.DecimalField(max_digits=15, decimal_places=9))
    def get_cost(self, generation: Generation) -> str:
        return f"{sum(used.cost for used in generation.usage.all()):.9f}"


class PostSerializer(serializers.ModelSerializer[Post]):
    class Meta:
        model = Post
        fields = [
            "id", "title", "slug", "status", "agent", "excerpt", "language", "tags", "keywords", "meta_title",
            "meta_description", "canonical_url", "word_count", "score", "scheduled_at", "published_at", "created_at",
            "updated_at",
        ]  # fmt: skip
        read_only_fields = fields


class PostDetailSerializer(PostSerializer):
    agent_name = serializers.CharField(source="agent.name", default=None, allow_null=True, read_only=True)
    notes = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="What an editor should know."
    )
    sources = PostSourceSerializer(many=True, read_only=True, help_text="What it stands on.")
    publications = PostPublicationSerializer(many=True, read_only=True)
    transitions = TransitionSerializer(many=True, read_only=True)
    generation = serializers.SerializerMethodField(
        help_text="null: a person wrote it, or the permission publishing.view_generation is missing."
    )
    json_ld = serializers.SerializerMethodField(help_text="It as schema.org Article.")

    class Meta(PostSerializer.Meta):
        fields = [
            *PostSerializer.Meta.fields, "agent_name", "body_html", "notes", "json_ld", "sources", "publications",
            "transitions", "generation",
        ]  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(GenerationSerializer(allow_null=True))
    def get_generation(self, post: Post) -> dict[str, Any] | None:
        generation: Generation | None = getattr(post, "generation", None)
        if generation is None or not self.context["request"].user.has_perm("publishing.view_generation"):
            return None
        return dict(GenerationSerializer(generation).data)

    @extend_schema_field(serializers.DictField())
    def get_json_ld(self, post: Post) -> dict[str, Any]:
        return assessment.json_ld(post, post.word_count, url=posts.address_of(post))
