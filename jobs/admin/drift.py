"""Where schedules and code do not agree, and the buttons that settle it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from jobs import inspection, stock, sync
from jobs.admin import navigation
from jobs.admin.base import require, user_of
from jobs.errors import JobsError
from jobs.models import Schedule

if TYPE_CHECKING:
    from jobs.admin.base import ModelAdmin

    Base = ModelAdmin[Schedule]
else:
    Base = object

#: So many rows of each kind are shown.
LISTED = 200
#: Schedules on a page of the import.
IMPORTED = 100

navigation.add(
    navigation.Entry(
        group="Jobs",
        title="Drift",
        icon="rule_settings",
        url_name="admin:jobs_schedule_drift",
        permissions=("jobs.view_schedule",),
        order=14,
    )
)


class ScheduleDrift(Base):
    """The pages of `ScheduleAdmin` about code and database."""

    if TYPE_CHECKING:

        def get_schedule(self, request: HttpRequest, object_id: str) -> Schedule: ...

    def drift_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("drift/", view(self.drift), name="jobs_schedule_drift"),
            path("import/", view(self.import_page), name="jobs_schedule_import"),
            path("<path:object_id>/take-declared/", view(self.take_declared), name="jobs_schedule_take"),
            path("<path:object_id>/keep-edited/", view(self.keep_edited), name="jobs_schedule_keep"),
        ]

    def drift(self, request: HttpRequest) -> HttpResponse:
        """Edited timings, schedules without a job, parameters that do not fit."""
        require(request, "jobs.view_schedule")
        seen: QuerySet[Schedule] = Schedule.objects.visible_to(request.user)
        visible = set(seen.filter(policy__origin="code").values_list("pk", flat=True))
        found = [one for one in sync.differences() if one.schedule_id is None or one.schedule_id in visible]
        orphans, misfits = inspection.orphans(seen), inspection.misfits(seen)
        context = {
            "title": "Code and database",
            "edited": [one for one in found if not one.is_kept][:LISTED],
            "kept": [one for one in found if one.is_kept][:LISTED],
            "orphans": orphans[:LISTED],
            "misfits": misfits[:LISTED],
            "more_orphans": max(0, len(orphans) - LISTED),
            "more_misfits": max(0, len(misfits) - LISTED),
            "may_write": self.has_change_permission(request),
        }
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, "admin/jobs/schedule/drift.html", {**common, **context})

    def import_page(self, request: HttpRequest) -> HttpResponse:
        """What behaves otherwise for rows that were made for stock beat; posted, it rewrites what can be kept."""
        require(request, "jobs.view_schedule")
        rows = stock.stock_schedules().filter(pk__in=Schedule.objects.visible_to(request.user))
        page = Paginator(rows, IMPORTED).get_page(request.GET.get("page"))
        if request.method == "POST":
            require(request, "jobs.change_schedule")
            wanted = rows.filter(pk=request.POST.get("schedule", "")) if _is_id(request) else rows.none()
            for one in stock.report(wanted, timezone.now()):
                if stock.adopt(one, by=user_of(request)):
                    messages.success(request, f"{one.name} is {one.rewrite} now.")
            return HttpResponseRedirect(request.get_full_path())
        chosen = rows.filter(pk__in=[one.pk for one in page.object_list])
        context = {
            "title": "Made for stock beat",
            "reports": [one for one in stock.report(chosen, timezone.now()) if one.findings],
            "page": page,
            "may_write": self.has_change_permission(request),
        }
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, "admin/jobs/schedule/import.html", {**common, **context})

    def take_declared(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._settle(request, object_id, sync.take_declared, "It follows its job again.")

    def keep_edited(self, request: HttpRequest, object_id: str) -> HttpResponse:
        said = "It is kept as it is, until its job declares something new."
        return self._settle(request, object_id, sync.keep_edited, said)

    def _settle(
        self, request: HttpRequest, object_id: str, change: Callable[..., None], said: str
    ) -> HttpResponse:
        require(request, "jobs.change_schedule")
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        schedule = self.get_schedule(request, object_id)
        try:
            change(schedule, by=user_of(request))
        except JobsError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, f"{schedule.name}: {said}")
        return HttpResponseRedirect(reverse("admin:jobs_schedule_drift"))


def _is_id(request: HttpRequest) -> bool:
    text = request.POST.get("schedule", "")
    return text.isascii() and text.isdigit() and len(text) < 10
