"""Why a run took so long: every moment from its slot to its end, by what it was spent on.

The parts of a run follow each other without gap or overlap, so they add up to the whole exactly. Moments come from
several machines' clocks; one that lies before its predecessor counts as the same moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import connection
from django.utils import timezone

from jobs import display, heartbeats
from jobs.models import JobRun, ProcessHeartbeat, RunAttempt, first_run_id

Status = JobRun.Status


class Kind(StrEnum):
    """What time is spent on, in the order of a run's life."""

    SCHEDULER = "scheduler"
    SPREAD = "spread"
    JITTER = "jitter"
    WINDOW = "window"
    OVERLAP = "overlap"
    LIMIT = "limit"
    OUTBOX = "outbox"
    QUEUE = "queue"
    ATTEMPT = "attempt"
    RETRY = "retry"
    EXECUTION = "execution"

    @property
    def label(self) -> str:
        return _LABELS[self]


_LABELS = {
    Kind.SCHEDULER: "Scheduler",
    Kind.SPREAD: "Bulk retry",
    Kind.JITTER: "Jitter",
    Kind.WINDOW: "Maintenance window",
    Kind.OVERLAP: "Overlap",
    Kind.LIMIT: "Limit",
    Kind.OUTBOX: "Sending",
    Kind.QUEUE: "Waiting for a worker",
    Kind.ATTEMPT: "Earlier attempts",
    Kind.RETRY: "Before a retry",
    Kind.EXECUTION: "Running",
}
#: What a run waits for before it is queued, in this order. A limit may be waited for before each attempt.
_BEFORE_QUEUED = (Kind.JITTER, Kind.WINDOW, Kind.OVERLAP)

#: Runs ahead in the queue are looked for among so many that were asked for before.
LOOK_BACK = 10_000
#: Shorter waits in a queue need no explanation.
_NOTABLE = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A time that a run spent on one thing."""

    kind: Kind
    start: datetime
    end: datetime
    #: The attempt that it belongs to, 1 for the first; 0 for what comes before all of them.
    attempt: int
    #: What happened, with the measured time.
    sentence: str

    @property
    def title(self) -> str:
        return self.kind.label

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def seconds(self) -> float:
        return self.length.total_seconds()


@dataclass(frozen=True, kw_only=True)
class Breakdown:
    """Where the time of one run went. The lengths of its parts add up to `length`."""

    start: datetime
    #: When the run ended, or the moment of the question.
    end: datetime
    has_ended: bool
    parts: list[Part]

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def seconds(self) -> float:
        return self.length.total_seconds()

    @property
    def longest(self) -> Part | None:
        """The part that took longest before the run got to its latest attempt; None when nothing held it up."""
        waits = [part for part in self.parts if part.kind != Kind.EXECUTION]
        return max(waits, key=lambda part: part.length, default=None)


@dataclass(frozen=True)
class _Stay:
    """A time on one thing, before it is put into words."""

    kind: Kind
    start: datetime
    end: datetime
    attempt: int


class _Course:
    """Goes through a run's life from moment to moment, never back and never beyond its end."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.now = start
        self.stays: list[_Stay] = []
        self._end = end

    def until(self, kind: Kind, moment: datetime | None, attempt: int = 0) -> None:
        """Spend the time up to a moment on one thing; None: it never came to that."""
        moment = None if moment is None else min(moment, self._end)
        if moment is not None and moment > self.now:
            self.stays.append(_Stay(kind, self.now, moment, attempt))
            self.now = moment

    def to_end(self, kind: Kind, attempt: int) -> None:
        self.until(kind, self._end, attempt)


def of_run(run: JobRun, at: datetime | None = None) -> Breakdown:
    """Where the time of a run went, from its slot (or from being asked for) to its end or `at` (now)."""
    at = at or timezone.now()
    attempts = list(run.attempts.order_by("attempt"))
    start = run.scheduled_for or run.queued_at
    end = max(run.finished_at or at, start)
    return Breakdown(
        start=start,
        end=end,
        has_ended=run.finished_at is not None,
        parts=[
            Part(**vars(stay), sentence=_sentence(run, stay, attempts, is_last=stay.end == end))
            for stay in _stays(run, attempts, start, end)
        ],
    )


