"""Django's admin tells its log what was added, changed and deleted; this tells the audit trail too, with before and after."""

import re
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest

from jobs import audit
from jobs.models import AuditEvent

Action = AuditEvent.Action

_SECRET = re.compile(r"password|secret|token|hash|credential", re.IGNORECASE)
_LONGEST = 500


class Audited:
    """Mixin of every ModelAdmin: what its forms do leaves an event in the audit trail."""

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        request.audit_changes = changes_of(form)  # type: ignore[attr-defined]  # read a moment later by log_*
        return super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]  # a mixin

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        entry = super().log_addition(request, obj, message)  # type: ignore[misc]  # a mixin
        _tell(Action.ADDED, request, obj, entry.get_change_message())
        return entry

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        entry = super().log_change(request, obj, message)  # type: ignore[misc]  # a mixin
        _tell(Action.CHANGED, request, obj, entry.get_change_message())
        return entry

    def log_deletions(self, request: HttpRequest, queryset: Iterable[models.Model]) -> Any:
        for obj in queryset:
            _tell(Action.DELETED, request, obj, "")
        return super().log_deletions(request, queryset)  # type: ignore[misc]  # a mixin


def changes_of(form: Any) -> dict[str, list[str]]:
    """What a form changes: each field with its value before and after, as text; secrets are not shown."""
    return {
        name: ["…", "…"]
        if _SECRET.search(name)
        else [_text(form.initial.get(name)), _text(form.cleaned_data.get(name))]
        for name in form.changed_data
    }


def _tell(action: AuditEvent.Action, request: HttpRequest, obj: models.Model, message: str) -> None:
    if isinstance(request.user, AbstractBaseUser):
        changes = getattr(request, "audit_changes", None) if action != Action.DELETED else None
        audit.write(action, by=request.user, thing=obj, message=message, changes=changes)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (list, tuple, set, QuerySet)):
        return ", ".join(sorted(_text(one) for one in value))[:_LONGEST]
    return str(value)[:_LONGEST]
