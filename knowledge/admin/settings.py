"""What holds for all of knowledge: the policy, and the paces of services."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ModelAdmin, ReadOnlyAdmin
from knowledge import embedding
from knowledge.models import KnowledgePolicy, ServicePace

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Policy",
        icon="policy",
        url_name="admin:knowledge_knowledgepolicy_changelist",
        permissions=("knowledge.view_knowledgepolicy",),
        order=380,
    ),
    navigation.Entry(
        group="Knowledge",
        title="Pace of services",
        icon="speed",
        url_name="admin:knowledge_servicepace_changelist",
        permissions=("knowledge.view_servicepace",),
        order=390,
    ),
)


@admin.register(KnowledgePolicy)
class KnowledgePolicyAdmin(ModelAdmin[KnowledgePolicy]):
    """One row: the list leads to it."""

    fieldsets = (
        ("Updates", {"fields": ("papers_per_topic", "days_back", "mode", "embedder")}),
        (
            "How long things are kept",
            {"fields": ("keep_papers_days", "keep_documents_days", "keep_outcomes_days")},
        ),
        ("Answers", {"fields": ("answer_threshold", "outdated_after_years")}),
        ("Notifications", {"fields": ("tell_success", "tell_failure")}),
    )

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "embedder":
            return forms.ChoiceField(
                choices=_embedders, widget=UnfoldAdminSelectWidget(), help_text=db_field.help_text
            )
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_or_change_permission(request) or not KnowledgePolicy.objects.exists():
            return super().changelist_view(request, extra_context)
        return HttpResponseRedirect(reverse("admin:knowledge_knowledgepolicy_change", args=[1]))


def _embedders() -> list[tuple[str, str]]:
    """Embedders by label; those that cannot be used here say so."""
    return [
        (kind, f"{label} (cannot be used here)" if embedding.get(kind).why_not() else label)
        for kind, label in embedding.choices()
    ]


@admin.register(ServicePace)
class ServicePaceAdmin(ReadOnlyAdmin[ServicePace]):
    list_display = ("service", "state", "held_until", "hold_reason")
    search_fields = ("service",)
    ordering = ("service",)
    sortable_by = ()

    @admin.display(description="State")
    def state(self, pace: ServicePace) -> SafeString:
        now = timezone.now()
        if pace.held_until and pace.held_until > now:
            return display.badge("Asked us to wait", "hourglass_top", "warn")
        if pace.busy_until and pace.busy_until > now:
            return display.badge("Is being asked", "sync", "busy")
        return display.badge("Free", "check_circle", "good")
