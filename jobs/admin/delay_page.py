"""The page that tells what runs spend their time on: over a window, by job or queue."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold import widgets

from jobs import delay_statistics
from jobs.admin import bars, navigation
from jobs.admin.base import require, user_of
from jobs.definitions import all_jobs, find_job
from jobs.delay_statistics import Spent
from jobs.delays import Kind
from jobs.models import visibility_of

VIEW = "jobs.view_jobrun"

navigation.add(
    navigation.Entry(
        group="Jobs",
        title="Delays",
        icon="hourglass_bottom",
        url_name="admin:jobs_jobrun_delays",
        permissions=(VIEW,),
        order=26,
    )
)

_WINDOWS = {
    "1h": ("The last hour", timedelta(hours=1)),
    "24h": ("The last 24 hours", timedelta(hours=24)),
    "7d": ("The last 7 days", timedelta(days=7)),
    "30d": ("The last 30 days", timedelta(days=30)),
}
_SHOWN = {"waits": "Waiting only", "all": "Waiting and running"}
#: Rows of the table; the slowest come first.
_ROWS = 50
#: Height of the drawing over time, in the units of its box.
_HEIGHT = 120.0


class DelayForm(forms.Form):
    """What to look at."""

    window = forms.ChoiceField(
        choices=[(name, title) for name, (title, _) in _WINDOWS.items()],
        required=False,
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    by = forms.ChoiceField(
        choices=[("job", "By job"), ("queue", "By queue")],
        required=False,
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    show = forms.ChoiceField(
        choices=list(_SHOWN.items()), required=False, widget=widgets.UnfoldAdminSelectWidget()
    )
    job = forms.ChoiceField(required=False, widget=widgets.UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        job: Any = self.fields["job"]
        job.choices = [("", "All jobs"), *((job.name, job.title) for job in all_jobs())]


@dataclass(frozen=True)
class Row:
    """One job or queue."""

    spent: Spent
    title: str
    bar: list[bars.Segment]
    shares: list[delay_statistics.Share]


@dataclass(frozen=True)
class Column:
    """One piece of the window, drawn as a stack of boxes."""

    spent: Spent
    x: float
    width: float
    boxes: list[tuple[bars.Segment, float, float]]

    @property
    def at(self) -> datetime | None:
        return self.spent.at


def urls(site: AdminSite) -> list[URLPattern]:
    return [path("delays/", site.admin_view(page(site)), name="jobs_jobrun_delays")]


def page(site: AdminSite) -> Any:
    """The view."""

    def view(request: HttpRequest) -> HttpResponse:
        require(request, VIEW)
        form = DelayForm(request.GET or {"window": "24h", "by": "job", "show": "waits"})
        chosen = form.cleaned_data if form.is_valid() else {}
        window = _WINDOWS[chosen.get("window") or "24h"][1]
        now = timezone.now()
        found = delay_statistics.of_window(
            now - window,
            now,
            by=chosen.get("by") or "job",
            job=chosen.get("job") or None,
            seen=visibility_of(user_of(request)),
        )
        hidden = {Kind.EXECUTION} if (chosen.get("show") or "waits") == "waits" else set()
        columns = _columns(found, hidden)
        context = {
            **site.each_context(request),
            "title": "Delays",
            "form": form,
            "found": found,
            "columns": columns,
            "tallest": max((_sum(spent, hidden) for spent in found.over_time), default=0),
            "rows": _rows(found, hidden),
            "kinds": [kind for kind in delay_statistics.KINDS if kind not in hidden],
            "is_waits_only": bool(hidden),
        }
        return TemplateResponse(request, "admin/jobs/delays/page.html", context)

    return view


def _rows(found: delay_statistics.DelayStatistics, hidden: set[Kind]) -> list[Row]:
    chosen = sorted(found.groups, key=lambda spent: _sum(spent, hidden), reverse=True)[:_ROWS]
    longest = max((_sum(spent, hidden) for spent in chosen), default=0) or None
    rows = []
    for spent in chosen:
        shares = [share for share in spent.shares if share.kind not in hidden]
        job = find_job(spent.name or "") if found.by == "job" else None
        bar = bars.stack(((share.kind, share.mean) for share in shares), whole=longest)
        rows.append(Row(spent, job.title if job else spent.name or "", bar, shares))
    return rows


def _columns(found: delay_statistics.DelayStatistics, hidden: set[Kind]) -> list[Column]:
    """The pieces of the window from left to right; those without a run leave a gap."""
    tallest = max((_sum(spent, hidden) for spent in found.over_time), default=0)
    window = (found.until - found.since) / found.step
    width = bars.FULL / max(window, 1)
    columns = []
    for spent in found.over_time:
        assert spent.at is not None  # noqa: S101 - the statement groups by it
        shares = [(share.kind, share.mean) for share in spent.shares if share.kind not in hidden]
        boxes, top = [], _HEIGHT
        for segment in bars.stack(shares, whole=tallest):
            height = segment.width / bars.FULL * _HEIGHT
            top -= height
            boxes.append((segment, round(top, 2), round(height, 2)))
        x = (spent.at - found.since) / found.step * width
        columns.append(Column(spent, round(x + width * 0.1, 2), round(width * 0.8, 2), boxes))
    return columns


def _sum(spent: Spent, hidden: set[Kind]) -> float:
    return sum(share.mean for share in spent.shares if share.kind not in hidden)
