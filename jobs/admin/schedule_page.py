"""The page of one schedule: its form, the preview beside it, and the two small views that keep both live."""

import zoneinfo
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from jobs import ownership, schedules, versions
from jobs.admin.base import user_of
from jobs.admin.owner_form import offer_groups
from jobs.admin.parameters import ParameterForm
from jobs.admin.schedule_actions import usable_parameters
from jobs.admin.schedule_form import (
    ScheduleForm,
    initial_of,
    stored_timing,
)
from jobs.admin.schedule_preview import Preview, preview_of, preview_of_form, window_in_words
from jobs.admin.schedule_state import next_slot_of, state_badge
from jobs.definitions import AnyJob, find_job
from jobs.errors import InvalidParameters, InvalidSchedule
from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.timing import InvalidTiming

if TYPE_CHECKING:
    from jobs.admin.schedules import ScheduleAdmin

RECENT_RUNS = 5


class SchedulePage:
    """Makes or changes one schedule; without the permission to change it, shows it."""

    def __init__(self, admin: "ScheduleAdmin", request: HttpRequest, schedule: Schedule | None) -> None:
        self.admin = admin
        self.request = request
        self.schedule = schedule
        self.may_write = (
            admin.has_add_permission(request) if schedule is None else admin.has_change_permission(request)
        )
        if schedule is None and not self.may_write:
            raise PermissionDenied

    def response(self) -> HttpResponse:
        if self.request.method == "POST":
            return self._posted()
        initial: dict[str, Any] = {"job": self.request.GET.get("job", "")}
        parameters: Mapping[str, Any] = {}
        if self.schedule is not None:
            initial, parameters = initial_of(self.schedule), usable_parameters(self.request, self.schedule)
        job = find_job(initial["job"])
        form = self._form(initial=initial)
        return self._render(form, ParameterForm(job, initial=parameters) if job else None)

    def _posted(self) -> HttpResponse:
        if not self.may_write:
            raise PermissionDenied
        form = self._form(data=self.request.POST)
        self._allow_foreign_task(form)
        parameters, is_new_job = posted_parameters(self.request)
        if is_new_job:
            form.add_error("job", "The job was changed: check its parameters, then save again.")
            return self._render(form, parameters)
        is_valid = form.is_valid() and (parameters is None or parameters.is_valid())
        if "_preview" in self.request.POST or not is_valid:
            return self._render(form, parameters)
        try:
            saved = self._save(form, parameters)
        except InvalidSchedule as error:
            form.show(error.fields)
        except InvalidParameters as error:
            form.add_error(None, str(error))
        else:
            return self._leave(saved)
        return self._render(form, parameters)

    def _form(self, **kwargs: Any) -> ScheduleForm:
        form = ScheduleForm(schedule=self.schedule, **kwargs)
        offer_groups(form, self.request.user)
        return form

    def _allow_foreign_task(self, form: ScheduleForm) -> None:
        """A schedule of a Celery task that is no job keeps its task and arguments; the rest can be changed."""
        if self.schedule and self._has_foreign_task():
            job: Any = form.fields["job"]
            job.choices = [*job.choices, ("Other Celery tasks", [(self.schedule.task, self.schedule.task)])]

    def _has_foreign_task(self) -> bool:
        schedule = self.schedule
        return schedule is not None and not find_job(schedule.task) and not schedules.is_orphan(schedule)

    def _save(self, form: ScheduleForm, parameters: ParameterForm | None) -> Schedule:
        by = user_of(self.request)
        if parameters is not None:
            values = parameters.values
        else:
            values = versions.parameters_in(self.schedule.kwargs) if self.schedule else {}
        with transaction.atomic():
            if self.schedule is None:
                saved = schedules.create(form.wish(values), by=by)
            else:
                saved = schedules.change(self.schedule, form.wish(values), by=by)
            if "owner_group" in form.data and "owner_group" in form.fields:
                ownership.give(saved, form.cleaned_data["owner_group"], by=by)
        return saved

    def _leave(self, saved: Schedule) -> HttpResponse:
        messages.success(self.request, f"Schedule {saved.name} was saved.")
        if "_continue" in self.request.POST:
            return HttpResponseRedirect(reverse("admin:jobs_schedule_change", args=[saved.pk]))
        return HttpResponseRedirect(reverse("admin:jobs_schedule_changelist"))

    def _render(self, form: ScheduleForm, parameters: ParameterForm | None) -> HttpResponse:
        self._allow_foreign_task(form)
        context = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "title": self.schedule.name if self.schedule else "New schedule",
            "original": self.schedule,
            "form": form,
            "parameters": parameters,
            "job": find_job(form["job"].value() or ""),
            "schedule_of_foreign_task": self._has_foreign_task(),
            "time_zones": _time_zones(),
            "preview": self._preview(form),
            "catch_up_words": _catch_up_words(form),
            "may_write": self.may_write,
            "may_delete": self.schedule is not None and self.admin.has_delete_permission(self.request),
            **self._state(),
        }
        return TemplateResponse(self.request, "admin/jobs/schedule/change_form.html", context)

    def _preview(self, form: ScheduleForm) -> Preview | None:
        now = timezone.now()
        if form.is_bound:
            enabled = bool(form["enabled"].value())
            return preview_of_form(form, now, schedule=self.schedule, enabled=enabled)
        try:
            return (
                preview_of(stored_timing(self.schedule, now), now, schedule=self.schedule)
                if self.schedule
                else None
            )
        except InvalidTiming:
            return None

    def _state(self) -> dict[str, Any]:
        schedule, now = self.schedule, timezone.now()
        if schedule is None:
            return {}
        runs = JobRun.objects.visible_to(self.request.user).filter(schedule_id=schedule.pk).order_by("-id")
        return {
            "state": state_badge(schedule, now),
            "next_slot": next_slot_of(schedule, now),
            "is_orphan": schedules.is_orphan(schedule),
            "is_paused": schedule.policy.is_paused(now),
            "is_declared": schedule.policy.origin == SchedulePolicy.Origin.CODE,
            "recent_runs": runs.defer("result", "traceback")[:RECENT_RUNS]
            if self.request.user.has_perm("jobs.view_jobrun")
            else [],
            **self.admin.controls(self.request),
        }


def posted_parameters(request: HttpRequest) -> tuple[ParameterForm | None, bool]:
    """The parameter form of a posted page; the flag tells that its job is not the one whose fields were shown."""
    name, shown = request.POST.get("job", ""), request.POST.get("parameters_of", "")
    job = find_job(name)
    if job is None:
        return None, False
    if name == shown:
        return ParameterForm(job, data=request.POST), False
    return ParameterForm.carried(job, request.POST, shown=find_job(shown)), True


def parameters_view(request: HttpRequest) -> HttpResponse:
    """The parameter fields of the job that was just chosen, with what was typed so far."""
    job: AnyJob | None = find_job(request.POST.get("job", ""))
    shown = find_job(request.POST.get("parameters_of", ""))
    form = ParameterForm.carried(job, request.POST, shown=shown) if job else None
    return render(request, "admin/jobs/_parameters.html", {"job": job, "parameters": form})


def _catch_up_words(form: ScheduleForm) -> str:
    return window_in_words(form["catch_up"].value(), str(form["catch_up_window"].value()))


@lru_cache(maxsize=1)
def _time_zones() -> list[str]:
    return sorted(zoneinfo.available_timezones())
