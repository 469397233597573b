"""Items: what the sources gave. People look, replay and remove; only polls write."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ReadOnlyAdmin, require, user_of
from publishing import controls
from publishing.admin.confirm import ask
from publishing.models import FeedItem
from publishing.models.item import FeedItemQuerySet

State = FeedItem.State

LOOKS: dict[str, tuple[str, str]] = {
    State.SEEN: ("inbox", "calm"),
    State.QUEUED: ("hourglass_top", "busy"),
    State.GENERATED: ("check_circle", "good"),
    State.SKIPPED: ("skip_next", "calm"),
    State.FAILED: ("error", "bad"),
}

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Items",
        icon="feed",
        url_name="admin:publishing_feeditem_changelist",
        permissions=("publishing.view_feeditem",),
        order=210,
    )
)


@admin.register(FeedItem)
class FeedItemAdmin(ReadOnlyAdmin[FeedItem]):
    list_display = ("title_and_address", "source_link", "state_label", "published", "fetched")
    list_display_links = ("title_and_address",)
    list_filter = ("state", "source")
    list_select_related = ("source",)
    search_fields = ("title", "url")
    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    actions = ("replay", "remove")
    fieldsets = (
        (None, {"fields": ("title", "address", "source_link", "author", "language", "categories")}),
        ("State", {"fields": ("state_label", "state_reason", "published", "fetched", "changed")}),
        ("Text", {"fields": ("summary", "content")}),
    )
    readonly_fields = (
        "address", "source_link", "state_label", "published", "fetched", "changed", "summary", "content",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[FeedItem]:
        return FeedItem.objects.kept().defer("summary_html", "content_html", "enclosures").order_by("-pk")

    @admin.display(description="Item")
    def title_and_address(self, item: FeedItem) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            str(item)[:200],
            item.url,
        )

    @admin.display(description="Address")
    def address(self, item: FeedItem) -> SafeString | str:
        if not item.url:
            return ""
        return format_html(
            '<a class="jobs-link" rel="noopener noreferrer" href="{}">{}</a>', item.url, item.url
        )

    @admin.display(description="Source")
    def source_link(self, item: FeedItem) -> SafeString:
        address = reverse("admin:publishing_source_change", args=[item.source_id])
        return format_html('<a class="jobs-link" href="{}">{}</a>', address, item.source)

    @admin.display(description="State")
    def state_label(self, item: FeedItem) -> SafeString:
        icon, tone = LOOKS[item.state]
        return display.badge(str(State(item.state).label), icon, tone)

    @admin.display(description="Published")
    def published(self, item: FeedItem) -> SafeString | str:
        return display.moment(item.published_at)

    @admin.display(description="First seen")
    def fetched(self, item: FeedItem) -> SafeString | str:
        return display.moment(item.fetched_at)

    @admin.display(description="Changed")
    def changed(self, item: FeedItem) -> SafeString | str:
        return display.moment(item.changed_at)

    @admin.display(description="Summary")
    def summary(self, item: FeedItem) -> SafeString:
        return mark_safe(item.summary_html)  # noqa: S308 - sanitised when it was stored

    @admin.display(description="Content")
    def content(self, item: FeedItem) -> SafeString:
        return mark_safe(item.content_html)  # noqa: S308 - sanitised when it was stored

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.replay_feeditem")

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.delete_feeditem")

    @admin.action(description="Replay: put back to be used again", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[FeedItem]) -> None:
        require(request, "publishing.replay_feeditem")
        count = controls.replay(_by_key(queryset), by=user_of(request))
        messages.success(request, f"Items put back: {count}.")

    @admin.action(description="Remove for good …", permissions=["remove"])
    def remove(self, request: HttpRequest, queryset: QuerySet[FeedItem]) -> HttpResponse | None:
        require(request, "publishing.delete_feeditem")
        if "confirmed" not in request.POST:
            question = "Remove these items? Their text is deleted, and no poll brings them back."
            return ask(
                request,
                self.admin_site,
                action="remove",
                question=question,
                button="Remove the items",
                chosen=queryset,
            )
        count = controls.remove(_by_key(queryset), by=user_of(request))
        messages.success(request, f"Items removed: {count}.")
        return None


def _by_key(queryset: QuerySet[FeedItem]) -> FeedItemQuerySet:
    return FeedItem.objects.filter(pk__in=queryset.values_list("pk", flat=True))
