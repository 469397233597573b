"""The routes below `notifications/`."""

from typing import Any

from django.urls import path

from jobs.api.deliveries import DeliveryViewSet, InboxViewSet
from jobs.api.notification_channels import ChannelViewSet, KindsView
from jobs.api.notification_rules import RuleViewSet

_CRUD: dict[str, Any] = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}
_LIST: dict[str, Any] = {"get": "list", "post": "create"}

urlpatterns = [
    path("notifications/kinds/", KindsView.as_view(), name="notification-kinds"),
    path("notifications/channels/", ChannelViewSet.as_view(_LIST), name="channel-list"),
    path("notifications/channels/<int:pk>/", ChannelViewSet.as_view(_CRUD), name="channel-detail"),
    path(
        "notifications/channels/<int:pk>/test/", ChannelViewSet.as_view({"post": "test"}), name="channel-test"
    ),
    path(
        "notifications/channels/<int:pk>/enable/",
        ChannelViewSet.as_view({"post": "enable"}),
        name="channel-enable",
    ),
    path(
        "notifications/channels/<int:pk>/disable/",
        ChannelViewSet.as_view({"post": "disable"}),
        name="channel-disable",
    ),
    path("notifications/rules/", RuleViewSet.as_view(_LIST), name="rule-list"),
    path("notifications/rules/explain/", RuleViewSet.as_view({"post": "explain"}), name="rule-explain"),
    path("notifications/rules/<int:pk>/", RuleViewSet.as_view(_CRUD), name="rule-detail"),
    path("notifications/deliveries/", DeliveryViewSet.as_view({"get": "list"}), name="delivery-list"),
    path(
        "notifications/deliveries/<uuid:pk>/",
        DeliveryViewSet.as_view({"get": "retrieve"}),
        name="delivery-detail",
    ),
    path(
        "notifications/deliveries/<uuid:pk>/retry/",
        DeliveryViewSet.as_view({"post": "retry"}),
        name="delivery-retry",
    ),
    path("notifications/inbox/", InboxViewSet.as_view({"get": "list"}), name="inbox-list"),
    path("notifications/inbox/summary/", InboxViewSet.as_view({"get": "summary"}), name="inbox-summary"),
    path("notifications/inbox/read-all/", InboxViewSet.as_view({"post": "read_all"}), name="inbox-read-all"),
    path("notifications/inbox/<int:pk>/read/", InboxViewSet.as_view({"post": "read"}), name="inbox-read"),
    path(
        "notifications/inbox/<int:pk>/unread/", InboxViewSet.as_view({"post": "unread"}), name="inbox-unread"
    ),
]
