"""One permission for each thing that can be done."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it imports this module for its defaults


class ActionPermission(BasePermission):
    """Asks for what the view's `permission_of` says: a permission for each action, or each method in lower case.

    A view that says nothing about an action is a mistake and raises KeyError, so that nothing is open by omission.
    """

    message = "This needs a permission."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user.is_authenticated:
            return False
        permission = permission_for(view, request.method or "")
        if permission is None:
            return True
        self.message = f"This needs the permission {permission}."
        return bool(request.user.has_perm(permission))


def permission_for(view: "APIView", method: str) -> str | None:
    """The permission that a call needs; None for a method that the view does not have (it answers 405)."""
    if method == "OPTIONS":  # no view describes itself: the OpenAPI document does
        return None
    permission_of: Mapping[str, str] = view.permission_of  # type: ignore[attr-defined]  # declared by each view
    action: Any = getattr(view, "action", "get" if method == "HEAD" else method.lower())
    if action is None or not hasattr(view, action):
        return None
    return permission_of[action]
