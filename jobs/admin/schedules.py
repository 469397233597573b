"""Schedules: the list, the friendly form with its preview, and the controls, each with a permission of its own."""

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)

from jobs import display, schedules
from jobs.admin import navigation
from jobs.admin.base import ModelAdmin, user_of
from jobs.admin.drift import ScheduleDrift
from jobs.admin.schedule_actions import ScheduleActions
from jobs.admin.schedule_filters import JobFilter, KindFilter, OriginFilter, StateFilter
from jobs.admin.schedule_form import stored_timing
from jobs.admin.schedule_page import SchedulePage, parameters_view
from jobs.admin.schedule_preview import preview_view
from jobs.admin.schedule_state import next_slot_of, state_badge
from jobs.admin.timeline import schedule_timeline_view, timeline_view
from jobs.admin.versions import ScheduleVersions
from jobs.definitions import find_job
from jobs.errors import IllegalState
from jobs.models import JobRun, Schedule
from jobs.timing import RELATED, InvalidTiming, describe

# The stock pages run, enable and disable schedules for anybody who may look at them.
admin.site.unregister([PeriodicTask, CrontabSchedule, IntervalSchedule, SolarSchedule, ClockedSchedule])

navigation.add(
    navigation.Entry(
        group="Jobs",
        title="Schedules",
        icon="calendar_month",
        url_name="admin:jobs_schedule_changelist",
        permissions=("jobs.view_schedule", "jobs.change_schedule"),
        order=10,
    ),
    navigation.Entry(
        group="Jobs",
        title="Timeline",
        icon="view_timeline",
        url_name="admin:jobs_schedule_timeline",
        permissions=("jobs.view_schedule",),
        needs=("jobs.view_jobrun",),
        order=12,
    ),
)


