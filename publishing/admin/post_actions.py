"""What people do with posts, one or many: each with its own permission, which is asked again when it is done."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from jobs import display
from jobs.admin.base import ModelAdmin, require, user_of
from jobs.errors import IllegalState, InvalidInput
from jobs.models import JobRun
from publishing import content_calendar, posts
from publishing.admin.post_form import NoteForm, OptionalPublishersForm, PublishersForm, ScheduleForm
from publishing.admin.post_page import page_of
from publishing.admin.zones import viewer_zone
from publishing.models import Post, Publisher

#: Posts named on the page that asks.
NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Action:
    """Something that can be done with a post; its name is that of `posts.possible`."""

    name: str
    title: str
    icon: str
    permission: str
    question: str
    said: str
    tone: str = ""
    #: Of many posts at once, too.
    is_for_many: bool = True

    @property
    def needs_answer(self) -> bool:
        """It wants to be told something, or is not undone easily: a page of its own asks."""
        return self.name not in ("submit", "approve")


ACTIONS = {
    action.name: action
    for action in (
        Action(
            name="submit",
            title="Ask for a review",
            icon="rate_review",
            permission="publishing.change_post",
            question="Ask for a review?",
            said="In review",
        ),
        Action(
            name="approve",
            title="Approve",
            icon="thumb_up",
            permission="publishing.review_post",
            question="Approve?",
            said="Approved",
            tone="primary",
        ),
        Action(
            name="schedule",
            title="Schedule",
            icon="schedule",
            permission="publishing.publish_post",
            question="When shall it go out, and where?",
            said="Scheduled",
            is_for_many=False,
        ),
        Action(
            name="publish",
            title="Publish now",
            icon="send",
            permission="publishing.publish_post",
            question="Publish now? Readers will see it within seconds.",
            said="On their way",
        ),
        Action(
            name="reject",
            title="Send back",
            icon="undo",
            permission="publishing.review_post",
            question="Make a draft of it again? What was scheduled is not sent.",
            said="Sent back",
        ),
        Action(
            name="withdraw",
            title="Take it back",
            icon="unpublished",
            permission="publishing.publish_post",
            question="Take it back from every publisher that has it?",
            said="To be taken back",
            tone="danger",
        ),
    )
}


class PostActions(ModelAdmin[Post]):
    """The part of the posts' admin that acts: the pages and bulk actions of `ACTIONS`."""

    def action_urls(self) -> list[URLPattern]:
        return [
            path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(_page(self, action)),
                name=f"publishing_post_{name}",
            )
            for name, action in ACTIONS.items()
        ]

    def actions_on(self, request: HttpRequest, post: Post) -> list[tuple[Action, str]]:
        """What this person may do with the post in its state, each with its address."""
        possible = posts.possible(post)
        return [
            (action, reverse(f"admin:publishing_post_{name}", args=[post.pk]))
            for name, action in ACTIONS.items()
            if name in possible and request.user.has_perm(action.permission)
        ]

    # Of many. Each name ends with what `posts` calls it.

    def has_submit_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ACTIONS["submit"].permission)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.review_post")

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("publishing.publish_post")

    @admin.action(description="Ask for a review …", permissions=["submit"])
    def submit(self, request: HttpRequest, queryset: QuerySet[Post]) -> HttpResponse | None:
        return _many(self, request, queryset, ACTIONS["submit"])

    @admin.action(description="Approve …", permissions=["review"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Post]) -> HttpResponse | None:
        return _many(self, request, queryset, ACTIONS["approve"])

    @admin.action(description="Send back …", permissions=["review"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Post]) -> HttpResponse | None:
        return _many(self, request, queryset, ACTIONS["reject"])

    @admin.action(description="Publish now …", permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[Post]) -> HttpResponse | None:
        return _many(self, request, queryset, ACTIONS["publish"])

    @admin.action(description="Take back …", permissions=["publish"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Post]) -> HttpResponse | None:
        return _many(self, request, queryset, ACTIONS["withdraw"])


def _page(admin: PostActions, action: Action) -> Callable[..., HttpResponse]:
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        require(request, "publishing.view_post", action.permission)
        post = get_object_or_404(Post.objects.select_related("agent"), pk=pk)
        is_asked = request.method == "POST"
        form = _form(action, request, post)
        warning = ""
        if is_asked and form.is_valid():
            warning = _warning(action, request, post, form)
            try:
                if not warning:
                    _tell(request, _act(action, request, post, form), f"{action.said}: {post}.")
                    return HttpResponseRedirect(page_of(post))
            except InvalidInput as error:
                for name, reasons in error.fields.items():
                    form.add_error({"scheduled_at": "at"}.get(name, name), reasons)
            except IllegalState as error:
                form.add_error(None, str(error))
        refusal = "" if action.name in posts.possible(post) else _refusal(post, action)
        context = {
            "form": form,
            "warning": warning,
            "refusal": refusal if not is_asked else "",
            "action": action,
            "original": post,
            "items": [str(post)],
            "back": page_of(post),
        }
        return _asked(admin, request, action, context)

    return view


