"""Workers and schedulers as they reported last, and the results that stock Celery tools see: both to look at only."""

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, Case, Exists, Func, OuterRef, QuerySet, UUIDField, Value, When
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_results.admin import TaskResultAdmin as StockTaskResultAdmin
from django_celery_results.models import GroupResult, TaskResult

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ReadOnlyAdmin
from jobs.admin.worker_pages import WorkerPages
from jobs.heartbeats import DEAD_AFTER
from jobs.models import JobRun, ProcessHeartbeat, visibility_of

navigation.add(
    navigation.Entry(
        group="System",
        title="Processes",
        icon="favorite",
        url_name="admin:jobs_processheartbeat_changelist",
        permissions=("jobs.view_processheartbeat", "jobs.view_system"),
        order=800,
    ),
    navigation.Entry(
        group="System",
        title="Celery results",
        icon="inventory_2",
        url_name="admin:django_celery_results_taskresult_changelist",
        permissions=("django_celery_results.view_taskresult",),
        order=810,
    ),
)

admin.site.unregister([TaskResult, GroupResult])


@admin.register(ProcessHeartbeat)
class ProcessAdmin(WorkerPages, ReadOnlyAdmin[ProcessHeartbeat]):
    list_display = ("state", "name", "kind", "details", "started", "seen")
    list_display_links = None
    ordering = ("kind", "name")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or request.user.has_perm("jobs.view_system")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_urls(self) -> list[URLPattern]:
        return self.worker_urls() + super().get_urls()

    @admin.display(description="State")
    def state(self, process: ProcessHeartbeat) -> SafeString:
        silence = (timezone.now() - process.seen_at).total_seconds()
        if silence <= DEAD_AFTER:
            return display.badge("Alive", "favorite", "good")
        return display.badge(f"Silent for {display.duration(silence)}", "heart_broken", "bad")

    @admin.display(description="Details")
    def details(self, process: ProcessHeartbeat) -> SafeString | str:
        info = process.info
        if process.kind == ProcessHeartbeat.Kind.WORKER:
            text = f"{info.get('concurrency', '?')} at once, of {', '.join(info.get('queues', []))}"
        else:
            text = f"{info['lag_seconds']:.1f} s behind" if "lag_seconds" in info else ""
        return format_html('<span class="jobs-wrap">{}</span>', text)

    @admin.display(description="Started", ordering="started_at")
    def started(self, process: ProcessHeartbeat) -> SafeString | str:
        return display.moment(process.started_at)

    @admin.display(description="Seen", ordering="seen_at")
    def seen(self, process: ProcessHeartbeat) -> SafeString | str:
        return display.moment(process.seen_at)


@admin.register(TaskResult)
class ResultAdmin(ReadOnlyAdmin[TaskResult]):
    """What django-celery-results keeps: the same outcomes as the runs, under Celery's names."""

    list_display = ("task_id", "task_name", "status", "date_done", "worker")
    list_filter = ("status",)
    search_fields = ("task_id", "task_name")
    show_full_result_count = False
    fieldsets = StockTaskResultAdmin.fieldsets
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskResult]:
        """Without the results of runs that belong to groups of others."""
        rows = super().get_queryset(request)
        seen = visibility_of(request.user)
        if seen.sees_all:
            return rows
        is_run = Func(
            OuterRef("task_id"), Value("uuid"), function="pg_input_is_valid", output_field=BooleanField()
        )
        run_id = Case(When(is_run, then=Cast(OuterRef("task_id"), UUIDField())))
        hidden = JobRun.objects.filter(pk=run_id).exclude(seen.condition("owner_group"))
        return rows.exclude(Exists(hidden))
