"""Publishing's part of `/api/v1/`."""

from django.urls import path

from publishing.api.posts import PostViewSet, PublicationViewSet
from publishing.api.publishers import PublisherKindsView, PublisherViewSet
from publishing.api.views import ItemViewSet, SourceViewSet

urlpatterns = [
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
    path(
        "posts/<int:pk>/",
        PostViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="post-detail",
    ),
    *(
        path(f"posts/<int:pk>/{name}/", PostViewSet.as_view({"post": name}), name=f"post-{name}")
        for name in ("submit", "approve", "reject", "schedule", "publish")
    ),
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
]
