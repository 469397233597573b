"""Staff with exactly the permissions a test names."""

from django.contrib.auth.models import Permission, User
from django.test import Client

VIEWER = ("jobs.view_schedule", "jobs.view_jobrun")


def staff(*permissions: str, name: str = "staff") -> User:
    """A member of staff with these permissions ("app.codename") and no others."""
    user = User.objects.create_user(name, password="a long enough password", is_staff=True)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
