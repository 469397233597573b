"""Sources: their health in a list, their settings on a page, and what people may do with them."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation, subjects
from jobs.admin.base import DropdownFilter, ModelAdmin, require, user_of
from jobs.errors import IllegalState, InvalidInput
from jobs.models import JobRun
from publishing import controls, sources
from publishing.admin.confirm import ask
from publishing.admin.source_form import ItemForm, SourceForm, form_for, option_fields
from publishing.models import Agent, FeedItem, Source
from publishing.models.source import is_in, rank_of_trouble
from publishing.sources import SourceAdapter

State = Source.State

#: The symbol and the tone of each state: never colour alone.
LOOKS: dict[str, tuple[str, str]] = {
    State.NEW: ("fiber_new", "calm"),
    State.OK: ("check_circle", "good"),
    State.FAILING: ("warning", "warn"),
    State.UNREADABLE: ("error", "bad"),
    State.GONE: ("link_off", "bad"),
    State.DISABLED: ("toggle_off", "calm"),
}

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Sources",
        icon="rss_feed",
        url_name="admin:publishing_source_changelist",
        permissions=("publishing.view_source",),
        order=200,
    )
)
subjects.add(
    "source_id",
    label="Source",
    url_name="admin:publishing_source_change",
    permission="publishing.view_source",
)


class StateFilter(DropdownFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return list(State.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> QuerySet[Source]:
        wanted = self.value()
        return queryset.filter(is_in(wanted)) if wanted in State.values else queryset


@admin.register(Source)
class SourceAdmin(ModelAdmin[Source]):
    form = SourceForm
    list_display = (
        "name_and_address",
        "state_label",
        "item_link",
        "agent_link",
        "polled",
        "next_poll",
        "error",
        "run_link",
    )
    list_display_links = ("name_and_address",)
    list_filter = (StateFilter, "auto_generate")
    search_fields = ("name", "url", "last_error")
    search_help_text = "Name, address, or words of an error"
    sortable_by = ()
    list_per_page = 50
    actions = ("poll_now", "read_all", "test", "enable", "disable", "reset")
    readonly_fields = (
        "state_label", "error", "polled", "next_poll", "item_link", "agent_link", "add_link", "run_link", "redirect",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        items = FeedItem.objects.kept().filter(source=OuterRef("pk")).order_by().values("source")
        users = Agent.objects.filter(sources=OuterRef("pk")).order_by().values("sources")
        return (
            super()
            .get_queryset(request)
            .annotate(
                item_count=Coalesce(Subquery(items.annotate(number=Count("pk")).values("number")), 0),
                agent_count=Coalesce(Subquery(users.annotate(number=Count("pk")).values("number")), 0),
            )
        )

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        """What is broken comes first."""
        return [rank_of_trouble().asc(), "name", "pk"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, form=form_for(_adapter(request, obj)), **kwargs)
        for name in ("min_interval", "max_interval"):
            if name in form.base_fields:
                form.base_fields[name].help_text += " Hours:minutes:seconds, or days in front."
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Source | None = None) -> Any:
        """What fits the kind: no address for those that have none, no times for those that nobody polls."""
        adapter = _adapter(request, obj)
        has_address = adapter is None or adapter.has_address
        is_polled = adapter is None or adapter.is_polled
        options = ["options"] if adapter is None else option_fields(adapter)
        found: list[tuple[str | None, dict[str, list[str]]]] = [
            (None, {"fields": ["name", "kind", *(["url"] if has_address else []), "language"]})
        ]
        if options:
            found.append(("Options", {"fields": options}))
        if is_polled:
            found.append(("Polling", {"fields": ["min_interval", "max_interval", "backfill_limit"]}))
            found.append(("Agents", {"fields": ["auto_generate", *(["agent_link"] if obj else [])]}))
        if obj is not None and is_polled:
            fields = ["state_label", "error", "polled", "next_poll", "item_link", "run_link", "redirect"]
            found.append(("Health", {"fields": fields}))
        elif obj is not None:
            may_add = request.user.has_perm("publishing.add_feeditem")
            found.append(("Texts", {"fields": ["item_link", *(["add_link"] if may_add else [])]}))
        return found

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """First its kind, then the form of that kind."""
        if request.method == "GET" and _adapter(request, None) is None and self.has_add_permission(request):
            found = [sources.get(kind) for kind in sources.kinds()]
            kinds = [(adapter.kind, adapter.label, adapter.help_text) for adapter in found]
            context = {"title": "Add a source", "noun": "source", "kinds": kinds}
            return self._page(request, "admin/publishing/choose.html", context)
        return super().add_view(request, form_url, extra_context)

    # Texts that are added by hand

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.add_item_view)
        return [
            path("<int:pk>/add-item/", view, name="publishing_source_add_item"),
            *super().get_urls(),
        ]

    def add_item_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A form for one text."""
        require(request, "publishing.view_source", "publishing.add_feeditem")
        source = get_object_or_404(Source, pk=pk)
        form = ItemForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and self._add_item(request, source, form):
            if "_another" in request.POST:
                return HttpResponseRedirect(request.path)
            return HttpResponseRedirect(_page_of(source))
        context = {"title": f"Add a text to {source.name}", "form": form, "back": _page_of(source)}
        return self._page(request, "admin/publishing/source/add_item.html", context)

    def _add_item(self, request: HttpRequest, source: Source, form: ItemForm) -> bool:
        try:
            item, is_new = controls.add_item(source, **form.cleaned_data, by=user_of(request))
        except InvalidInput as error:
            for name, texts in error.fields.items():
                form.add_error(name, texts)
            return False
        except IllegalState as error:
            form.add_error(None, str(error))
            return False
        messages.success(request, f"“{item}” {'was added' if is_new else 'was there already'}.")
        return True

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**common, **context})

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        controls.save(obj, by=None)  # the admin leaves its own audit row

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its items go with a source: counted, since there may be thousands, and without a permission of their own."""
        items = FeedItem.objects.filter(source__in=objs).count()
        return [str(source) for source in objs], {"sources": len(objs), "items": items}, set(), []

    # What the list and the page show

    @admin.display(description="Source", ordering="name")
    def name_and_address(self, source: Source) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            source.name,
            source.url,
        )

    @admin.display(description="State")
    def state_label(self, source: Source) -> SafeString:
        return state_badge(source)

    @admin.display(description="Items")
    def item_link(self, source: Source) -> SafeString:
        address = reverse("admin:publishing_feeditem_changelist")
        count = getattr(source, "item_count", 0)
        return format_html(
            '<a class="jobs-link" href="{}?{}">{}</a>',
            address,
            urlencode({"source__id__exact": source.pk}),
            count,
        )

    @admin.display(description="Agents")
    def agent_link(self, source: Source) -> SafeString:
        """How many agents write of it, and whether they do so at once."""
        address = reverse("admin:publishing_agent_changelist")
        return format_html(
            '<span class="jobs-two-lines"><a class="jobs-link" href="{}?sources__id__exact={}">{}</a>{}</span>',
            address,
            source.pk,
            getattr(source, "agent_count", 0),
            format_html("<small>write at once</small>") if source.auto_generate else "",
        )

    @admin.display(description="By hand")
    def add_link(self, source: Source) -> SafeString:
        address = reverse("admin:publishing_source_add_item", args=[source.pk])
        return format_html('<a class="jobs-button" href="{}">Add a text</a>', address)

    @admin.display(description="Last poll")
    def polled(self, source: Source) -> SafeString | str:
        return display.moment(source.last_polled_at)

    @admin.display(description="Next poll")
    def next_poll(self, source: Source) -> SafeString | str:
        if not source.is_polled or source.state in (State.DISABLED, State.GONE, State.UNREADABLE):
            return "not by itself"
        return "now due" if source.next_poll_at <= timezone.now() else display.moment(source.next_poll_at)

    @admin.display(description="Last error")
    def error(self, source: Source) -> SafeString | str:
        if not source.last_error:
            return ""
        times = f"{source.consecutive_failures} times in a row" if source.consecutive_failures > 1 else ""
        return format_html(
            '<span class="jobs-two-lines">{}<small>{}</small></span>', source.last_error, times
        )

    @admin.display(description="Last run")
    def run_link(self, source: Source) -> SafeString | str:
        if source.last_run_id is None:
            return ""
        address = reverse("admin:jobs_jobrun_change", args=[source.last_run_id])
        return format_html(
            '<a class="jobs-link" href="{}">…\N{WORD JOINER}{}</a>', address, str(source.last_run_id)[-6:]
        )

    @admin.display(description="Moving to")
    def redirect(self, source: Source) -> SafeString | str:
        if not source.redirect_url:
            return ""
        return format_html(
            "{} (seen {} times since {})",
            source.redirect_url,
            source.redirect_sightings,
            display.moment(source.redirect_first_seen_at),
        )

    # What people may do; each checks its own permission on every request

    def has_poll_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.poll_source")

    def has_test_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.test_source")

    def has_enable_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.enable_source")

    def has_reset_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.reset_source")

    @admin.action(description="Poll now", permissions=["poll"])
    def poll_now(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        self._poll(request, queryset, force=False)

    @admin.action(description="Poll now and read everything", permissions=["poll"])
    def read_all(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        self._poll(request, queryset, force=True)

    def _poll(self, request: HttpRequest, queryset: QuerySet[Source], *, force: bool) -> None:
        require(request, "publishing.poll_source")
        by = user_of(request)
        _queue(
            request,
            queryset,
            lambda row: controls.poll(row, by=by, trigger=JobRun.Trigger.ADMIN, force=force),
        )

    @admin.action(description="Test: fetch and show, store nothing", permissions=["test"])
    def test(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        require(request, "publishing.test_source")
        by = user_of(request)
        _queue(request, queryset, lambda row: controls.test(row, by=by, trigger=JobRun.Trigger.ADMIN))

    @admin.action(description="Enable, also what is gone or unreadable", permissions=["enable"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        require(request, "publishing.enable_source")
        for source in queryset:
            controls.enable(source, by=user_of(request))
        messages.success(request, f"Enabled: {_names(queryset)}.")

    @admin.action(description="Disable", permissions=["enable"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        require(request, "publishing.enable_source")
        for source in queryset:
            controls.disable(source, by=user_of(request))
        messages.success(request, f"Disabled: {_names(queryset)}.")

    @admin.action(description="Reset: forget all items …", permissions=["reset"])
    def reset(self, request: HttpRequest, queryset: QuerySet[Source]) -> HttpResponse | None:
        require(request, "publishing.reset_source")
        if "confirmed" not in request.POST:
            question = "Forget every item of these sources? Their next poll is like their first."
            return ask(
                request,
                self.admin_site,
                action="reset",
                question=question,
                button="Forget the items",
                chosen=queryset,
            )
        forgotten = sum(controls.reset(source, by=user_of(request)) for source in queryset)
        messages.success(request, f"{forgotten} items forgotten of: {_names(queryset)}.")
        return None


def state_badge(source: Source) -> SafeString:
    """The source's state: never colour alone."""
    icon, tone = LOOKS[source.state]
    return display.badge(str(source.state.label), icon, tone)


def _names(chosen: QuerySet[Source]) -> str:
    return ", ".join(str(source) for source in chosen)


def _adapter(request: HttpRequest, source: Source | None) -> SourceAdapter | None:
    """The kind of the source, or of the one that is being added; None for one that is unknown."""
    asked = request.POST.get("kind") or request.GET.get("kind")
    kind = source.kind if source is not None else asked
    return sources.get(kind) if kind in sources.kinds() else None


def _page_of(source: Source) -> str:
    return reverse("admin:publishing_source_change", args=[source.pk])


def _queue(request: HttpRequest, chosen: QuerySet[Source], control: Callable[[Source], JobRun]) -> None:
    """Queue a run for each, and say so, with a link to each run and the reason where there is none."""
    runs = []
    for source in chosen:
        try:
            runs.append(control(source))
        except IllegalState as error:
            messages.error(request, f"{source}: {error}")
    links = format_html_join(
        ", ",
        '<a class="jobs-link" href="{}">{}</a>',
        ((reverse("admin:jobs_jobrun_change", args=[run.pk]), f"run …{str(run.pk)[-6:]}") for run in runs),
    )
    if runs:
        messages.success(request, format_html("Queued: {}.", links))
