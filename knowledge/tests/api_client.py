"""Asking the API in tests: who asks with which permissions, and answers of the status that is expected."""

from typing import Any

from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

KNOWLEDGE = "/api/v1/medical/knowledge/"


class SignedIn(APIClient):
    """A client that somebody is signed in with."""

    user: User


def client_with(*permissions: str, is_superuser: bool = False) -> SignedIn:
    """Signed in as a new user with these permissions of jobs and knowledge, by their code names."""
    user = User.objects.create_user(f"user-{User.objects.count()}", is_superuser=is_superuser)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label__in=("knowledge", "jobs"), codename__in=permissions)
    )
    client = SignedIn()
    client.user = user
    client.force_authenticate(user)
    return client


def get(client: APIClient, address: str, query: dict[str, Any] | None = None, status: int = 200) -> Any:
    answer = client.get(address, query)
    assert answer.status_code == status, answer.content
    return answer.json()


def send(client: APIClient, method: str, address: str, body: Any = None, status: int = 200) -> Any:
    answer = getattr(client, method)(address, {} if body is None else body, format="json")
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else {}


def post(client: APIClient, address: str, body: Any = None, status: int = 200) -> Any:
    return send(client, "post", address, body, status)
