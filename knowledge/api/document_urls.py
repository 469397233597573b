"""Addresses of documents and uploads, below `medical/knowledge/`."""

from django.urls import path

from knowledge.api.documents import DocumentViewSet, UploadQueueView, UploadView

urlpatterns = [
    path("upload/", UploadView.as_view(), name="knowledge-upload"),
    path("upload-large/", UploadView.as_view(), name="knowledge-upload-large"),
    path("queue-status/", UploadQueueView.as_view(), name="knowledge-queue-status"),
    path(
        "upload-status/",
        DocumentViewSet.as_view({"get": "upload_statuses"}),
        name="knowledge-upload-statuses",
    ),
    path(
        "upload-status/<int:pk>/",
        DocumentViewSet.as_view({"get": "upload_status"}),
        name="knowledge-upload-status",
    ),
    path(
        "pdf/status/<int:pk>/",
        DocumentViewSet.as_view({"get": "pdf_status"}),
        name="knowledge-pdf-status",
    ),
    path("pdf/cancel/<int:pk>/", DocumentViewSet.as_view({"post": "cancel"}), name="knowledge-pdf-cancel"),
    path("documents/", DocumentViewSet.as_view({"get": "list"}), name="knowledge-document-list"),
    path(
        "documents/<int:pk>/",
        DocumentViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="knowledge-document-detail",
    ),
    path(
        "documents/<int:pk>/read-again/",
        DocumentViewSet.as_view({"post": "read_again"}),
        name="knowledge-document-read-again",
    ),
]
