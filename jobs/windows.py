"""Maintenance windows: until when they last, and whom they cover."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q
from django_celery_beat.models import PeriodicTask

from jobs.models import MaintenanceWindow
from jobs.timing import Crontab, InvalidTiming

logger = logging.getLogger(__name__)

Mode = MaintenanceWindow.Mode

#: Windows that follow each other without a gap hold a slot together; so many in a row are looked at.
_LONGEST_CHAIN = 100


@dataclass(frozen=True, kw_only=True)
class Window:
    """One window as the scheduler needs it."""

    name: str
    note: str
    mode: str
    starts_at: datetime | None
    ends_at: datetime | None
    cron: str
    timezone: str
    duration: timedelta
    covers_all: bool
    jobs: frozenset[str]
    queues: frozenset[str]
    schedules: frozenset[int]

    @property
    def text(self) -> str:
        """How it is named in reasons."""
        return f"maintenance window {self.name}" + (f": {self.note}" if self.note else "")

    def covers(self, *, schedule_id: int, job: str, queue: str) -> bool:
        """Whether slots of the schedule are stopped by it."""
        return self.covers_all or schedule_id in self.schedules or job in self.jobs or queue in self.queues

    def end_of(self, moment: datetime) -> datetime | None:
        """When the window that is open at a moment ends; None when it is not open then."""
        if self.cron:
            start = _timing(self.cron, self.timezone).next_after(moment - self.duration)
            return start + self.duration if start is not None and start <= moment else None
        if self.starts_at is None or self.ends_at is None:
            return None
        return self.ends_at if self.starts_at <= moment < self.ends_at else None


@dataclass(frozen=True)
class Windows:
    """The windows that are switched on."""

    windows: tuple[Window, ...]

    def covering(self, task: PeriodicTask, *, queue: str) -> "Windows":
        """Those that stop a schedule's slots."""
        return Windows(
            tuple(
                window
                for window in self.windows
                if window.covers(schedule_id=task.pk, job=task.task, queue=queue)
            )
        )

    def skipping(self, moment: datetime) -> Window | None:
        """The window that skips a slot at the moment, if any."""
        return next((w for w in self.windows if w.mode == Mode.SKIP and w.end_of(moment) is not None), None)

    def holding(self, moment: datetime) -> tuple[datetime, Window] | None:
        """Until when a slot at the moment is held, and the window that holds it last; None when none does."""
        held: tuple[datetime, Window] | None = None
        until = moment
        for _ in range(_LONGEST_CHAIN):
            ends = [(w.end_of(until), w) for w in self.windows if w.mode == Mode.HOLD]
            longest = max(
                ((end, w) for end, w in ends if end is not None), key=lambda pair: pair[0], default=None
            )
            if longest is None:
                break
            held = longest
            until = longest[0]
        return held


def load(*, since: datetime) -> Windows:
    """The windows that are switched on, without those that ended before `since`. One statement."""
    rows = (
        MaintenanceWindow.objects.filter(~Q(cron="") | Q(ends_at__gt=since), enabled=True)
        .annotate(schedule_ids=ArrayAgg("schedules", filter=Q(schedules__isnull=False), default=[]))
        .order_by("name")
    )
    return Windows(tuple(of_row(row, row.schedule_ids) for row in rows if _is_readable(row)))


def _is_readable(row: MaintenanceWindow) -> bool:
    """Forms and API refuse what cannot be read; what came in by SQL must not stop the scheduler."""
    try:
        _ = row.cron and _timing(row.cron, row.timezone)
    except InvalidTiming as error:
        logger.error("The maintenance window %s cannot be read and is left out: %s", row.name, error)
        return False
    return True


def of_row(row: MaintenanceWindow, schedule_ids: Iterable[int]) -> Window:
    """A row as the scheduler sees it."""
    return Window(
        name=row.name,
        note=row.note,
        mode=row.mode,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        cron=row.cron,
        timezone=row.timezone,
        duration=timedelta(minutes=row.duration_minutes or 0),
        covers_all=row.covers_all,
        jobs=frozenset(row.jobs),
        queues=frozenset(row.queues),
        schedules=frozenset(schedule_ids),
    )


@lru_cache(maxsize=256)
def _timing(cron: str, timezone: str) -> Crontab:
    return Crontab.of(cron, timezone)
