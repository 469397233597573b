"""Publishing's panel of the admin's first page: what goes out next, what needs a person, what is broken, what it costs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from jobs.admin import panels
from publishing import usage
from publishing.admin.sources import state_badge
from publishing.models import Post, Publication, Source

NEXT = 5
BROKEN = 5
POSTS, PUBLICATIONS, SOURCES = (f"publishing.view_{name}" for name in ("post", "publication", "source"))
USAGE = "publishing.view_usagerecord"

State = Publication.State
_LEFT = {
    State.FAILED: ("Failed", "error"),
    State.MISSED: ("Missed", "event_busy"),
    State.UNCONFIRMED: ("Unconfirmed", "help"),
    State.PUBLISHED: ("Not changed there", "sync_problem"),
}


@dataclass(frozen=True)
class Need:
    """Something that waits for a person, and where to look."""

    title: str
    icon: str
    count: int
    url: str

    @property
    def text(self) -> str:
        return f"{self.title}: {self.count:,}"

    @property
    def tone(self) -> str:
        return "calm" if not self.count else "busy" if self.icon == "rate_review" else "bad"


def fill(request: HttpRequest, now: datetime) -> dict[str, Any]:
    may = request.user.has_perm
    broken = list(Source.objects.broken().broken_first()[: BROKEN + 1]) if may(SOURCES) else None
    month, last_month = usage.months(now, timezone.localdate(now)) if may(USAGE) else (None, None)
    return {
        "upcoming": _upcoming() if may(POSTS) else None,
        "needs": _needs(request),
        "broken": None if broken is None else [(source, state_badge(source)) for source in broken[:BROKEN]],
        "has_more_broken": broken is not None and len(broken) > BROKEN,
        "month": month,
        "last_month": last_month,
    }


def _upcoming() -> list[Post]:
    """What goes out next."""
    scheduled = Post.objects.filter(status=Post.Status.SCHEDULED).order_by("scheduled_at", "pk")
    return list(scheduled.select_related("agent").defer("body_html")[:NEXT])


def _needs(request: HttpRequest) -> list[Need]:
    """Counts of what waits for a person; only those that the reader may look at."""
    found = []
    if request.user.has_perm(POSTS):
        count = Post.objects.filter(status=Post.Status.IN_REVIEW).count()
        url = f"{reverse('admin:publishing_post_changelist')}?status__exact={Post.Status.IN_REVIEW.value}"
        found.append(Need("In review", "rate_review", count, url))
    if request.user.has_perm(PUBLICATIONS):
        rows = Publication.objects.left_to_people().order_by().values_list("state")
        counts = dict(rows.annotate(Count("pk")))
        address = reverse("admin:publishing_publication_changelist")
        for state, (title, icon) in _LEFT.items():
            if counts.get(state.value) or state != State.PUBLISHED:
                url = f"{address}?left=yes&state__exact={state.value}"
                found.append(Need(title, icon, counts.get(state.value, 0), url))
    return found


panels.add(
    panels.Panel(
        name="publishing",
        title="Publishing",
        template="admin/publishing/overview.html",
        permissions=(POSTS, PUBLICATIONS, SOURCES, USAGE),
        fill=fill,
        order=35,
        follows=("run",),
    )
)
