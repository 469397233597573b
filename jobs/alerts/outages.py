"""Seeing that the scheduler, the broker or the database is away, and when it is back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from jobs import heartbeats
from jobs.alerts import incidents, subjects
from jobs.alerts.names import BROKER_DOWN, DATABASE_DOWN, SCHEDULER_SILENT
from jobs.alerts.raising import raise_alert, report_good, resolve
from jobs.models import Alert, AlertWatch, ProcessHeartbeat, SchedulePolicy

#: When nobody has looked for so long, everything was down.
UNWATCHED = timedelta(seconds=60)
#: A slot that a living scheduler leaves alone for so long says that it does not work.
OVERDUE = timedelta(seconds=60)
#: A database that is away for less than this restarted, or a connection broke.
HICCUP = timedelta(seconds=10)


@dataclass(frozen=True)
class Part:
    """A part on which everything depends; its kind's only alert has the part's name as fingerprint."""

    kind: str
    name: str

    def is_down(self, *, since: datetime, at: datetime, title: str, message: str) -> None:
        """It was seen to be away; its incident begins when it was last seen well."""
        raise_alert(
            self.kind,
            subject=subjects.of_part(self.name),
            fingerprint=self.name,
            title=title,
            message=message,
            context={"ended": None},
            since=since,
            at=at,
        )

    def is_up(self, at: datetime) -> None:
        """It was seen well: its incident has ended, and closes once its slots are settled."""
        incident = Alert.objects.exclude(state=Alert.State.RESOLVED).filter(kind=self.kind).first()
        if incident is None:
            return
        if incident.state == Alert.State.PENDING:
            report_good(self.kind, self.name, reason="It was away for a moment only.", at=at)
            return
        incidents.note_end(incident, at)
        if incidents.is_settled(incident, at):
            slots = incidents.slots_of(incident, at)
            reason = incidents.summary(incident, slots, at)
            resolve(self.kind, self.name, reason=reason, at=at, context={"slots": vars(slots)})


SCHEDULER = Part(SCHEDULER_SILENT, "scheduler")
BROKER = Part(BROKER_DOWN, "broker")
DATABASE = Part(DATABASE_DOWN, "database")


def tell_of_unwatched_time(memory: AlertWatch, at: datetime) -> None:
    """Nobody looked for a while: if slots passed meanwhile, nothing ran, and that is an outage too."""
    unwatched_since = memory.looked_at
    if unwatched_since is None or at - unwatched_since < UNWATCHED:
        return
    # Whoever looks first gives the others time to speak up.
    memory.scheduler_seen_at = memory.broker_seen_at = at
    is_known = any(span.began <= unwatched_since <= span.until for span in incidents.spans(at))
    has_passed = _overdue_slots(at) or incidents.slots_between(unwatched_since, at).total
    if has_passed and not is_known:
        SCHEDULER.is_down(
            since=unwatched_since,
            at=at,
            title="Nothing was running",
            message="Neither a scheduler nor a worker gave a sign of life while slots passed.",
        )


def watch_scheduler(memory: AlertWatch, at: datetime) -> None:
    """Whether a scheduler lives and leaves no slot alone."""
    is_alive = bool(heartbeats.alive(ProcessHeartbeat.Kind.BEAT, at))
    is_idle = is_alive and _overdue_slots(at - OVERDUE)
    if is_alive and not is_idle:
        memory.scheduler_seen_at = at
    # One that has just started needs a moment to settle what passed.
    if is_alive and (not is_idle or at - (memory.scheduler_seen_at or at) < OVERDUE):
        SCHEDULER.is_up(at)
        return
    since = memory.scheduler_seen_at or at
    memory.scheduler_seen_at = since
    if not SchedulePolicy.objects.filter(task__enabled=True, next_slot_at__isnull=False).exists():
        return
    if is_alive:
        message = (
            "A scheduler runs, but slots have been due for more than a minute and it does not take them."
        )
        SCHEDULER.is_down(since=since, at=at, title="Schedules do not fire", message=message)
    else:
        message = "No scheduler gives a sign of life. No schedule fires until one is started."
        SCHEDULER.is_down(since=since, at=at, title="No scheduler is running", message=message)


def watch_broker(memory: AlertWatch, at: datetime, error: str) -> None:
    """Whether the broker answered when it was asked just now; `error` is empty when it did."""
    if not error:
        memory.broker_seen_at = at
        BROKER.is_up(at)
        return
    memory.broker_seen_at = memory.broker_seen_at or at
    message = f"{error}\nSlots still become runs; they wait until it is back."
    BROKER.is_down(
        since=memory.broker_seen_at, at=at, title="The message broker does not answer", message=message
    )


def tell_of_database(began: datetime, at: datetime) -> None:
    """The database is back after being away since then; every process that noticed says so."""
    if at - began < HICCUP:
        return
    latest = Alert.objects.filter(kind=DATABASE.kind).order_by("-last_seen_at").first()
    if latest is not None and latest.last_seen_at >= began:
        return  # another process was quicker to tell
    seconds = round((at - began).total_seconds())
    DATABASE.is_down(
        since=began - timedelta(seconds=settings.JOBS_WATCH_SECONDS),  # it was last asked that long before
        at=at,
        title="The database did not answer",
        message=f"It was away for {seconds // 60} min {seconds % 60} s.",
    )


def watch_database(at: datetime) -> None:
    """It answers, or nobody could ask this."""
    DATABASE.is_up(at)


def _overdue_slots(before: datetime) -> bool:
    due = SchedulePolicy.objects.filter(next_slot_at__lt=before, is_stale=False, task__enabled=True)
    return due.exists()
