"""What the policies of a batch of schedules say about their slots: not at all, later, after another run, or now.

Everything is read once for the batch, after its policies are locked: whoever else decides about the same
schedules waits for us, or leaves them to us.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django_celery_beat.models import PeriodicTask

from jobs import calendars, jitter, overlap, stops, windows
from jobs.calendars import Excluded
from jobs.definitions import find_job
from jobs.models import JobRun, SchedulePolicy
from jobs.timing import InvalidTiming, zone_of
from jobs.windows import Windows

Status = JobRun.Status
WaitingFor = JobRun.WaitingFor


#: How the reason of a slot begins that was skipped by a pause: such a slot can be made up for (jobs.passed).
PAUSED = "The schedule was paused"


@dataclass(frozen=True)
class Slot:
    """One slot with its outcome: QUEUED for a run to be made now, WAITING for one that starts later."""

    schedule: PeriodicTask
    at: datetime
    status: JobRun.Status
    reason: str = ""
    waiting_for: str = ""
    not_before: datetime | None = None
    #: Of a slot whose row was written before, and waits.
    run_id: uuid.UUID | None = None

    @property
    def will_run(self) -> bool:
        return self.status in (Status.QUEUED, Status.WAITING)


@dataclass
class Standing:
    """What a schedule has in the ledger that has not ended."""

    #: The earlier run, in words; empty when there is none.
    busy: str = ""
    #: Slots that wait for it to end, in their order.
    waiting: list[tuple[uuid.UUID, datetime]] = field(default_factory=list)


@dataclass
class Rules:
    """The policies' word on the slots of a batch of schedules."""

    now: datetime
    windows: Windows
    excluded: Mapping[int, Excluded]
    standings: dict[int, Standing]

    def stop(self, policy: SchedulePolicy, at: datetime) -> str:
        """Why a slot at the moment does not run, whatever comes; empty when nothing is against it."""
        if policy.is_paused(at):
            note = f": {policy.pause_note}" if policy.pause_note else ""
            return f"{PAUSED}{note}."
        task = policy.task
        excluded = self.excluded.get(task.pk)
        if excluded is not None and (reason := excluded.reason(at, zone_of_schedule(policy))):
            return reason
        window = self._windows(task).skipping(at)
        return f"Skipped by {window.text}." if window else ""

    def later(self, policy: SchedulePolicy, slot: Slot, following: datetime | None) -> Slot:
        """The slot, put off until its moment within the jitter or the end of a window; else as it is."""
        starts_at = slot.at + self.delay(policy, slot.at, following)
        held = self._windows(policy.task).holding(slot.at)
        if held is not None and held[0] > max(starts_at, self.now):
            return _held(slot, *held)
        if starts_at > self.now:
            return replace(
                slot,
                status=Status.WAITING,
                waiting_for=WaitingFor.JITTER,
                not_before=starts_at,
                reason="Starts within the schedule's jitter.",
            )
        return slot

    def delay(self, policy: SchedulePolicy, at: datetime, following: datetime | None) -> timedelta:
        """The jitter of a slot."""
        if not policy.jitter_seconds:
            return timedelta(0)
        most = timedelta(seconds=policy.jitter_seconds)
        return jitter.delay(policy.pk, at, most=most, following=following)

    def settle(self, policy: SchedulePolicy, fresh: Iterable[Slot]) -> list[Slot]:
        """What becomes, now, of slots whose moment has come and of those that waited for an earlier run.

        With a rule that stops the earlier run, that is asked to. Gives the fresh ones and those that waited,
        each with its status.
        """
        fresh = list(fresh)
        standing = self.standings.get(policy.pk, Standing())
        task = policy.task
        waiting = [
            Slot(task, at, Status.WAITING, waiting_for=WaitingFor.OVERLAP, run_id=run_id)
            for run_id, at in standing.waiting
        ]
        slots = sorted([*waiting, *fresh], key=lambda slot: slot.at)
        if not slots:
            return []
        if stopped := self._stopped_by_window(task, slots):
            return stopped
        if fresh and standing.busy and overlap.stops_others(policy.overlap):
            is_forced = policy.overlap == SchedulePolicy.Overlap.TERMINATE_OTHER
            if not stops.stop_runs_of(task.pk, by_slot=slots[-1].at, is_forced=is_forced):
                standing.busy = ""
        settled = overlap.settle(policy.overlap, slots, busy=standing.busy, buffer_limit=policy.buffer_limit)
        standing.waiting.clear()  # each is settled once
        wait = f"Waits for {standing.busy or 'an earlier run'} to end."
        return [
            *(replace(slot, status=Status.QUEUED, waiting_for="", reason="") for slot in settled.start),
            *(
                replace(slot, status=Status.WAITING, waiting_for=WaitingFor.OVERLAP, reason=wait)
                for slot in settled.keep
            ),
            *(
                replace(slot, status=Status.SKIPPED, waiting_for="", reason=reason)
                for slot, reason in settled.drop
            ),
        ]

    def _stopped_by_window(self, task: PeriodicTask, slots: list[Slot]) -> list[Slot]:
        """The slots skipped or held by a window that is open now; none when there is no such window."""
        covering = self._windows(task)
        if window := covering.skipping(self.now):
            reason = f"Skipped by {window.text}."
            return [replace(slot, status=Status.SKIPPED, waiting_for="", reason=reason) for slot in slots]
        if held := covering.holding(self.now):
            return [_held(slot, *held) for slot in slots]
        return []

    def _windows(self, task: PeriodicTask) -> Windows:
        if not self.windows.windows:
            return self.windows
        return self.windows.covering(task, queue=queue_of(task))


