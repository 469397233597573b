"""The timeline of schedules: outcomes of past slots, slots to come, and how full each minute is."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from jobs import display, timeline
from jobs.admin.base import require
from jobs.definitions import all_jobs
from jobs.models import JobRun, Schedule
from jobs.timeline import Cell, Filter, Lane, Minutes, Span, View

PER_PAGE = 25
DAYS_OF_ONE = 14
#: Slots of one day that are listed on a schedule's own timeline.
LISTED = 300
_DAY = timedelta(days=1)
SEES_RUNS = "jobs.view_jobrun"


class TimelineForm(forms.Form):
    """What to show. Values that do not fit are left out, as an address may be old."""

    view = forms.ChoiceField(choices=[(View.DAY, "Day"), (View.WEEK, "Week")], required=False)
    date = forms.DateField(required=False, widget=forms.DateInput({"type": "date"}))
    job = forms.CharField(required=False, max_length=200)
    queue = forms.CharField(required=False, max_length=100)
    schedule = forms.CharField(required=False, max_length=200)
    outcome = forms.ChoiceField(choices=[("", "any"), *JobRun.Status.choices], required=False)

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
class ShownCell:
    """A cell as the template draws it."""

    look: str
    """Its class: an outcome, "coming" or "empty"."""
    icon: str
    count: str
    words: str
    url: str
    is_mixed: bool
    """Some of its slots are still to come."""


@dataclass(frozen=True)
class Heat:
    """One cell of the heat map: its place, its step from 0 to 5, and what it says."""

    x: int
    y: int
    step: int
    words: str


def timeline_view(
    request: HttpRequest, context: dict[str, Any], schedules: QuerySet[Schedule]
) -> HttpResponse:
    """The page of all schedules that a person may see."""
    require(request, "jobs.view_schedule", SEES_RUNS)
    now, zone = timezone.now(), ZoneInfo(timezone.get_current_timezone_name())
    form = TimelineForm(request.GET)
    day: date = form.value("date") or now.astimezone(zone).date()
    view: str = form.value("view") or View.DAY
    span = timeline.span_of(view, day, zone)
    wanted = Filter(**{name: form.value(name) or "" for name in ("job", "queue", "schedule", "outcome")})
    rows = timeline.chosen(schedules, wanted, span)
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    lanes = timeline.lanes(list(page.object_list), span, now)
    step = _DAY if view == View.DAY else 7 * _DAY
    load = timeline.minutes(span, now)
    shown = {
        "title": "Timeline",
        "day": day,
        "view": view,
        "views": View,
        "wanted": wanted,
        "outcomes": JobRun.Status.choices,
        "jobs": [(job.name, job.title) for job in all_jobs()],
        "queues": sorted({job.queue for job in all_jobs()}),
        "page": page,
        "earlier": _query(request, date=day - step),
        "later": _query(request, date=day + step),
        "today": _query(request, date=None),
        "pages": [
            (name, _query(request, page=number)) for name, number in _neighbours(page) if number is not None
        ],
        "heads": _heads(span, view),
        "lanes": [(lane, _cells(lane, span)) for lane in lanes],
        "heat": heat_of(load, view, zone),
        "heat_width": 60 if view == View.DAY else 24,
        "heat_rows": span.cells if view == View.DAY else 7,
        "heat_labels": _heat_labels(span, view),
        "load": load,
        "busiest": [(display.clock(at, zone), runs) for at, runs in load.busiest],
        "zone": zone.key,
        "legend": legend(),
    }
    return TemplateResponse(request, "admin/jobs/schedule/timeline.html", {**context, **shown})


def schedule_timeline_view(request: HttpRequest, context: dict[str, Any], schedule: Schedule) -> HttpResponse:
    """The page of one schedule: two weeks by the hour, and each slot of one day."""
    require(request, "jobs.view_schedule", SEES_RUNS)
    now, zone = timezone.now(), ZoneInfo(timezone.get_current_timezone_name())
    today = now.astimezone(zone).date()
    day: date = TimelineForm(request.GET).value("date") or today
    first = day - timedelta(days=DAYS_OF_ONE - 4)
    days = [first + timedelta(days=number) for number in range(DAYS_OF_ONE)]
    rows = []
    for shown_day in days:
        span = timeline.span_of(View.DAY, shown_day, zone)
        (lane,) = timeline.lanes([schedule], span, now)
        rows.append((shown_day, _query(request, date=shown_day), _cells(lane, span)))
    span = timeline.span_of(View.DAY, day, zone)
    slots = JobRun.objects.visible_to(request.user).filter(
        schedule_id=schedule.pk, scheduled_for__gte=span.start, scheduled_for__lt=span.end
    )
    shown = {
        "title": f"Timeline of {schedule.name}",
        "original": schedule,
        "day": day,
        "rows": rows,
        "heads": _heads(span, View.DAY),
        "slots": slots.only("id", "status", "reason", "scheduled_for", "started_at", "finished_at").order_by(
            "scheduled_for"
        )[:LISTED],
        "coming": [display.clock(at, zone) for at in timeline.coming(schedule, span, now)[:LISTED]],
        "earlier": _query(request, date=day - 7 * _DAY),
        "later": _query(request, date=day + 7 * _DAY),
        "today": _query(request, date=None),
        "zone": zone.key,
        "legend": legend(),
    }
    return TemplateResponse(request, "admin/jobs/schedule/timeline_of_one.html", {**context, **shown})


def legend() -> list[tuple[str, str, str]]:
    """Class, symbol and word of each kind of cell."""
    outcomes = [(str(status), display.LOOKS[status][0], str(status.label)) for status in timeline.GRAVITY]
    return [*outcomes, ("coming", "schedule", "To come")]


def _cells(lane: Lane, span: Span) -> list[ShownCell]:
    return [_shown(lane.schedule, cell, span) for cell in lane.cells]


def _shown(schedule: Schedule, cell: Cell, span: Span) -> ShownCell:
    outcome = cell.outcome
    if not outcome and not cell.coming:
        return ShownCell("empty", "", "", "", "", False)
    number = cell.total or cell.coming
    count = "" if number == 1 else f"{number}{'+' if not cell.total and cell.is_dense else ''}"
    if cell.total == 1 and cell.run_id is not None:
        url = reverse("admin:jobs_jobrun_change", args=[cell.run_id])
    else:
        local = cell.start.astimezone(span.zone).date()
        url = f"{reverse('admin:jobs_schedule_timeline_of_one', args=[schedule.pk])}?date={local}"
    return ShownCell(
        look=outcome or "coming",
        icon=display.LOOKS[outcome][0] if outcome else "" if count else "schedule",
        count=count,
        words=f"{schedule.name}, {_words(cell, span)}",
        url=url,
        is_mixed=bool(outcome and cell.coming),
    )


def _words(cell: Cell, span: Span) -> str:
    """ "Sat 21 Nov, 09:00 to 10:00: 3 Succeeded, 1 Failed. The reason. 2 to come." """
    start, end = cell.start.astimezone(span.zone), cell.end.astimezone(span.zone)
    parts = [
        f"{cell.counts[status]} {status.label.lower()}"
        for status in timeline.GRAVITY
        if status in cell.counts
    ]
    if cell.coming:
        parts.append(f"{cell.coming}{' or more' if cell.is_dense else ''} to come")
    text = f"{start:%a} {start.day} {start:%b}, {start:%H:%M} to {end:%H:%M}: {', '.join(parts)}."
    return f"{text} {cell.reason}".strip()


def heat_of(load: Minutes, view: str, zone: ZoneInfo) -> list[Heat]:
    """The heat map: a row for each hour with its minutes, or for each day with the heaviest minute of its hours."""
    if view == View.DAY:
        values = load.runs
        width, words = 60, "{at:%H:%M}: {runs:,} run{s}"
    else:
        values = [max(load.runs[hour * 60 : hour * 60 + 60]) for hour in range(len(load.runs) // 60)]
        width, words = 24, "{at:%a} {at.day} {at:%b}, {at:%H}:00: up to {runs:,} run{s} a minute"
    unit = timedelta(minutes=1 if view == View.DAY else 60)
    most = max(values, default=0)
    return [
        Heat(
            x=number % width,
            y=number // width,
            step=1 + 4 * value // most if value < most else 5,
            words=words.format(
                at=(load.start + number * unit).astimezone(zone), runs=value, s="" if value == 1 else "s"
            ),
        )
        for number, value in enumerate(values)
        if value
    ]


def _heat_labels(span: Span, view: str) -> list[tuple[int, str]]:
    if view == View.DAY:
        return [(row, f"{span.moment(row).astimezone(span.zone):%H}") for row in range(span.cells)]
    return [(row, f"{(span.start + row * _DAY).astimezone(span.zone):%a}") for row in range(7)]


def _heads(span: Span, view: str) -> list[tuple[str, bool]]:
    """The names of the cells, and whether each begins something new."""
    moments = [span.moment(number).astimezone(span.zone) for number in range(span.cells)]
    if view == View.DAY:
        return [(f"{at:%H}", at.hour % 6 == 0) for at in moments]
    return [
        (f"{at:%a} {at.day}" if number % 4 == 0 else "", number % 4 == 0) for number, at in enumerate(moments)
    ]


def _neighbours(page: Any) -> list[tuple[str, int | None]]:
    before = page.previous_page_number() if page.has_previous() else None
    after = page.next_page_number() if page.has_next() else None
    return [("Earlier names", before), ("Later names", after)]


def _query(request: HttpRequest, **changes: object) -> str:
    """The address of the same page with other values; None leaves one out."""
    kept = {name: value for name, value in request.GET.items() if name not in {*changes, "page"} and value}
    return "?" + urlencode({**kept, **{name: value for name, value in changes.items() if value is not None}})
