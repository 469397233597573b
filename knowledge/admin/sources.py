"""Sources: where papers come from, whether each can be asked, and what people may do with it."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import DropdownFilter, ModelAdmin, require, user_of
from jobs.errors import IllegalState
from jobs.models import JobRun
from knowledge import connectors, previews, sources
from knowledge.admin import looks, runs
from knowledge.admin.controlled import ControlledAdmin
from knowledge.admin.form_page import page_of
from knowledge.admin.source_form import TryForm
from knowledge.admin.source_page import SourcePage
from knowledge.models import Harvest, Outcome, Source

VIEW, SYNC, CHANGE = "knowledge.view_source", "knowledge.sync_source", "knowledge.change_source"

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Sources",
        icon="rss_feed",
        url_name="admin:knowledge_source_changelist",
        permissions=(VIEW,),
        order=340,
    )
)


class StateFilter(DropdownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("problem", "Has a problem"), ("fine", "Answers"), ("disabled", "Disabled")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> QuerySet[Source]:
        match self.value():
            case "problem":
                return queryset.filter(is_enabled=True).exclude(problem="")
            case "fine":
                return queryset.filter(is_enabled=True, problem="")
            case "disabled":
                return queryset.filter(is_enabled=False)
        return queryset


@admin.register(Source)
class SourceAdmin(ControlledAdmin[Source]):
    form_page = SourcePage
    view_permission, switch_permission = VIEW, CHANGE
    disabled_words = "disabled: nobody asks it"
    list_display = ("name_and_connector", "state", "new_papers", "last_asked", "last_synced")
    list_display_links = None
    list_filter = (StateFilter,)
    search_fields = ("name", "addresses", "problem")
    ordering = ("name",)
    sortable_by = ()
    list_per_page = 50
    actions = ("sync_now", "enable", "disable")

    class Media:
        css = {"all": ("knowledge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        outcomes = (
            Outcome.objects.filter(harvest__source=OuterRef("pk"), result=Outcome.Result.NEW)
            .order_by()
            .values("harvest__source")
        )
        last = Harvest.objects.filter(source=OuterRef("pk")).order_by("-began_at").values("began_at")[:1]
        found: QuerySet[Source] = (
            super()
            .get_queryset(request)
            .annotate(
                new_count=Coalesce(Subquery(outcomes.annotate(number=Count("pk")).values("number")), 0),
                asked_at=Subquery(last),
            )
        )
        return found

    def has_sync_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(SYNC)

    # The list

    @admin.display(description="Source")
    def name_and_connector(self, source: Source) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong><a href="{}">{}</a></strong><small>{}</small></span>',
            page_of(source),
            source.name,
            looks.source_name(source.connector),
        )

    @admin.display(description="State")
    def state(self, source: Source) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines">{}<small>{}</small></span>',
            state_badge(source),
            source.problem[:160],
        )

    @admin.display(description="New papers")
    def new_papers(self, source: Any) -> str:
        """Of the time for which outcomes are kept."""
        return f"{source.new_count:,}"

    @admin.display(description="Last asked")
    def last_asked(self, source: Any) -> SafeString | str:
        return display.moment(source.asked_at) or "never"

    @admin.display(description="News of known papers")
    def last_synced(self, source: Source) -> SafeString | str:
        return display.moment(source.synced_at) or "not yet"

    # The pages

    def controls(self) -> Mapping[str, Callable[..., HttpResponse]]:
        return {"test": self.test_page, "sync": self.sync_one, **super().controls()}

    def switch(self, row: Source, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
        sources.set_enabled(row, is_enabled, by=by)

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        sources.delete(obj, by=user_of(request))

    # The controls

    def test_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask it something, and show how it understood that and how much it has; nothing is stored."""
        require(request, VIEW, SYNC)
        source = get_object_or_404(Source, pk=pk)
        form = TryForm(
            request.POST if request.method == "POST" else None, initial={"text": _something_to_ask(source)}
        )
        found = None
        if request.method == "POST" and form.is_valid():
            asked = [(source, form.cleaned_data["text"])]
            found = previews.preview(asked, days_back=form.cleaned_data["days_back"])[0]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Test {source}",
            "source": source,
            "form": form,
            "found": found,
        }
        return TemplateResponse(request, "admin/knowledge/source/test.html", context)

    def sync_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Look for revisions and retractions of what is known from it."""
        require(request, VIEW, SYNC)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        source = get_object_or_404(Source, pk=pk)
        try:
            run = sources.sync([source], by=user_of(request), trigger=JobRun.Trigger.ADMIN)
        except IllegalState as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(page_of(source))
        messages.success(request, f"News of known papers are looked for at {source}.")
        return HttpResponseRedirect(runs.after(request, run, page_of(source)))

    # Actions of the list

    @admin.action(description="Look for news of known papers", permissions=["sync"])
    def sync_now(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """All chosen ones in one run."""
        require(request, SYNC)
        try:
            run = sources.sync(list(queryset), by=user_of(request), trigger=JobRun.Trigger.ADMIN)
        except IllegalState as error:
            messages.error(request, str(error))
        else:
            messages.success(request, runs.queued(run))


def state_badge(source: Source) -> SafeString:
    """Whether it can be asked: never colour alone."""
    if source.connector not in connectors.kinds():
        return display.badge("Its code is gone", "error", "bad")
    if not source.is_enabled:
        return display.badge("Disabled", "toggle_off", "calm")
    if source.problem:
        return display.badge("Problem", "error", "bad")
    return display.badge("Enabled", "check_circle", "good")


def _something_to_ask(source: Source) -> str:
    """A query that somebody uses there already; else one that any source has something for."""
    said = (
        source.topic_queries.filter(is_enabled=True).exclude(text="").values_list("text", flat=True).first()
    )
    reads_feeds = source.connector in connectors.kinds() and connectors.get(source.connector).reads_addresses
    return "*" if reads_feeds else said or "health"
