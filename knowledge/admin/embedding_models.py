"""The models that make vectors: which one the search asks, which is being built, and changing from one to another."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanSwitchWidget

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ReadOnlyAdmin, require, user_of
from jobs.errors import IllegalState
from jobs.models import JobRun
from knowledge import embedding, reembedding, spaces
from knowledge.admin import runs
from knowledge.admin.form_page import page_of
from knowledge.embedding import EmbeddingError
from knowledge.models import EmbeddingModel, Passage

VIEW = "knowledge.view_embeddingmodel"
#: The policy says what makes vectors, so whoever may change it may change the model.
CONTROL = "knowledge.change_knowledgepolicy"
LIST = "admin:knowledge_embeddingmodel_changelist"

State = EmbeddingModel.State

#: The symbol and the tone of each state: never colour alone.
LOOKS: dict[str, tuple[str, str]] = {
    State.BUILDING: ("construction", "busy"),
    State.LIVE: ("check_circle", "good"),
    State.RETIRED: ("inventory_2", "calm"),
}

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Embedding models",
        icon="scatter_plot",
        url_name=LIST,
        permissions=(VIEW,),
        order=385,
    )
)


class ReembedForm(forms.Form):
    """Which embedder is to make all vectors, and what is to happen then."""

    embedder = forms.ChoiceField(
        choices=embedding.choices,
        widget=UnfoldAdminSelectWidget(),
        help_text="How it is set up stands in the installation's settings.",
    )
    go_live = forms.BooleanField(
        label="Go live when complete",
        required=False,
        initial=True,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="The search asks the model once every passage has a vector; until then it asks the old one.",
    )
    drop_retired = forms.BooleanField(
        label="Then drop the old ones",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Frees their space; the way back is to make all their vectors again.",
    )


@admin.register(EmbeddingModel)
class EmbeddingModelAdmin(ReadOnlyAdmin[EmbeddingModel]):
    list_display = ("name_link", "state_label", "dimension", "vectors", "since")
    list_display_links = None
    list_before_template = "admin/knowledge/embeddingmodel/_above.html"
    search_fields = ("name",)
    list_filter = ("state",)
    ordering = ("-created_at",)
    sortable_by = ()

    class Media:
        css = {"all": ("knowledge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[EmbeddingModel]:
        found: QuerySet[EmbeddingModel] = super().get_queryset(request)
        return found.annotate(vector_count=Count("embeddings"))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {"may_control": request.user.has_perm(CONTROL)}
        return super().changelist_view(request, {**(extra_context or {}), **extra})

    # The list

    @admin.display(description="Model")
    def name_link(self, model: EmbeddingModel) -> SafeString:
        return format_html('<strong><a href="{}">{}</a></strong>', page_of(model), model.name)

    @admin.display(description="State")
    def state_label(self, model: EmbeddingModel) -> SafeString:
        return state_badge(model)

    @admin.display(description="Vectors")
    def vectors(self, model: Any) -> str:
        return f"{model.vector_count:,}"

    @admin.display(description="Since")
    def since(self, model: EmbeddingModel) -> SafeString | str:
        return display.moment(model.created_at)

    # The pages

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("change-model/", view(self.reembed_page), name="knowledge_embeddingmodel_reembed"),
            path("<int:pk>/go-live/", view(self.go_live_page), name="knowledge_embeddingmodel_go_live"),
            path("<int:pk>/drop/", view(self.drop_page), name="knowledge_embeddingmodel_drop"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        model = self.get_object(request, object_id) if object_id is not None else None
        if object_id is None or not self.has_view_permission(request, model):
            raise PermissionDenied
        if model is None:
            raise Http404
        missing = spaces.missing(model)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": model.name,
            "model": model,
            "badge": state_badge(model),
            "passages": Passage.objects.count(),
            "missing": missing,
            "problem": _problem(model),
            "kind": reembedding.kind_of(model),
            "may_control": request.user.has_perm(CONTROL),
            "may_go_live": model.state != State.LIVE and not missing,
            "may_drop": model.state != State.LIVE,
        }
        return TemplateResponse(request, "admin/knowledge/embeddingmodel/page.html", context)

    def reembed_page(self, request: HttpRequest) -> HttpResponse:
        """Choose another model, or complete one."""
        require(request, VIEW, CONTROL)
        initial = {"embedder": request.GET.get("embedder"), "go_live": True}
        form = ReembedForm(request.POST if request.method == "POST" else None, initial=initial)
        if form.is_valid():
            try:
                run = reembedding.start(
                    form.cleaned_data["embedder"],
                    should_go_live=form.cleaned_data["go_live"],
                    drop_retired=form.cleaned_data["drop_retired"],
                    by=user_of(request),
                    trigger=JobRun.Trigger.ADMIN,
                )
            except EmbeddingError as error:
                form.add_error("embedder", str(error))
            else:
                messages.success(request, runs.queued(run))
                return HttpResponseRedirect(runs.after(request, run, reverse(LIST)))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Make vectors with a model",
            "form": form,
            "live": spaces.live(),
            "passages": Passage.objects.count(),
        }
        return TemplateResponse(request, "admin/knowledge/embeddingmodel/reembed.html", context)

    def go_live_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._decide(
            request, pk, "Go live", "Shall the search ask this model from now on?", reembedding.go_live
        )

    def drop_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        question = "Forget this model with all its vectors? They can only be made again."
        return self._decide(request, pk, "Drop", question, reembedding.drop)

    def _decide(self, request: HttpRequest, pk: int, verb: str, question: str, control: Any) -> HttpResponse:
        """One question, then what was asked for."""
        require(request, VIEW, CONTROL)
        model = get_object_or_404(EmbeddingModel, pk=pk)
        page, name = page_of(model), model.name
        if request.method == "POST":
            try:
                control(model, by=user_of(request))
            except IllegalState as error:
                messages.error(request, str(error))
                return HttpResponseRedirect(page)
            messages.success(request, f"{verb}: {name}.")
            return HttpResponseRedirect(reverse(LIST))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{verb}: {name}",
            "question": question,
            "items": [name],
            "button": verb,
            "is_dangerous": control is reembedding.drop,
            "back": page,
        }
        return TemplateResponse(request, "admin/jobs/confirm.html", context)


def state_badge(model: EmbeddingModel) -> SafeString:
    return display.badge(str(model.get_state_display()), *LOOKS[model.state])


def _problem(model: EmbeddingModel) -> str:
    """Why nobody here makes vectors of queries for it; "" if somebody does."""
    try:
        spaces.embedder_of(model.name)
    except EmbeddingError as error:
        return str(error)
    return ""
