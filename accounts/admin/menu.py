"""The menu at one's own name."""

from django.http import HttpRequest
from django.urls import reverse

from accounts import keys


def links(request: HttpRequest) -> list[dict[str, str]]:
    """What everybody finds there: the own password, and the own keys for those who may have some."""
    found = []
    if request.user.has_perm("accounts.view_apikey") or request.user.has_perm(keys.MANAGE):
        found.append({"title": "API keys", "link": reverse("admin:accounts_apikey_changelist")})
    if request.user.is_authenticated and request.user.has_usable_password():
        found.append({"title": "Change password", "link": reverse("admin:password_change")})
    return found
