"""What schedules will do between two moments, as far as it can be known: their slots with outcome and reason.

Nothing is written. Overlap and limits depend on how long runs take and are not foreseen: a slot that only they could
stop counts as a run.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django_celery_beat.models import PeriodicTask

from jobs import calendars, rules, windows
from jobs.definitions import is_known
from jobs.models import JobRun, SchedulePolicy
from jobs.rules import Rules, Slot
from jobs.timing import RELATED, InvalidTiming, Timing, timing_of
from jobs.timing.base import TICK

Status = JobRun.Status


class Firing(NamedTuple):
    """One slot of a schedule and what becomes of it. They sort by their moments, then by the schedules' names."""

    at: datetime
    schedule: str
    job: str
    #: "run", "late" (after jitter or a window that holds), "skipped" or "missed".
    outcome: str
    #: When it starts; None when it does not.
    starts_at: datetime | None
    reason: str


@dataclass
class Totals:
    """How many slots there are, and how the starts spread."""

    slots: int = 0
    by_outcome: dict[str, int] = field(default_factory=dict)
    #: Starts by the hour (its beginning), and the fullest minutes.
    by_hour: dict[datetime, int] = field(default_factory=dict)
    _by_minute: dict[datetime, int] = field(default_factory=dict)

    def add(self, firing: Firing) -> None:
        self.slots += 1
        self.by_outcome[firing.outcome] = self.by_outcome.get(firing.outcome, 0) + 1
        if firing.starts_at is not None:
            minute = firing.starts_at.replace(second=0, microsecond=0)
            self._by_minute[minute] = self._by_minute.get(minute, 0) + 1
            hour = minute.replace(minute=0)
            self.by_hour[hour] = self.by_hour.get(hour, 0) + 1

    def fullest_minutes(self, count: int) -> list[tuple[datetime, int]]:
        """The minutes with the most starts, the fullest first."""
        return heapq.nsmallest(count, self._by_minute.items(), key=lambda item: (-item[1], item[0]))


def simulate(schedules: Iterable[PeriodicTask], *, after: datetime, until: datetime) -> Iterator[Firing]:
    """The slots from `after` until before `until` in the order of their moments, one by one.

    Schedules come with their policies (`select_related("policy", *RELATED)`). Disabled ones have no slots.
    """
    enabled = [schedule for schedule in schedules if schedule.enabled]
    word = Rules(
        now=after,
        windows=windows.load(since=after),
        excluded=calendars.load([schedule.pk for schedule in enabled]),
        standings={},
    )
    series = [_firings(schedule, word, after, until) for schedule in enabled]
    return heapq.merge(*series)


def _firings(schedule: PeriodicTask, word: Rules, after: datetime, until: datetime) -> Iterator[Firing]:
    policy: SchedulePolicy = schedule.policy
    policy.task = schedule
    try:
        timing = timing_of(schedule, anchor=policy.anchor_at or after)
    except InvalidTiming:
        return
    plain = not is_stoppable(policy, word)
    known = is_known(schedule.task)
    for at, following in _pairs(timing, after, until):
        if not known:
            reason = f"No task named {schedule.task} exists."
            yield Firing(at, schedule.name, schedule.task, "missed", None, reason)
            continue
        if plain:
            yield Firing(at, schedule.name, schedule.task, "run", at, "")
        else:
            yield _foreseen(policy, word, at, following)
        if schedule.one_off:
            return


def _foreseen(policy: SchedulePolicy, word: Rules, at: datetime, following: datetime | None) -> Firing:
    task = policy.task
    if stopped := word.stop(policy, at):
        return Firing(at, task.name, task.task, "skipped", None, stopped)
    word.now = at
    slot = word.later(policy, Slot(task, at, Status.QUEUED), following)
    if slot.status != Status.WAITING:
        return Firing(at, task.name, task.task, "run", at, "")
    return Firing(at, task.name, task.task, "late", slot.not_before, slot.reason)


def is_stoppable(policy: SchedulePolicy, word: Rules) -> bool:
    """Whether anything of a schedule's policies can change a slot: a shortcut for the many that have none."""
    return bool(
        policy.jitter_seconds
        or policy.paused_at is not None
        or word.excluded.get(policy.pk)
        or (
            word.windows.windows
            and word.windows.covering(policy.task, queue=rules.queue_of(policy.task)).windows
        )
    )


def _pairs(timing: Timing, after: datetime, until: datetime) -> Iterator[tuple[datetime, datetime | None]]:
    """Each slot from `after` until before `until`, with the one that follows it."""
    slots = timing.occurrences(after - TICK)
    at = next(slots, None)
    while at is not None and at < until:
        following = next(slots, None)
        yield at, following
        at = following


def all_schedules() -> list[PeriodicTask]:
    """Every schedule with what a simulation reads of it."""
    found: list[PeriodicTask] = list(PeriodicTask.objects.select_related("policy", *RELATED).order_by("name"))
    return found
