"""Knowledge's panel of the admin's first page: what came in, what fails, and when the next update is."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Q, Window
from django.http import HttpRequest
from django_celery_beat.models import PeriodicTask

from jobs import schedules
from jobs.admin import panels
from knowledge import topics
from knowledge.admin import rows
from knowledge.models import Harvest, Paper, Source, Topic

PAPERS, TOPICS, SOURCES = (f"knowledge.view_{name}" for name in ("paper", "topic", "source"))
#: Papers and troubles that are named; days that count as new.
NEWEST, NAMED, DAYS = 4, 5, 7


def fill(request: HttpRequest, now: datetime) -> dict[str, Any]:
    may = request.user.has_perm
    new, newest = _newest(now) if may(PAPERS) else (None, [])
    failing = _failing() if may(TOPICS) else None
    sources = list(Source.objects.enabled().exclude(problem="")[: NAMED + 1]) if may(SOURCES) else None
    return {
        "new": new,
        "newest": newest,
        "days": DAYS,
        "failing": None
        if failing is None
        else [(one, rows.page_of(request, one.topic)) for one in failing if one.topic],
        "sources": None
        if sources is None
        else [(source, rows.page_of(request, source)) for source in sources],
        "next_at": _next_at(now) if may(TOPICS) else None,
        "sees_topics": may(TOPICS),
    }


def _newest(now: datetime) -> tuple[int, list[Paper]]:
    """How many new papers there are, and some of them."""
    since = now - timedelta(days=DAYS)
    shown = Paper.objects.filter(first_seen_at__gte=since).only("pk", "title", "journal", "is_retracted")
    counted = shown.annotate(new=Window(Count("*"))).order_by("-first_seen_at", "-pk")
    papers = list(counted[:NEWEST])
    # Counted with each of them: one question less on the page that everybody opens.
    return (papers[0].new if papers else 0), papers  # type: ignore[attr-defined]  # annotated


def _failing() -> list[Harvest]:
    """Topics whose last update from some source failed, one harvest for each pair."""
    last = Harvest.objects.filter(topic__is_enabled=True, source__is_enabled=True)
    last = last.order_by("topic_id", "source_id", "-pk").distinct("topic_id", "source_id")
    failed = Harvest.objects.filter(pk__in=last.values("pk"), state=Harvest.State.FAILED)
    return list(failed.select_related("topic", "source").order_by("topic__priority", "topic__name")[:NAMED])


def _next_at(now: datetime) -> datetime | None:
    """When a topic is updated next by itself: by a schedule of its own, or with the nightly update."""
    without_own = Topic.objects.enabled().filter(schedule=None)
    wanted = Q(knowledge_topic__is_enabled=True) | Q(Exists(without_own), name=topics.JOB, task=topics.JOB)
    timing = ("crontab", "interval", "solar", "clocked", "policy")
    timed = PeriodicTask.objects.filter(wanted, enabled=True).select_related(*timing)
    found = [at for schedule in timed if (at := schedules.next_slot_at(schedule, now))]
    return min(found, default=None)


panels.add(
    panels.Panel(
        name="knowledge",
        title="Knowledge",
        template="admin/knowledge/overview.html",
        permissions=(PAPERS, TOPICS, SOURCES),
        fill=fill,
        order=37,
        place="side",
        follows=("run",),
        link=("Search", "knowledge-search", ""),
    )
)
