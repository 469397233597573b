"""Index statistics: how much is known, where it comes from, and whether vectors and updates keep up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone

from jobs.admin import navigation
from jobs.admin.base import require
from knowledge import statistics
from knowledge.admin import looks, plots, rows
from knowledge.models import Harvest, Topic

VIEW = "knowledge.view_paper"
URL_NAME = "knowledge-statistics"
#: Weeks of the first plot, years of the second one.
WEEKS, YEARS = 26, 40
UPDATES = 8

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Index statistics",
        icon="monitoring",
        url_name=URL_NAME,
        permissions=(VIEW,),
        order=395,
    )
)


@dataclass(frozen=True)
class Share:
    """One line of a table of shares."""

    name: str
    count: int
    #: Of the most frequent one, 0 to 100.
    percent: float
    #: The search with this filter.
    query: str = ""


def view(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Index statistics",
        "figures": statistics.index_figures(),
        "plots": [new_by_week(timezone.localdate()), by_year()],
        "tables": [
            ("Sources", shares([(looks.source_name(kind), n) for kind, n in statistics.papers_by_source()])),
            ("Types", shares(statistics.papers_by_type())),
            ("Languages", shares(statistics.papers_by_language())),
            (
                "Documents by category",
                shares([(name or "none", n) for name, n in statistics.documents_by_category()]),
            ),
        ],
        "updates": _updates(request),
        "may_see_topics": rows.may_view(request, Topic),
    }
    return TemplateResponse(request, "admin/knowledge/statistics.html", context)


def new_by_week(today: date) -> plots.Drawn:
    """Papers by the week in which they came in."""
    since = timezone.make_aware(datetime.combine(today - timedelta(days=7 * WEEKS), time()))
    weeks = statistics.by_week(statistics.new_papers(since), today, WEEKS)
    values = [(f"{week.day} {week:%b}", number) for week, number in weeks.items()]
    return plots.bars("New papers by week", values, by="Week from", what="papers")


def by_year() -> plots.Drawn:
    """Papers by year of publication, the last forty of the years there are."""
    found = statistics.papers_by_year()
    last = max(found, default=timezone.now().year)
    first = max(min(found, default=last), last - YEARS + 1)
    values = [(str(year), found.get(year, 0)) for year in range(first, last + 1)]
    return plots.bars("Papers by year of publication", values, by="Year", what="papers")


def shares(counts: Sequence[tuple[str, int]]) -> list[Share]:
    most = max((count for _, count in counts), default=0)
    return [Share(name, count, round(100 * count / most, 1)) for name, count in counts]


def _updates(request: HttpRequest) -> list[tuple[Harvest, str]] | None:
    """The last harvests, each with its run where the person may see it; None for who may not see harvests."""
    if not request.user.has_perm("knowledge.view_harvest"):
        return None
    found = list(Harvest.objects.select_related("topic", "research_job", "source").order_by("-pk")[:UPDATES])
    seen = rows.visible_runs(request, (harvest.run_id for harvest in found))
    return [(harvest, str(harvest.run_id) if harvest.run_id in seen else "") for harvest in found]


def urls(site: Any) -> list[URLPattern]:
    return [path("knowledge/statistics/", site.admin_view(view), name=URL_NAME)]
