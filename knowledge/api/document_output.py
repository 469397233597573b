"""Documents and uploads as the API shows them."""

from rest_framework import serializers

from knowledge.models import Document

State = Document.State

#: What programs that upload know the states as.
STATUS = {
    State.QUEUED: "queued",
    State.PROCESSING: "processing",
    State.READY: "completed",
    State.FAILED: "failed",
}
UPLOAD_STATUS = [(word, word.capitalize()) for word in STATUS.values()]


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
        help_text="Whether the search finds it by words and meaning."
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
        return extension_of(document)

    def get_page_count(self, document: Document) -> int:
        return len(document.pages)

    def get_status(self, document: Document) -> str:
        return STATUS[State(document.state)]

    def get_is_indexed(self, document: Document) -> bool:
        return document.state == State.READY

    def get_source(self, document: Document) -> str:
        return "upload"