def _many(
    admin: PostActions, request: HttpRequest, queryset: QuerySet[Post], action: Action
) -> HttpResponse | None:
    require(request, "publishing.view_post", action.permission)
    form = _form(action, request, None)
    if "confirmed" in request.POST and form.is_valid():
        _do_all(action, request, queryset, form)
        return None
    items = [str(post) for post in queryset[: NAMED + 1]]
    count = len(items) if len(items) <= NAMED else queryset.count()
    context = {
        "form": form,
        "action": action,
        "items": items[:NAMED],
        "more": max(0, count - NAMED),
        "bulk": action.name,
        "selected": list(queryset.values_list("pk", flat=True)),
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
        "back": reverse("admin:publishing_post_changelist"),
    }
    return _asked(admin, request, action, context)


def _asked(admin: PostActions, request: HttpRequest, action: Action, context: dict[str, Any]) -> HttpResponse:
    common = {**admin.admin_site.each_context(request), "opts": admin.opts, "title": action.title}
    return TemplateResponse(request, "admin/publishing/post/act.html", common | context)


def _form(action: Action, request: HttpRequest, post: Post | None) -> forms.Form:
    """What the action wants to be told; filled in on a page that asks the first time."""
    is_sent = request.method == "POST" and (post is not None or "confirmed" in request.POST)
    data = request.POST if is_sent else None
    if action.name == "schedule" and post is not None:
        zone = viewer_zone(request)
        at = post.scheduled_at or _suggestion(post, zone)
        initial = {"at": at.replace(second=0, microsecond=0), "publishers": _usual(post)}
        return ScheduleForm(data, zone=zone, initial=initial)
    if action.name == "publish":
        if post is None:
            return OptionalPublishersForm(data)
        return PublishersForm(data, initial={"publishers": _usual(post)})
    if action.name == "withdraw":
        return forms.Form(data)
    return NoteForm(data, is_required=action.name == "reject")


def _act(action: Action, request: HttpRequest, post: Post, form: forms.Form) -> JobRun | None:
    """Do it; gives the run that does the rest, if one does."""
    by, given = user_of(request), form.cleaned_data
    if action.name in posts.DECISIONS:
        posts.decide(post, posts.DECISIONS[action.name], by=by, note=given["note"])
        return None
    if action.name == "schedule":
        posts.schedule(post, given["at"], list(given["publishers"]), by=by)
        return None
    if action.name == "publish":
        chosen = list(given["publishers"]) or posts.publishers_of(post)
        return posts.publish_now(post, chosen, by=by, trigger=JobRun.Trigger.ADMIN)
    return posts.withdraw(post, by=by, trigger=JobRun.Trigger.ADMIN)


def _do_all(action: Action, request: HttpRequest, queryset: QuerySet[Post], form: forms.Form) -> None:
    done = 0
    for post in queryset.select_related("agent"):
        try:
            _act(action, request, post, form)
            done += 1
        except (IllegalState, InvalidInput) as error:
            messages.error(request, f"{post}: {reason(error)}")
    if done:
        messages.success(request, f"{action.said}: {done}.")


def _tell(request: HttpRequest, run: JobRun | None, said: str) -> None:
    if run is None or not request.user.has_perm("jobs.view_jobrun"):
        messages.success(request, said)
        return
    address = reverse("admin:jobs_jobrun_change", args=[run.pk])
    link = format_html('{} <a class="jobs-link" href="{}">See the run</a>', said, address)
    messages.success(request, link)


def reason(error: IllegalState | InvalidInput) -> str:
    """Why not, without the names of fields."""
    if isinstance(error, InvalidInput):
        return " ".join(text for texts in error.fields.values() for text in texts)
    return str(error)


def _refusal(post: Post, action: Action) -> str:
    words = str(Post.Status(post.status).label).lower()
    return f"{action.title}: that cannot be done while the post is {words}."


def _warning(action: Action, request: HttpRequest, post: Post, form: forms.Form) -> str:
    if action.name != "schedule" or "anyway" in request.POST:
        return ""
    return closeness(post, form.cleaned_data["at"], viewer_zone(request))


def closeness(post: Post, at: datetime, zone: ZoneInfo) -> str:
    """Says that another post of the same agent goes out within the hour; "" if none does."""
    other = content_calendar.close_to(post, at)
    if other is None:
        return ""
    when = display.clock(getattr(other, "at"), zone)  # noqa: B009 - annotated by the query
    return f"Within the hour of it {post.agent} has another post: “{other}”, {when} {zone.key}."


def _usual(post: Post) -> Sequence[Publisher]:
    """Where it is scheduled for, or where its agent publishes; or the only publisher there is."""
    usual = [publisher for publisher in posts.publishers_of(post) if publisher.is_enabled]
    every = list(Publisher.objects.filter(is_enabled=True)[:2]) if not usual else []
    return usual or (every if len(every) == 1 else [])


def _suggestion(post: Post, zone: ZoneInfo) -> datetime:
    """The hour of its agent's scheduled posts on the day to come, or the next full hour."""
    now = timezone.now()
    if post.agent is None:
        return (now + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    zone, hour = post.agent.zone, post.agent.publish_at
    today = now.astimezone(zone).replace(hour=hour.hour, minute=hour.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)
