"""Publishing's part of `/api/v1/`."""

from django.urls import path

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
    path("items/", ItemViewSet.as_view({"get": "list"}), name="item-list"),
    path(
        "items/<int:pk>/", ItemViewSet.as_view({"get": "retrieve", "delete": "destroy"}), name="item-detail"
    ),
    path("items/<int:pk>/replay/", ItemViewSet.as_view({"post": "replay"}), name="item-replay"),
]
