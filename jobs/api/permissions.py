"""A permission for each thing that can be done."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it imports this module for its defaults

#: What each action of a view needs: a permission, or several that are all needed.
Needed = Mapping[str, str | tuple[str, ...]]


class ActionPermission(BasePermission):
    """Asks for what the view's `permission_of` says for each action, or each method in lower case.

    A view that says nothing about an action is a mistake and raises KeyError, so that nothing is open by omission.
    """

    message = "This needs a permission."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        if not request.user.is_authenticated:
            return False
        for permission in permissions_for(view, request.method or ""):
            if not request.user.has_perm(permission):
                self.message = f"This needs the permission {permission}."
                return False
        return True


def permissions_for(view: "APIView", method: str) -> tuple[str, ...]:
    """The permissions that a call needs; none for a method that the view does not have (it answers 405)."""
    if method == "OPTIONS":  # no view describes itself: the OpenAPI document does
        return ()
    permission_of: Needed = view.permission_of  # type: ignore[attr-defined]  # declared by each view
    action: Any = getattr(view, "action", "get" if method == "HEAD" else method.lower())
    if action is None or not hasattr(view, action):
        return ()
    needed = permission_of[action]
    return (needed,) if isinstance(needed, str) else needed
