from django.urls import path

from accounts.api.keys import KeyViewSet, ScopesView
from accounts.api.views import LoginView, MeView, RefreshView

urlpatterns = [
    path("login/", LoginView.as_view(), name="login"),
    path("refresh/", RefreshView.as_view(), name="refresh"),
    path("me/", MeView.as_view(), name="me"),
    path("scopes/", ScopesView.as_view({"get": "list"}), name="scope-list"),
    path("keys/", KeyViewSet.as_view({"get": "list", "post": "create"}), name="key-list"),
    path("keys/<int:pk>/", KeyViewSet.as_view({"get": "retrieve"}), name="key-detail"),
    path("keys/<int:pk>/replace/", KeyViewSet.as_view({"post": "replace"}), name="key-replace"),
    path("keys/<int:pk>/revoke/", KeyViewSet.as_view({"post": "revoke"}), name="key-revoke"),
]