def _stays(run: JobRun, attempts: list[RunAttempt], start: datetime, end: datetime) -> list[_Stay]:
    course = _Course(start, end)
    if run.status in (Status.SKIPPED, Status.MISSED) and not run.attempt:
        course.to_end(Kind.SCHEDULER, 0)
        return course.stays
    course.until(Kind.SCHEDULER, run.queued_at)
    course.until(Kind.SPREAD, run.queued_at + timedelta(seconds=(run.waits or {}).get(Kind.SPREAD, 0)))
    following: list[JobRun | RunAttempt] = [*attempts[1:], run]
    for done, after in zip(attempts, following, strict=False):
        _until_started(course, run, done, done.attempt)
        course.until(Kind.ATTEMPT, done.ended_at, done.attempt)
        course.until(Kind.RETRY, _retried_at(done, after), done.attempt)
    is_begun = run.attempt > (attempts[-1].attempt if attempts else 0)
    if is_begun and run.started_at is not None:
        _until_started(course, run, run, run.attempt)
        course.to_end(Kind.EXECUTION, run.attempt)
    else:
        _waiting(course, run, run.attempt + 1)
    return course.stays


def _retried_at(done: RunAttempt, following: JobRun | RunAttempt) -> datetime | None:
    """When the delay after an attempt was over: as planned, or earlier when the next attempt was made sooner."""
    sooner = following.started_at
    if done.retry_at is None or sooner is None or sooner <= done.ended_at:
        return done.retry_at
    return min(done.retry_at, sooner)


def _until_started(course: _Course, run: JobRun, one: JobRun | RunAttempt, attempt: int) -> None:
    """From being wanted to being claimed by a worker, of one attempt."""
    _until_admitted(course, run, one.admitted_at, attempt)
    sent_at = one.published_at if isinstance(one, RunAttempt) else one.first_published_at
    course.until(Kind.OUTBOX, sent_at, attempt)
    course.until(Kind.QUEUE, one.started_at, attempt)


def _until_admitted(course: _Course, run: JobRun, admitted_at: datetime | None, attempt: int) -> None:
    """What the policies of schedule and job made it wait for: each wait as measured, the limit up to the end."""
    if admitted_at is None:
        return
    waits = run.waits or {}
    if attempt == 1:
        for kind in _BEFORE_QUEUED:
            course.until(kind, min(course.now + timedelta(seconds=waits.get(kind, 0)), admitted_at), attempt)
    if Kind.LIMIT in waits:
        course.until(Kind.LIMIT, admitted_at, attempt)


def _waiting(course: _Course, run: JobRun, attempt: int) -> None:
    """A run that waits for its next attempt, or that ended while it did."""
    if run.waiting_for:
        _until_admitted(course, run, run.waiting_since, attempt)
        course.to_end(Kind(run.waiting_for), attempt)
        return
    _until_admitted(course, run, run.admitted_at, attempt)
    if run.status == Status.RETRYING:
        course.until(Kind.RETRY, run.next_attempt_at, attempt - 1)
    if run.first_published_at is None:
        course.to_end(Kind.OUTBOX, attempt)
    course.until(Kind.OUTBOX, run.first_published_at, attempt)
    course.to_end(Kind.QUEUE, attempt)


# In words


def _sentence(run: JobRun, stay: _Stay, attempts: Iterable[RunAttempt], *, is_last: bool) -> str:
    took = display.duration(stay.end - stay.start)
    goes_on = is_last and run.is_active
    match stay.kind:
        case Kind.SCHEDULER:
            return _by_scheduler(run, took)
        case Kind.SPREAD:
            return f"Held back for {took}, as a bulk retry spreads its runs."
        case Kind.JITTER:
            return f"Held back for {took} by the jitter of its schedule, so that slots spread."
        case Kind.WINDOW:
            return f"Held back for {took} by a maintenance window."
        case Kind.OVERLAP:
            return f"Waited {took} for an earlier run of its schedule to end."
        case Kind.LIMIT:
            return f"Waited {took} for a place within the limits of {run.job}."
        case Kind.OUTBOX:
            return _by_outbox(run, took, goes_on=goes_on)
        case Kind.QUEUE:
            return _in_queue(run, stay, took, goes_on=goes_on)
        case Kind.ATTEMPT:
            return _of_attempt(next(one for one in attempts if one.attempt == stay.attempt), took)
        case Kind.RETRY:
            return f"Waited {took} before attempt {stay.attempt + 1}, as its retry policy says."
    which = f"Attempt {stay.attempt} " if stay.attempt > 1 else "It "
    return f"{which}has been running for {took}." if goes_on else f"{which}ran for {took}."


