"""Asking the API in tests: who asks with which permissions, and answers of the status that is expected."""

from typing import Any

from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient


class SignedIn(APIClient):
    """A client that somebody is signed in with."""

    user: User


def client_with(*permissions: str, is_superuser: bool = False) -> SignedIn:
    """Signed in as a new user with these permissions of jobs and publishing, by their code names."""
    user = User.objects.create_user(f"user-{User.objects.count()}", is_superuser=is_superuser)
    user.user_permissions.set(
        Permission.objects.filter(
            content_type__app_label__in=("publishing", "jobs"), codename__in=permissions
        )
    )
    client = SignedIn()
    client.user = user
    client.force_authenticate(user)
    return client


def get(client: APIClient, address: str, query: dict[str, Any] | None = None, status: int = 200) -> Any:
    answer = client.get(address, query)
    assert answer.status_code == status, answer.content
    return answer.json()


def post(
    client: APIClient,
    address: str,
    body: dict[str, Any] | None = None,
    status: int = 200,
    key: str | None = None,
) -> Any:
    headers = {"Idempotency-Key": key} if key is not None else {}
    answer = client.post(address, body or {}, format="json", headers=headers)
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else {}


def patch(client: APIClient, address: str, body: dict[str, Any], status: int = 200) -> Any:
    answer = client.patch(address, body, format="json")
    assert answer.status_code == status, answer.content
    return answer.json()
