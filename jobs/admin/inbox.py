"""The inbox of the person who is signed in: their own messages and nobody else's."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import DropdownFilter, ModelAdmin, ReadOnlyAdmin, require, user_of
from jobs.models import InboxMessage
from jobs.notifications import inbox, looks

CHANGE = "jobs.change_inboxmessage"


def unread_badge(request: HttpRequest) -> int:
    """How many messages wait; one index-only count for each page."""
    return inbox.unread_count(user_of(request))


navigation.add(
    navigation.Entry(
        group="Notifications",
        title="Inbox",
        icon="inbox",
        url_name="admin:jobs_inboxmessage_changelist",
        permissions=("jobs.view_inboxmessage",),
        order=110,
        badge=unread_badge,
    )
)


class ReadFilter(DropdownFilter):
    title = "read"
    parameter_name = "read"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("no", "Unread"), ("yes", "Read")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InboxMessage]) -> QuerySet[InboxMessage]:
        match self.value():
            case "no":
                return queryset.filter(read_at=None)
            case "yes":
                return queryset.exclude(read_at=None)
        return queryset


@admin.register(InboxMessage)
class InboxAdmin(ReadOnlyAdmin[InboxMessage]):
    list_display = ("severity_label", "title_and_text", "received")
    list_display_links = ("title_and_text",)
    list_filter = (ReadFilter, "severity")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("title", "text")
    ordering = ("-pk",)
    sortable_by = ()
    actions = ("mark_read", "mark_unread")

    def get_queryset(self, request: HttpRequest) -> QuerySet[InboxMessage]:
        return InboxMessage.objects.of(user_of(request)).order_by("-pk")

    def has_mark_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CHANGE)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Inbox", **(extra_context or {})})

    @admin.display(description="Severity")
    def severity_label(self, message: InboxMessage) -> SafeString:
        return looks.severity_badge(message.severity)

    @admin.display(description="Message")
    def title_and_text(self, message: InboxMessage) -> SafeString:
        first = next((line for line in message.text.splitlines() if line.strip()), "")
        return format_html(
            '<span class="jobs-two-lines"><strong>{}{}</strong><small>{}</small></span>',
            "" if message.read_at else "● ",
            message.title,
            first[:140],
        )

    @admin.display(description="Received")
    def received(self, message: InboxMessage) -> SafeString | str:
        return display.moment(message.at)

    @admin.action(description="Mark as read", permissions=["mark"])
    def mark_read(self, request: HttpRequest, queryset: QuerySet[InboxMessage]) -> None:
        require(request, CHANGE)
        count = inbox.mark_read(user_of(request), list(queryset.values_list("pk", flat=True)))
        messages.success(request, f"Marked as read: {count}.")

    @admin.action(description="Mark as unread", permissions=["mark"])
    def mark_unread(self, request: HttpRequest, queryset: QuerySet[InboxMessage]) -> None:
        require(request, CHANGE)
        count = inbox.mark_unread(user_of(request), list(queryset.values_list("pk", flat=True)))
        messages.success(request, f"Marked as unread: {count}.")

    def get_urls(self) -> list[URLPattern]:
        all_read = path(
            "read-all/", self.admin_site.admin_view(self.read_all), name="jobs_inboxmessage_read_all"
        )
        return [all_read, *super().get_urls()]

    def read_all(self, request: HttpRequest) -> HttpResponse:
        require(request, CHANGE)
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        messages.success(request, f"Marked as read: {inbox.mark_read(user_of(request))}.")
        return HttpResponseRedirect(reverse("admin:jobs_inboxmessage_changelist"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The message; whoever opens it has read it."""
        message = self.get_object(request, object_id)
        if message is None:
            raise Http404
        if not self.has_view_permission(request, message):
            raise PermissionDenied
        if request.method == "GET" and self.has_mark_permission(request):
            inbox.mark_read(user_of(request), [message.pk])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": message.title,
            "message_": message,
        }
        return TemplateResponse(request, "admin/jobs/inboxmessage/page.html", context)
