"""Generations: posts in the making, each step with its result, and what it cost. Only runs write them."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import display as jobs_display
from jobs.admin import navigation
from jobs.admin.base import ReadOnlyAdmin
from jobs.models import JobRun
from publishing import display
from publishing.models import Generation

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Generations",
        icon="edit_note",
        url_name="admin:publishing_generation_changelist",
        permissions=("publishing.view_generation",),
        order=250,
    )
)


@admin.register(Generation)
class GenerationAdmin(ReadOnlyAdmin[Generation]):
    list_display = ("began", "agent_name", "state_label", "what", "steps_done", "tokens", "cost", "run")
    list_display_links = ("began",)
    list_filter = ("state", "agent", "writer")
    list_select_related = ("agent", "post")
    search_fields = ("topic", "keyword", "reason", "post__title")
    search_help_text = "Topic, keyword, title of the post, or words of a reason"
    ordering = ("-began_at", "-pk")
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Generation]:
        found = Generation.objects.with_figures().defer("brief", "post__body_html")
        return found.order_by(*self.ordering)

    @admin.display(description="Began")
    def began(self, generation: Generation) -> SafeString | str:
        return jobs_display.moment(generation.began_at)

    @admin.display(description="Agent")
    def agent_name(self, generation: Generation) -> str:
        return str(generation.agent)

    @admin.display(description="State")
    def state_label(self, generation: Generation) -> SafeString:
        return display.generation_badge(generation.state)

    @admin.display(description="Post")
    def what(self, generation: Generation) -> SafeString | str:
        if generation.post is not None:
            address = reverse("admin:publishing_post_change", args=[generation.post_id])
            return format_html('<a class="jobs-link jobs-wrap" href="{}">{}</a>', address, generation.post)
        return format_html('<span class="jobs-wrap">{}</span>', generation.reason or generation.topic)

    @admin.display(description="Steps")
    def steps_done(self, generation: Any) -> int:
        return int(generation.steps_done)

    @admin.display(description="Tokens")
    def tokens(self, generation: Any) -> str:
        return display.count(generation.tokens)

    @admin.display(description="Cost")
    def cost(self, generation: Any) -> str:
        return display.dollars(generation.cost)

    @admin.display(description="Run")
    def run(self, generation: Generation) -> SafeString:
        address = reverse("admin:jobs_jobrun_change", args=[generation.run_id])
        return format_html(
            '<a class="jobs-link jobs-nowrap" href="{}">…\N{WORD JOINER}{}</a>',
            address,
            str(generation.run_id)[-6:],
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        generation = self.get_object(request, object_id)
        if generation is None:
            raise Http404
        if not self.has_view_permission(request, generation):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(generation),
            "generation": generation,
            "brief": generation.brief,
            "steps": generation.steps.all(),
            "records": _records(request, generation),
            "items": generation.item_uses.select_related("item__source").order_by("pk"),
            "run": _run(request, generation),
            "may_retry": request.user.has_perm("jobs.run_job"),
        }
        return TemplateResponse(request, "admin/publishing/generation/page.html", context)


def _run(request: HttpRequest, generation: Generation) -> JobRun | None:
    """The run that writes it, or wrote it last, if it is still there and the person may see it."""
    if not request.user.has_perm("jobs.view_jobrun"):
        return None
    return JobRun.objects.visible_to(request.user).defer("traceback").filter(pk=generation.run_id).first()


def _records(request: HttpRequest, generation: Generation) -> Any:
    """What it used, for those who may see that; None for others."""
    if not request.user.has_perm("publishing.view_usagerecord"):
        return None
    return generation.usage.order_by("at", "pk")
