"""Knowledge's part of `/api/v1/`."""

from django.urls import URLPattern, URLResolver, path

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
]
