"""What people may do with runs: run a job, cancel, retry. Each control checks its own permission, on every request."""

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from jobs import ledger
from jobs.admin.base import require, user_of
from jobs.admin.owner_form import OwnerForm
from jobs.admin.parameters import ParameterForm
from jobs.admin.schedule_actions import to_run
from jobs.definitions import all_jobs, enqueue, find_job, retry_run
from jobs.errors import InvalidParameters, JobsError
from jobs.models import JobRun

if TYPE_CHECKING:
    from jobs.admin.base import ModelAdmin

    Base = ModelAdmin[JobRun]
else:
    Base = object

CANCEL, RUN = "jobs.cancel_run", "jobs.run_job"


class RunActions(Base):
    """The controls of `JobRunAdmin`."""

    actions = ("cancel_selected", "retry_selected")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CANCEL)

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RUN)

    def action_urls(self) -> list[URLPattern]:
        pages = {"cancel": self.cancel_page, "retry": self.retry_one, "edit": self.retry_page}
        return [
            path(f"<uuid:run_id>/{name}/", self.admin_site.admin_view(view), name=f"jobs_jobrun_{name}")
            for name, view in pages.items()
        ]

    def get_run(self, request: HttpRequest, run_id: Any) -> JobRun:
        """The run of a page; 404 when it is gone or another group's, 403 for those who may see none."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            return (
                JobRun.objects.visible_to(request.user)
                .select_related(
                    "schedule", "requested_by", "cancel_requested_by", "retry_of", "parent", "owner_group"
                )
                .get(pk=run_id)
            )
        except (JobRun.DoesNotExist, ValidationError) as error:
            raise Http404("There is no such run.") from error

    # A new run

    def run_job(self, request: HttpRequest) -> HttpResponse:
        """Choose a job, fill in its parameters, run it."""
        require(request, RUN)
        job = find_job(request.GET.get("job", ""))
        if job is None:
            by_app = groupby(all_jobs(), key=lambda job: job.app_label)
            groups = [(label.capitalize(), list(jobs)) for label, jobs in by_app]
            return self._page(
                request, "admin/jobs/jobrun/choose.html", {"title": "Run a job", "groups": groups}
            )
        data = request.POST if request.method == "POST" else None
        form, owner = ParameterForm(job, data=data), OwnerForm(request.user, data)
        if data is not None and form.is_valid() and owner.is_valid():
            group = owner.cleaned_data.get("owner_group")
            run = enqueue(
                job,
                form.values,
                trigger=JobRun.Trigger.ADMIN,
                requested_by=user_of(request),
                owner_group_id=group.pk if group else None,
            )
            return to_run(request, run)
        context = {
            "title": "Run a job",
            "job": job,
            "parameters": form,
            "owner": owner,
            "back": reverse("admin:jobs_jobrun_run_job"),
        }
        return self._page(request, "admin/jobs/run_form.html", context)

    # One run

    def cancel_page(self, request: HttpRequest, run_id: Any) -> HttpResponse:
        """Asks, then cancels."""
        require(request, CANCEL)
        run = self.get_run(request, run_id)
        if request.method == "POST":
            self._each(request, [run], _cancel, "Cancel requested for")
            return self._to(run)
        context = {
            "title": "Cancel a run",
            "question": "Cancel this run? A waiting run ends at once, a running one is asked to stop, "
            "and its process is killed if it does not.",
            "items": [str(run)],
            "button": "Cancel the run",
            "is_dangerous": True,
            "back": reverse("admin:jobs_jobrun_change", args=[run.pk]),
        }
        return self._page(request, "admin/jobs/confirm.html", context)

    def retry_one(self, request: HttpRequest, run_id: Any) -> HttpResponse:
        """Run again with the same parameters."""
        require(request, RUN)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        run = self.get_run(request, run_id)
        try:
            return to_run(request, retry_run(run, by=user_of(request)))
        except InvalidParameters as error:
            messages.error(request, f"Its parameters do not fit the job any more: {error}")
            return HttpResponseRedirect(reverse("admin:jobs_jobrun_edit", args=[run.pk]))
        except JobsError as error:
            messages.error(request, str(error))
            return self._to(run)

    def retry_page(self, request: HttpRequest, run_id: Any) -> HttpResponse:
        """Run again with edited parameters."""
        require(request, RUN)
        run = self.get_run(request, run_id)
        job = find_job(run.job)
        if job is None or run.is_active:
            messages.error(request, "Only a run of a known job that has ended can be made again.")
            return self._to(run)
        data = request.POST if request.method == "POST" else None
        form = ParameterForm(job, data=data, initial=run.parameters)
        if data is not None and form.is_valid():
            return to_run(request, retry_run(run, by=user_of(request), parameters=form.values))
        context = {
            "title": f"Run again: {job.title}",
            "intro": f"A new run, linked to {run}.",
            "job": job,
            "parameters": form,
            "back": reverse("admin:jobs_jobrun_change", args=[run.pk]),
        }
        return self._page(request, "admin/jobs/run_form.html", context)

    # Many runs

    @admin.action(description="Cancel …", permissions=["cancel"])
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[JobRun]) -> HttpResponse | None:
        require(request, CANCEL)
        chosen = [run for run in queryset if run.is_active]
        if not chosen:
            messages.warning(request, "All of these runs have ended already.")
            return None
        if "confirmed" not in request.POST:
            question = f"Cancel {_count(chosen)}? Waiting runs end at once, running ones are asked to stop."
            return self._confirm(request, "cancel_selected", question, chosen, "Cancel the runs")
        self._each(request, chosen, _cancel, "Cancel requested for")
        return None

    @admin.action(description="Run again, same parameters …", permissions=["run"])
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[JobRun]) -> HttpResponse | None:
        require(request, RUN)
        chosen = [run for run in queryset.defer(None) if not run.is_active]
        if not chosen:
            messages.warning(request, "None of these runs has ended yet.")
            return None
        if "confirmed" not in request.POST:
            question = f"Make {_count(chosen)} again, with the same parameters?"
            return self._confirm(request, "retry_selected", question, chosen, "Run them again")
        self._each(request, chosen, _retry, "Queued again:")
        return None

    # Shared

    def _confirm(
        self, request: HttpRequest, action: str, question: str, chosen: list[JobRun], button: str
    ) -> HttpResponse:
        context = {
            "title": button,
            "question": question,
            "items": [f"{run}: {run.get_status_display().lower()}" for run in chosen],
            "button": button,
            "is_dangerous": action == "cancel_selected",
            "action": action,
            "selected": [run.pk for run in chosen],
            "back": reverse("admin:jobs_jobrun_changelist"),
        }
        return self._page(request, "admin/jobs/confirm.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        names = {"action_checkbox_name": ACTION_CHECKBOX_NAME}
        return TemplateResponse(request, template, {**common, **names, **context})

    def _each(
        self, request: HttpRequest, chosen: list[JobRun], change: Callable[..., object], said: str
    ) -> None:
        done = []
        for run in chosen:
            try:
                change(run, by=user_of(request))
            except JobsError as error:
                messages.error(request, f"{run}: {error}")
            else:
                done.append(run)
        if done:
            messages.success(request, f"{said} {done[0] if len(done) == 1 else _count(done)}.")

    def _to(self, run: JobRun) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:jobs_jobrun_change", args=[run.pk]))


def _cancel(run: JobRun, *, by: Any) -> None:
    ledger.cancel(run.pk, by=by)


def _retry(run: JobRun, *, by: Any) -> None:
    retry_run(run, by=by)


def _count(runs: list[JobRun]) -> str:
    return "1 run" if len(runs) == 1 else f"{len(runs)} runs"
