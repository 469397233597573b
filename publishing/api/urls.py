"""Publishing's part of `/api/v1/`."""

from django.urls import path

from publishing.api.agents import AgentPublishersViewSet, AgentSourcesViewSet, AgentViewSet, WritersView
from publishing.api.posts import PostViewSet, PublicationViewSet
from publishing.api.public import PublicPostsView, PublicPostView, PublicTagsView
from publishing.api.publishers import PublisherKindsView, PublisherViewSet
from publishing.api.tasks import TaskViewSet
from publishing.api.usage import PublishingStatisticsView, UsageSummaryView, UsageViewSet
from publishing.api.views import ItemViewSet, SourceViewSet

urlpatterns = [
    path("agents/", AgentViewSet.as_view({"get": "list", "post": "create"}), name="agent-list"),
    path("agents/writers/", WritersView.as_view(), name="agent-writers"),
    path(
        "agents/<int:pk>/",
        AgentViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="agent-detail",
    ),
    *(
        path(f"agents/<int:pk>/{name}/", AgentViewSet.as_view({"post": name}), name=f"agent-{name}")
        for name in ("run", "enable", "disable")
    ),
    path("agents/<int:pk>/usage/", AgentViewSet.as_view({"get": "usage"}), name="agent-usage"),
    path("agents/<int:pk>/sources/", AgentSourcesViewSet.as_view({"get": "list"}), name="agent-sources"),
    path(
        "agents/<int:pk>/publishers/",
        AgentPublishersViewSet.as_view({"get": "list"}),
        name="agent-publishers",
    ),
    path("sources/", SourceViewSet.as_view({"get": "list", "post": "create"}), name="source-list"),
    path(
        "sources/<int:pk>/",
        SourceViewSet.as_view(
            {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
        ),
        name="source-detail",
    ),
    *(
        path(f"sources/<int:pk>/{name}/", SourceViewSet.as_view({"post": name}), name=f"source-{name}")
        for name in ("poll", "test", "reset", "enable", "disable")
    ),
    path("sources/<int:pk>/items/", SourceViewSet.as_view({"post": "add_item"}), name="source-add-item"),
    path("items/", ItemViewSet.as_view({"get": "list"}), name="item-list"),
    path(
        "items/<int:pk>/", ItemViewSet.as_view({"get": "retrieve", "delete": "destroy"}), name="item-detail"
    ),
    path("items/<int:pk>/replay/", ItemViewSet.as_view({"post": "replay"}), name="item-replay"),
    path("posts/", PostViewSet.as_view({"get": "list", "post": "create"}), name="post-list"),
    path("posts/generate/", PostViewSet.as_view({"post": "generate"}), name="post-generate"),
    path(
        "posts/<int:pk>/",
        PostViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="post-detail",
    ),
    *(
        path(f"posts/<int:pk>/{name}/", PostViewSet.as_view({"post": name}), name=f"post-{name}")
        for name in ("submit", "approve", "reject", "schedule", "publish", "withdraw")
    ),
    path("posts/<int:pk>/preview/", PostViewSet.as_view({"get": "preview"}), name="post-preview"),
    path("publications/", PublicationViewSet.as_view({"get": "list"}), name="publication-list"),
    path(
        "publications/<int:pk>/", PublicationViewSet.as_view({"get": "retrieve"}), name="publication-detail"
    ),
    path(
        "publications/<int:pk>/send-again/",
        PublicationViewSet.as_view({"post": "send_again"}),
        name="publication-send-again",
    ),
    path(
        "publications/<int:pk>/confirm/",
        PublicationViewSet.as_view({"post": "confirm"}),
        name="publication-confirm",
    ),
    path(
        "publications/<int:pk>/try-again/",
        PublicationViewSet.as_view({"post": "try_again"}),
        name="publication-try-again",
    ),
    path("publishers/", PublisherViewSet.as_view({"get": "list", "post": "create"}), name="publisher-list"),
    path("publishers/kinds/", PublisherKindsView.as_view(), name="publisher-kinds"),
    path(
        "publishers/<int:pk>/",
        PublisherViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="publisher-detail",
    ),
    *(
        path(
            f"publishers/<int:pk>/{name}/", PublisherViewSet.as_view({"post": name}), name=f"publisher-{name}"
        )
        for name in ("test", "enable", "disable")
    ),
    *(
        path(f"tasks/{name}/", TaskViewSet.as_view({"post": name.replace("-", "_")}), name=f"task-{name}")
        for name in ("generate-post", "publish-post", "monitor-rss", "retry-failed")
    ),
    *(
        path(f"tasks/{name}/", TaskViewSet.as_view({"get": name}), name=f"task-{name}")
        for name in ("active", "health")
    ),
    path("tasks/status/<uuid:id>/", TaskViewSet.as_view({"get": "state"}), name="task-status"),
    path("tasks/cancel/<uuid:id>/", TaskViewSet.as_view({"delete": "cancel"}), name="task-cancel"),
    path("usage/", UsageViewSet.as_view({"get": "list"}), name="usage-list"),
    path("usage/summary/", UsageSummaryView.as_view(), name="usage-summary"),
    path("publishing/statistics/", PublishingStatisticsView.as_view(), name="publishing-statistics"),
    path("public/posts/", PublicPostsView.as_view(), name="public-post-list"),
    path("public/posts/<slug:slug>/", PublicPostView.as_view(), name="public-post-detail"),
    path("public/tags/", PublicTagsView.as_view(), name="public-tags"),
]
