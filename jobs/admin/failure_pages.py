"""Failures by cause: the list, the page of one cause, and what can be done about it: make again, mute, archive."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold import widgets

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import require, user_of
from jobs.admin.moments import MomentField
from jobs.admin.parameters import ParameterForm
from jobs.deadletters import causes, decisions, retrying
from jobs.deadletters.causes import Cause, State, UnknownCause, Wanted
from jobs.deadletters.retrying import Wish
from jobs.definitions import all_jobs, find_job
from jobs.errors import IllegalState, InvalidInput
from jobs.models import FailureDecision, JobRun, visibility_of

VIEW, RUN, MUTE = "jobs.view_jobrun", "jobs.run_job", "jobs.mute_failure"
#: Causes on a page of the list, runs on the page of a cause.
_CAUSES, _RUNS = 50, 20
#: Unless told otherwise, so many start in a minute.
_PER_MINUTE = 60

navigation.add(
    navigation.Entry(
        group="Jobs",
        title="Failures",
        icon="report",
        url_name="admin:jobs_jobrun_failures",
        permissions=(VIEW,),
        order=24,
    )
)

_WINDOWS = {
    "1d": ("The last 24 hours", timedelta(days=1)),
    "7d": ("The last 7 days", timedelta(days=7)),
    "30d": ("The last 30 days", timedelta(days=30)),
    "365d": ("The last year", timedelta(days=365)),
}
_STATES = {
    State.OPEN: "Open",
    State.HANDLED: "Handled: all made again",
    State.MUTED: "Muted",
    State.ARCHIVED: "Will not be fixed",
}
#: The words, symbol and tone of each state.
_LOOKS = {
    State.OPEN: ("Open", "error", "bad"),
    State.HANDLED: ("Handled", "check_circle", "good"),
    State.MUTED: ("Muted", "notifications_off", "calm"),
    State.ARCHIVED: ("Will not be fixed", "archive", "calm"),
}


class CausesForm(forms.Form):
    """Which causes to list."""

    state = forms.ChoiceField(
        choices=[*((state.value, title) for state, title in _STATES.items()), ("all", "All")],
        required=False,
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    job = forms.ChoiceField(required=False, widget=widgets.UnfoldAdminSelectWidget())
    window = forms.ChoiceField(
        choices=[(name, title) for name, (title, _) in _WINDOWS.items()],
        required=False,
        widget=widgets.UnfoldAdminSelectWidget(),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        job: Any = self.fields["job"]
        job.choices = [("", "All jobs"), *((job.name, job.title) for job in all_jobs())]


class RateForm(forms.Form):
    """How fast to make runs again."""

    per_minute = forms.IntegerField(
        label="At most so many a minute",
        required=False,
        initial=_PER_MINUTE,
        min_value=retrying.SLOWEST,
        max_value=retrying.FASTEST,
        help_text="Their starts are spread evenly. Empty: all at once.",
        widget=forms.NumberInput({"class": " ".join(widgets.INPUT_CLASSES)}),
    )


class DecisionForm(forms.Form):
    """Until when, and why."""

    until = MomentField(
        required=False,
        help_text="Empty: until the cause changes. An error raised elsewhere, or of another kind, is another cause.",
    )
    note = forms.CharField(required=False, max_length=300, widget=widgets.UnfoldAdminTextInputWidget())


@dataclass(frozen=True)
class Row:
    """A cause as the list shows it."""

    cause: Cause
    badge: str
    bars: list[tuple[float, float, float]]

    @property
    def job_title(self) -> str:
        job = find_job(self.cause.job)
        return job.title if job else self.cause.job

    @property
    def error(self) -> str:
        """The name of the error without its module."""
        return self.cause.error_type.rpartition(".")[2] or "Failed"


def row_of(cause: Cause) -> Row:
    text, icon, tone = _LOOKS[cause.state]
    return Row(cause, display.badge(text, icon, tone), bars_of(cause.over_time))


def bars_of(counts: Any) -> list[tuple[float, float, float]]:
    """Left edge, top and height of the bars of a drawing of 10 units for each count, and 20 high."""
    most = max(counts, default=0) or 1
    found = []
    for place, count in enumerate(counts):
        if count:
            height = max(round(20 * count / most, 2), 2.0)
            found.append((place * 10.0, round(20 - height, 2), height))
    return found


class FailurePages:
    """The views; each checks its own permission, on every request."""

    def __init__(self, site: AdminSite) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        pages: dict[str, tuple[str, Callable[..., HttpResponse]]] = {
            "failures": ("", self.list),
            "failure": ("<slug:fingerprint>/", self.cause),
            "failure_retry": ("<slug:fingerprint>/retry/", self.retry),
            "failure_mute": ("<slug:fingerprint>/mute/", self.mute),
            "failure_archive": ("<slug:fingerprint>/archive/", self.archive),
            "failure_reopen": ("<slug:fingerprint>/reopen/", self.reopen),
        }
        return [
            path(f"failures/{route}", self._site.admin_view(view), name=f"jobs_jobrun_{name}")
            for name, (route, view) in pages.items()
        ]

    def list(self, request: HttpRequest) -> HttpResponse:
        """The causes, the latest first."""
        require(request, VIEW)
        form = CausesForm({"state": "open", "window": "30d", **request.GET.dict()})
        chosen = form.cleaned_data if form.is_valid() else {}
        now = timezone.now()
        state = chosen.get("state") or "open"
        wanted = Wanted(
            since=now - _WINDOWS[chosen.get("window") or "30d"][1],
            until=now,
            state=None if state == "all" else State(state),
            job=chosen.get("job") or None,
            seen=visibility_of(user_of(request)),
        )
        found = causes.find(wanted, limit=_CAUSES + 1, after=causes.as_place(request.GET.get("after", "")))
        query = request.GET.copy()
        if len(found) > _CAUSES:
            query["after"] = causes.as_text(found[_CAUSES - 1])
        context = {
            "title": "Failures",
            "form": form,
            "rows": [row_of(cause) for cause in found[:_CAUSES]],
            "next": f"?{query.urlencode()}" if len(found) > _CAUSES else "",
            "is_open": state == State.OPEN,
        }
        return self._page(request, "list", context)

    def cause(self, request: HttpRequest, fingerprint: str) -> HttpResponse:
        """One cause with its latest runs."""
        require(request, VIEW)
        cause = self._get(request, fingerprint)
        seen = visibility_of(user_of(request))
        runs = causes.failures(fingerprint, seen=seen).select_related("schedule").defer("result")[:_RUNS]
        latest = list(runs)
        context = {
            "title": f"{row_of(cause).error}: {row_of(cause).job_title}",
            "row": row_of(cause),
            "cause": cause,
            "runs": latest,
            "traceback": latest[0].traceback if latest else "",
            "may_retry": request.user.has_perm(RUN) and find_job(cause.job) is not None and cause.open,
            "may_mute": request.user.has_perm(MUTE),
        }
        return self._page(request, "cause", context)

    def retry(self, request: HttpRequest, fingerprint: str) -> HttpResponse:
        """Parameters to change in all of them, what would run, and the button that does it."""
        require(request, VIEW, RUN)
        cause = self._get(request, fingerprint)
        job = find_job(cause.job)
        if job is None:
            messages.error(request, f"There is no job named {cause.job} any more.")
            return self._to(fingerprint)
        data = request.POST if request.method == "POST" else None
        latest = JobRun.objects.get(pk=cause.latest_run)
        parameters = ParameterForm(job, data=data, initial=latest.parameters)
        rate = RateForm(data)
        seen = visibility_of(user_of(request))
        plan = None
        if data is None:
            plan = retrying.plan(Wish(fingerprint=fingerprint, per_minute=_PER_MINUTE, seen=seen))
        elif rate.is_valid() and parameters.is_valid():
            wish = Wish(
                fingerprint=fingerprint,
                overrides={name: parameters.values[name] for name in _changed(parameters)},
                per_minute=rate.cleaned_data["per_minute"],
                seen=seen,
            )
            if "_confirmed" in data:
                return self._carry_out(request, wish, fingerprint)
            plan = retrying.plan(wish)
        context = {
            "title": "Make failed runs again",
            "row": row_of(cause),
            "cause": cause,
            "job": job,
            "parameters": parameters,
            "rate": rate,
            "plan": plan,
            "changed": sorted(_changed(parameters)) if data is not None else [],
        }
        return self._page(request, "retry", context)

    def _carry_out(self, request: HttpRequest, wish: Wish, fingerprint: str) -> HttpResponse:
        done = retrying.carry_out(wish, by=user_of(request))
        said = f"{display.count(len(done.runs), 'run')} made again."
        if done.last_start_at:
            said += f" The last starts {display.relative(done.last_start_at, timezone.now())}."
        messages.success(request, said) if done.runs else messages.warning(request, "Nothing was made again.")
        if done.refused:
            refused = display.count(len(done.refused), "run")
            messages.error(request, f"{refused} left out: their parameters do not fit.")
        if done.has_more:
            messages.warning(request, "There are more of them. Make those again with another click.")
        return self._to(fingerprint)

    def mute(self, request: HttpRequest, fingerprint: str) -> HttpResponse:
        """Raise no alerts for this cause."""
        question = "Raise no alerts for this cause? Its failures are still recorded and listed as muted."
        return self._decide(request, fingerprint, FailureDecision.Action.MUTED, question, "Mute")

    def archive(self, request: HttpRequest, fingerprint: str) -> HttpResponse:
        """Say that it will not be fixed."""
        question = "Say that this will not be fixed? It leaves the list and raises no alerts."
        return self._decide(request, fingerprint, FailureDecision.Action.ARCHIVED, question, "Archive")

    def reopen(self, request: HttpRequest, fingerprint: str) -> HttpResponse:
        """Take the decision back."""
        require(request, VIEW, MUTE)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._get(request, fingerprint)
        try:
            decisions.reopen(fingerprint, by=user_of(request))
        except IllegalState as error:
            messages.error(request, str(error))
        return self._to(fingerprint)

    def _decide(
        self,
        request: HttpRequest,
        fingerprint: str,
        action: FailureDecision.Action,
        question: str,
        button: str,
    ) -> HttpResponse:
        require(request, VIEW, MUTE)
        cause = self._get(request, fingerprint)
        form = DecisionForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                decisions.decide(fingerprint, action, by=user_of(request), **form.cleaned_data)
                return self._to(fingerprint)
            except InvalidInput as error:
                for name, reasons in error.fields.items():
                    form.add_error(name, reasons)
        row = row_of(cause)
        context = {
            "title": f"{button} a failure",
            "question": question,
            "items": [f"{row.job_title}: {row.error}: {cause.message}"],
            "form": form,
            "button": button,
            "back": _address(fingerprint),
        }
        return TemplateResponse(
            request, "admin/jobs/confirm.html", {**self._site.each_context(request), **context}
        )

    def _get(self, request: HttpRequest, fingerprint: str) -> Cause:
        try:
            return causes.get(fingerprint, seen=visibility_of(user_of(request)), window=_WINDOWS["365d"][1])
        except UnknownCause as error:
            raise Http404(str(error)) from error

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> TemplateResponse:
        common = self._site.each_context(request)
        return TemplateResponse(request, f"admin/jobs/failures/{name}.html", {**common, **context})

    def _to(self, fingerprint: str) -> HttpResponse:
        return HttpResponseRedirect(_address(fingerprint))


def _address(fingerprint: str) -> str:
    return reverse("admin:jobs_jobrun_failure", args=[fingerprint])


def _changed(form: ParameterForm) -> list[str]:
    """The parameters that differ from those of the latest failure: they are changed in all."""
    return [name for name in form.changed_data if name in form.values]