def _by_scheduler(run: JobRun, took: str) -> str:
    if run.status in (Status.SKIPPED, Status.MISSED):
        return f"A scheduler settled the slot {took} after its time."
    return f"A scheduler wrote the run {took} after its slot."


def _by_outbox(run: JobRun, took: str, *, goes_on: bool) -> str:
    if goes_on:
        return f"Waits since {took} to be sent to the broker."
    again = f" It was sent {run.publish_count} times." if run.publish_count > 1 else ""
    return f"It took {took} until it was sent to the broker.{again}"


def _of_attempt(attempt: RunAttempt, took: str) -> str:
    if attempt.ended == RunAttempt.Ended.LOST:
        return f"Attempt {attempt.attempt} was lost after {took}. {attempt.error_message}"
    message = attempt.error_message.splitlines()[0][:200] if attempt.error_message else attempt.error_type
    return f"Attempt {attempt.attempt} ran for {took} and failed: {message}"


def _in_queue(run: JobRun, stay: _Stay, took: str, *, goes_on: bool) -> str:
    began = "Has waited" if goes_on else "Waited"
    text = f"{began} {took} for a worker on queue {run.queue}"
    if stay.end - stay.start < _NOTABLE:
        return f"{text}."
    if goes_on and not has_worker(run.queue, stay.end):
        return f"{text}: no living worker takes from it."
    ahead = queue_position(run) if goes_on else started_before(run, stay.start, stay.end)
    if ahead:
        return f"{text}: {display.count(ahead, 'run')} {'are' if goes_on else 'were'} ahead."
    return f"{text}, though nothing was ahead: its workers were busy, or there was none."


def has_worker(queue: str, at: datetime) -> bool:
    """Whether a living worker takes from the queue."""
    workers = heartbeats.alive(ProcessHeartbeat.Kind.WORKER, at)
    return any(queue in worker.info.get("queues", []) for worker in workers)


_STARTED_BEFORE = """
SELECT count(*) FROM (
    SELECT id, queue, started_at FROM jobs_jobrun WHERE id < %(last)s ORDER BY id DESC LIMIT %(most)s
) older
WHERE queue = %(queue)s AND started_at >= %(sent_at)s AND started_at < %(started_at)s AND id <> %(id)s
"""

_POSITION = """
SELECT count(*) FROM (
    SELECT FROM jobs_jobrun
    WHERE status = 'queued' AND queue = %(queue)s AND (priority, id) < (%(priority)s, %(id)s)
    LIMIT %(most)s
) ahead
"""


def started_before(run: JobRun, sent_at: datetime, started_at: datetime) -> int:
    """How many runs of its queue a worker took while the run waited in it, among the latest that were asked for."""
    with connection.cursor() as cursor:
        cursor.execute(
            _STARTED_BEFORE,
            {
                "id": run.id,
                "last": first_run_id(started_at),
                "most": LOOK_BACK,
                "queue": run.queue,
                "sent_at": sent_at,
                "started_at": started_at,
            },
        )
        return int(cursor.fetchone()[0])


def queue_position(run: JobRun) -> int:
    """How many runs wait in its queue that will be taken before it, counted up to `LOOK_BACK`."""
    with connection.cursor() as cursor:
        cursor.execute(
            _POSITION, {"queue": run.queue, "priority": run.priority, "id": run.id, "most": LOOK_BACK}
        )
        return int(cursor.fetchone()[0])
