"""Agents: who writes, how much of its quotas each has used, and what people may do with it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from jobs import display
from jobs.admin import navigation, subjects
from jobs.admin.base import ChangeList, DropdownFilter, ModelAdmin, require, user_of
from jobs.admin.deleting import MayRefuse
from jobs.errors import IllegalState, InvalidParameters
from jobs.models import JobRun
from publishing import agents, quotas, writers
from publishing.admin.agent_form import WriteForm, preview
from publishing.admin.agent_page import AgentPage, in_pairs, next_run_in_words, page_of
from publishing.admin.zones import viewer_zone
from publishing.errors import QuotaExceeded
from publishing.models import Agent, Post

RUN, ENABLE = "publishing.run_agent", "publishing.enable_agent"

#: Why an agent does not begin.
_REFUSALS = (IllegalState, QuotaExceeded, InvalidParameters)

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Agents",
        icon="stylus_note",
        url_name="admin:publishing_agent_changelist",
        permissions=("publishing.view_agent",),
        order=190,
    )
)
subjects.add(
    "agent_id", label="Agent", url_name="admin:publishing_agent_change", permission="publishing.view_agent"
)


class AgentList(ChangeList):
    """The list, with what each agent of the page has used, and its last post."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        used = quotas.of_each(rows, timezone.now())
        posts = (
            Post.objects.filter(agent__in=rows)
            .order_by("agent_id", "-created_at", "-pk")
            .distinct("agent_id")
        )
        last = {post.agent_id: post for post in posts.only("agent", "title", "created_at")}
        zone = viewer_zone(request)
        for row in rows:
            row.quotas, row.last_post = used[row.pk], last.get(row.pk)
            row.next_run = next_run_in_words(row, zone)
        self.result_list: Any = rows


class WriterFilter(DropdownFilter):
    title = "writer"
    parameter_name = "writer"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return writers.choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Agent]) -> QuerySet[Agent]:
        return queryset.filter(writer=self.value()) if self.value() else queryset


