"""The page of one agent: how it does, what it has used and written, and its form with the preview beside."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin.base import user_of
from jobs.timing import InvalidTiming, describe, timing_of
from publishing import agents, quotas, usage
from publishing.admin import plots
from publishing.admin.agent_form import AgentForm, preview, schedule_of
from publishing.admin.zones import names as time_zones
from publishing.admin.zones import viewer_zone
from publishing.agents import InvalidAgent
from publishing.models import Agent
from publishing.quotas import Quota

if TYPE_CHECKING:
    from publishing.admin.agents import AgentAdmin

#: So many days of usage are drawn, and so many generations listed.
DAYS = 30
RECENT = 8


class AgentPage:
    """Makes or changes one agent; without the permission to change it, shows it."""

    def __init__(self, model_admin: "AgentAdmin", request: HttpRequest, agent: Agent | None) -> None:
        self.admin = model_admin
        self.request = request
        self.agent = agent
        self.title = agent.name if agent else "New agent"  # a form that is refused must not rename the page
        self.may_write = (
            model_admin.has_change_permission(request, agent)
            if agent
            else model_admin.has_add_permission(request)
        )
        if agent is None and not self.may_write:
            raise PermissionDenied

    def response(self) -> HttpResponse:
        if self.request.method != "POST":
            return self._render(AgentForm(instance=self.agent))
        if not self.may_write:
            raise PermissionDenied
        form = AgentForm(self.request.POST, instance=self.agent)
        if "_preview" in self.request.POST or not form.is_valid():
            return self._render(form)
        saved = self._save(form)
        if saved is None:
            return self._render(form)
        messages.success(self.request, f"{saved} was saved.")
        return HttpResponseRedirect(page_of(saved))

    def _save(self, form: AgentForm) -> Agent | None:
        given = form.cleaned_data
        try:
            return agents.save(
                Agent() if self.agent is None else self.agent,
                form.changes(),
                sources=list(given["sources"]),
                publishers=list(given["publishers"]),
                cron=given["schedule_cron"],
                by=user_of(self.request),
            )
        except InvalidAgent as error:
            form.show(error.fields)
            return None

    def _render(self, form: AgentForm) -> HttpResponse:
        agent, now = self.agent, timezone.now()
        cron, zone = (str(form[name].value() or "") for name in ("schedule_cron", "timezone"))
        shown, errors = preview(cron, zone, agent or Agent(), now)
        context = {
            "title": self.title,
            "agent": agent,
            "form": form,
            "preview": shown,
            "preview_errors": errors,
            "time_zones": time_zones(),
            "may_write": self.may_write,
            # What was typed and refused is what the page is about, then.
            "about": _about(self.request, agent, now) if agent and not form.is_bound else None,
            "other_schedule": _other_schedule(agent, now),
            "may_delete": agent is not None and self.admin.has_delete_permission(self.request, agent),
        }
        return self.admin.page(self.request, "admin/publishing/agent/form.html", context)


def page_of(agent: Agent) -> str:
    return reverse("admin:publishing_agent_change", args=[agent.pk])


def next_run_in_words(agent: Agent, zone: ZoneInfo) -> SafeString | str:
    """When it writes by itself, in the reader's zone, or why it does not."""
    at = agents.next_run_at(agent, timezone.now())
    if at is not None:
        return format_html(
            '<span class="jobs-two-lines"><span>{}</span><small>{}</small></span>',
            display.moment(at, zone),
            display.both_clocks(at, zone),
        )
    return "only when asked" if agent.schedule_id is None else "not while it is disabled or paused"


def in_pairs(found: Sequence[Quota]) -> list[tuple[str, list[Quota]]]:
    """Quotas by what they are about: that of the day and that of the month."""
    names = {"posts": "Posts", "tokens": "Tokens", "cost": "Cost"}
    return [(title, [one for one in found if one.what == what]) for what, title in names.items()]


def _other_schedule(agent: Agent | None, now: datetime) -> str:
    """When it writes, if somebody gave its schedule another rule than a cron expression; else ""."""
    row = schedule_of(agent) if agent else None
    if agent is None or row is None or agents.schedule_cron(agent):
        return ""
    try:
        return describe(timing_of(row, anchor=row.policy.anchor_at or now.replace(microsecond=0)))
    except InvalidTiming as error:
        return str(error)


def _about(request: HttpRequest, agent: Agent, now: datetime) -> dict[str, Any]:
    may = request.user.has_perm
    return {
        "quotas": in_pairs(quotas.quotas(agent, now)),
        "writer_trouble": agents.why_not_write(agent),
        "next_run": next_run_in_words(agent, viewer_zone(request)),
        "last_post": agent.posts.order_by("-created_at", "-pk").only("title", "created_at").first(),
        "day_ends_at": agent.day_ends(now),
        "month_ends_at": agent.month_ends(now),
        "bars": _bars(agent, now) if may("publishing.view_usagerecord") else [],
        "generations": _recent(agent) if may("publishing.view_generation") else None,
        "may_run": may("publishing.run_agent"),
        "may_enable": may("publishing.enable_agent"),
    }


def _bars(agent: Agent, now: datetime) -> list[plots.Bars]:
    """Cost, tokens and posts of each of the last days, in the agent's time zone."""
    today = agent.day_began(now).date()
    days = plots.days_until(today, DAYS)
    since = datetime.combine(days[0], datetime.min.time(), agent.zone)
    rows = usage.summary(since, now, period="day", agent_id=agent.pk).rows
    posts = usage.written(since, now, period="day", agent_id=agent.pk)
    return plots.of_usage(rows, posts, days)


def _recent(agent: Agent) -> list[Any]:
    found = agent.generations.with_figures().select_related("post").defer("brief", "post__body_html")
    return list(found.order_by("-began_at", "-pk")[:RECENT])
