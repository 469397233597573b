"""Whether runs and coming slots will keep their deadline, told before they miss it.

A schedule's deadline is so long after each slot; a job's expected duration so long after a run's start. What will
happen is played through by `jobs.outlook` with the workers that live now; how long things take comes from history.
"""

import heapq
import uuid
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, islice

from jobs import display, estimates, heartbeats, history, rules
from jobs.definitions import find_job
from jobs.errors import NotFound
from jobs.models import EVERYTHING, JobRun, ProcessHeartbeat, Schedule, SchedulePolicy, Visibility
from jobs.outlook import Course, Job, Running, Worker, play
from jobs.timing import RELATED, InvalidTiming, timing_of

Status = JobRun.Status

#: From this chance to miss it on, something counts as going to be late.
LATE = 0.5
#: Coming slots are looked at so far ahead, and at most so many.
HORIZON = timedelta(hours=12)
MOST_SLOTS = 5_000
#: Waiting and running runs that are played through.
MOST_RUNS = 5_000


class Due(StrEnum):
    """What a run is held to."""

    DEADLINE = "deadline"
    EXPECTED = "expected duration"


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What will become of one run or coming slot."""

    job: str
    #: None for a coming slot.
    run_id: uuid.UUID | None = None
    schedule_id: int | None = None
    schedule_name: str = ""
    owner_group_id: int | None = None
    slot: datetime | None = None
    due: Due | None
    due_at: datetime | None
    #: When it ends in half of all cases, and in 9 of 10; None when no worker takes it or nothing is known.
    start_p50: datetime | None
    end_p50: datetime | None
    end_p90: datetime | None
    #: The chance to miss what it is held to, 0 to 1; 0 when there is nothing.
    chance: float
    reason: str

    @property
    def will_be_late(self) -> bool:
        return self.chance >= LATE


@dataclass(frozen=True)
class _Subject:
    """A run or coming slot before it is played through."""

    key: Hashable
    job: str
    queue: str
    run: JobRun | None
    schedule_id: int | None
    schedule_name: str
    owner_group_id: int | None
    slot: datetime | None
    ready: datetime
    deadline: datetime | None


def of_run(run: JobRun, at: datetime) -> Prediction | None:
    """What will become of a run; None once it has ended."""
    return next((found for found in predict(at, horizon=None) if found.run_id == run.pk), None)


def of_active(run: JobRun, at: datetime) -> Prediction:
    """What will become of an active run; raises NotFound for one that has ended."""
    found = of_run(run, at)
    if found is None:
        raise NotFound("The run has ended: there is nothing to foretell.")
    return found


def predict(
    at: datetime, *, horizon: timedelta | None = HORIZON, seen: Visibility = EVERYTHING
) -> list[Prediction]:
    """What will become of every active run and, within the horizon, of every coming slot, the first first.

    All of them take part; of those of other groups nothing is told.
    """
    subjects = [*_runs(at), *(_coming(at, at + horizon) if horizon else ())]
    samples = _samples(subjects)
    workers = [
        Worker(
            worker.name, frozenset(worker.info.get("queues", [])), int(worker.info.get("concurrency") or 0)
        )
        for worker in heartbeats.alive(ProcessHeartbeat.Kind.WORKER, at)
    ]
    running, waiting = [], []
    for subject in subjects:
        sample = samples.get(subject.key, ())
        if subject.run is not None and subject.run.status == Status.RUNNING:
            left = history.left(subject.run, at, _durations(sample))
            running.append(Running(subject.key, subject.run.worker, left.cases if left else ()))
        else:
            ready = max((subject.ready - at).total_seconds(), 0.0)
            waiting.append(Job(subject.key, subject.queue, ready, sample))
    courses = play(workers, running, waiting)
    known = {one.key for one in running if one.left} | {one.key for one in waiting if one.durations}
    return [
        _prediction(subject, courses.get(subject.key), at, is_known=subject.key in known)
        for subject in subjects
        if seen.includes(subject.owner_group_id)
    ]


def held(at: datetime, *, horizon: timedelta = HORIZON, seen: Visibility = EVERYTHING) -> list[Prediction]:
    """Runs and coming slots that are held to something, the likeliest to miss it first, then by when it is due."""
    found = [one for one in predict(at, horizon=horizon, seen=seen) if one.due_at is not None]
    return sorted(found, key=lambda one: (-round(one.chance, 1), one.due_at or at))


def is_held(run: JobRun) -> bool:
    """Whether an active run is held to a deadline or an expected duration."""
    job = find_job(run.job)
    if not run.is_active:
        return False
    if job is not None and job.expected_duration:
        return True
    return SchedulePolicy.objects.filter(pk=run.schedule_id, deadline_seconds__isnull=False).exists()


def is_needed() -> bool:
    """Whether anything is held to a deadline or an expected duration at all."""
    from_jobs = [run.job for run in JobRun.objects.filter(status=Status.RUNNING).only("job")[:MOST_RUNS]]
    if any((job := find_job(name)) and job.expected_duration for name in set(from_jobs)):
        return True
    return SchedulePolicy.objects.filter(deadline_seconds__isnull=False, task__enabled=True).exists()


# What there is


def _runs(at: datetime) -> list[_Subject]:
    """Active runs in the order in which workers take them."""
    active = (
        JobRun.objects.active()
        .select_related("schedule__policy")
        .defer("result", "traceback", "error_message", "parameters", "args")
        .order_by("priority", "pk")[:MOST_RUNS]
    )
    return [
        _Subject(
            key=run.pk,
            job=run.job,
            queue=run.queue,
            run=run,
            schedule_id=run.schedule_id,
            schedule_name=run.schedule.name if run.schedule else "",
            owner_group_id=run.owner_group_id,
            slot=run.scheduled_for,
            ready=run.next_attempt_at or run.not_before or at,
            deadline=_deadline(run.scheduled_for, run.schedule.policy) if run.schedule else None,
        )
        for run in active
    ]


def _coming(at: datetime, until: datetime) -> list[_Subject]:
    """The slots of all schedules until then that nothing stops, at most `MOST_SLOTS`."""
    schedules = (
        Schedule.objects.filter(enabled=True, policy__next_slot_at__lte=until, policy__is_stale=False)
        .select_related("policy", *RELATED)
        .order_by("policy__next_slot_at")
    )
    policies = []
    for schedule in schedules[:MOST_SLOTS]:
        schedule.policy.task = schedule
        policies.append(schedule.policy)
    word = rules.load(policies, at)
    ahead = heapq.merge(*(_slots(policy, word, until) for policy in policies), key=lambda one: one.ready)
    return list(islice(ahead, MOST_SLOTS))


def _slots(policy: SchedulePolicy, word: rules.Rules, until: datetime) -> Iterator[_Subject]:
    """The slots of one schedule that nothing stops, one after the other."""
    first = policy.next_slot_at
    assert first is not None  # noqa: S101 - by the query
    try:
        timing = timing_of(policy.task, anchor=policy.anchor_at or first)
    except InvalidTiming:
        return
    following = () if policy.task.one_off else timing.slots(first, until=until)
    yield from (
        _slot(policy, moment) for moment in chain([first], following) if not word.stop(policy, moment)
    )


def _slot(policy: SchedulePolicy, at: datetime) -> _Subject:
    task = policy.task
    return _Subject(
        key=(task.pk, at),
        job=task.task,
        queue=rules.queue_of(task),
        run=None,
        schedule_id=task.pk,
        schedule_name=task.name,
        owner_group_id=policy.owner_group_id,
        slot=at,
        ready=at + timedelta(seconds=policy.jitter_seconds / 2),
        deadline=_deadline(at, policy),
    )


def _deadline(slot: datetime | None, policy: SchedulePolicy) -> datetime | None:
    if slot is None or policy.deadline_seconds is None:
        return None
    return slot + timedelta(seconds=policy.deadline_seconds)


def _samples(subjects: Iterable[_Subject]) -> dict[Hashable, Sequence[float]]:
    """The durations that each may have: those of its schedule if there are enough, else of its job."""
    subjects = list(subjects)
    by_schedule = history.durations_by_schedule({one.schedule_id for one in subjects if one.schedule_id})
    by_job = history.durations_by_job({one.job for one in subjects})
    samples: dict[Hashable, Sequence[float]] = {}
    for one in subjects:
        typical = by_schedule.get(one.schedule_id or 0) or by_job.get(one.job)
        if typical is not None:
            samples[one.key] = typical.sample
    return samples


def _durations(sample: Sequence[float]) -> history.Durations | None:
    if not sample:
        return None
    cases = estimates.Left(sample)
    return history.Durations(
        p50=cases.quantile(0.5), p90=cases.quantile(0.9), runs=len(sample), seconds=tuple(sample)
    )


# What it comes to


def _prediction(subject: _Subject, course: Course | None, at: datetime, *, is_known: bool) -> Prediction:
    due, due_at = _due(subject)
    ends = estimates.Left(course.ends) if course is not None and is_known else None
    chance = _chance(ends, course, due_at, at, has_started=_has_started(subject))
    return Prediction(
        job=subject.job,
        run_id=subject.run.pk if subject.run else None,
        schedule_id=subject.schedule_id,
        schedule_name=subject.schedule_name,
        owner_group_id=subject.owner_group_id,
        slot=subject.slot,
        due=due,
        due_at=due_at,
        start_p50=_moment(at, estimates.Left(course.starts).quantile(0.5)) if course else None,
        end_p50=_moment(at, ends.quantile(0.5)) if ends else None,
        end_p90=_moment(at, ends.quantile(0.9)) if ends else None,
        chance=chance,
        reason=_reason(subject, course, ends, at, due, due_at),
    )


def _has_started(subject: _Subject) -> bool:
    return subject.run is not None and subject.run.status == Status.RUNNING


def _due(subject: _Subject) -> tuple[Due | None, datetime | None]:
    """The earlier of the schedule's deadline and the end of the job's expected duration, which begins with the run."""
    expected = _expected_end(subject.run) if _has_started(subject) else None
    if subject.deadline is not None and (expected is None or subject.deadline <= expected):
        return Due.DEADLINE, subject.deadline
    return (Due.EXPECTED, expected) if expected is not None else (None, None)


def _expected_end(run: JobRun | None) -> datetime | None:
    job = find_job(run.job) if run else None
    if run is None or run.started_at is None or job is None or not job.expected_duration:
        return None
    return run.started_at + timedelta(seconds=job.expected_duration)


def _chance(
    ends: estimates.Left | None,
    course: Course | None,
    due_at: datetime | None,
    at: datetime,
    *,
    has_started: bool,
) -> float:
    if due_at is None:
        return 0.0
    if due_at <= at:
        return 1.0
    if ends is not None:
        return ends.chance_beyond((due_at - at).total_seconds())
    # Nothing is known of its duration: late only if it will not even have started. Without any worker it never will.
    if course is not None:
        return estimates.Left(course.starts).chance_beyond((due_at - at).total_seconds())
    return 0.0 if has_started else 1.0


def _moment(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)


def _reason(
    subject: _Subject,
    course: Course | None,
    ends: estimates.Left | None,
    at: datetime,
    due: Due | None,
    due_at: datetime | None,
) -> str:
    """Why, in a sentence."""
    if course is None:
        return f"No living worker takes from the queue {subject.queue}."
    wait = estimates.Left(course.starts).quantile(0.5) - max((subject.ready - at).total_seconds(), 0.0)
    parts = []
    if not _has_started(subject) and wait >= 1:
        parts.append(f"it will wait {display.duration(wait)} for a worker on {subject.queue}")
    if ends is None:
        parts.append("nothing is known of how long it takes")
    elif _has_started(subject):
        parts.append(f"it still needs {display.duration(ends.quantile(0.5))}")
    else:
        took = ends.quantile(0.5) - estimates.Left(course.starts).quantile(0.5)
        parts.append(f"it usually runs for {display.duration(max(took, 0.0))}")
    if due_at is not None:
        gap = (due_at - at).total_seconds()
        what = "its deadline" if due == Due.DEADLINE else "the end of its expected duration"
        parts.append(
            f"{what} is in {display.duration(gap)}" if gap > 0 else f"{what} was {display.duration(-gap)} ago"
        )
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}."
