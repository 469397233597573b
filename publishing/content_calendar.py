"""The content calendar: which posts go out or went out on each day, and when agents will write."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, DateTimeField, F, OuterRef, Q, QuerySet, Subquery, When, Window
from django.db.models.functions import Coalesce, RowNumber, TruncDate

from jobs import timeline
from jobs.models import Schedule
from jobs.timeline import Span
from publishing.models import Agent, Post, Publication

Status = Post.Status

#: Posts of one agent closer than this are more than its readers want at once.
CLOSE = timedelta(hours=1)
#: Posts of a day that are shown.
SHOWN = 4
_DAY = timedelta(days=1)
#: Their day is that of their publications, or the one they were scheduled for.
_UNDER_WAY = [Status.PUBLISHING, Status.FAILED, Status.UNCONFIRMED, Status.MISSED, Status.WITHDRAWN]


class View(StrEnum):
    """How much is shown."""

    MONTH = "month"
    WEEK = "week"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is shown of all."""

    agent_id: int | None = None
    publisher_id: int | None = None


@dataclass(frozen=True)
class Writing:
    """An agent will write on this day, by its schedule."""

    agent: Agent
    #: The first time of the day.
    at: datetime
    times: int = 1


@dataclass
class Day:
    """One day in the zone of whoever looks."""

    date: date
    posts: list[Post] = field(default_factory=list)
    #: Posts of the day that are not among them.
    more: int = 0
    writings: list[Writing] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.posts or self.writings)


def days_of(view: str, day: date) -> list[date]:
    """The days shown: the week of a day, or every week that its month has a part in. Weeks begin on Monday."""
    first, last = day, day
    if view == View.MONTH:
        first = day.replace(day=1)
        last = (first + 31 * _DAY).replace(day=1) - _DAY
    first -= first.weekday() * _DAY
    last += (6 - last.weekday()) * _DAY
    return [first + number * _DAY for number in range((last - first).days + 1)]


def dated(posts: QuerySet[Post]) -> QuerySet[Any]:
    """Those that have a time, with it as `at`: when it went out, is to go out, or was to."""
    due = Publication.objects.filter(post=OuterRef("pk")).order_by("due_at").values("due_at")[:1]
    planned = Coalesce("scheduled_at", Subquery(due), "published_at")
    at = Case(
        When(status=Status.PUBLISHED, then=F("published_at")),
        default=planned,
        output_field=DateTimeField(),
    )
    return posts.filter(status__in=[Status.SCHEDULED, Status.PUBLISHED, *_UNDER_WAY]).annotate(at=at)


def between(posts: QuerySet[Post], start: datetime, end: datetime) -> QuerySet[Any]:
    """Those of a stretch of time, its end left out; each branch has an index."""
    is_there = Q(status=Status.PUBLISHED, published_at__gte=start, published_at__lt=end)
    is_planned = Q(status=Status.SCHEDULED, scheduled_at__gte=start, scheduled_at__lt=end)
    is_under_way = Q(status__in=_UNDER_WAY, at__gte=start, at__lt=end)
    return dated(posts).filter(is_there | is_planned | is_under_way)


def on_day(posts: QuerySet[Post], day: date, zone: ZoneInfo) -> QuerySet[Any]:
    return between(posts, midnight(day, zone), midnight(day + _DAY, zone))


def calendar(
    days: Sequence[date],
    zone: ZoneInfo,
    *,
    wanted: Wanted,
    writers: Iterable[Agent],
    now: datetime,
) -> list[Day]:
    """The days with their posts, and with what these agents will write."""
    start, end = midnight(days[0], zone), midnight(days[-1] + _DAY, zone)
    found = between(_chosen(wanted), start, end).annotate(day=TruncDate("at", tzinfo=zone))
    counts = dict(found.order_by().values_list("day").annotate(posts=Count("pk")))
    rank = Window(RowNumber(), partition_by=F("day"), order_by=[F("at"), F("pk")])
    shown = found.annotate(rank=rank).filter(rank__lte=SHOWN).order_by("at", "pk")
    rows = shown.defer("body_html", "notes", "excerpt").select_related("agent")
    made = {day: Day(day) for day in days}
    for post in rows.prefetch_related("publications__publisher"):
        made[post.day].posts.append(post)
    for day, writings in _writings(writers, wanted, start, end, zone, now).items():
        made[day].writings = sorted(writings, key=lambda one: one.at)
    for shown_day in made.values():
        shown_day.more = counts.get(shown_day.date, 0) - len(shown_day.posts)
    return list(made.values())


def _chosen(wanted: Wanted) -> QuerySet[Post]:
    posts: QuerySet[Post] = Post.objects.all()
    if wanted.agent_id is not None:
        posts = posts.filter(agent_id=wanted.agent_id)
    if wanted.publisher_id is not None:
        there = Publication.objects.filter(publisher_id=wanted.publisher_id)
        posts = posts.filter(pk__in=there.values("post_id"))
    return posts


def _writings(
    agents: Iterable[Agent], wanted: Wanted, start: datetime, end: datetime, zone: ZoneInfo, now: datetime
) -> dict[date, list[Writing]]:
    span, found = Span(start, end - start, 1, zone), defaultdict(list)
    for agent in agents:
        if agent.schedule is None or not agent.is_enabled or not _is_wanted(agent, wanted):
            continue
        by_day: dict[date, list[datetime]] = defaultdict(list)
        # A schedule is a periodic task seen by other eyes.
        for at in timeline.coming(cast(Schedule, agent.schedule), span, now):
            by_day[at.astimezone(zone).date()].append(at)
        for day, times in by_day.items():
            found[day].append(Writing(agent, times[0], len(times)))
    return found


def _is_wanted(agent: Agent, wanted: Wanted) -> bool:
    is_published = wanted.publisher_id is None or any(
        publisher.pk == wanted.publisher_id for publisher in agent.publishers.all()
    )
    return is_published and wanted.agent_id in (None, agent.pk)


def close_to(post: Post, at: datetime) -> Post | None:
    """Another post of the same agent that goes out, or went out, within the hour."""
    if post.agent_id is None:
        return None
    others = Post.objects.filter(agent_id=post.agent_id).exclude(pk=post.pk)
    near = between(others, at - CLOSE, at + CLOSE).filter(at__gt=at - CLOSE)
    return near.exclude(status=Status.WITHDRAWN).defer("body_html").order_by("at").first()


def midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(ZoneInfo("UTC"))
