"""Posts: written here or by agents, decided on, published."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import require, user_of
from jobs.errors import IllegalState
from publishing import posts
from publishing.admin.calendar import CalendarPage
from publishing.admin.post_actions import PostActions
from publishing.admin.post_filters import AgentFilter, DayFilter, PublisherFilter, TroubleFilter, tabs
from publishing.admin.post_looks import places, score_label, status_badge
from publishing.admin.post_page import PostPage, page_of
from publishing.models import Post

Status = Post.Status

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Calendar",
        icon="calendar_view_month",
        url_name="admin:publishing_post_calendar",
        permissions=("publishing.view_post",),
        order=215,
    ),
    navigation.Entry(
        group="Publishing",
        title="Posts",
        icon="article",
        url_name="admin:publishing_post_changelist",
        permissions=("publishing.view_post",),
        order=220,
    ),
)


@admin.register(Post)
class PostAdmin(PostActions):
    list_display = ("title_and_agent", "status_label", "score_label", "words", "when", "places")
    list_filter = ("status", AgentFilter, PublisherFilter, TroubleFilter, "language", DayFilter)
    list_select_related = ("agent",)
    list_before_template = "admin/publishing/post/_tabs.html"
    search_fields = ("title", "excerpt", "slug", "agent__name")
    search_help_text = "Title, excerpt, address or agent"
    ordering = ("-pk",)
    sortable_by = ("score_label", "words")
    list_per_page = 50
    show_full_result_count = False
    actions = ("submit", "approve", "reject", "publish", "withdraw")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Post]:
        return super().get_queryset(request).defer("body_html", "notes")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }

    # Pages

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("calendar/", view(self.calendar_view), name="publishing_post_calendar"),
            path("check/", view(self.check_view), name="publishing_post_check_new"),
            path("preview/", view(self.preview_view), name="publishing_post_preview_new"),
            path("<int:pk>/check/", view(self.check_view), name="publishing_post_check"),
            path("<int:pk>/preview/", view(self.preview_view), name="publishing_post_preview"),
            *self.action_urls(),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        shown = {"tabs": tabs(request) if self.has_view_permission(request) else []}
        return super().changelist_view(request, {**(extra_context or {}), **shown})

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        found.result_list = found.result_list.prefetch_related("publications__publisher")
        return found

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        post = self._post(request, object_id) if object_id is not None else None
        return PostPage(self, request, post).response()

    def calendar_view(self, request: HttpRequest) -> HttpResponse:
        require(request, "publishing.view_post")
        return CalendarPage(self, request).response()

    def check_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        return PostPage(self, request, self._post(request, pk)).check()

    def preview_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        return PostPage(self, request, self._post(request, pk)).preview()

    def _post(self, request: HttpRequest, key: str | int | None) -> Post | None:
        """The post of a page, for those who may view posts; None when no key names one."""
        if key is None:
            return None
        require(request, "publishing.view_post")
        found = Post.objects.complete().filter(pk=key).first() if str(key).isdecimal() else None
        if found is None:
            raise Http404("There is no such post.")
        return found

    # Deleting: the domain decides, and keeps the audit row

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except IllegalState as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(page_of(Post(pk=int(object_id))))

    def delete_model(self, request: HttpRequest, obj: Post) -> None:
        posts.delete(obj, by=user_of(request))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Nothing: `posts.delete` writes the audit row."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What belongs to a post goes with it, and needs no permission of its own."""
        return [str(post) for post in objs], {"posts": len(objs)}, set(), []

    def has_delete_permission(self, request: HttpRequest, obj: Post | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (
            obj is None or obj.status in Status.undecided()
        )

    # What the list shows

    @admin.display(description="Post")
    def title_and_agent(self, post: Post) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            post.title,
            post.agent or "",
        )

    @admin.display(description="State")
    def status_label(self, post: Post) -> SafeString:
        return status_badge(post.status)

    @admin.display(description="Score", ordering="score")
    def score_label(self, post: Post) -> SafeString | str:
        return score_label(post.score)

    @admin.display(description="Words", ordering="word_count")
    def words(self, post: Post) -> str:
        return f"{post.word_count:,}"

    @admin.display(description="Goes out")
    def when(self, post: Post) -> SafeString | str:
        if post.status == Status.SCHEDULED or post.published_at is None:
            return display.moment(post.scheduled_at)
        return display.moment(post.published_at)

    @admin.display(description="Publishers")
    def places(self, post: Post) -> SafeString | str:
        return places(list(post.publications.all()))
