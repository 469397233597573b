"""Knowledge's part of `/api/v1/`."""

from django.urls import URLPattern, URLResolver, path

from knowledge.api.documents import DocumentViewSet, UploadQueueView, UploadView
from knowledge.api.papers import PaperViewSet
from knowledge.api.search import SearchView, TryOutView
from knowledge.api.statistics import KnowledgeStatisticsView

_MEDICAL = "medical/knowledge/"

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_MEDICAL}statistics/", KnowledgeStatisticsView.as_view(), name="knowledge-statistics"),
    path(f"{_MEDICAL}search/", SearchView.as_view(), name="knowledge-search"),
    path(f"{_MEDICAL}search/evaluate/", TryOutView.as_view(), name="knowledge-search-evaluate"),
    path(f"{_MEDICAL}papers/", PaperViewSet.as_view({"get": "list"}), name="knowledge-paper-list"),
    path(
        f"{_MEDICAL}papers/<int:pk>/",
        PaperViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="knowledge-paper-detail",
    ),
    *(
        path(f"{_MEDICAL}{name}/", UploadView.as_view(), name=f"knowledge-{name}")
        for name in ("upload", "upload-large")
    ),
    path(
        f"{_MEDICAL}upload-status/",
        DocumentViewSet.as_view({"get": "upload_statuses"}),
        name="knowledge-upload-statuses",
    ),
    path(
        f"{_MEDICAL}upload-status/<int:pk>/",
        DocumentViewSet.as_view({"get": "upload_status"}),
        name="knowledge-upload-status",
    ),
    path(
        f"{_MEDICAL}pdf/status/<int:pk>/",
        DocumentViewSet.as_view({"get": "pdf_status"}),
        name="knowledge-pdf-status",
    ),
    path(
        f"{_MEDICAL}pdf/cancel/<int:pk>/",
        DocumentViewSet.as_view({"post": "cancel"}),
        name="knowledge-pdf-cancel",
    ),
    path(f"{_MEDICAL}queue-status/", UploadQueueView.as_view(), name="knowledge-queue-status"),
    path(f"{_MEDICAL}documents/", DocumentViewSet.as_view({"get": "list"}), name="knowledge-document-list"),
    path(
        f"{_MEDICAL}documents/<int:pk>/",
        DocumentViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="knowledge-document-detail",
    ),
    path(
        f"{_MEDICAL}documents/<int:pk>/read-again/",
        DocumentViewSet.as_view({"post": "read_again"}),
        name="knowledge-document-read-again",
    ),
]
