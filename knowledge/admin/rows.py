"""Links to the pages of other rows, for those who may open them."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse

from jobs.models import JobRun


def may_view(request: HttpRequest, model: type[Model]) -> bool:
    """Whether the model has pages here and the person may see them."""
    opts = model._meta
    permission = f"{opts.app_label}.{get_permission_codename('view', opts)}"
    return admin.site.is_registered(model) and request.user.has_perm(permission)


def page_of(request: HttpRequest, row: Model) -> str:
    """The address of its page in the admin; "" for who may not open it."""
    opts = row._meta
    if not may_view(request, type(row)):
        return ""
    return reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[row.pk])


def visible_runs(request: HttpRequest, ids: Iterable[UUID | None]) -> set[UUID]:
    """Those of the runs that are still there and that the person may see."""
    if not request.user.has_perm("jobs.view_jobrun"):
        return set()
    seen = JobRun.objects.visible_to(request.user).filter(pk__in={pk for pk in ids if pk})
    return set(seen.values_list("pk", flat=True))
