"""Harvests: what each source gave in each run, and what became of every paper. Only runs write them."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from pydantic import ValidationError

from jobs import display
from jobs.admin import navigation, subjects
from jobs.admin.base import DropdownFilter, ReadOnlyAdmin
from knowledge.admin import history, looks, rows
from knowledge.connectors import Query
from knowledge.harvests import Order
from knowledge.models import Harvest, Outcome

#: Outcomes on one page of a harvest.
PER_PAGE = 50

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Harvests",
        icon="inventory",
        url_name="admin:knowledge_harvest_changelist",
        permissions=("knowledge.view_harvest",),
        order=360,
    )
)


subjects.add_list(
    "knowledge.update_knowledge_base",
    "knowledge.execute_research_job",
    "knowledge.sync_sources",
    label="Harvests",
    url_name="admin:knowledge_harvest_changelist",
    permission="knowledge.view_harvest",
)


class RunFilter(DropdownFilter):
    """The run that the address names: linked from elsewhere, so nothing is offered."""

    title = "run"
    parameter_name = "run"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        named = request.GET.get(self.parameter_name or "", "")
        return [(named, f"…{named[-6:]}")] if named else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Harvest]) -> QuerySet[Harvest]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(run_id__in=[value] if _is_uuid(value) else [])


@admin.register(Harvest)
class HarvestAdmin(ReadOnlyAdmin[Harvest]):
    list_display = ("what", "state_label", "figures", "when", "problem_text")
    list_display_links = ("what",)
    list_filter = ("state", "source", "topic", "research_job", RunFilter)
    list_select_related = ("source", "topic", "research_job")
    search_fields = ("topic__name", "research_job__name", "source__name", "problem")
    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False

    class Media:
        css = {"all": ("knowledge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Harvest]:
        found: QuerySet[Harvest] = history.with_counts(super().get_queryset(request))
        return found

    # The list

    @admin.display(description="What")
    def what(self, harvest: Harvest) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            harvest.topic or harvest.research_job or "Known papers",
            f"at {harvest.source}",
        )

    @admin.display(description="State")
    def state_label(self, harvest: Harvest) -> SafeString:
        return state_badge(harvest)

    @admin.display(description="Papers")
    def figures(self, harvest: Any) -> str:
        return in_words(harvest)

    @admin.display(description="When")
    def when(self, harvest: Harvest) -> SafeString | str:
        return display.moment(harvest.began_at)

    @admin.display(description="Problem")
    def problem_text(self, harvest: Harvest) -> str:
        return harvest.problem[:200] or "; ".join(map(str, harvest.warnings))[:200]

    # The page

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """All that is known of one harvest, with what became of each paper."""
        if object_id is None:
            raise PermissionDenied  # only runs make them
        harvest = self.get_object(request, object_id)
        if harvest is None:
            raise Http404
        if not self.has_view_permission(request, harvest):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(harvest),
            "harvest": harvest,
            "state": state_badge(harvest),
            "asked": _asked(harvest),
            "figures": in_words(harvest),
            "about": _links(request, harvest),
            "run": harvest.run_id in rows.visible_runs(request, [harvest.run_id]),
            **_outcomes(request, harvest),
        }
        return TemplateResponse(request, "admin/knowledge/harvest/page.html", context)


def state_badge(harvest: Harvest) -> SafeString:
    """How it stands: never colour alone."""
    icon, tone = history.LOOKS[harvest.state]
    return display.badge(str(harvest.get_state_display()), icon, tone)


def in_words(harvest: Any) -> str:
    """ "3 new, 1 updated, 12 known"; what is nothing is left out."""
    found = {result: getattr(harvest, f"{result}_count") for result in Outcome.Result.values}
    return ", ".join(f"{number:,} {result}" for result, number in found.items() if number) or "none"


def _asked(harvest: Harvest) -> list[tuple[str, str]]:
    """What the source was asked, in words."""
    try:
        order = Order.of(harvest)
    except ValidationError:  # written by another version
        return [("Query", str(harvest.query))]
    found = [(_about(query), query.text) for query in order.queries]
    if order.lookups:
        found.append((f"Known papers, {len(order.lookups):,} of them", ", ".join(order.lookups[:20])))
    addresses = dict.fromkeys(address for query in order.queries for address in query.addresses)
    return [*found, *(("Read from", address) for address in addresses)]


def _about(query: Query) -> str:
    """Which papers of those that fit."""
    which = "newest" if query.order == "newest" else "most relevant"
    window = query.window
    if window is None:
        return f"The {query.max_results} {which} papers"
    until = f" until {looks.dated(window.until)}" if window.until else ""
    return f"The {query.max_results} {which} papers, {window.by} since {looks.dated(window.since)}{until}"


def _links(request: HttpRequest, harvest: Harvest) -> list[tuple[str, str, str]]:
    """What it was for and where, each with its page; "" for who may not open that."""
    found = [("Topic", harvest.topic), ("Research job", harvest.research_job), ("Source", harvest.source)]
    return [(name, str(row), rows.page_of(request, row)) for name, row in found if row is not None]


def _outcomes(request: HttpRequest, harvest: Harvest) -> dict[str, Any]:
    """A page of its outcomes, perhaps only those of one result; none for who may not see them."""
    if not request.user.has_perm("knowledge.view_outcome"):
        return {"outcomes": None}
    found = Outcome.objects.filter(harvest=harvest).select_related("paper").order_by("pk")
    wanted = request.GET.get("result", "")
    if wanted in Outcome.Result.values:
        found = found.filter(result=wanted)
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    outdated = looks.outdated_before()
    shown = [
        {
            "outcome": one,
            "badge": display.badge(str(one.get_result_display()), *history.RESULT_LOOKS[one.result]),
            "labels": looks.labels(one.paper, outdated) if one.paper else [],
        }
        for one in page
    ]
    return {"outcomes": shown, "page": page, "results": Outcome.Result.choices, "wanted": wanted}


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
