"""Judged queries: what a good search should find, said by people who look at what it finds."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget

from jobs.admin.base import ModelAdmin, require, user_of
from knowledge import judging
from knowledge.admin import looks
from knowledge.admin.looks import Label, Piece
from knowledge.admin.search_page import address_of
from knowledge.embedding import EmbeddingError
from knowledge.models import JudgedQuery, Judgement, Paper, Part
from knowledge.search.engine import Mode, search

#: Results that are offered for a grade.
OFFERED = 20
_GRADE = "grade-"


class JudgedQueryForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    expected_terms = SimpleArrayField(
        forms.CharField(max_length=200, required=False),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="Separated by commas. At least one of them occurs in a good result; leave it empty to judge papers alone.",
    )

    class Meta:
        model = JudgedQuery
        fields = ("text", "expected_terms", "is_enabled")

    def clean_expected_terms(self) -> list[str]:
        terms = (term.strip() for term in self.cleaned_data["expected_terms"])
        return list(dict.fromkeys(filter(None, terms)))


@dataclass(frozen=True)
class Candidate:
    """A paper to be graded."""

    paper: Paper
    title: list[Piece]
    text: list[Piece]
    url: str
    labels: list[Label]
    grade: int | None
    #: Where the search has it now; None when it does not find it.
    rank: int | None


@admin.register(JudgedQuery)
class JudgedQueryAdmin(ModelAdmin[JudgedQuery]):
    form = JudgedQueryForm
    list_display = ("query", "terms", "judged", "is_enabled", "judge_link")
    list_display_links = ("query",)
    list_filter = ("is_enabled",)
    search_fields = ("text",)
    search_help_text = "Words of the query"
    ordering = ("text",)
    sortable_by = ("text",)
    list_per_page = 100

    def get_queryset(self, request: HttpRequest) -> QuerySet[JudgedQuery]:
        return JudgedQuery.objects.annotate(judgement_count=Count("judgements")).order_by(*self.ordering)

    @admin.display(description="Query", ordering="text")
    def query(self, query: JudgedQuery) -> SafeString:
        return format_html('<span class="jobs-wrap">{}</span>', query.text)

    @admin.display(description="Expected terms")
    def terms(self, query: JudgedQuery) -> SafeString:
        return format_html('<span class="jobs-wrap">{}</span>', ", ".join(query.expected_terms))

    @admin.display(description="Judged papers")
    def judged(self, query: Any) -> int:
        return int(query.judgement_count)

    @admin.display(description="Judge")
    def judge_link(self, query: JudgedQuery) -> SafeString:
        address = reverse("admin:knowledge_judgedquery_judge", args=[query.pk])
        return format_html('<a class="jobs-link jobs-nowrap" href="{}">Judge papers</a>', address)

    def response_add(
        self, request: HttpRequest, obj: JudgedQuery, post_url_continue: str | None = None
    ) -> HttpResponse:
        if "_addanother" in request.POST or "_popup" in request.POST:
            return super().response_add(request, obj, post_url_continue)
        messages.success(request, "The query was added. Now say which papers answer it.")
        return HttpResponseRedirect(reverse("admin:knowledge_judgedquery_judge", args=[obj.pk]))

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "<int:pk>/judge/", self.admin_site.admin_view(judge_view), name="knowledge_judgedquery_judge"
        )
        return [page, *super().get_urls()]


def judge_view(request: HttpRequest, pk: int) -> HttpResponse:
    """What the search finds for a query now, with the papers that were judged before, each to be graded."""
    require(request, "knowledge.view_judgedquery", "knowledge.change_judgedquery", "knowledge.view_paper")
    query = get_object_or_404(JudgedQuery, pk=pk)
    if request.method == "POST":
        return _keep(request, query)
    problem = ""
    try:
        candidates = _candidates(query)
    except EmbeddingError as error:
        problem = f"Meanings cannot be compared now, so these were found by their words alone. {error}"
        candidates = _candidates(query, Mode.SPARSE)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Judge papers",
        "opts": JudgedQuery._meta,
        "query": query,
        "candidates": candidates,
        "judged": sum(one.grade is not None for one in candidates),
        "problem": problem,
        "grades": Judgement._meta.get_field("grade").choices,
    }
    return TemplateResponse(request, "admin/knowledge/judgedquery/judge.html", context)


def _keep(request: HttpRequest, query: JudgedQuery) -> HttpResponse:
    grades: dict[int, int | None] = {}
    for name in request.POST:
        paper, value = name.removeprefix(_GRADE), request.POST.get(name, "")
        if name.startswith(_GRADE) and paper.isdecimal() and len(paper) < 19:
            grades[int(paper)] = int(value) if value.isdecimal() and len(value) < 9 else None
    here = reverse("admin:knowledge_judgedquery_judge", args=[query.pk])
    try:
        changed = judging.judge(query, grades, by=user_of(request))
    except judging.InvalidJudgement as error:
        messages.error(request, " ".join(reason for said in error.fields.values() for reason in said))
        return HttpResponseRedirect(here)
    messages.success(
        request, f"{changed} grade{'' if changed == 1 else 's'} changed." if changed else "Nothing changed."
    )
    return HttpResponseRedirect(here)


def _candidates(query: JudgedQuery, mode: Mode = Mode.HYBRID) -> list[Candidate]:
    """What is found now in its order, then what was judged before and is not found any more."""
    grades = dict(query.judgements.values_list("paper", "grade"))
    outdated = looks.outdated_before()
    found = [
        Candidate(
            paper=paper,
            title=looks.marked(paper.title or "Without a title", query.text),
            text=looks.pieces(hit.passage.text, hit.highlights),
            url=address_of(hit.part, hit.passage.pk, query.text),
            labels=looks.labels(paper, outdated),
            grade=grades.get(paper.pk),
            rank=rank,
        )
        for rank, hit in enumerate(search(query.text, limit=OFFERED, mode=mode), start=1)
        if (paper := hit.part.paper)
    ]
    missed = Paper.objects.filter(pk__in=set(grades) - {one.paper.pk for one in found}).order_by("pk")
    return found + [
        Candidate(
            paper=paper,
            title=looks.marked(paper.title or "Without a title", query.text),
            text=looks.marked(paper.abstract_text[:400], query.text),
            url=address_of(Part(paper=paper), None, query.text),
            labels=looks.labels(paper, outdated),
            grade=grades[paper.pk],
            rank=None,
        )
        for paper in missed
    ]
