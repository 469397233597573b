"""Posts: written here or by agents, decided on, published."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ModelAdmin, require, user_of
from jobs.errors import IllegalState, InvalidInput
from jobs.models import JobRun
from publishing import posts
from publishing.admin.confirm import ask
from publishing.admin.publications import address_there, state_badge
from publishing.models import Post, Publisher

Status = Post.Status

LOOKS: dict[str, tuple[str, str]] = {
    Status.DRAFT: ("edit_note", "calm"),
    Status.IN_REVIEW: ("rate_review", "busy"),
    Status.APPROVED: ("thumb_up", "good"),
    Status.SCHEDULED: ("schedule", "calm"),
    Status.PUBLISHING: ("send", "busy"),
    Status.PUBLISHED: ("check_circle", "good"),
    Status.FAILED: ("error", "bad"),
    Status.UNCONFIRMED: ("help", "bad"),
    Status.MISSED: ("event_busy", "bad"),
}

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Posts",
        icon="article",
        url_name="admin:publishing_post_changelist",
        permissions=("publishing.view_post",),
        order=220,
    )
)


@admin.register(Post)
class PostAdmin(ModelAdmin[Post]):
    list_display = ("title", "status_label", "language", "scheduled", "published")
    list_filter = ("status", "language")
    search_fields = ("title",)
    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False
    actions = ("submit", "approve", "reject", "publish")
    fieldsets = (
        (None, {"fields": ("title", "slug", "status_label", "body_html", "excerpt")}),
        ("For readers and search engines", {"fields": ("language", "tags", "keywords", "meta_title", "meta_description", "canonical_url")}),
        ("Where it is", {"fields": ("scheduled", "published", "places", "way")}),
    )  # fmt: skip
    readonly_fields = ("status_label", "scheduled", "published", "places", "way")

    def save_model(self, request: HttpRequest, obj: Post, form: Any, change: bool) -> None:
        require(request, "publishing.change_post" if change else "publishing.add_post")
        written = posts.write(
            obj if change else Post(created_by_id=user_of(request).pk), form.cleaned_data, by=user_of(request)
        )
        obj.pk, obj.slug = written.pk, written.slug

    def delete_model(self, request: HttpRequest, obj: Post) -> None:
        posts.delete(obj, by=user_of(request))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }

    def has_change_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return super().has_change_permission(request, obj) and _is_undecided(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_undecided(obj)

    @admin.display(description="State")
    def status_label(self, post: Post) -> SafeString:
        icon, tone = LOOKS[post.status]
        return display.badge(str(Status(post.status).label), icon, tone)

    @admin.display(description="Scheduled for")
    def scheduled(self, post: Post) -> SafeString | str:
        return display.moment(post.scheduled_at)

    @admin.display(description="Published")
    def published(self, post: Post) -> SafeString | str:
        return display.moment(post.published_at)

    @admin.display(description="Publishers")
    def places(self, post: Post) -> SafeString | str:
        rows = post.publications.select_related("publisher") if post.pk else []
        told = [(row.publisher, state_badge(row), address_there(row) or row.reason) for row in rows]
        if not told:
            return "None yet."
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{} {} {}</li>", told))

    @admin.display(description="Its way")
    def way(self, post: Post) -> SafeString | str:
        steps = post.transitions.select_related("by") if post.pk else []
        told = [(display.moment(step.at), step, step.by or "", step.note) for step in steps]
        if not told:
            return "It has not been saved."
        return format_html("<ol>{}</ol>", format_html_join("", "<li>{} · {} {} {}</li>", told))

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.review_post")

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.publish_post")

    @admin.action(description="Ask for a review", permissions=["change"])
    def submit(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        require(request, "publishing.change_post")
        self._decide(request, queryset, Status.IN_REVIEW)

    @admin.action(description="Approve", permissions=["review"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        require(request, "publishing.review_post")
        self._decide(request, queryset, Status.APPROVED)

    @admin.action(description="Make drafts of them again", permissions=["review"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        require(request, "publishing.review_post")
        self._decide(request, queryset, Status.DRAFT)

    @admin.action(description="Publish now …", permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Post]) -> HttpResponse | None:
        require(request, "publishing.publish_post")
        publishers = list(Publisher.objects.filter(is_enabled=True))
        if "confirmed" not in request.POST:
            names = ", ".join(map(str, publishers)) or "nowhere: there is no enabled publisher"
            return ask(
                request,
                self.admin_site,
                action="publish",
                question=f"Publish these posts now? They go to {names}.",
                button="Publish now",
                chosen=queryset,
            )
        self._each(
            request,
            queryset,
            "On their way",
            lambda post: posts.publish_now(
                post, publishers, by=user_of(request), trigger=JobRun.Trigger.ADMIN
            ),
        )
        return None

    def _decide(self, request: HttpRequest, queryset: QuerySet[Post], decision: Post.Status) -> None:
        self._each(
            request,
            queryset,
            str(decision.label),
            lambda post: posts.decide(post, decision, by=user_of(request)),
        )

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Post], said: str, act: Callable[[Post], object]
    ) -> None:
        done = 0
        for post in queryset:
            try:
                act(post)
                done += 1
            except (IllegalState, InvalidInput) as error:
                messages.error(request, f"{post}: {error}")
        if done:
            messages.success(request, f"{said}: {done}.")


def _is_undecided(post: Post | None) -> bool:
    return post is None or post.status in Status.undecided()
