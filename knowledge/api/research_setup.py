"""`cronjobs/providers/` and `cronjobs/test-configuration/`: what research jobs can be made of, and whether it works."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.api.fields import IdsField
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.api.throttling import RequestRate
from knowledge import connectors, embedding, research_setup, spaces
from knowledge.api.online import AskingRate
from knowledge.api.research_output import VECTOR_STORE
from knowledge.models import KnowledgePolicy, Source
from knowledge.research import MOST_HOURS


class EmbeddingProviderSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name is what clients see
    is_used = serializers.BooleanField(help_text="It makes the vectors of new passages.")
    is_usable = serializers.BooleanField()
    why_not = serializers.CharField(help_text="What it lacks, such as a key; empty: nothing.")


class VectorStoreSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    is_used = serializers.BooleanField()
    live_model = serializers.CharField(help_text="Whose vectors are searched; empty: none yet.")


class PaperProviderSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="What `connector` of a source says.")
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name is what clients see
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="What its settings lack, such as an address of contact."
    )


class ProvidersSerializer(serializers.Serializer[Any]):
    embedding_providers = EmbeddingProviderSerializer(many=True)
    vector_db_providers = VectorStoreSerializer(many=True)
    paper_providers = PaperProviderSerializer(many=True)


class ConfigurationSerializer(StrictSerializer):
    keywords = serializers.ListField(child=serializers.CharField(max_length=200), min_length=1, max_length=50)
    sources = IdsField(Source.objects.all(), required=False, help_text="Ids; left out: all enabled ones.")
    days_back = serializers.IntegerField(min_value=1, max_value=3650, default=30)
    cron_expression = serializers.CharField(max_length=200, required=False, allow_null=True)
    interval_hours = serializers.IntegerField(
        min_value=1, max_value=MOST_HOURS, required=False, allow_null=True
    )


class ConfigurationCheckSerializer(serializers.Serializer[research_setup.Check]):
    name = serializers.CharField()
    success = serializers.BooleanField(source="is_good")
    message = serializers.CharField()


class TriedConfigurationSerializer(serializers.Serializer[Any]):
    success = serializers.BooleanField(help_text="All checks are good.")
    checks = ConfigurationCheckSerializer(many=True)


class ProvidersView(APIView):
    permission_of: ClassVar[Needed] = {"get": "knowledge.view_researchjob"}

    @extend_schema(operation_id="cronjobs_providers", responses=ProvidersSerializer)
    def get(self, request: Request) -> Response:
        """What makes vectors, what keeps them, and where papers come from. Asks nobody."""
        live, used = spaces.live(), KnowledgePolicy.current().embedder
        found = {
            "embedding_providers": [_embedder(kind, used) for kind in embedding.kinds()],
            "vector_db_providers": [
                {"name": VECTOR_STORE, "is_used": True, "live_model": live.name if live else ""}
            ],
            "paper_providers": [
                {
                    "name": kind,
                    "label": connectors.get(kind).label,
                    "warnings": connectors.get(kind).warnings(),
                }
                for kind in connectors.kinds()
            ],
        }
        return Response(ProvidersSerializer(found).data)


class TestConfigurationView(APIView):
    throttle_classes = [RequestRate, AskingRate]
    permission_of: ClassVar[Needed] = {"post": "knowledge.run_researchjob"}

    @extend_schema(
        operation_id="cronjobs_test_configuration",
        request=ConfigurationSerializer,
        responses=TriedConfigurationSerializer,
    )
    def post(self, request: Request) -> Response:
        """Try what a research job would need: each source, the maker of vectors, their store, the timing, a worker.

        What does not work is part of the answer, and no error of this request. Nothing is stored.
        """
        wanted = read_body(ConfigurationSerializer, request)
        chosen = wanted.get("sources")
        checks = research_setup.checks(
            keywords=wanted["keywords"],
            sources=list(Source.objects.enabled()) if chosen is None else chosen,
            days_back=wanted["days_back"],
            cron=wanted.get("cron_expression"),
            interval_hours=wanted.get("interval_hours"),
        )
        told = {"success": all(check.is_good for check in checks), "checks": checks}
        return Response(TriedConfigurationSerializer(told).data)


def _embedder(kind: str, used: str) -> dict[str, Any]:
    found = embedding.get(kind)
    reason = found.why_not()
    return {
        "name": kind, "label": found.label, "is_used": kind == used, "is_usable": not reason, "why_not": reason,
    }  # fmt: skip
