"""Schedules played minute by minute, with a worker whose runs last as long as the story says."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs import admission, ledger, release
from jobs.ledger import Outcome
from jobs.models import JobRun, SchedulePolicy
from jobs.tests.schedules_for_tests import at, schedule, tick

Status = JobRun.Status
MINUTE = timedelta(minutes=1)


def clock(text: str) -> datetime:
    """A moment of the day on which the stories play, such as "00:05" or "00:05:30"."""
    return at(f"2026-06-01 {text}")


class Story:
    """One schedule from midnight on. What happened is in `started`, `ended` and `reasons`, by slot ("00:05")."""

    def __init__(self, *, every: int, lasts: Mapping[str, int] | None = None, **policy: Any) -> None:
        """`every` and `lasts` in minutes; a run that is not named lasts for half a minute."""
        interval = IntervalSchedule.objects.create(every=every, period="minutes")
        self.task: PeriodicTask = schedule(interval, made_at=clock("00:00"))
        SchedulePolicy.objects.filter(pk=self.task.pk).update(**policy)
        self.now = clock("00:00")
        self.lasts = {name: timedelta(minutes=minutes) for name, minutes in (lasts or {}).items()}
        self.started: dict[str, str] = {}
        self._ends: dict[Any, tuple[datetime, int]] = {}
        self._fails: set[str] = set()
        #: Runs that obey when they are asked to stop, after a minute; the others run on.
        self.obeys = True
        work(self.now)

    def play(self, until: str, *, step: timedelta = MINUTE) -> "Story":
        """Let the time pass, with a scheduler that ticks and a worker that takes what is queued."""
        while self.now < clock(until):
            self.now += step
            self._end_runs()
            work(self.now)
            self._start_runs()
        return self

    def sleep(self, until: str) -> "Story":
        """Let the time pass while no scheduler runs; the worker goes on."""
        while self.now < clock(until):
            self.now += MINUTE
            self._end_runs()
        return self

    def fail(self, slot: str) -> None:
        """Let the run of the slot fail at its end."""
        self._fails.add(slot)

    def change(self, **policy: Any) -> None:
        SchedulePolicy.objects.filter(pk=self.task.pk).update(**policy)

    def policy(self) -> SchedulePolicy:
        return SchedulePolicy.objects.get(pk=self.task.pk)

    def running(self) -> list[str]:
        return self._slots(Status.RUNNING)

    def waiting(self) -> list[str]:
        return self._slots(Status.WAITING)

    def skipped(self) -> list[str]:
        return self._slots(Status.SKIPPED)

    def reason(self, slot: str) -> str:
        return JobRun.objects.get(schedule=self.task, scheduled_for=clock(slot)).reason

    def status(self, slot: str) -> str:
        return JobRun.objects.get(schedule=self.task, scheduled_for=clock(slot)).status

    def _slots(self, status: str) -> list[str]:
        rows = JobRun.objects.filter(schedule=self.task, status=status).order_by("scheduled_for")
        return [name_of(row) for row in rows]

    def _start_runs(self) -> None:
        for row in JobRun.objects.filter(schedule=self.task, status=Status.QUEUED).order_by("scheduled_for"):
            claim = ledger.claim(row.pk, worker="story", pid=1)
            assert claim is not None
            self.started[name_of(row)] = f"{self.now:%H:%M}"
            length = self.lasts.get(name_of(row), timedelta(seconds=30))
            self._ends[row.pk] = (self.now + length, claim.attempt)

    def _end_runs(self) -> None:
        for row in JobRun.objects.filter(pk__in=self._ends, status=Status.RUNNING):
            end, attempt = self._ends[row.pk]
            if row.cancel_requested_at is not None and self.obeys:
                ledger.finish(row.pk, attempt, Outcome(status=Status.CANCELLED))
            elif end <= self.now:
                failed = name_of(row) in self._fails
                status = Status.FAILED if failed else Status.SUCCEEDED
                ledger.finish(row.pk, attempt, Outcome(status=status, reason="oops" if failed else ""))
                # The database's clock does not follow the story's.
                JobRun.objects.filter(pk=row.pk).update(finished_at=self.now)


def name_of(row: JobRun) -> str:
    """How stories name a run: by its slot."""
    return f"{row.scheduled_for:%H:%M}" if row.scheduled_for else row.trigger


def work(now: datetime) -> None:
    """What `SlotScheduler.work` does about slots at that moment."""
    release.release(now)
    tick(now)
    admission.admit()