def load(policies: Iterable[SchedulePolicy], now: datetime) -> Rules:
    """The rules of locked policies. One statement, and more for what the policies use."""
    policies = list(policies)
    watching = [policy.pk for policy in policies if policy.overlap != SchedulePolicy.Overlap.ALLOW_ALL]
    oldest = min((policy.next_slot_at or now for policy in policies), default=now)
    return Rules(
        now=now,
        windows=windows.load(since=min(oldest, now)),
        excluded=calendars.load([policy.pk for policy in policies]),
        standings=standings(watching) if watching else {},
    )


_STANDING = """
SELECT schedule_id, id, status, waiting_for, scheduled_for, trigger FROM jobs_jobrun
WHERE schedule_id = ANY(%s) AND status IN ('waiting', 'queued', 'running', 'retrying')
    AND (status <> 'waiting' OR waiting_for NOT IN ('jitter', 'window'))
ORDER BY schedule_id, scheduled_for, id
"""


def standings(schedule_ids: list[int]) -> dict[int, Standing]:
    """What the schedules have in the ledger that has not ended; those without anything are left out."""
    found: dict[int, Standing] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [schedule_ids])
        for schedule_id, run_id, status, waiting_for, scheduled_for, trigger in cursor.fetchall():
            standing = found.setdefault(schedule_id, Standing())
            if status == Status.WAITING and waiting_for == WaitingFor.OVERLAP:
                standing.waiting.append((run_id, scheduled_for))
            elif not standing.busy:
                standing.busy = _in_words(scheduled_for, trigger)
    return found


def _in_words(scheduled_for: datetime | None, trigger: str) -> str:
    if scheduled_for is None:
        return f"a run started otherwise ({JobRun.Trigger(trigger).label})"
    return f"the run of {scheduled_for:%Y-%m-%d %H:%M:%S} UTC"


def queue_of(task: PeriodicTask) -> str:
    """The queue that a schedule's runs go to."""
    job = find_job(task.task)
    return str(task.queue or (job.queue if job else settings.CELERY_TASK_DEFAULT_QUEUE))


def zone_of_schedule(policy: SchedulePolicy) -> ZoneInfo:
    """The zone whose days a schedule's calendars mean: its crontab's, else its own, else UTC."""
    crontab = policy.task.crontab
    if crontab is not None:
        return ZoneInfo(str(crontab.timezone))
    try:
        return zone_of(policy.timezone or "UTC")
    except InvalidTiming:  # written by SQL: forms and API refuse it
        return ZoneInfo("UTC")


def _held(slot: Slot, until: datetime, window: windows.Window) -> Slot:
    return replace(
        slot,
        status=Status.WAITING,
        waiting_for=WaitingFor.WINDOW,
        not_before=until,
        reason=f"Held until the end of {window.text}.",
    )
