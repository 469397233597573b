"""Documents: uploading, following how they are read, and what is to be said of each."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Length
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from jobs import display
from jobs.admin import navigation, subjects
from jobs.admin.base import DropdownFilter, ModelAdmin, require, user_of
from jobs.admin.deleting import MayRefuse
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, InvalidInput
from jobs.models import JobRun
from knowledge import cleanup, documents
from knowledge.admin import document_page, rows, runs
from knowledge.admin.document_form import DocumentForm, UploadForm
from knowledge.admin.form_page import FormPage, page_of
from knowledge.documents import Received
from knowledge.models import Document

VIEW, ADD, CHANGE = (f"knowledge.{what}_document" for what in ("view", "add", "change"))
CLEAN = ("knowledge.delete_document", "knowledge.delete_paper")
ADMIN = JobRun.Trigger.ADMIN
LIST = "admin:knowledge_document_changelist"

State = Document.State

#: The symbol and the tone of each state: never colour alone.
LOOKS: dict[str, tuple[str, str]] = {
    State.QUEUED: ("hourglass_top", "calm"),
    State.PROCESSING: ("progress_activity", "busy"),
    State.READY: ("check_circle", "good"),
    State.FAILED: ("error", "bad"),
}

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Documents",
        icon="description",
        url_name=LIST,
        permissions=(VIEW,),
        order=335,
    )
)
subjects.add("document_id", label="Document", url_name="admin:knowledge_document_change", permission=VIEW)


class CategoryFilter(DropdownFilter):
    title = "category"
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        names = Document.objects.exclude(category="").order_by("category").values_list("category", flat=True)
        return [(name, name) for name in names.distinct()[:200]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> QuerySet[Document]:
        return queryset.filter(category=self.value()) if self.value() else queryset


class DocumentPage(FormPage[Document]):
    """One document: how it is, and what is said of it. Its text has a page of its own."""

    template = "admin/knowledge/document/form.html"
    form_class = DocumentForm
    new_title = "Document"

    def save(self, form: DocumentForm) -> Document:
        if self.row is None:
            raise Http404
        try:
            return documents.change(self.row, form.changes(), by=user_of(self.request), trigger=ADMIN)
        except IllegalState as error:
            raise InvalidInput({"title": [str(error)]}) from error

    def about(self, document: Document) -> dict[str, Any]:
        run = documents.run_of(document)
        seen = rows.visible_runs(self.request, [document.run_id])
        return {
            "badge": state_badge(document),
            "run": run,
            "may_see_run": run is not None and run.pk in seen,
            "is_active": run is not None and run.is_active,
            "passages": document.parts.aggregate(number=Count("passages"))["number"],
            "length": Document.objects.filter(pk=document.pk).values_list(Length("text"), flat=True).get(),
            "why_kept": documents.why_kept(document),
            "read_url": reverse(document_page.URL_NAME, args=[document.pk]),
        }


@admin.register(Document)
class DocumentAdmin(MayRefuse, ModelAdmin[Document]):
    list_display = ("title_and_file", "state_label", "passages", "file_size", "uploaded")
    list_display_links = None
    list_filter = ("state", CategoryFilter)
    list_select_related = ("uploaded_by",)
    list_before_template = "admin/knowledge/document/_above.html"
    search_fields = ("title", "filename", "category", "problem")
    search_help_text = "Title, name of the file, category, or words of a problem"
    ordering = ("-created_at", "-pk")
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    actions = ("read_again",)

    class Media:
        css = {"all": ("knowledge/admin.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        found: QuerySet[Document] = super().get_queryset(request)
        return found.defer("text", "pages", "description")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """With the number of passages and the progress of each that is shown: two queries for all."""
        found = super().get_changelist_instance(request)
        shown = list(found.result_list)
        counts = dict(
            Document.objects.filter(pk__in=[one.pk for one in shown])
            .order_by()
            .annotate(number=Count("parts__passages"))
            .values_list("pk", "number")
        )
        progress = JobRun.objects.only("progress", "progress_text").in_bulk(
            [one.run_id for one in shown if one.is_waiting and one.run_id]
        )
        for one in shown:
            one.passage_count, one.run = counts.get(one.pk, 0), progress.get(one.run_id)
        found.result_list = shown
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {"may_clean": request.user.has_perms(CLEAN)}
        return super().changelist_view(request, {**(extra_context or {}), **extra})

    # The list

    @admin.display(description="Document")
    def title_and_file(self, document: Document) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines knowledge-title"><strong><a href="{}">{}</a></strong><small>{}</small></span>',
            page_of(document),
            Truncator(document.title).chars(160),
            " · ".join(filter(None, [document.filename, document.category])),
        )

    @admin.display(description="State")
    def state_label(self, document: Any) -> SafeString:
        run = document.run
        if run is not None and document.state == State.PROCESSING:
            return format_html(
                '<span class="jobs-two-lines">{}<progress class="jobs-bar" max="100" value="{}">{} %</progress><small>{}</small></span>',
                state_badge(document),
                f"{run.progress:.0f}",
                f"{run.progress:.0f}",
                run.progress_text,
            )
        return format_html(
            '<span class="jobs-two-lines">{}<small>{}</small></span>',
            state_badge(document),
            document.problem[:160],
        )

    @admin.display(description="Passages")
    def passages(self, document: Any) -> str:
        return f"{document.passage_count:,}" if document.passage_count else ""

    @admin.display(description="Size")
    def file_size(self, document: Document) -> str:
        return filesizeformat(document.size)

    @admin.display(description="Uploaded")
    def uploaded(self, document: Document) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines">{}<small>{}</small></span>',
            display.moment(document.created_at),
            document.uploaded_by or "",
        )

    # The pages

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("cleanup/", view(self.cleanup_page), name="knowledge_document_cleanup"),
            path("<int:pk>/again/", view(self.again_one), name="knowledge_document_again"),
            path("<int:pk>/cancel/", view(self.cancel_one), name="knowledge_document_cancel"),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if object_id is None:
            return self._upload_page(request)
        document = self.get_object(request, object_id)
        if document is None:
            raise Http404
        if not self.has_view_or_change_permission(request, document):
            raise PermissionDenied
        return DocumentPage(self, request, document).response()

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        documents.delete(obj, by=user_of(request))

    def _upload_page(self, request: HttpRequest) -> HttpResponse:
        require(request, ADD)
        form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
        if form.is_valid():
            details = dict(form.cleaned_data)
            try:
                received = _receive(request, details.pop("file"), details)
            except InvalidInput as error:
                for name, reasons in error.fields.items():
                    form.add_error(name if name in form.fields else None, reasons)
            else:
                _tell(request, received)
                return HttpResponseRedirect(reverse(LIST) if request.user.has_perm(VIEW) else request.path)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Upload documents",
            "form": form,
        }
        return TemplateResponse(request, "admin/knowledge/document/upload.html", context)

    def cleanup_page(self, request: HttpRequest) -> HttpResponse:
        """What would go now, and the way to let it go."""
        require(request, VIEW, *CLEAN)
        if request.method == "POST":
            parameters = {"dry_run": "_dry_run" in request.POST}
            job = get_job("knowledge.cleanup_documents")
            run = enqueue(job, parameters, trigger=ADMIN, requested_by=user_of(request))
            messages.success(request, runs.queued(run))
            return HttpResponseRedirect(runs.after(request, run, reverse(LIST)))
        found = cleanup.what_is_old()
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "What is old",
            "kinds": [
                ("Documents", found.documents),
                ("Papers", found.papers),
                ("Outcomes of single papers in runs", found.outcomes),
            ],
            "total": found.documents.deleted + found.papers.deleted + found.outcomes.deleted,
        }
        return TemplateResponse(request, "admin/knowledge/document/cleanup.html", context)

    # The controls

    def again_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._control(request, pk, "It will be read again.", documents.read_again, trigger=ADMIN)

    def cancel_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._control(request, pk, "Reading it is being cancelled.", documents.cancel)

    def _control(
        self, request: HttpRequest, pk: int, done: str, control: Any, **options: Any
    ) -> HttpResponse:
        require(request, VIEW, CHANGE)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        document = get_object_or_404(Document, pk=pk)
        try:
            control(document, by=user_of(request), **options)
        except IllegalState as error:
            messages.error(request, str(error))
        else:
            messages.success(request, done)
        return HttpResponseRedirect(page_of(document))

    @admin.action(description="Read again", permissions=["change"])
    def read_again(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        require(request, CHANGE)
        done = 0
        for document in queryset:
            try:
                documents.read_again(document, by=user_of(request), trigger=ADMIN)
                done += 1
            except IllegalState as error:
                messages.error(request, f"{document}: {error}")
        if done:
            messages.success(request, f"To be read again: {done}.")


def state_badge(document: Document) -> SafeString:
    return display.badge(str(document.get_state_display()), *LOOKS[document.state])


@transaction.atomic
def _receive(request: HttpRequest, files: list[Any], details: dict[str, Any]) -> list[Received]:
    """All files or none."""
    by = user_of(request)
    return [documents.receive(file.name, file, **details, by=by, trigger=ADMIN) for file in files]


def _tell(request: HttpRequest, received: list[Received]) -> None:
    queued = [one.document.filename for one in received if one.run is not None]
    if queued:
        messages.success(request, f"To be read: {', '.join(queued)}.")
    for one in received:
        if not one.is_new:
            messages.warning(
                request,
                format_html(
                    'The same file is here already, as <a class="jobs-link" href="{}">{}</a>.',
                    page_of(one.document),
                    one.document.title,
                ),
            )
