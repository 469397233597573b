"""Research jobs: searches that people set up, with their runs and what people may do with them."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation, subjects
from jobs.admin.base import require, user_of
from jobs.models import JobRun
from knowledge import research
from knowledge.admin import runs, timing
from knowledge.admin.controlled import ControlledAdmin
from knowledge.admin.form_page import page_of
from knowledge.admin.research_form import RunForm
from knowledge.admin.research_page import ResearchPage, next_run_in_words
from knowledge.models import Finding, Harvest, ResearchJob

VIEW, RUN = "knowledge.view_researchjob", "knowledge.run_researchjob"
ENABLE = "knowledge.enable_researchjob"

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Research jobs",
        icon="biotech",
        url_name="admin:knowledge_researchjob_changelist",
        permissions=(VIEW,),
        order=350,
    )
)
subjects.add(
    "research_job_id",
    label="Research job",
    url_name="admin:knowledge_researchjob_change",
    permission=VIEW,
)


@admin.register(ResearchJob)
class ResearchJobAdmin(ControlledAdmin[ResearchJob]):
    form_page = ResearchPage
    view_permission, switch_permission = VIEW, ENABLE
    disabled_words = "disabled: it does not run by itself"
    list_display = ("name_and_keywords", "state", "papers", "last_run", "next_run")
    list_display_links = None
    list_filter = ("is_enabled", "sources")
    search_fields = ("name", "keywords")
    ordering = ("name",)
    sortable_by = ()
    list_per_page = 50
    actions = ("run_now", "enable", "disable")

    class Media:
        css = {"all": ("knowledge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResearchJob]:
        findings = Finding.objects.filter(research_job=OuterRef("pk")).order_by().values("research_job")
        last = Harvest.objects.filter(research_job=OuterRef("pk")).order_by("-began_at").values("began_at")
        found: QuerySet[ResearchJob] = (
            super()
            .get_queryset(request)
            .select_related("schedule__policy", "schedule__crontab", "schedule__interval")
            .annotate(
                paper_count=Coalesce(Subquery(findings.annotate(number=Count("pk")).values("number")), 0),
                asked_at=Subquery(last[:1]),
            )
        )
        return found

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RUN)

    # The list

    @admin.display(description="Research job")
    def name_and_keywords(self, job: ResearchJob) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong><a href="{}">{}</a></strong><small>{}</small></span>',
            page_of(job),
            job.name,
            ", ".join(job.keywords[:6]) + (" …" if len(job.keywords) > 6 else ""),
        )

    @admin.display(description="State")
    def state(self, job: ResearchJob) -> SafeString:
        return state_badge(job)

    @admin.display(description="Papers")
    def papers(self, job: Any) -> SafeString:
        address = reverse("admin:knowledge_paper_changelist")
        return format_html(
            '<a class="jobs-link" href="{}?{}">{}</a>',
            address,
            urlencode({"research_job": job.pk}),
            f"{job.paper_count:,}",
        )

    @admin.display(description="Last run")
    def last_run(self, job: Any) -> SafeString | str:
        return display.moment(job.asked_at) or "never"

    @admin.display(description="Next run")
    def next_run(self, job: ResearchJob) -> SafeString | str:
        found: SafeString | str = next_run_in_words(job)
        return found

    # The pages

    def controls(self) -> Mapping[str, Callable[..., HttpResponse]]:
        return {"run": self.run_page, **super().controls()}

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        return [path("preview/", preview, name="knowledge_researchjob_preview"), *super().get_urls()]

    def switch(self, row: ResearchJob, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
        research.set_enabled(row, is_enabled, by=by)

    def preview(self, request: HttpRequest) -> HttpResponse:
        """When a research job would run by what is typed so far."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        key = request.GET.get("of", "")
        job = get_object_or_404(ResearchJob, pk=key) if key.isdecimal() else ResearchJob()
        shown, errors = timing.preview(
            job.schedule,
            timezone.now(),
            cron=request.GET.get("cron", ""),
            hours=request.GET.get("interval_hours", ""),
            is_enabled=job.is_enabled,
        )
        context = {"preview": shown, "errors": errors}
        return JsonResponse({"html": render_to_string("admin/knowledge/research/_when.html", context)})

    def delete_model(self, request: HttpRequest, obj: ResearchJob) -> None:
        research.delete(obj, by=user_of(request))

    # The controls

    def run_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How, and then it runs."""
        require(request, VIEW, RUN)
        job = get_object_or_404(ResearchJob, pk=pk)
        form = RunForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            run = research.run(job, **form.cleaned_data, by=user_of(request), trigger=JobRun.Trigger.ADMIN)
            messages.success(request, f"{job} runs.")
            return HttpResponseRedirect(runs.after(request, run, page_of(job)))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Run {job} now",
            "job": job,
            "form": form,
            "sources": job.sources.all(),
        }
        return TemplateResponse(request, "admin/knowledge/research/run.html", context)

    # Actions of the list

    @admin.action(description="Run now", permissions=["run"])
    def run_now(self, request: HttpRequest, queryset: QuerySet[ResearchJob]) -> None:
        require(request, RUN)
        for job in queryset:
            run = research.run(job, by=user_of(request), trigger=JobRun.Trigger.ADMIN)
            messages.success(request, runs.queued(run))


def state_badge(job: ResearchJob) -> SafeString:
    """Whether it runs by itself: never colour alone."""
    if job.is_enabled:
        return display.badge("Enabled", "check_circle", "good")
    return display.badge("Disabled", "toggle_off", "calm")
