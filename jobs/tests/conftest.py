"""Clients of the API, and what goes to the broker."""

from collections.abc import Iterator
from typing import Any

import pytest
from celery import signals
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """The ids of all messages that go to the broker while the test runs."""
    ids: list[str] = []

    def remember(headers: dict[str, Any], **kwargs: Any) -> None:
        ids.append(headers["id"])

    signals.before_task_publish.connect(remember)
    yield ids
    signals.before_task_publish.disconnect(remember)


@pytest.fixture
def make_client(db):
    """Give a function that makes a client of a new user with these permissions (`run_job`, …)."""

    def make(*permissions, username="ada", **fields):
        user = User.objects.create_user(username, f"{username}@example.org", "correct horse", **fields)
        found = Permission.objects.filter(content_type__app_label="jobs", codename__in=permissions)
        assert len(found) == len(permissions)
        user.user_permissions.set(found)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {AccessToken.for_user(user)}")
        client.user = user  # type: ignore[attr-defined]  # for the tests' own use
        return client

    return make


@pytest.fixture
def client(make_client):
    """A client of a superuser."""
    return make_client(username="root", is_superuser=True)


@pytest.fixture
def nobody():
    """A client without authentication."""
    return APIClient()
