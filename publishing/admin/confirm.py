"""One question before something that cannot be undone."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse


def ask(
    request: HttpRequest,
    site: AdminSite,
    *,
    action: str,
    question: str,
    button: str,
    chosen: QuerySet[Any],
) -> TemplateResponse:
    """The page that asks; its form sends the action again with `confirmed`."""
    options = chosen.model._meta
    context = {
        **site.each_context(request),
        "opts": options,
        "title": button,
        "question": question,
        "items": [str(row) for row in chosen],
        "button": button,
        "is_dangerous": True,
        "action": action,
        "selected": [row.pk for row in chosen],
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
        "back": reverse(f"admin:{options.app_label}_{options.model_name}_changelist"),
    }
    return TemplateResponse(request, "admin/jobs/confirm.html", context)
