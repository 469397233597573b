"""Papers: all that is here, to be found by title or identifier. Sources write them; each has a page to read."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import DropdownFilter, ModelAdmin
from jobs.admin.deleting import MayRefuse
from knowledge import connectors
from knowledge.admin import looks, paper_page
from knowledge.models import Paper, ResearchJob, Topic

VIEW = "knowledge.view_paper"

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Papers",
        icon="article",
        url_name="admin:knowledge_paper_changelist",
        permissions=(VIEW,),
        order=330,
    )
)


class _OfFilter(DropdownFilter):
    """Papers that belong to a topic or a research job."""

    field: str

    def queryset(self, request: HttpRequest, queryset: QuerySet[Paper]) -> QuerySet[Paper]:
        value = self.value()
        if not value:
            return queryset
        key = int(value) if value.isdecimal() and len(value) < 18 else 0
        return queryset.filter(**{f"findings__{self.field}": key})


class TopicFilter(_OfFilter):
    title, parameter_name, field = "topic", "topic", "topic"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(topic.pk), topic.name) for topic in Topic.objects.order_by("name")]


class ResearchJobFilter(_OfFilter):
    title, parameter_name, field = "research job", "research_job", "research_job"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(job.pk), job.name) for job in ResearchJob.objects.order_by("name")]


class ConnectorFilter(DropdownFilter):
    title = "source"
    parameter_name = "from"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return connectors.choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Paper]) -> QuerySet[Paper]:
        return queryset.filter(sources__contains=[self.value()]) if self.value() else queryset


@admin.register(Paper)
class PaperAdmin(MayRefuse, ModelAdmin[Paper]):
    list_display = ("title_and_authors", "where", "published", "came_in")
    list_display_links = ("title_and_authors",)
    list_filter = (TopicFilter, ResearchJobFilter, ConnectorFilter, "is_retracted", "is_corrected")
    search_fields = ("title", "=doi", "=pmid", "=pmcid", "=arxiv_id")
    search_help_text = "Words of the title, or a DOI, PMID, PMCID or arXiv id"
    ordering = ("-first_seen_at", "-pk")
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False

    class Media:
        css = {"all": ("knowledge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Paper]:
        return super().get_queryset(request).defer("abstract", "mesh", "details", "provenance", "notices")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: sources give them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: what a source says is not edited."""
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Paper], search_term: str
    ) -> tuple[QuerySet[Paper], bool]:
        """DOIs are known with and without their address, and kept in lower case."""
        cleaned = search_term.strip()
        for head in ("https://doi.org/", "http://doi.org/", "doi:"):
            if cleaned.lower().startswith(head):
                cleaned = cleaned[len(head) :].lower()
        if cleaned.lower().startswith("10.") and "/" in cleaned:
            cleaned = cleaned.lower()
        return super().get_search_results(request, queryset, cleaned)

    # The list

    @admin.display(description="Paper")
    def title_and_authors(self, paper: Paper) -> SafeString:
        badges = format_html_join(
            " ",
            '<span title="{}">{}</span>',
            (
                (one.title, display.badge(one.text, one.icon, one.tone))
                for one in looks.labels(paper, _OUTDATED_NEVER)
            ),
        )
        return format_html(
            '<span class="jobs-two-lines knowledge-title"><strong>{}</strong><small>{}</small></span>{}',
            Truncator(paper.title).chars(160),
            looks.in_short(looks.authors(paper)),
            badges,
        )

    @admin.display(description="Where")
    def where(self, paper: Paper) -> SafeString:
        known = paper.doi or (f"PMID {paper.pmid}" if paper.pmid else paper.arxiv_id)
        return format_html(
            '<span class="jobs-two-lines"><span>{}</span><small>{}</small></span>',
            paper.journal or looks.source_names(paper.sources),
            known,
        )

    @admin.display(description="Published")
    def published(self, paper: Paper) -> str:
        return looks.published(paper)

    @admin.display(description="Came in")
    def came_in(self, paper: Paper) -> SafeString | str:
        return display.moment(paper.first_seen_at)

    # The page

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """It has a page of its own, to read."""
        if object_id is None:
            raise PermissionDenied
        paper = self.get_object(request, object_id)
        if paper is None:
            raise Http404
        if not self.has_view_permission(request, paper):
            raise PermissionDenied
        return HttpResponseRedirect(reverse(paper_page.URL_NAME, args=[paper.pk]))


#: In a list of what came in, age is seen by the date.
_OUTDATED_NEVER = 0
