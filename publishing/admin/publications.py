"""Publications: what went or goes out where, with every attempt. Only jobs write; people send again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import DropdownFilter, ModelAdmin, ReadOnlyAdmin, require, user_of
from jobs.errors import IllegalState
from publishing import publications
from publishing.models import Publication

State = Publication.State

LOOKS: dict[str, tuple[str, str]] = {
    State.WAITING: ("schedule", "calm"),
    State.SENDING: ("send", "busy"),
    State.UNCONFIRMED: ("help", "warn"),
    State.PUBLISHED: ("check_circle", "good"),
    State.FAILED: ("error", "bad"),
    State.MISSED: ("event_busy", "bad"),
    State.WITHDRAWN: ("undo", "calm"),
}

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Publications",
        icon="outgoing_mail",
        url_name="admin:publishing_publication_changelist",
        permissions=("publishing.view_publication",),
        order=230,
    )
)


class LeftFilter(DropdownFilter):
    """Those that wait for a person."""

    title = "whose turn it is"
    parameter_name = "left"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("yes", "Left to you")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Publication]) -> QuerySet[Publication]:
        if self.value() != "yes":
            return queryset
        return queryset & Publication.objects.left_to_people()


@admin.register(Publication)
class PublicationAdmin(ReadOnlyAdmin[Publication]):
    list_display = ("post", "publisher", "state_label", "due", "published", "address")
    list_filter = (LeftFilter, "state", "publisher")
    list_select_related = ("post", "publisher")
    search_fields = ("post__title",)
    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    actions = ("send_again",)
    fieldsets = (
        (None, {"fields": ("post_link", "publisher", "state_label", "reason", "address")}),
        ("Times", {"fields": ("due", "next_attempt", "published")}),
        ("Attempts", {"fields": ("history",)}),
    )
    readonly_fields = ("post_link", "state_label", "address", "due", "next_attempt", "published", "history")

    @admin.display(description="Post")
    def post_link(self, row: Publication) -> SafeString:
        address = reverse("admin:publishing_post_change", args=[row.post_id])
        return format_html('<a class="jobs-link" href="{}">{}</a>', address, row.post)

    @admin.display(description="State")
    def state_label(self, row: Publication) -> SafeString:
        return state_badge(row)

    @admin.display(description="Address there")
    def address(self, row: Publication) -> SafeString | str:
        return address_there(row)

    @admin.display(description="Due")
    def due(self, row: Publication) -> SafeString | str:
        return display.moment(row.due_at)

    @admin.display(description="Next attempt")
    def next_attempt(self, row: Publication) -> SafeString | str:
        return display.moment(row.next_attempt_at)

    @admin.display(description="Published")
    def published(self, row: Publication) -> SafeString | str:
        return display.moment(row.published_at)

    @admin.display(description="Attempts")
    def history(self, row: Publication) -> SafeString | str:
        attempts = [
            (display.moment(attempt.began_at), str(attempt), attempt.message)
            for attempt in row.attempts.all()
        ]
        if not attempts:
            return "None yet."
        return format_html("<ol>{}</ol>", format_html_join("", "<li>{} · {}<br>{}</li>", attempts))

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.publish_post")

    @admin.action(
        description="Send again (look first: an unconfirmed one may be there)", permissions=["send_again"]
    )
    def send_again(self, request: HttpRequest, queryset: QuerySet[Publication]) -> None:
        require(request, "publishing.publish_post")
        sent = 0
        for row in queryset:
            try:
                publications.send_again(row, by=user_of(request))
                sent += 1
            except IllegalState as error:
                messages.error(request, f"{row}: {error}")
        if sent:
            messages.success(request, f"To be sent again: {sent}.")


def state_badge(row: Publication) -> SafeString:
    icon, tone = LOOKS[row.state]
    return display.badge(str(State(row.state).label), icon, tone)


def address_there(row: Publication) -> SafeString | str:
    """A link to the post at its publisher, if that said where it is."""
    if not row.remote_url.startswith(("http://", "https://")):
        return row.remote_id
    return format_html(
        '<a class="jobs-link" rel="noopener noreferrer" href="{}">{}</a>', row.remote_url, row.remote_url
    )