@admin.register(Agent)
class AgentAdmin(MayRefuse, ModelAdmin[Agent]):
    list_display = ("name_and_state", "used", "writes_next", "last_post", "this_month")
    list_display_links = None
    list_filter = ("is_enabled", "workflow", WriterFilter)
    search_fields = ("name", "expertise", "topic")
    ordering = ("name",)
    sortable_by = ()
    list_per_page = 25
    actions = ("write_now", "enable", "disable")

    class Media:
        css = {"all": ("publishing/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        found: QuerySet[Agent] = Agent.objects.complete().order_by("name")
        return found

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return AgentList

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RUN)

    def has_enable_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ENABLE)

    # The list

    @admin.display(description="Agent")
    def name_and_state(self, agent: Agent) -> SafeString:
        reason = agents.why_not_write(agent)
        return format_html(
            '<span class="jobs-two-lines"><strong><a href="{}">{}</a></strong><small>{}</small>{}<small>{}</small></span>',
            page_of(agent),
            agent.name,
            agent.expertise,
            state_badge(agent),
            reason,
        )

    @admin.display(description="Used")
    def used(self, agent: Agent) -> str:
        found = in_pairs(getattr(agent, "quotas", []))
        return render_to_string("admin/publishing/agent/_quotas.html", {"quotas": found})

    @admin.display(description="Writes next")
    def writes_next(self, agent: Any) -> SafeString | str:
        found: SafeString | str = agent.next_run
        return found

    @admin.display(description="Last post")
    def last_post(self, agent: Agent) -> SafeString | str:
        post: Post | None = getattr(agent, "last_post", None)
        if post is None:
            return "none"
        return format_html(
            '<span class="jobs-two-lines"><a class="jobs-link" href="{}">{}</a><small>{}</small></span>',
            reverse("admin:publishing_post_change", args=[post.pk]),
            Truncator(post.title).chars(70),
            display.moment(post.created_at),
        )

    @admin.display(description="This month")
    def this_month(self, agent: Agent) -> SafeString:
        """Its posts, and what becomes of them."""
        found = getattr(agent, "quotas", [])
        posts = next((int(one.used) for one in found if (one.period, one.what) == ("month", "posts")), 0)
        return format_html(
            '<span class="jobs-two-lines"><span class="jobs-nowrap">{}</span><small>{}</small></span>',
            display.count(posts, "post"),
            agent.get_workflow_display(),
        )

    # The pages

    def get_urls(self) -> list[URLPattern]:
        controls = {"run": self.run_page, "enable": self.enable_one, "disable": self.disable_one}
        view = self.admin_site.admin_view
        return [
            path("preview/", view(self.preview), name="publishing_agent_preview"),
            *[
                path(f"<int:pk>/{name}/", view(control), name=f"publishing_agent_{name}")
                for name, control in controls.items()
            ],
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        agent = None
        if object_id is not None:
            agent = self.get_object(request, object_id)
            if agent is None:
                raise Http404
            if not self.has_view_or_change_permission(request, agent):
                raise PermissionDenied
        return AgentPage(self, request, agent).response()

    def preview(self, request: HttpRequest) -> HttpResponse:
        """What is typed so far, in words and with its next slots."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        key = request.GET.get("agent", "")
        agent = get_object_or_404(Agent, pk=key) if key.isdecimal() else Agent()
        cron, zone = request.GET.get("schedule_cron", ""), request.GET.get("timezone", "")
        shown, errors = preview(cron, zone, agent, timezone.now())
        context = {"preview": shown, "errors": errors}
        return JsonResponse({"html": render_to_string("admin/jobs/schedule/_preview.html", context)})

    def delete_model(self, request: HttpRequest, obj: Agent) -> None:
        agents.delete(obj, by=user_of(request))

    # The controls

    def run_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Of what, and then it writes."""
        require(request, "publishing.view_agent", RUN)
        agent = get_object_or_404(Agent.objects.complete(), pk=pk)
        form = WriteForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                run = agents.run_now(
                    agent, **form.cleaned_data, by=user_of(request), trigger=JobRun.Trigger.ADMIN
                )
            except _REFUSALS as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"{agent} begins to write.")
                return HttpResponseRedirect(_after(request, agent, run))
        context = {
            "title": f"Let {agent} write now",
            "agent": agent,
            "form": form,
            "quotas": in_pairs(quotas.quotas(agent, timezone.now())),
            "writer_trouble": agents.why_not_write(agent),
        }
        return self.page(request, "admin/publishing/agent/run.html", context)

    def enable_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switch(request, pk, True)

    def disable_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._switch(request, pk, False)

    def _switch(self, request: HttpRequest, pk: int, is_enabled: bool) -> HttpResponse:
        require(request, "publishing.view_agent", ENABLE)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        agent = get_object_or_404(Agent, pk=pk)
        agents.set_enabled(agent, is_enabled, by=user_of(request))
        messages.success(request, f"{agent} is {'enabled' if is_enabled else 'disabled: it writes nothing'}.")
        return HttpResponseRedirect(page_of(agent))

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**common, **context})

    # Actions of the list

    @admin.action(description="Write now", permissions=["run"])
    def write_now(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        require(request, RUN)
        runs = []
        for agent in queryset:
            try:
                runs.append(agents.run_now(agent, by=user_of(request), trigger=JobRun.Trigger.ADMIN))
            except _REFUSALS as error:
                messages.error(request, f"{agent}: {error}")
        if runs:
            links = format_html_join(
                ", ",
                '<a class="jobs-link" href="{}">run …{}</a>',
                ((_run_page(run), str(run.pk)[-6:]) for run in runs),
            )
            messages.success(request, format_html("Queued: {}.", links))

    @admin.action(description="Enable", permissions=["enable"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self._each(
            request, queryset, "Enabled", lambda agent: agents.set_enabled(agent, True, by=user_of(request))
        )

    @admin.action(description="Disable", permissions=["enable"])
    def disable(self, request: HttpRequest, queryset: QuerySet[Agent]) -> None:
        self._each(
            request, queryset, "Disabled", lambda agent: agents.set_enabled(agent, False, by=user_of(request))
        )

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Agent], said: str, act: Callable[[Agent], None]
    ) -> None:
        require(request, ENABLE)
        for agent in queryset:
            act(agent)
        messages.success(request, f"{said}: {', '.join(map(str, queryset))}.")


def state_badge(agent: Agent) -> SafeString:
    """Whether it writes: never colour alone."""
    if not agent.is_enabled:
        return display.badge("Disabled", "toggle_off", "calm")
    if agents.why_not_write(agent):
        return display.badge("Cannot write", "error", "bad")
    return display.badge("Enabled", "check_circle", "good")


def _after(request: HttpRequest, agent: Agent, run: JobRun) -> str:
    return _run_page(run) if request.user.has_perm("jobs.view_jobrun") else page_of(agent)


def _run_page(run: JobRun) -> str:
    return reverse("admin:jobs_jobrun_change", args=[run.pk])
