"""The content calendar: a month or a week, posts by day, what agents will write, and posts moved in place."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from jobs import display
from jobs.admin.base import require, user_of
from jobs.admin.moments import local_text
from jobs.errors import IllegalState, InvalidInput
from publishing import content_calendar, posts
from publishing.admin.post_actions import closeness, reason
from publishing.admin.post_form import MoveForm
from publishing.admin.post_looks import LOOKS
from publishing.admin.zones import chosen_zone, names, remember, viewer_zone
from publishing.content_calendar import Day, View, Wanted, Writing
from publishing.models import Agent, Post, Publisher

if TYPE_CHECKING:
    from publishing.admin.posts import PostAdmin

Status = Post.Status

#: Approved posts without a time that are listed.
WAITING = 12
_LEGEND = (
    Status.SCHEDULED,
    Status.PUBLISHING,
    Status.PUBLISHED,
    Status.UNCONFIRMED,
    Status.FAILED,
    Status.MISSED,
)


class CalendarForm(forms.Form):
    """What to show. Values that do not fit are left out, as an address may be old."""

    view = forms.ChoiceField(choices=[(view.value, view.value) for view in View], required=False)
    date = forms.DateField(required=False)
    agent = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)
    publisher = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False)

    def clean_date(self) -> Any:
        day = self.cleaned_data["date"]
        if day is not None and not 1971 <= day.year <= 8999:
            raise forms.ValidationError("Use a year between 1971 and 8999.")
        return day

    def value(self, name: str) -> Any:
        """A value that fits, or None."""
        self.is_valid()
        return self.cleaned_data.get(name) or None


@dataclass(frozen=True)
class Refusal:
    """Why a post was not moved, shown at the post with what was typed."""

    post_id: int
    typed: str
    text: str
    #: It may be moved in spite of this.
    is_warning: bool = False


@dataclass(frozen=True)
class ShownPost:
    """A post as the calendar shows it."""

    post: Post
    time: str
    icon: str
    tone: str
    state: str
    at: str
    """Its time, as the field for another one wants it."""
    places: str
    refusal: Refusal | None
    may_move: bool


@dataclass(frozen=True)
class ShownDay:
    """A day as the calendar shows it."""

    day: Day
    posts: list[ShownPost]
    writings: list[tuple[str, Writing]]
    more_url: str
    is_today: bool
    is_outside: bool


class CalendarPage:
    """Shows a month or a week; a post that is scheduled is moved by a form of its own."""

    def __init__(self, admin: "PostAdmin", request: HttpRequest) -> None:
        self.admin = admin
        self.request = request
        self.now = timezone.now()
        self.zone = viewer_zone(request)
        self.today = self.now.astimezone(self.zone).date()
        form = CalendarForm(request.GET)
        self.view: str = form.value("view") or View.MONTH
        self.day: date = form.value("date") or self.today
        self.wanted = Wanted(agent_id=form.value("agent"), publisher_id=form.value("publisher"))
        self.may_move = request.user.has_perm("publishing.publish_post")

    def response(self) -> HttpResponse:
        refusal = None
        if self.request.method == "POST":
            require(self.request, "publishing.publish_post")
            post = get_object_or_404(Post.objects.select_related("agent"), pk=self._posted_id())
            refusal = self._move(post)
            if refusal is None:
                return HttpResponseRedirect(self.request.get_full_path())
        return remember(self.request, self._render(refusal))

    def _posted_id(self) -> int:
        text = self.request.POST.get("post", "")
        return int(text) if text.isdecimal() and len(text) < 19 else 0

    def _move(self, post: Post) -> Refusal | None:
        """Schedule it for the moment that was typed, where it goes already; or say why not."""
        form = MoveForm(self.request.POST, zone=self.zone)
        typed = self.request.POST.get("at", "")
        if not form.is_valid():
            return Refusal(
                post.pk, typed, " ".join(map(str, form.errors.get("at", ["Write a date and a time."])))
            )
        at: datetime = form.cleaned_data["at"]
        if "anyway" not in self.request.POST and (warning := closeness(post, at, self.zone)):
            return Refusal(post.pk, typed, warning, is_warning=True)
        try:
            if post.status != Status.SCHEDULED:
                raise IllegalState("Only what is scheduled is moved here; open the post for more.")
            posts.schedule(post, at, posts.publishers_of(post), by=user_of(self.request))
        except (InvalidInput, IllegalState) as error:
            return Refusal(post.pk, typed, reason(error))
        clock = display.clock(at, self.zone)
        messages.success(self.request, f"“{post}” goes out {clock} {self.zone.key}.")
        return None

    def _render(self, refusal: Refusal | None) -> HttpResponse:
        days = content_calendar.days_of(self.view, self.day)
        agents = list(Agent.objects.complete())
        sees_agents = self.request.user.has_perm("publishing.view_agent")
        found = content_calendar.calendar(
            days, self.zone, wanted=self.wanted, writers=agents if sees_agents else [], now=self.now
        )
        shown = [self._shown(day, refusal) for day in found]
        is_at_its_post = any(one.refusal for day in shown for one in day.posts)
        is_week = self.view == View.WEEK
        context: dict[str, Any] = {
            **self.admin.admin_site.each_context(self.request),
            "opts": self.admin.opts,
            "title": "Calendar",
            "heading": self._heading(days),
            "view": self.view,
            "weeks": [shown[start : start + 7] for start in range(0, len(shown), 7)],
            "names": [f"{day:%A}" for day in days[:7]],
            "is_empty": all(day.is_empty for day in found),
            "earlier": self._query(date=self._neighbour(-1)),
            "later": self._query(date=self._neighbour(1)),
            "current": self._query(date=None),
            "as_month": self._query(view=View.MONTH.value),
            "as_week": self._query(view=View.WEEK.value),
            "is_week": is_week,
            "date": self.day,
            "agents": agents,
            "publishers": Publisher.objects.only("pk", "name"),
            "wanted": self.wanted,
            "zone": self.zone.key,
            "is_zone_chosen": chosen_zone(self.request) is not None,
            "zones": names(),
            "utc_offset": f"{self.now.astimezone(self.zone):%z}",
            "legend": [(*LOOKS[status], str(status.label)) for status in _LEGEND],
            "waiting": self._waiting(),
            "refusal": None if is_at_its_post else refusal,
            "may_move": self.may_move,
            "address": self.request.get_full_path(),
        }
        return TemplateResponse(self.request, "admin/publishing/post/calendar.html", context)

    def _shown(self, day: Day, refusal: Refusal | None) -> ShownDay:
        address = reverse("admin:publishing_post_changelist")
        filters = {"agent": self.wanted.agent_id, "publisher": self.wanted.publisher_id}
        query = urlencode({"day": day.date, **{name: value for name, value in filters.items() if value}})
        return ShownDay(
            day=day,
            posts=[self._post(post, refusal) for post in day.posts],
            writings=[(f"{one.at.astimezone(self.zone):%H:%M}", one) for one in day.writings],
            more_url=f"{address}?{query}",
            is_today=day.date == self.today,
            is_outside=self.view == View.MONTH and day.date.month != self.day.month,
        )

    def _post(self, post: Post, refusal: Refusal | None) -> ShownPost:
        at: datetime = post.at  # type: ignore[attr-defined]  # annotated by the query
        icon, tone = LOOKS[post.status]
        refused = refusal if refusal is not None and refusal.post_id == post.pk else None
        return ShownPost(
            post=post,
            time=f"{at.astimezone(self.zone):%H:%M}",
            icon=icon,
            tone=tone,
            state=str(Status(post.status).label),
            at=refused.typed if refused else local_text(at.replace(second=0), self.zone),
            places=", ".join(str(row.publisher) for row in post.publications.all()),
            refusal=refused,
            may_move=self.may_move and post.status == Status.SCHEDULED,
        )

    def _waiting(self) -> list[Post]:
        """Approved posts that nobody has given a time, the oldest first."""
        rows = (
            Post.objects.filter(status=Status.APPROVED).select_related("agent").only("title", "agent__name")
        )
        if self.wanted.agent_id is not None:
            rows = rows.filter(agent_id=self.wanted.agent_id)
        return list(rows.order_by("pk")[:WAITING])

    def _heading(self, days: list[date]) -> str:
        if self.view == View.MONTH:
            return f"{self.day:%B %Y}"
        first, last = days[0], days[-1]
        return f"{first.day} {first:%B} to {last.day} {last:%B %Y}"

    def _neighbour(self, step: int) -> date:
        if self.view == View.WEEK:
            return self.day + step * timedelta(days=7)
        first = self.day.replace(day=1)
        return (first + step * timedelta(days=31 if step > 0 else 1)).replace(day=1)

    def _query(self, **changes: object) -> str:
        """The address of the same page with other values; None leaves one out."""
        kept = {
            name: value
            for name, value in self.request.GET.items()
            if name not in {*changes, "zone"} and value
        }
        given = {name: value for name, value in changes.items() if value is not None}
        return "?" + urlencode({**kept, **given})
