"""The page of one research job: its runs with what they found, and its form."""

from typing import Any

from django.utils import timezone

from jobs.admin.base import user_of
from knowledge import research
from knowledge.admin import history, timing
from knowledge.admin.form_page import FormPage
from knowledge.admin.research_form import ResearchJobForm
from knowledge.admin.topic_page import newest
from knowledge.models import Finding, ResearchJob

#: Runs that are listed.
RECENT = 20


class ResearchPage(FormPage[ResearchJob]):
    template = "admin/knowledge/research/form.html"
    form_class = ResearchJobForm
    new_title = "New research job"

    def save(self, form: ResearchJobForm) -> ResearchJob:
        given = form.cleaned_data
        job = ResearchJob() if self.row is None else ResearchJob.objects.get(pk=self.row.pk)
        keeps_rule = _has_other_rule(job) and not given["cron"] and given["interval_hours"] is None
        return research.save(
            job,
            form.changes(),
            sources=list(given["sources"]),
            cron=None if keeps_rule else given["cron"],
            interval_hours=given["interval_hours"],
            by=user_of(self.request),
        )

    def context(self, form: ResearchJobForm) -> dict[str, Any]:
        now, job = timezone.now(), self.row
        row = job.schedule if job else None
        typed = {name: str(form[field].value() or "") for name, field in _TYPED.items()}
        shown, problems = timing.preview(row, now, **typed, is_enabled=job.is_enabled if job else True)
        return {
            "preview": shown,
            "preview_errors": problems,
            "other_schedule": timing.other_rule(row, now) if job and _has_other_rule(job) else "",
        }

    def about(self, job: ResearchJob) -> dict[str, Any]:
        may = self.request.user.has_perm
        findings = Finding.objects.filter(research_job=job)
        return {
            "papers": findings.count(),
            "next_run": next_run_in_words(job),
            "newest": newest(findings) if may("knowledge.view_paper") else None,
            "lines": history.recent(job.harvests.all(), self.request, RECENT)
            if may("knowledge.view_harvest")
            else None,
            "may_run": may("knowledge.run_researchjob"),
            "may_enable": may("knowledge.enable_researchjob"),
        }


_TYPED = {"cron": "cron", "hours": "interval_hours"}


def _has_other_rule(job: ResearchJob) -> bool:
    """Whether somebody gave its schedule a rule that the form cannot show."""
    return bool(job.schedule and not research.cron_of(job) and research.hours_of(job) is None)


def next_run_in_words(job: ResearchJob) -> Any:
    """When it runs next by itself, or why it does not."""
    if not job.is_enabled:
        return "not while it is disabled"
    return timing.in_words(research.next_run_at(job, timezone.now()), "not by itself")