@admin.register(Schedule)
class ScheduleAdmin(ScheduleActions, ScheduleVersions, ScheduleDrift, ModelAdmin[Schedule]):
    list_display = ("title", "timing", "next_slot", "state", "last_run")
    list_select_related = (*RELATED, "policy", "policy__owner_group")
    list_filter = (StateFilter, JobFilter, KindFilter, OriginFilter)
    list_per_page = 50
    search_fields = ("name", "task", "description")
    search_help_text = "Name, job or description"
    ordering = ("name",)
    sortable_by = ("title", "next_slot")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        rows: QuerySet[Schedule] = (
            Schedule.objects.visible_to(request.user)
            .order_by(*self.ordering)
            .annotate(latest_run=_latest_run())
        )
        return rows

    @admin.display(description="Schedule", ordering="name")
    def title(self, schedule: Schedule) -> SafeString:
        job = find_job(schedule.task)
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            schedule.name,
            job.title if job else schedule.task,
        )

    @admin.display(description="When")
    def timing(self, schedule: Schedule) -> SafeString:
        try:
            words = describe(stored_timing(schedule, timezone.now()))
        except InvalidTiming as error:
            return format_html('<span class="jobs-wrap">{}</span>', str(error))
        return format_html('<span class="jobs-wrap">{}</span>', words)

    @admin.display(description="Next slot", ordering="policy__next_slot_at")
    def next_slot(self, schedule: Schedule) -> SafeString | str:
        now = timezone.now()
        at = next_slot_of(schedule, now)
        if at is None:
            return "none"
        zone = stored_timing(schedule, now).zone
        return format_html(
            '<span class="jobs-two-lines"><span>{}</span><small class="jobs-nowrap">{}</small></span>',
            display.moment(at, zone),
            display.both_clocks(at, zone),
        )

    @admin.display(description="State")
    def state(self, schedule: Schedule) -> SafeString:
        return state_badge(schedule, timezone.now())

    @admin.display(description="Last run")
    def last_run(self, schedule: Schedule) -> SafeString | str:
        run = getattr(schedule, "latest_run", None)
        if run is None:
            return "never"
        at = run["finished_at"] or run["queued_at"]
        return format_html(
            '<a class="jobs-inline" href="{}">{}<small>{}</small></a>',
            reverse("admin:jobs_jobrun_change", args=[run["id"]]),
            display.status_badge(run["status"]),
            display.moment(datetime.fromisoformat(at)),
        )

    # Pages

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        mine = [
            path("preview/", view(self.preview), name="jobs_schedule_preview"),
            path("timeline/", view(self.timeline), name="jobs_schedule_timeline"),
            path(
                "<path:object_id>/timeline/", view(self.timeline_of_one), name="jobs_schedule_timeline_of_one"
            ),
            path("parameters/", view(self.parameters), name="jobs_schedule_parameters"),
            *self.action_urls(),
            *self.version_urls(),
            *self.drift_urls(),
        ]
        return mine + super().get_urls()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        schedule = self.get_schedule(request, object_id) if object_id else None
        return SchedulePage(self, request, schedule).response()

    def preview(self, request: HttpRequest) -> HttpResponse:
        self._require_editor(request)
        schedule_id = request.GET.get("schedule", "")
        schedule = self.get_schedule(request, schedule_id) if schedule_id else None
        return preview_view(request, schedule)

    def timeline(self, request: HttpRequest) -> HttpResponse:
        return timeline_view(request, self._context(request), self._rows(request))

    def timeline_of_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        schedule = self.get_schedule(request, object_id)
        return schedule_timeline_view(request, self._context(request), schedule)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts}

    def _rows(self, request: HttpRequest) -> QuerySet[Schedule]:
        rows: QuerySet[Schedule] = Schedule.objects.visible_to(request.user)
        return rows.select_related(*self.list_select_related)

    def parameters(self, request: HttpRequest) -> HttpResponse:
        self._require_editor(request)
        return parameters_view(request)

    def get_schedule(self, request: HttpRequest, object_id: str) -> Schedule:
        """The schedule of a page; 404 when it is gone or another group's, 403 for those who may see none."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        key = unquote(object_id)
        found = self.get_queryset(request).select_related(*self.list_select_related)
        schedule = found.filter(pk=key).first() if key.isdecimal() else None
        if schedule is None:
            raise Http404("There is no such schedule.")
        return schedule

    def _require_editor(self, request: HttpRequest) -> None:
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied

    # Deleting: the domain decides, and keeps the audit log

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if self.has_delete_permission(request):
            schedule = self.get_schedule(request, object_id)
            if refusal := refusal_to_delete(schedule):
                messages.error(request, refusal)
                return HttpResponseRedirect(reverse("admin:jobs_schedule_change", args=[schedule.pk]))
        return super().delete_view(request, object_id, extra_context)

    def delete_model(self, request: HttpRequest, obj: Schedule) -> None:
        schedules.delete(obj, by=user_of(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        with transaction.atomic():
            for schedule in queryset.select_related("policy"):
                self.delete_model(request, schedule)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """The schedules that cannot be deleted stand among what is protected: then none of those chosen is."""
        objects, counts, missing, protected = super().get_deleted_objects(objs, request)
        refused = [(schedule, refusal) for schedule in objs if (refusal := refusal_to_delete(schedule))]
        told = [f"{schedule.name}: {refusal}" for schedule, refusal in refused]
        return objects, counts, missing, [*protected, *told]

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> Any:
        """Nothing: `schedules.delete` writes the audit row."""


def _latest_run() -> Subquery:
    of_schedule = JobRun.objects.filter(schedule=OuterRef("pk")).order_by("-id")
    row = JSONObject(id="id", status="status", queued_at="queued_at", finished_at="finished_at")
    return Subquery(of_schedule.values_list(row)[:1])


def refusal_to_delete(schedule: Schedule) -> str:
    """Why the schedule cannot be deleted; empty when it can."""
    try:
        schedules.check_deletable(schedule)
    except IllegalState as error:
        return str(error)
    return ""
