"""`medical/knowledge/statistics/`: what is in the index."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.api.permissions import Needed
from knowledge import statistics
from knowledge.api.search_input import WAYS
from knowledge.statistics import Level


class ProcessingQueueSerializer(serializers.Serializer[Any]):
    queued = serializers.IntegerField()
    processing = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    total = serializers.IntegerField()


class VectorsSerializer(serializers.Serializer[statistics.ModelFigures]):
    model = serializers.CharField(source="name")
    dimension = serializers.IntegerField()
    state = serializers.CharField()
    vectors = serializers.IntegerField(help_text="Of passages as they are now.")
    missing = serializers.IntegerField(help_text="Passages without one.")


class KnowledgeStatisticsSerializer(serializers.Serializer[Any]):
    total_documents = serializers.IntegerField(help_text="Papers and uploaded documents.")
    total_papers = serializers.IntegerField()
    retracted_papers = serializers.IntegerField(help_text="Among them; no search finds these unless asked.")
    total_chunks = serializers.IntegerField(help_text="Passages.")
    indexed_date = serializers.DateTimeField(
        allow_null=True, help_text="When something was last indexed; null: never."
    )
    topics_covered = serializers.IntegerField(help_text="Topics with a paper at least.")
    total_topics = serializers.IntegerField()
    last_update = serializers.DateTimeField(
        allow_null=True, help_text="When an update of a topic last ended well; null: never."
    )
    index_size_mb = serializers.FloatField(
        help_text="On disk, in millions of bytes: texts, words, vectors and their indexes."
    )
    documents_by_source = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Papers that each connector gave (one that several gave counts for each), and `upload`.",
    )
    categories = serializers.DictField(
        child=serializers.IntegerField(), help_text="Uploaded documents by category; empty: without one."
    )
    knowledge_level = serializers.ChoiceField(
        choices=[level.value for level in Level],
        help_text="By passages: from 1 basic, 1,000 intermediate, 10,000 advanced, 20,000 expert.",
    )
    search_mode = serializers.ChoiceField(choices=WAYS, help_text="What a search does unless told otherwise.")
    vectors = VectorsSerializer(many=True, help_text="By model, the live one first.")
    processing_queue = ProcessingQueueSerializer(help_text="Uploaded documents by what has become of them.")


class KnowledgeStatisticsView(APIView):
    permission_of: ClassVar[Needed] = {"get": ("knowledge.view_paper", "knowledge.view_document")}

    @extend_schema(operation_id="knowledge_statistics", responses=KnowledgeStatisticsSerializer)
    def get(self, request: Request) -> Response:
        """What is in the index, counted now."""
        return Response(KnowledgeStatisticsSerializer(statistics.summary()).data)
