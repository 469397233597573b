"""Runs: a read-only list, and one live page for each run. Nobody edits or deletes a run; `prune_runs` keeps house."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.db.models.functions import Left
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import delay_page, navigation, outlook_page
from jobs.admin.base import ChangeList, ReadOnlyAdmin
from jobs.admin.failure_pages import FailurePages
from jobs.admin.live import stream_for
from jobs.admin.run_actions import RunActions
from jobs.admin.run_filters import (
    BoundedPaginator,
    JobFilter,
    QueuedFilter,
    StatusFilter,
    TriggerFilter,
    found_by,
)
from jobs.admin.run_page import RunPage
from jobs.definitions import find_job
from jobs.models import JobRun

Status = JobRun.Status

navigation.add(
    navigation.Entry(
        group="Jobs",
        title="Runs",
        icon="list_alt",
        url_name="admin:jobs_jobrun_changelist",
        permissions=("jobs.view_jobrun",),
        order=20,
    ),
    navigation.Entry(
        group="Jobs",
        title="Run a job",
        icon="play_circle",
        url_name="admin:jobs_jobrun_run_job",
        permissions=("jobs.run_job",),
        order=30,
    ),
)
#: Columns that a list does not need and that may be large.
HEAVY = ("result", "traceback", "parameters", "args", "error_message")


class RunList(ChangeList):
    """A list that does not tell how many runs there are beside those it shows: counting them all is slow."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count


@admin.register(JobRun)
class JobRunAdmin(RunActions, ReadOnlyAdmin[JobRun]):
    list_display = ("status_label", "title", "bar", "origin", "queued", "started", "took", "worker_name")
    list_display_links = ("title",)
    list_filter = (StatusFilter, JobFilter, TriggerFilter, QueuedFilter)
    list_select_related = ("schedule",)
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    search_fields = ("job",)
    search_help_text = "Run id, job, or words of an error"
    ordering = ("-id",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobRun]:
        rows = JobRun.objects.visible_to(request.user).order_by(*self.ordering).defer(*HEAVY)
        return rows.annotate(error=Left(F("error_message"), 120))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RunList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[JobRun], search_term: str
    ) -> tuple[QuerySet[JobRun], bool]:
        return queryset.filter(found_by(search_term)) if search_term.strip() else queryset, False

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        return lookup == "schedule__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="Status")
    def status_label(self, run: JobRun) -> SafeString:
        return display.status_badge(run.status)

    @admin.display(description="Run")
    def title(self, run: JobRun) -> SafeString:
        job = find_job(run.job)
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            job.title if job else run.job,
            run.reason or getattr(run, "error", "") or f"…{str(run.pk)[-12:]}",
        )

    @admin.display(description="Progress")
    def bar(self, run: JobRun) -> SafeString | str:
        if run.status not in (Status.RUNNING, Status.RETRYING):
            return "-"
        return format_html(
            '<span class="jobs-two-lines"><progress class="jobs-bar" max="100" value="{}">{} %</progress>'
            "<small>{} % {}</small></span>",
            round(run.progress, 1),
            round(run.progress),
            round(run.progress),
            run.progress_text,
        )

    @admin.display(description="Trigger")
    def origin(self, run: JobRun) -> SafeString | str:
        if run.schedule is None:
            return run.get_trigger_display()
        return format_html(
            '<a class="jobs-link" href="{}">{}</a>',
            reverse("admin:jobs_schedule_change", args=[run.schedule.pk]),
            run.schedule.name,
        )

    @admin.display(description="Queued")
    def queued(self, run: JobRun) -> SafeString | str:
        return display.moment(run.queued_at)

    @admin.display(description="Started")
    def started(self, run: JobRun) -> SafeString | str:
        return display.moment(run.started_at)

    @admin.display(description="Duration")
    def took(self, run: JobRun) -> str:
        return display.duration(run.elapsed(timezone.now()))

    @admin.display(description="Worker")
    def worker_name(self, run: JobRun) -> str:
        return run.worker.rpartition("@")[2]

    # Pages

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        mine = [
            path("run/", view(self.run_job), name="jobs_jobrun_run_job"),
            path("<uuid:run_id>/live/", view(self.live), name="jobs_jobrun_live"),
            path("<uuid:run_id>/log/", view(self.log), name="jobs_jobrun_log"),
            *self.action_urls(),
            *delay_page.urls(self.admin_site),
            *outlook_page.urls(self.admin_site),
            *FailurePages(self.admin_site).urls(),
        ]
        return mine + super().get_urls()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if object_id is None:
            raise PermissionDenied
        live = stream_for(request)
        return RunPage(self, request, self.get_run(request, object_id)).response(live)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), "live": stream_for(request)})

    def live(self, request: HttpRequest, run_id: Any) -> HttpResponse:
        """What changed since the page was loaded, as JSON."""
        return RunPage(self, request, self.get_run(request, run_id)).live()

    def log(self, request: HttpRequest, run_id: Any) -> StreamingHttpResponse:
        """The whole log as plain text."""
        return RunPage(self, request, self.get_run(request, run_id)).log()
