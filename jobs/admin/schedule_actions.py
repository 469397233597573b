"""What people may do with schedules beside editing them. Each control checks its own permission, on every request."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold import widgets

from jobs import passed, schedules, versions
from jobs.admin.base import require, user_of
from jobs.admin.catch_up import CatchUpQuestion, Finder
from jobs.admin.moments import MomentField
from jobs.admin.parameters import ParameterForm
from jobs.definitions import find_job
from jobs.errors import InvalidSchedule, JobsError
from jobs.models import JobRun, Schedule

if TYPE_CHECKING:
    from jobs.admin.base import ModelAdmin

    Base = ModelAdmin[Schedule]
else:
    Base = object

RUN, PAUSE, CHANGE = "jobs.run_schedule", "jobs.pause_schedule", "jobs.change_schedule"


class PauseForm(forms.Form):
    """Until when, and why."""

    until = MomentField(required=False, help_text="Empty: until somebody resumes it.")
    note = forms.CharField(
        required=False,
        max_length=200,
        help_text="Shown beside the schedule and with every slot that is skipped.",
        widget=widgets.UnfoldAdminTextInputWidget(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        until: Any = self.fields["until"]
        until.help_text = f"In {until.zone.key}. {until.help_text}"


class ScheduleActions(Base):
    """The controls of `ScheduleAdmin`: in the list for many schedules, on the page of one."""

    actions = ("run_selected", "pause_selected", "resume_selected", "enable_selected", "disable_selected")

    if TYPE_CHECKING:

        def get_schedule(self, request: HttpRequest, object_id: str) -> Schedule: ...

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RUN)

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(PAUSE)

    def controls(self, request: HttpRequest) -> dict[str, bool]:
        """Which controls the page of a schedule offers to this person."""
        return {
            "may_run": self.has_run_permission(request),
            "may_pause": self.has_pause_permission(request),
            "may_switch": self.has_change_permission(request),
        }

    def action_urls(self) -> list[URLPattern]:
        pages = {
            "run": self.run_page,
            "pause": self.pause_page,
            "resume": self.resume_one,
            "enable": self.enable_one,
            "disable": self.disable_one,
        }
        return [
            path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"jobs_schedule_{name}")
            for name, view in pages.items()
        ]

    # One schedule

    def run_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Run now, after a look at the parameters."""
        require(request, RUN)
        schedule = self.get_schedule(request, object_id)
        job = find_job(schedule.task)
        if job is None:
            messages.error(request, f"{schedule.task} is not a job: only its schedule can run it.")
            return self._to(schedule)
        data = request.POST if request.method == "POST" else None
        form = ParameterForm(job, data=data, initial=usable_parameters(request, schedule))
        if data is not None and form.is_valid():
            run = schedules.run_now(
                schedule, by=user_of(request), trigger=JobRun.Trigger.ADMIN, parameters=form.values
            )
            return to_run(request, run)
        context = {
            "title": f"Run {schedule.name} now",
            "original": schedule,
            "job": job,
            "parameters": form,
            "intro": "One run beside the schedule's slots. Changed parameters hold for this run only.",
            "back": reverse("admin:jobs_schedule_change", args=[schedule.pk]),
        }
        return self._page(request, "admin/jobs/run_form.html", context)

    def pause_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        require(request, PAUSE)
        schedule = self.get_schedule(request, object_id)
        return self._pause(request, [schedule], is_posted=request.method == "POST") or self._to(schedule)

    def resume_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        require(request, PAUSE)
        schedule = self.get_schedule(request, object_id)
        return self._ask(request, [schedule], RESUME, is_posted=request.method == "POST") or self._to(
            schedule
        )

    def enable_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        require(request, CHANGE)
        schedule = self.get_schedule(request, object_id)
        return self._ask(request, [schedule], ENABLE, is_posted=request.method == "POST") or self._to(
            schedule
        )

    def disable_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        require(request, CHANGE)
        return self._post_one(request, object_id, _disable, "Disabled.")

    # Many schedules

    @admin.action(description="Run now, as stored", permissions=["run"])
    def run_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> HttpResponse | None:
        require(request, RUN)
        chosen = list(queryset)
        if len(chosen) == 1:
            return HttpResponseRedirect(reverse("admin:jobs_schedule_run", args=[chosen[0].pk]))
        if "confirmed" not in request.POST:
            question = f"Run {len(chosen)} schedules now, each with its stored parameters?"
            return self._confirm(request, "run_selected", question, chosen, button="Run them now")
        self._each(request, chosen, _run, "Started a run of")
        return None

    @admin.action(description="Pause …", permissions=["pause"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> HttpResponse | None:
        require(request, PAUSE)
        return self._pause(request, list(queryset), is_posted="confirmed" in request.POST)

    @admin.action(description="Resume …", permissions=["pause"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> HttpResponse | None:
        require(request, PAUSE)
        return self._ask(request, list(queryset), RESUME, is_posted="confirmed" in request.POST)

    @admin.action(description="Enable …", permissions=["change"])
    def enable_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> HttpResponse | None:
        require(request, CHANGE)
        return self._ask(request, list(queryset), ENABLE, is_posted="confirmed" in request.POST)

    @admin.action(description="Disable", permissions=["change"])
    def disable_selected(self, request: HttpRequest, queryset: QuerySet[Schedule]) -> None:
        require(request, CHANGE)
        self._each(request, queryset, _disable, "Disabled")

    # Shared

    def _ask(
        self, request: HttpRequest, chosen: list[Schedule], switch: "Switch", *, is_posted: bool
    ) -> HttpResponse | None:
        """Asks what to do with the slots that passed; None once it is done."""
        asked = CatchUpQuestion(request, chosen, switch.find, is_posted=is_posted)
        if is_posted and (rule := asked.rule) is not None:
            self._each(request, chosen, partial(switch.change, catch_up=rule), switch.done)
            return None
        context = {
            "title": f"{switch.button} {_names(chosen)}",
            "question": switch.question,
            "nothing": switch.nothing,
            "items": [schedule.name for schedule in chosen],
            "button": switch.button,
            "action": switch.action,
            "selected": [schedule.pk for schedule in chosen],
            "back": reverse("admin:jobs_schedule_changelist"),
            **asked.context,
        }
        return self._page(request, "admin/jobs/schedule/catch_up.html", context)

    def _pause(self, request: HttpRequest, chosen: list[Schedule], *, is_posted: bool) -> HttpResponse | None:
        """Asks until when; None once they are paused."""
        form = PauseForm(request.POST if is_posted else None)
        if is_posted and form.is_valid():
            until: datetime | None = form.cleaned_data["until"]
            note: str = form.cleaned_data["note"]
            try:
                for schedule in chosen:
                    schedules.pause(schedule, until=until, note=note, by=user_of(request))
            except InvalidSchedule as error:
                for field, reasons in error.fields.items():
                    form.add_error(field, reasons)
            else:
                messages.success(request, f"Paused {_names(chosen)}.")
                return None
        context = {
            "title": f"Pause {_names(chosen)}",
            "form": form,
            "items": [schedule.name for schedule in chosen],
            "question": "Slots are skipped and recorded while a schedule is paused. Runs that are under way go on.",
            "button": "Pause",
            "action": "pause_selected",
            "selected": [schedule.pk for schedule in chosen],
            "back": reverse("admin:jobs_schedule_changelist"),
        }
        return self._page(request, "admin/jobs/confirm.html", context)

    def _confirm(
        self, request: HttpRequest, action: str, question: str, chosen: list[Schedule], *, button: str
    ) -> HttpResponse:
        context = {
            "title": button,
            "question": question,
            "items": [schedule.name for schedule in chosen],
            "button": button,
            "action": action,
            "selected": [schedule.pk for schedule in chosen],
            "back": reverse("admin:jobs_schedule_changelist"),
        }
        return self._page(request, "admin/jobs/confirm.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        names = {"action_checkbox_name": ACTION_CHECKBOX_NAME}
        return TemplateResponse(request, template, {**common, **names, **context})

    def _post_one(
        self, request: HttpRequest, object_id: str, change: Callable[..., object], said: str
    ) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        schedule = self.get_schedule(request, object_id)
        try:
            change(schedule, by=user_of(request))
        except JobsError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, said)
        return self._to(schedule)

    def _each(
        self, request: HttpRequest, chosen: Iterable[Schedule], change: Callable[..., object], said: str
    ) -> None:
        done = []
        for schedule in chosen:
            try:
                change(schedule, by=user_of(request))
            except JobsError as error:
                messages.error(request, f"{schedule.name}: {error}")
            else:
                done.append(schedule)
        if done:
            messages.success(request, f"{said} {_names(done)}.")

    def _to(self, schedule: Schedule) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:jobs_schedule_change", args=[schedule.pk]))


def usable_parameters(request: HttpRequest, schedule: Schedule) -> dict[str, Any]:
    """What a form of the schedule's parameters begins with; says so where what is stored is of no use."""
    try:
        return versions.parameters_in(schedule.kwargs)
    except InvalidSchedule as error:
        messages.warning(request, f"{error} The form shows the job's defaults.")
        return {}


def to_run(request: HttpRequest, run: JobRun) -> HttpResponse:
    """On to the live page of a run that was just asked for, for those who may see runs."""
    if request.user.has_perm("jobs.view_jobrun"):
        return HttpResponseRedirect(reverse("admin:jobs_jobrun_change", args=[run.pk]))
    messages.success(request, f"Run {run.pk} was queued.")
    return HttpResponseRedirect(reverse("admin:index"))


@dataclass(frozen=True, kw_only=True)
class Switch:
    """Resuming or enabling: how slots that passed are found, what is done, and how it is said."""

    action: str
    find: Finder
    change: Callable[..., object]
    question: str
    nothing: str
    button: str
    done: str


def _enable(schedule: Schedule, *, by: AbstractBaseUser, catch_up: str) -> None:
    schedules.set_enabled(schedule, True, by=by, catch_up=catch_up)


def _while_paused(schedule: Schedule, now: datetime) -> passed.Passed:
    return passed.while_paused(schedule, now) if schedule.policy.is_paused(now) else passed.Passed()


RESUME = Switch(
    action="resume_selected",
    find=_while_paused,
    change=schedules.resume,
    question="It fires from its next slot on. What about the slots that passed during the pause?",
    nothing="No slot passed during the pause.",
    button="Resume",
    done="Resumed",
)
ENABLE = Switch(
    action="enable_selected",
    find=passed.while_off,
    change=_enable,
    question="It fires from its next slot on. What about the slots that passed while it was off?",
    nothing="No slot passed while it was off.",
    button="Enable",
    done="Enabled",
)


def _disable(schedule: Schedule, *, by: AbstractBaseUser) -> None:
    schedules.set_enabled(schedule, False, by=by)


def _run(schedule: Schedule, *, by: AbstractBaseUser) -> None:
    schedules.run_now(schedule, by=by, trigger=JobRun.Trigger.ADMIN)


def _names(chosen: list[Schedule]) -> str:
    return chosen[0].name if len(chosen) == 1 else f"{len(chosen)} schedules"
