"""Documents and uploads as the API shows them."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import Length
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.models import JobRun
from knowledge.models import Document

State = Document.State

#: The states under the names that programs which upload know them by.
STATUS = {
    State.QUEUED: "queued",
    State.PROCESSING: "processing",
    State.READY: "completed",
    State.FAILED: "failed",
}
UPLOAD_STATUS = [(word, word.capitalize()) for word in STATUS.values()]


def shown_documents(documents: QuerySet[Document]) -> QuerySet[Document]:
    """With what the answers count, and without the texts."""
    return (
        documents.defer("text")
        .select_related("uploaded_by")
        .annotate(text_length=Length("text"), chunk_count=Count("parts__passages"))
    )


class UploadedDocumentSerializer(serializers.ModelSerializer[Document]):
    document_id = serializers.IntegerField(source="pk")
    file_hash = serializers.CharField(source="sha256", help_text="SHA-256 of the file.")
    file_size = serializers.IntegerField(source="size", help_text="In bytes.")
    extension = serializers.SerializerMethodField(help_text="Of the file's name, such as .pdf.")
    text_length = serializers.IntegerField(help_text="In characters; 0 before it is read.")
    page_count = serializers.SerializerMethodField(help_text="0 for formats without pages.")
    chunk_count = serializers.IntegerField(help_text="Passages that it was cut into.")
    status = serializers.SerializerMethodField()
    is_indexed = serializers.SerializerMethodField(
        help_text="Whether the search finds all of it, by words and by meaning."
    )
    indexing_error = serializers.CharField(
        source="problem", help_text="Why it could not be read; empty: it could."
    )
    source = serializers.SerializerMethodField(help_text="Always `upload`.")  # type: ignore[assignment]  # what clients see
    uploaded_by = serializers.CharField(source="uploaded_by.username", allow_null=True, default=None)
    uploaded_at = serializers.DateTimeField(source="created_at")
    task_id = serializers.UUIDField(
        source="run_id", allow_null=True, help_text="The run that reads it, or has read it last."
    )

    class Meta:
        model = Document
        fields = [
            "document_id", "title", "filename", "file_hash", "file_size", "extension", "media_type", "text_length",
            "page_count", "chunk_count", "status", "is_indexed", "indexed_at", "indexing_error", "source", "category",
            "tags", "description", "language", "year", "uploaded_by", "uploaded_at", "task_id",
        ]  # fmt: skip
        read_only_fields = fields

    def get_extension(self, document: Document) -> str:
        return PurePosixPath(document.filename).suffix.lower()

    def get_page_count(self, document: Document) -> int:
        return len(document.pages)

    @extend_schema_field(serializers.ChoiceField(choices=UPLOAD_STATUS))
    def get_status(self, document: Document) -> str:
        return STATUS[State(document.state)]

    def get_is_indexed(self, document: Document) -> bool:
        return document.state == State.READY

    def get_source(self, document: Document) -> str:
        return "upload"


class ReceivedSerializer(UploadedDocumentSerializer):
    is_new = serializers.BooleanField(help_text="False: the same file was here already, and is shown.")

    class Meta(UploadedDocumentSerializer.Meta):
        fields = [*UploadedDocumentSerializer.Meta.fields, "is_new"]
        read_only_fields = fields


class UploadAnswerSerializer(serializers.Serializer[Any]):
    documents = ReceivedSerializer(many=True, help_text="In the order of the files.")
    task_ids = serializers.ListField(
        child=serializers.UUIDField(), help_text="The runs that read them; none for files that were here."
    )


class UploadProgressSerializer(serializers.Serializer[Any]):
    document_id = serializers.IntegerField()
    filename = serializers.CharField()
    status = serializers.ChoiceField(choices=UPLOAD_STATUS)
    progress_percent = serializers.FloatField()
    current_chunk = serializers.IntegerField(
        help_text="Pages that are read, then passages that have vectors."
    )
    total = serializers.IntegerField(help_text="Of how many; 0 as long as that is unknown.")
    step = serializers.CharField(help_text="What is being done, for people.")
    error = serializers.CharField(help_text="Why it could not be read, or is tried again; empty: neither.")
    task_id = serializers.UUIDField(allow_null=True)
    uploaded_at = serializers.DateTimeField()


class UploadQueueSerializer(serializers.Serializer[Any]):
    queued = serializers.IntegerField()
    processing = serializers.IntegerField()
    completed = serializers.IntegerField()
    failed = serializers.IntegerField()
    total = serializers.IntegerField()


def upload_statuses(documents: Sequence[Any]) -> list[dict[str, Any]]:
    """How far each of the shown documents is. One query for all their runs."""
    ids = [document.run_id for document in documents if document.is_waiting]
    runs = JobRun.objects.only("progress", "progress_current", "progress_total", "progress_text").in_bulk(
        [pk for pk in ids if pk]
    )
    return [_status(document, runs.get(document.run_id)) for document in documents]


def _status(document: Any, run: JobRun | None) -> dict[str, Any]:
    is_read = document.state == State.READY
    passages = document.chunk_count if is_read else 0
    return {
        "document_id": document.pk,
        "filename": document.filename,
        "status": STATUS[State(document.state)],
        "progress_percent": run.progress if run else 100.0 if is_read else 0.0,
        "current_chunk": (run.progress_current or 0) if run else passages,
        "total": (run.progress_total or 0) if run else passages,
        "step": run.progress_text if run else "",
        "error": document.problem,
        "task_id": document.run_id,
        "uploaded_at": document.created_at,
    }
