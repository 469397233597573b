"""The page of one row: what there is to say about it, and its form. Saved by the domain, which may refuse."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from jobs.admin.base import ModelAdmin
from jobs.errors import InvalidInput

M = TypeVar("M", bound=models.Model)


class FormPage(ABC, Generic[M]):
    """Makes or changes one row; without the permission to change it, shows it."""

    template: str
    form_class: type[Any]
    new_title: str

    def __init__(self, model_admin: ModelAdmin[M], request: HttpRequest, row: M | None) -> None:
        self.admin = model_admin
        self.request = request
        self.row = row
        self.title = str(row) if row else self.new_title  # a form that is refused must not rename the page
        self.may_write = (
            model_admin.has_change_permission(request, row)
            if row
            else model_admin.has_add_permission(request)
        )
        if row is None and not self.may_write:
            raise PermissionDenied

    def response(self) -> HttpResponse:
        if self.request.method != "POST":
            return self._render(self.form_class(instance=self.row))
        if not self.may_write:
            raise PermissionDenied
        form = self.form_class(self.request.POST, instance=self.row)
        if not form.is_valid() or "_preview" in self.request.POST:
            return self._render(form)
        if (found := self.findings(form)) is not None:
            return self._render(form, **found)
        try:
            saved = self.save(form)
        except InvalidInput as error:
            for name, reasons in error.fields.items():
                form.add_error(name if name in form.fields else None, reasons)
            return self._render(form)
        messages.success(self.request, f"{saved} was saved.")
        return HttpResponseRedirect(page_of(saved))

    @abstractmethod
    def save(self, form: Any) -> M:
        """The row of valid data, saved. Raises InvalidInput."""

    def findings(self, form: Any) -> dict[str, Any] | None:
        """What another button than "Save" wants to know of valid data; None: it was "Save"."""
        return None

    @abstractmethod
    def about(self, row: M) -> dict[str, Any]:
        """What there is to say about a row that is there."""

    def context(self, form: Any) -> dict[str, Any]:
        """What the form needs beyond itself."""
        return {}

    def _render(self, form: forms.BaseForm, **found: Any) -> HttpResponse:
        row = self.row
        context = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "title": self.title,
            "row": row,
            "form": form,
            "may_write": self.may_write,
            # What was typed and refused is what the page is about, then.
            "about": self.about(row) if row and not form.is_bound else None,
            "may_delete": row is not None and self.admin.has_delete_permission(self.request, row),
            **self.context(form),
            **found,
        }
        return TemplateResponse(self.request, self.template, context)


def page_of(row: models.Model) -> str:
    """The address of its page."""
    opts = row._meta
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])
