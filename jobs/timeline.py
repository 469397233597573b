"""The timeline: what became of the slots of schedules, which come next, and how many runs each minute has.

What it costs does not grow with the ledger: slots are counted in the database, for the schedules of one page only (by
the index that keeps slots unique), and the load by the range of run ids that were made in the time shown.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Q, QuerySet

from jobs.definitions import all_jobs, is_known
from jobs.load import MINUTE, load_of_coming_day, load_of_day
from jobs.models import JobRun, Schedule, first_run_id
from jobs.timing import InvalidTiming, Timing, timing_of
from jobs.timing.base import TICK

Status = JobRun.Status

#: Slots to come are counted one by one up to this number for a schedule; of denser ones only whether a cell has any.
COUNTED = 400
#: A slot that is settled later than this after its time is missing in the load, not in the lanes.
LATE = timedelta(days=1)
#: From the outcome that asks for attention most to the one that asks least.
GRAVITY = (
    Status.FAILED,
    Status.MISSED,
    Status.PARTIAL,
    Status.CANCELLED,
    Status.RETRYING,
    Status.RUNNING,
    Status.WAITING,
    Status.QUEUED,
    Status.SKIPPED,
    Status.SUCCEEDED,
)


class View(StrEnum):
    """How much time is shown."""

    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True)
class Span:
    """The time shown, cut into cells of equal length."""

    start: datetime
    cell: timedelta
    cells: int
    zone: ZoneInfo

    @property
    def end(self) -> datetime:
        return self.start + self.cells * self.cell

    def moment(self, number: int) -> datetime:
        """When a cell begins."""
        return self.start + number * self.cell

    def index(self, at: datetime) -> int:
        return (at - self.start) // self.cell


def span_of(view: str, day: date, zone: ZoneInfo) -> Span:
    """A day in hours, or the week from that day on in quarters of a day. A day has 23 to 25 hours."""
    start = _midnight(day, zone)
    if view == View.WEEK:
        return Span(start, timedelta(hours=6), 28, zone)
    length = _midnight(day + timedelta(days=1), zone) - start
    return Span(start, timedelta(hours=1), -(-length // timedelta(hours=1)), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(ZoneInfo("UTC"))


@dataclass
class Cell:
    """What happens to one schedule in one stretch of time."""

    start: datetime
    end: datetime
    counts: dict[str, int] = field(default_factory=dict)
    """How many slots had each outcome."""
    run_id: uuid.UUID | None = None
    """The run of the latest slot of the gravest outcome."""
    reason: str = ""
    """Why that one ended as it did, or never ran."""
    coming: int = 0
    """How many slots are still to come."""
    is_dense: bool = False
    """There are more to come than `coming`."""

    @property
    def outcome(self) -> str:
        """The outcome that asks for attention most; empty when nothing happened yet."""
        return next((status for status in GRAVITY if status in self.counts), "")

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Lane:
    """One schedule through the time shown."""

    schedule: Schedule
    cells: list[Cell]


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which schedules are shown; empty values let all pass."""

    job: str = ""
    queue: str = ""
    schedule: str = ""
    """Words of its name."""
    outcome: str = ""


def chosen(schedules: QuerySet[Schedule], wanted: Filter, span: Span) -> QuerySet[Schedule]:
    """The schedules that a filter lets pass, by name."""
    if wanted.job:
        schedules = schedules.filter(task=wanted.job)
    if wanted.queue:
        by_job = [job.name for job in all_jobs() if job.queue == wanted.queue]
        schedules = schedules.filter(
            Q(queue=wanted.queue) | Q(task__in=by_job) & (Q(queue__isnull=True) | Q(queue=""))
        )
    if wanted.schedule:
        schedules = schedules.filter(name__icontains=wanted.schedule)
    if wanted.outcome:
        met = JobRun.objects.filter(
            status=wanted.outcome,
            pk__gte=first_run_id(span.start),
            pk__lt=first_run_id(span.end + LATE),
            scheduled_for__gte=span.start,
            scheduled_for__lt=span.end,
        )
        schedules = schedules.filter(pk__in=met.values("schedule_id"))
    return schedules.order_by("name")


_SLOTS = """
SELECT schedule_id, floor(extract(epoch FROM scheduled_for - %(start)s) / %(seconds)s)::int, status, count(*),
    (array_agg(id ORDER BY scheduled_for DESC))[1], (array_agg(reason ORDER BY scheduled_for DESC))[1]
FROM jobs_jobrun
WHERE schedule_id = ANY(%(ids)s) AND scheduled_for >= %(start)s AND scheduled_for < %(end)s
GROUP BY 1, 2, 3
"""


