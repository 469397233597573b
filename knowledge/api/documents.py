"""Documents: uploading them, following how they are read, describing and deleting them."""

from collections.abc import Mapping
from typing import IO, Any, ClassVar

import django_filters
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.exceptions import APIException
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from jobs.api.answers import STARTED, ErrorSerializer, conflict, person, started
from jobs.api.filters import MomentFilter
from jobs.api.pagination import NewestFirst
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.models import JobRun
from knowledge import documents
from knowledge.api.document_output import (
    STATUS,
    UPLOAD_STATUS,
    ReceivedSerializer,
    UploadAnswerSerializer,
    UploadedDocumentSerializer,
    UploadProgressSerializer,
    UploadQueueSerializer,
    shown_documents,
    upload_statuses,
)
from knowledge.documents import FileTooLarge, UnsupportedFile
from knowledge.models import Document
from knowledge.models.document import DocumentQuerySet

API = JobRun.Trigger.API
#: For what stands around the files in a request.
_AROUND = 1_000_000
_BUSY = conflict("It is being read.")


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request is larger than all files may be together."
    default_code = "too_large"


class CannotBeRead(APIException):
    status_code = status.HTTP_415_UNSUPPORTED_MEDIA_TYPE
    default_code = "unsupported_media_type"


class BoundedMultiPartParser(MultiPartParser):
    """Forms with files, of bounded size: what is too large is refused before it is read."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        length = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > settings.DOCUMENT_MAX_FILES * documents.largest() + _AROUND:
            raise TooLarge
        return super().parse(stream, media_type, parser_context)


class DetailsSerializer(StrictSerializer):
    title = serializers.CharField(max_length=1000, required=False)
    category = serializers.CharField(max_length=100, allow_blank=True, required=False)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=100), max_length=documents.MOST_TAGS, required=False
    )
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    language = serializers.CharField(
        max_length=35, allow_blank=True, required=False, help_text="An ISO 639 code such as en."
    )
    year = serializers.IntegerField(min_value=1000, max_value=2199, allow_null=True, required=False)


class UploadSerializer(DetailsSerializer):
    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True, use_url=False, max_length=1000),
        min_length=1,
        help_text="PDF, HTML, Markdown and plain text.",
    )
    title = serializers.CharField(
        max_length=1000,
        required=False,
        help_text="For one file; left out: as the file itself says, or its name.",
    )

    def validate_files(self, files: list[Any]) -> list[Any]:
        if len(files) > settings.DOCUMENT_MAX_FILES:
            raise serializers.ValidationError(f"Send at most {settings.DOCUMENT_MAX_FILES} files at a time.")
        return files

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "title" in attrs and len(attrs["files"]) > 1:
            raise serializers.ValidationError({"title": ["Several files cannot have one title."]})
        return attrs


class UploadView(APIView):
    parser_classes = (BoundedMultiPartParser,)
    permission_of: ClassVar[Needed] = {"post": "knowledge.add_document"}

    @extend_schema(
        request={"multipart/form-data": UploadSerializer},
        responses={
            200: OpenApiResponse(UploadAnswerSerializer, description="All of them were here already."),
            202: OpenApiResponse(UploadAnswerSerializer, description="They are kept, and will be read."),
            413: OpenApiResponse(
                ErrorSerializer, description="A file, or all of them together, is too large."
            ),
            415: OpenApiResponse(
                ErrorSerializer, description="This is no form with files, or nobody reads such files."
            ),
        },
    )
    def post(self, request: Request) -> Response:
        """Upload documents. If one of the files is refused, none is kept."""
        details = read_body(UploadSerializer, request)
        files = details.pop("files")
        try:
            with transaction.atomic():
                received = [
                    documents.receive(file.name, file, **details, by=person(request), trigger=API)
                    for file in files
                ]
        except FileTooLarge as error:
            raise TooLarge(" ".join(error.fields["file"])) from error
        except UnsupportedFile as error:
            raise CannotBeRead(" ".join(error.fields["file"])) from error
        return self._answer(received)

    def _answer(self, received: list[documents.Received]) -> Response:
        shown = shown_documents(Document.objects.all()).in_bulk([one.document.pk for one in received])
        rows = []
        for one in received:
            row = shown[one.document.pk]
            row.is_new = one.is_new  # type: ignore[attr-defined]  # for the serializer
            rows.append(ReceivedSerializer(row).data)
        task_ids = [one.run.pk for one in received if one.run is not None]
        code = status.HTTP_202_ACCEPTED if task_ids else status.HTTP_200_OK
        return Response({"documents": rows, "task_ids": task_ids}, status=code)


class DocumentFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package has no types
    status = django_filters.MultipleChoiceFilter(
        method="by_status", choices=UPLOAD_STATUS, help_text="Several are possible."
    )
    category = django_filters.CharFilter(max_length=200, help_text="Exactly this category.")
    tag = django_filters.CharFilter(method="by_tag", max_length=200, help_text="Exactly this tag.")
    language = django_filters.CharFilter(max_length=35, help_text="An ISO 639 code such as en.")
    q = django_filters.CharFilter(
        method="by_words", max_length=200, help_text="Part of the title or of the file's name."
    )
    uploaded_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    uploaded_before = MomentFilter(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Document
        fields: ClassVar[list[str]] = []

    def by_status(self, rows: QuerySet[Document], name: str, words: list[str]) -> QuerySet[Document]:
        return (
            rows.filter(state__in=[state for state, word in STATUS.items() if word in words])
            if words
            else rows
        )

    def by_tag(self, rows: QuerySet[Document], name: str, tag: str) -> QuerySet[Document]:
        return rows.filter(tags__contains=[tag])

    def by_words(self, rows: QuerySet[Document], name: str, text: str) -> QuerySet[Document]:
        return rows.filter(Q(title__icontains=text) | Q(filename__icontains=text))


class DocumentViewSet(mixins.ListModelMixin, GenericViewSet[Document]):
    queryset = Document.objects.all()
    serializer_class = UploadedDocumentSerializer
    filterset_class = DocumentFilter
    pagination_class = NewestFirst
    permission_of: ClassVar[Needed] = {
        "list": "knowledge.view_document",
        "retrieve": "knowledge.view_document",
        "partial_update": "knowledge.change_document",
        "destroy": "knowledge.delete_document",
        "read_again": "knowledge.change_document",
        "cancel": "knowledge.change_document",
        "upload_statuses": "knowledge.view_document",
        "upload_status": "knowledge.view_document",
        "pdf_status": "knowledge.view_document",
    }

    def get_queryset(self) -> QuerySet[Document]:
        return shown_documents(Document.objects.all())

    @extend_schema(operation_id="knowledge_documents_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Documents without their texts, the latest upload first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="knowledge_documents_retrieve")
    def retrieve(self, request: Request, pk: int) -> Response:
        """One document without its text."""
        return self._answer()

    @extend_schema(
        operation_id="knowledge_documents_change",
        request=DetailsSerializer(partial=True),
        responses={200: UploadedDocumentSerializer, 409: _BUSY},
    )
    def partial_update(self, request: Request, pk: int) -> Response:
        """Change what is said of a document. With another title it is read again."""
        changes = read_body(DetailsSerializer, request)
        documents.change(self.get_object(), changes, by=person(request), trigger=API)
        return self._answer()

    @extend_schema(
        operation_id="knowledge_documents_delete",
        request=None,
        responses={204: OpenApiResponse(description="It is gone."), 409: conflict("A kept answer cites it.")},
    )
    def destroy(self, request: Request, pk: int) -> Response:
        """Delete a document with its file; no search finds it from then on."""
        documents.delete(self.get_object(), by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        operation_id="knowledge_documents_read_again",
        request=None,
        responses={202: STARTED, 409: conflict("It is being read, or its file is not here.")},
    )
    def read_again(self, request: Request, pk: int) -> Response:
        """Read its file again. Passages that come out the same stay, with their vectors."""
        return started(documents.read_again(self.get_object(), by=person(request), trigger=API), request)

    @extend_schema(operation_id="knowledge_upload_statuses", responses=UploadProgressSerializer(many=True))
    def upload_statuses(self, request: Request) -> Response:
        """How far each upload is, the latest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(UploadProgressSerializer(upload_statuses(page), many=True).data)

    @extend_schema(operation_id="knowledge_upload_status", responses=UploadProgressSerializer)
    def upload_status(self, request: Request, pk: int) -> Response:
        """How far one upload is."""
        return self._status()

    @extend_schema(operation_id="knowledge_pdf_status", responses=UploadProgressSerializer)
    def pdf_status(self, request: Request, pk: int) -> Response:
        """The same as `upload-status/{id}/`."""
        return self._status()

    @extend_schema(
        operation_id="knowledge_upload_cancel",
        request=None,
        responses={
            200: OpenApiResponse(UploadProgressSerializer, description="It waited, and is cancelled."),
            202: OpenApiResponse(
                UploadProgressSerializer, description="It is being read, and was asked to stop."
            ),
            409: conflict("It is not being read."),
        },
    )
    def cancel(self, request: Request, pk: int) -> Response:
        """Stop reading a document: its run is cancelled. The document stays, and can be read again."""
        run = documents.cancel(self.get_object(), by=person(request))
        return self._status(status.HTTP_202_ACCEPTED if run.is_active else status.HTTP_200_OK)

    def _answer(self) -> Response:
        return Response(UploadedDocumentSerializer(self.get_object()).data)

    def _status(self, code: int = status.HTTP_200_OK) -> Response:
        (found,) = upload_statuses([self.get_object()])
        return Response(UploadProgressSerializer(found).data, status=code)


class UploadQueueView(APIView):
    permission_of: ClassVar[Needed] = {"get": "knowledge.view_document"}

    @extend_schema(responses=UploadQueueSerializer)
    def get(self, request: Request) -> Response:
        """How many documents are in which state."""
        return Response(UploadQueueSerializer(queue_figures(Document.objects.all())).data)


def queue_figures(found: DocumentQuerySet) -> dict[str, int]:
    """How many there are in each state, and in all."""
    counts = dict(found.order_by().values_list("state").annotate(Count("pk")))
    figures = {word: counts.get(state.value, 0) for state, word in STATUS.items()}
    return figures | {"total": sum(figures.values())}
