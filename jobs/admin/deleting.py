"""Deleting through the domain, which may refuse: then its reason is shown, and nothing has happened."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from jobs.errors import IllegalState

if TYPE_CHECKING:
    from jobs.admin.base import ModelAdmin

    Base = ModelAdmin[Any]
else:
    Base = object


class MayRefuse(Base):
    """Mixin: `delete_model` calls the domain function, which may raise IllegalState and leaves its own audit row."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each is deleted on its own page, where a refusal can be told."""
        found = super().get_actions(request)
        return {name: action for name, action in found.items() if name != "delete_selected"}

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except IllegalState as error:
            messages.error(request, str(error))
            page = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(page, args=[object_id]))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Only itself: whether anything is in the way is for the domain to say."""
        return [str(one) for one in objs], {}, set(), []

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Nothing: the domain function writes the audit row."""
