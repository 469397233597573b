"""Knowledge's part of `/api/v1/`."""

from typing import Any

from django.urls import URLPattern, URLResolver, include, path

from knowledge.api.evaluation import EvaluationViewSet, JudgedQueryViewSet
from knowledge.api.online import GuidelinesView, LatestView, OnlineStatusView, SearchPubmedView
from knowledge.api.papers import PaperViewSet
from knowledge.api.search import SearchView, TryOutView
from knowledge.api.sources import SourceViewSet
from knowledge.api.statistics import KnowledgeStatisticsView
from knowledge.api.topics import TopicViewSet
from knowledge.api.updates import AutoUpdateView

_MEDICAL = "medical/knowledge/"
_ONE: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_MEDICAL}pubmed-auto-update/", AutoUpdateView.as_view(), name="knowledge-auto-update"),
    path(f"{_MEDICAL}pubmed-latest/", LatestView.as_view(), name="knowledge-pubmed-latest"),
    path(f"{_MEDICAL}statistics/", KnowledgeStatisticsView.as_view(), name="knowledge-statistics"),
    path(f"{_MEDICAL}search/", SearchView.as_view(), name="knowledge-search"),
    path(f"{_MEDICAL}search/evaluate/", TryOutView.as_view(), name="knowledge-search-evaluate"),
    path(
        f"{_MEDICAL}online/search-pubmed/", SearchPubmedView.as_view(), name="knowledge-online-search-pubmed"
    ),
    path(f"{_MEDICAL}online/guidelines/", GuidelinesView.as_view(), name="knowledge-online-guidelines"),
    path(f"{_MEDICAL}online/status/", OnlineStatusView.as_view(), name="knowledge-online-status"),
    path(f"{_MEDICAL}papers/", PaperViewSet.as_view({"get": "list"}), name="knowledge-paper-list"),
    path(
        f"{_MEDICAL}papers/<int:pk>/",
        PaperViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="knowledge-paper-detail",
    ),
    path(
        f"{_MEDICAL}topics/",
        TopicViewSet.as_view({"get": "list", "post": "create"}),
        name="knowledge-topic-list",
    ),
    path(f"{_MEDICAL}topics/<int:pk>/", TopicViewSet.as_view(_ONE), name="knowledge-topic-detail"),
    *(
        path(
            f"{_MEDICAL}topics/<int:pk>/{name}/",
            TopicViewSet.as_view({"post": name}),
            name=f"knowledge-topic-{name}",
        )
        for name in ("run", "preview", "enable", "disable")
    ),
    path(
        f"{_MEDICAL}sources/",
        SourceViewSet.as_view({"get": "list", "post": "create"}),
        name="knowledge-source-list",
    ),
    path(f"{_MEDICAL}sources/sync/", SourceViewSet.as_view({"post": "sync"}), name="knowledge-source-sync"),
    path(f"{_MEDICAL}sources/<int:pk>/", SourceViewSet.as_view(_ONE), name="knowledge-source-detail"),
    *(
        path(
            f"{_MEDICAL}sources/<int:pk>/{name}/",
            SourceViewSet.as_view({"post": name}),
            name=f"knowledge-source-{name}",
        )
        for name in ("test", "enable", "disable")
    ),
    path(
        f"{_MEDICAL}evaluation/queries/",
        JudgedQueryViewSet.as_view({"get": "list", "post": "create"}),
        name="knowledge-judged-query-list",
    ),
    path(
        f"{_MEDICAL}evaluation/queries/<int:pk>/",
        JudgedQueryViewSet.as_view(_ONE),
        name="knowledge-judged-query-detail",
    ),
    path(
        f"{_MEDICAL}evaluation/runs/",
        EvaluationViewSet.as_view({"get": "list", "post": "create"}),
        name="knowledge-evaluation-list",
    ),
    path(
        f"{_MEDICAL}evaluation/runs/<int:pk>/",
        EvaluationViewSet.as_view({"get": "retrieve"}),
        name="knowledge-evaluation-detail",
    ),
    path(_MEDICAL, include("knowledge.api.document_urls")),
]
