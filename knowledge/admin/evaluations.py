"""How good the search is: figures over time, each evaluation query by query, and the button that makes a new one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from jobs.admin import navigation
from jobs.admin.base import ReadOnlyAdmin, require, user_of
from jobs.definitions import enqueue
from jobs.models import JobRun
from knowledge.admin import plots
from knowledge.admin.search_form import MODES
from knowledge.models import Evaluation, JudgedQuery
from knowledge.search.engine import Mode
from knowledge.tasks import evaluate_search

VIEW, RUN = "knowledge.view_evaluation", "knowledge.run_evaluation"
#: Evaluations of the plot, and judged queries that the page lists.
PLOTTED, LISTED = 40, 200
FIGURES = {"hit_rate": "Hit rate", "ndcg": "nDCG", "recall": "Recall"}

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Search quality",
        icon="rule",
        url_name="admin:knowledge_evaluation_changelist",
        permissions=(VIEW,),
        order=390,
    )
)


class RunForm(forms.Form):
    """How to evaluate."""

    mode = forms.ChoiceField(choices=[(mode.value, text) for mode, text in MODES.items()], required=False)
    top_k = forms.IntegerField(min_value=1, max_value=100, required=False)


class ShowForm(forms.Form):
    """Which evaluations are plotted."""

    mode = forms.ChoiceField(choices=[(mode.value, text) for mode, text in MODES.items()], required=False)

    @property
    def chosen(self) -> Mode:
        self.is_valid()
        return Mode(self.cleaned_data.get("mode") or Mode.HYBRID)


@dataclass(frozen=True)
class ShownQuery:
    """One query of an evaluation."""

    text: str
    #: None when nothing says what a hit is.
    is_hit: bool | None
    first_hit: int | None
    ndcg: str
    recall: str
    found: Sequence[Mapping[str, Any]]
    #: Its row, while it is there.
    query: int | None


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin[Evaluation]):
    list_display = ("at", "mode", "queries", "hit_rate", "ndcg", "recall")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        mode = ShowForm(request.GET).chosen
        evaluations = list(Evaluation.objects.filter(mode=mode).defer("details")[:PLOTTED])
        last = evaluations[0] if evaluations else None
        sees_queries = request.user.has_perm("knowledge.view_judgedquery")
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Search quality",
            "opts": self.opts,
            "evaluations": evaluations,
            "last": last,
            "figures": [(name, _written(getattr(last, key))) for key, name in FIGURES.items()]
            if last
            else [],
            "plot": _plot(evaluations[::-1]) if evaluations else None,
            "modes": [(one.value, text, one is mode) for one, text in MODES.items()],
            "mode": mode.value,
            "queries": _queries() if sees_queries else None,
            "enabled": JudgedQuery.objects.filter(is_enabled=True).count(),
            "may_run": request.user.has_perm(RUN),
            "may_judge": request.user.has_perm("knowledge.change_judgedquery"),
            "may_add": request.user.has_perm("knowledge.add_judgedquery"),
        }
        return TemplateResponse(request, "admin/knowledge/evaluation/list.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        evaluation = self.get_object(request, object_id)
        if evaluation is None:
            raise Http404
        if not self.has_view_permission(request, evaluation):
            raise PermissionDenied
        seen = (
            JobRun.objects.visible_to(request.user)
            if request.user.has_perm("jobs.view_jobrun")
            else JobRun.objects.none()
        )
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Evaluation",
            "opts": self.opts,
            "evaluation": evaluation,
            "mode": MODES.get(Mode(evaluation.mode), evaluation.mode)
            if evaluation.mode in set(Mode)
            else evaluation.mode,
            "figures": [(name, _written(getattr(evaluation, key))) for key, name in FIGURES.items()],
            "run": seen.filter(pk=evaluation.run_id).only("pk", "status").first()
            if evaluation.run_id
            else None,
            "queries": _details(evaluation),
            "sees_papers": request.user.has_perm("knowledge.view_paper"),
            "may_judge": request.user.has_perm("knowledge.change_judgedquery"),
        }
        return TemplateResponse(request, "admin/knowledge/evaluation/page.html", context)

    def get_urls(self) -> list[URLPattern]:
        run = path("run/", self.admin_site.admin_view(require_POST(_run)), name="knowledge_evaluation_run")
        return [run, *super().get_urls()]


def _run(request: HttpRequest) -> HttpResponse:
    """Have a worker evaluate the search."""
    require(request, VIEW, RUN)
    form = RunForm(request.POST)
    back = reverse("admin:knowledge_evaluation_changelist")
    if not form.is_valid():
        messages.error(
            request, " ".join(f"{name}: {' '.join(map(str, said))}" for name, said in form.errors.items())
        )
        return HttpResponseRedirect(back)
    if not JudgedQuery.objects.filter(is_enabled=True).exists():
        messages.error(request, "There are no judged queries that are enabled: add one first.")
        return HttpResponseRedirect(back)
    given = {name: value for name, value in form.cleaned_data.items() if value}
    run = enqueue(evaluate_search, given, trigger=JobRun.Trigger.ADMIN, requested_by=user_of(request))
    messages.success(request, "The search is being evaluated; the figures are here when it is done.")
    if request.user.has_perm("jobs.view_jobrun"):
        return HttpResponseRedirect(reverse("admin:jobs_jobrun_change", args=[run.pk]))
    return HttpResponseRedirect(back)


def _queries() -> list[JudgedQuery]:
    """The judged queries with how many papers were judged for each."""
    rows = JudgedQuery.objects.annotate(
        judged=Count("judgements"), good=Count("judgements", filter=Q(judgements__grade__gt=0))
    )
    return list(rows.order_by("text")[:LISTED])


def _plot(evaluations: Sequence[Evaluation]) -> plots.Drawn:
    points = [
        plots.Point(
            short=f"{timezone.localtime(one.at):%-d %b}",
            name=f"{timezone.localtime(one.at):%-d %b %Y, %H:%M}",
            values={key: getattr(one, key) for key in FIGURES},
        )
        for one in evaluations
    ]
    return plots.lines("Hit rate, nDCG and recall over time", FIGURES, points)


def _details(evaluation: Evaluation) -> list[ShownQuery]:
    """The worst first: these tell what to look at."""
    stored = [one for one in evaluation.details if isinstance(one, Mapping)]
    there = set(
        JudgedQuery.objects.filter(pk__in=[one["query"] for one in stored if "query" in one]).values_list(
            "pk", flat=True
        )
    )
    shown = [
        ShownQuery(
            text=str(one.get("text", "")),
            is_hit=one.get("is_hit"),
            first_hit=one.get("first_hit"),
            ndcg=_written(one.get("ndcg")),
            recall=_written(one.get("recall")),
            found=[found for found in one.get("found", ()) if isinstance(found, Mapping)],
            query=one["query"] if one.get("query") in there else None,
        )
        for one in stored
    ]
    return sorted(shown, key=lambda one: (one.is_hit is not False, one.ndcg or "2"))


def _written(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.3f}"
