"""Topics: what is kept up to date, how each does, and what people may do with it."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import require, user_of
from jobs.errors import IllegalState
from jobs.models import JobRun
from knowledge import topics
from knowledge.admin import runs, timing
from knowledge.admin.controlled import ControlledAdmin
from knowledge.admin.form_page import page_of
from knowledge.admin.topic_form import UpdateForm
from knowledge.admin.topic_page import TopicPage, next_run_in_words
from knowledge.errors import InvalidTopic
from knowledge.models import Finding, Harvest, Topic

VIEW, RUN, CHANGE = "knowledge.view_topic", "knowledge.run_topic", "knowledge.change_topic"

_TONES = {Topic.Priority.HIGH: "busy", Topic.Priority.MEDIUM: "calm", Topic.Priority.LOW: "calm"}
_ICONS = {
    Topic.Priority.HIGH: "keyboard_double_arrow_up",
    Topic.Priority.MEDIUM: "drag_handle",
    Topic.Priority.LOW: "keyboard_arrow_down",
}

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Topics",
        icon="topic",
        url_name="admin:knowledge_topic_changelist",
        permissions=(VIEW,),
        order=320,
    )
)


@admin.register(Topic)
class TopicAdmin(ControlledAdmin[Topic]):
    form_page = TopicPage
    view_permission, switch_permission = VIEW, CHANGE
    disabled_words = "disabled: nothing is looked for"
    list_display = ("name_and_state", "papers", "last_update", "next_update", "trouble")
    list_display_links = None
    list_filter = ("is_enabled", "priority")
    search_fields = ("name", "queries__text")
    search_help_text = "Name, or words of a query"
    ordering = ("priority", "name")
    sortable_by = ()
    list_per_page = 50
    actions = ("update_now", "enable", "disable")

    class Media:
        css = {"all": ("knowledge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Topic]:
        findings = Finding.objects.filter(topic=OuterRef("pk")).order_by().values("topic")
        last = Harvest.objects.filter(topic=OuterRef("pk")).order_by("-began_at", "-pk").values("run_id")[:1]
        failed = (
            Harvest.objects.filter(topic=OuterRef("pk"), run_id=OuterRef("last_run"))
            .order_by()
            .values("topic")
            .annotate(number=Count("pk", filter=Q(state=Harvest.State.FAILED)), at=Max("began_at"))
        )
        found: QuerySet[Topic] = (
            super()
            .get_queryset(request)
            .select_related("schedule__policy", "schedule__crontab", "schedule__interval")
            .annotate(
                paper_count=Coalesce(Subquery(findings.annotate(number=Count("pk")).values("number")), 0),
                last_run=Subquery(last),
            )
            .annotate(
                failed_count=Coalesce(Subquery(failed.values("number")), 0),
                asked_at=Subquery(failed.values("at")),
            )
        )
        return found

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(RUN)

    # The list

    @admin.display(description="Topic")
    def name_and_state(self, topic: Topic) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong><a href="{}">{}</a></strong>'
            '<span class="knowledge-badges">{}{}</span></span>',
            page_of(topic),
            topic.name,
            priority_badge(topic),
            state_badge(topic),
        )

    @admin.display(description="Papers")
    def papers(self, topic: Any) -> SafeString:
        address = reverse("admin:knowledge_paper_changelist")
        return format_html(
            '<a class="jobs-link" href="{}?{}">{}</a>',
            address,
            urlencode({"topic": topic.pk}),
            f"{topic.paper_count:,}",
        )

    @admin.display(description="Updated")
    def last_update(self, topic: Topic) -> SafeString | str:
        return display.moment(topic.updated_at) or "not yet"

    @admin.display(description="Next update")
    def next_update(self, topic: Topic) -> SafeString | str:
        found: SafeString | str = next_run_in_words(topic)
        return found

    @admin.display(description="Last time")
    def trouble(self, topic: Any) -> SafeString | str:
        """How the sources did the last time they were asked."""
        if topic.asked_at is None:
            return ""
        if topic.failed_count:
            return display.badge(f"{display.count(topic.failed_count, 'source')} failed", "warning", "warn")
        return display.badge("All sources answered", "check_circle", "good")

    # The pages

    def controls(self) -> Mapping[str, Callable[..., HttpResponse]]:
        return {"run": self.run_page, **super().controls()}

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        return [path("preview/", preview, name="knowledge_topic_preview"), *super().get_urls()]

    def switch(self, row: Topic, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
        topics.set_enabled(row, is_enabled, by=by)

    def preview(self, request: HttpRequest) -> HttpResponse:
        """When a topic would be updated by the expression that is typed so far."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        key = request.GET.get("of", "")
        topic = get_object_or_404(Topic, pk=key) if key.isdecimal() else Topic()
        shown, errors = timing.preview(
            topic.schedule, timezone.now(), cron=request.GET.get("cron", ""), is_enabled=topic.is_enabled
        )
        context = {"preview": shown, "errors": errors}
        return JsonResponse({"html": render_to_string("admin/knowledge/topic/_when.html", context)})

    def delete_model(self, request: HttpRequest, obj: Topic) -> None:
        topics.delete(obj, by=user_of(request))

    # The controls

    def run_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """With which figures, and then it is updated."""
        require(request, VIEW, RUN)
        topic = get_object_or_404(Topic, pk=pk)
        form = UpdateForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                run = topics.run(
                    [topic], **form.cleaned_data, by=user_of(request), trigger=JobRun.Trigger.ADMIN
                )
            except (IllegalState, InvalidTopic) as error:
                form.add_error(None, str(error))
            else:
                messages.success(request, f"New papers about {topic} are looked for.")
                return HttpResponseRedirect(runs.after(request, run, page_of(topic)))
        asked = [(one.source, one.text) for one in topics.asked_for(topic)]
        context = {"title": f"Update {topic} now", "topic": topic, "form": form, "asked": asked}
        return self.page(request, "admin/knowledge/topic/run.html", context)

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, {**common, **context})

    # Actions of the list

    @admin.action(description="Update now", permissions=["run"])
    def update_now(self, request: HttpRequest, queryset: QuerySet[Topic]) -> None:
        """All chosen ones in one run."""
        require(request, RUN)
        try:
            run = topics.run(list(queryset), by=user_of(request), trigger=JobRun.Trigger.ADMIN)
        except IllegalState as error:
            messages.error(request, str(error))
        else:
            messages.success(request, runs.queued(run))


def priority_badge(topic: Topic) -> SafeString:
    priority = Topic.Priority(topic.priority)
    return display.badge(f"{priority.label} priority", _ICONS[priority], _TONES[priority])


def state_badge(topic: Topic) -> SafeString:
    """Whether it is updated: never colour alone."""
    if topic.is_enabled:
        return display.badge("Enabled", "check_circle", "good")
    return display.badge("Disabled", "toggle_off", "calm")
