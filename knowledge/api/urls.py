"""Knowledge's part of `/api/v1/`."""

from typing import Any

from django.urls import URLPattern, URLResolver, include, path

from knowledge.api.answers import (
    ChatView,
    FeedbackViewSet,
    HistoryViewSet,
    MessageView,
    ResearchConfigView,
    ResearchHealthView,
    ResearchStatsView,
)
from knowledge.api.evaluation import EvaluationViewSet, JudgedQueryViewSet
from knowledge.api.online import GuidelinesView, LatestView, OnlineStatusView, SearchPubmedView
from knowledge.api.papers import PaperViewSet
from knowledge.api.research import ResearchJobViewSet
from knowledge.api.research_runs import ExportView, ResearchRunsViewSet
from knowledge.api.research_setup import ProvidersView, TestConfigurationView
from knowledge.api.search import SearchView, TryOutView
from knowledge.api.sources import SourceViewSet
from knowledge.api.statistics import KnowledgeStatisticsView
from knowledge.api.topics import TopicViewSet
from knowledge.api.updates import AutoUpdateView

_MEDICAL = "medical/knowledge/"
_CRONJOBS = "cronjobs/"
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
    path("research/chat/", ChatView.as_view(), name="knowledge-research-chat"),
    path("research/health/", ResearchHealthView.as_view(), name="knowledge-research-health"),
    path("research/config/", ResearchConfigView.as_view(), name="knowledge-research-config"),
    path("research/stats/", ResearchStatsView.as_view(), name="knowledge-research-stats"),
    path("medical/chat/message/", MessageView.as_view(), name="knowledge-chat-message"),
    path("medical/chat/history/", HistoryViewSet.as_view({"get": "list"}), name="knowledge-question-list"),
    path(
        "medical/chat/history/<int:pk>/",
        HistoryViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="knowledge-question-detail",
    ),
    path(
        "answers/<int:pk>/feedback/",
        FeedbackViewSet.as_view({"post": "give"}),
        name="knowledge-answer-feedback",
    ),
    path(_MEDICAL, include("knowledge.api.document_urls")),
    path(_CRONJOBS, ResearchJobViewSet.as_view({"get": "list", "post": "create"}), name="cronjob-list"),
    path(
        f"{_CRONJOBS}<int:pk>/", ResearchJobViewSet.as_view({**_ONE, "put": "update"}), name="cronjob-detail"
    ),
    path(
        f"{_CRONJOBS}<int:pk>/toggle/", ResearchJobViewSet.as_view({"patch": "toggle"}), name="cronjob-toggle"
    ),
    path(
        f"{_CRONJOBS}<int:pk>/trigger/",
        ResearchJobViewSet.as_view({"post": "trigger"}),
        name="cronjob-trigger",
    ),
    path(f"{_CRONJOBS}<int:pk>/runs/", ResearchJobViewSet.as_view({"get": "runs"}), name="cronjob-runs"),
    path(f"{_CRONJOBS}<int:pk>/status/", ResearchJobViewSet.as_view({"get": "state"}), name="cronjob-status"),
    path(f"{_CRONJOBS}providers/available/", ProvidersView.as_view(), name="cronjob-providers"),
    path(f"{_CRONJOBS}test-configuration/", TestConfigurationView.as_view(), name="cronjob-test"),
    path(f"{_CRONJOBS}runs/<uuid:id>/", ResearchRunsViewSet.as_view({"get": "retrieve"}), name="cronjob-run"),
    path(
        f"{_CRONJOBS}tasks/health-check/",
        ResearchRunsViewSet.as_view({"get": "health_check"}),
        name="cronjob-health",
    ),
    *(
        path(
            f"{_CRONJOBS}tasks/<uuid:id>/{name}/",
            ResearchRunsViewSet.as_view({method: name}),
            name=f"cronjob-task-{name}",
        )
        for method, name in (("get", "status"), ("get", "progress"), ("post", "cancel"))
    ),
    path(
        f"{_CRONJOBS}history/runs/",
        ResearchRunsViewSet.as_view({"get": "history"}),
        name="cronjob-history-runs",
    ),
    path(
        f"{_CRONJOBS}history/stats/",
        ResearchRunsViewSet.as_view({"get": "stats"}),
        name="cronjob-history-stats",
    ),
    path(f"{_CRONJOBS}history/export/", ExportView.as_view(), name="cronjob-history-export"),
]
