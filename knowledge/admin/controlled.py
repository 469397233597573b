"""Lists of things that have a page of their own, controls on it, and that can be switched on and off."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from jobs.admin.base import ModelAdmin, require, user_of
from jobs.admin.deleting import MayRefuse
from knowledge.admin.form_page import FormPage, page_of

M = TypeVar("M", bound=models.Model)


class ControlledAdmin(MayRefuse, ModelAdmin[M]):
    """One row is shown and edited by `form_page`; `controls` are addresses below it, after their names."""

    form_page: ClassVar[type[FormPage[Any]]]
    #: What it takes to see a row, and to switch it on or off.
    view_permission: ClassVar[str]
    switch_permission: ClassVar[str]
    #: What is said of a row that was switched off.
    disabled_words: ClassVar[str] = "disabled"

    def controls(self) -> Mapping[str, Callable[..., HttpResponse]]:
        """Views of one row by the last word of their address."""
        return {"enable": self.enable_one, "disable": self.disable_one}

    def switch(self, row: M, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
        """Switch one row on or off, by the domain."""
        raise NotImplementedError

    def has_switch_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self.switch_permission)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            *(
                path(f"<int:pk>/{word}/", view(control), name=f"{name}_{word}")
                for word, control in self.controls().items()
            ),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = None
        if object_id is not None:
            row = self.get_object(request, object_id)
            if row is None:
                raise Http404
            if not self.has_view_or_change_permission(request, row):
                raise PermissionDenied
        return self.form_page(self, request, row).response()

    def enable_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switch_one(request, pk, True)

    def disable_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switch_one(request, pk, False)

    def _switch_one(self, request: HttpRequest, pk: int, is_enabled: bool) -> HttpResponse:
        require(request, self.view_permission, self.switch_permission)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        row = get_object_or_404(self.model, pk=pk)
        self.switch(row, is_enabled, by=user_of(request))
        messages.success(request, f"{row} is {'enabled' if is_enabled else self.disabled_words}.")
        return HttpResponseRedirect(page_of(row))

    @admin.action(description="Enable", permissions=["switch"])
    def enable(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        self._switch_all(request, queryset, True)

    @admin.action(description="Disable", permissions=["switch"])
    def disable(self, request: HttpRequest, queryset: QuerySet[M]) -> None:
        self._switch_all(request, queryset, False)

    def _switch_all(self, request: HttpRequest, chosen: QuerySet[M], is_enabled: bool) -> None:
        require(request, self.switch_permission)
        for row in chosen:
            self.switch(row, is_enabled, by=user_of(request))
        said = "Enabled" if is_enabled else "Disabled"
        messages.success(request, f"{said}: {', '.join(map(str, chosen))}.")