def lanes(schedules: Sequence[Schedule], span: Span, now: datetime) -> list[Lane]:
    """The lanes of a page of schedules, read with their policies. One statement for all of them."""
    by_schedule = {
        schedule.pk: [Cell(span.moment(n), span.moment(n + 1)) for n in range(span.cells)]
        for schedule in schedules
    }
    found: list[tuple[int, int, str, int, uuid.UUID, str]] = []
    if schedules:
        with connection.cursor() as cursor:
            bounds: dict[str, Any] = {
                "start": span.start,
                "end": span.end,
                "seconds": span.cell.total_seconds(),
            }
            cursor.execute(_SLOTS, {**bounds, "ids": list(by_schedule)})
            found = cursor.fetchall()
    for schedule_id, number, status, count, run_id, reason in sorted(
        found, key=lambda row: GRAVITY.index(Status(row[2])), reverse=True
    ):
        cell = by_schedule[schedule_id][number]
        cell.counts[status] = count
        cell.run_id, cell.reason = run_id, reason
    for schedule in schedules:
        _add_coming(schedule, by_schedule[schedule.pk], span, now)
    return [Lane(schedule, by_schedule[schedule.pk]) for schedule in schedules]


def _add_coming(schedule: Schedule, cells: list[Cell], span: Span, now: datetime) -> None:
    if not schedule.enabled or span.end <= now or not is_known(schedule.task):
        return
    policy = schedule.policy
    try:
        timing = timing_of(schedule, anchor=policy.anchor_at or now.replace(microsecond=0))
        after = max(now, span.start - TICK)
        for position, at in enumerate(_coming(timing, after, span.end, span), start=1):
            if not policy.is_paused(at):
                cell = cells[span.index(at)]
                cell.coming += 1
                cell.is_dense = position >= COUNTED
    except InvalidTiming:
        return  # the schedule's own page says so


def coming(schedule: Schedule, span: Span, now: datetime) -> list[datetime]:
    """The slots of one schedule that are still to come in the time shown, the first thousand."""
    if not schedule.enabled or span.end <= now or not is_known(schedule.task):
        return []
    try:
        timing = timing_of(schedule, anchor=schedule.policy.anchor_at or now.replace(microsecond=0))
        slots = timing.slots(max(now, span.start - TICK), until=span.end - TICK, limit=1000)
        return [at for at in slots if not schedule.policy.is_paused(at)]
    except InvalidTiming:
        return []


def _coming(timing: Timing, after: datetime, end: datetime, span: Span) -> Iterable[datetime]:
    """The slots to come; of a dense timing, from a number on, the first of each cell."""
    last = after
    for at in islice(timing.slots(after, until=end - TICK), COUNTED):
        yield at
        last = at
    for number in range(span.index(last) + 1, span.cells):
        first = timing.next_after(span.moment(number) - TICK)
        if first is not None and first < span.moment(number + 1) and first > last:
            yield first


_RUNS = """
SELECT floor(extract(epoch FROM coalesce(scheduled_for, queued_at) - %(start)s) / 60)::int, count(*)
FROM jobs_jobrun
WHERE id >= %(first)s AND id < %(last)s AND status NOT IN ('skipped', 'missed')
    AND coalesce(scheduled_for, queued_at) >= %(start)s AND coalesce(scheduled_for, queued_at) < %(end)s
GROUP BY 1
"""


@dataclass(frozen=True)
class Minutes:
    """The runs of each minute, of everybody's: counted until now, expected from then on."""

    start: datetime
    runs: list[int]
    is_estimate: bool

    @property
    def busiest(self) -> list[tuple[datetime, int]]:
        """The five heaviest minutes, heaviest first."""
        heaviest = sorted(range(len(self.runs)), key=lambda number: (-self.runs[number], number))[:5]
        return [(self.start + number * MINUTE, self.runs[number]) for number in heaviest if self.runs[number]]


def minutes(span: Span, now: datetime) -> Minutes:
    """The runs of each minute of the time shown. What is to come is told for one day, the first of it."""
    runs = [0] * ((span.end - span.start) // MINUTE)
    bounds: dict[str, Any] = {
        "start": span.start,
        "end": span.end,
        "first": first_run_id(span.start),
        "last": first_run_id(span.end + LATE),
    }
    is_estimate = False
    if span.start < now:
        with connection.cursor() as cursor:
            cursor.execute(_RUNS, bounds)
            for number, count in cursor.fetchall():
                runs[number] = count
    if span.end > now:
        expected = load_of_coming_day(now) if span.start <= now else load_of_day(span.start, now)
        is_estimate = expected.is_estimate
        offset = (expected.start - span.start) // MINUTE
        first = max(0, (now - span.start) // MINUTE + 1)
        for number in range(first, min(len(runs), offset + len(expected.minutes))):
            runs[number] += expected.minutes[number - offset]
    return Minutes(span.start, runs, is_estimate)
