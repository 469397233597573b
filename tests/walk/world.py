"""A small world with a row for every page, so that the walk finds something everywhere."""

from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.db import connection, models
from django.utils import timezone
from django_celery_results.models import TaskResult

from accounts import keys
from accounts.models import ApiKey
from jobs import ledger, log_lines, ownership, schedules
from jobs.models import (
    Alert,
    AuditEvent,
    Calendar,
    Delivery,
    InboxMessage,
    JobLimit,
    JobRun,
    MaintenanceWindow,
    NotificationChannel,
    NotificationRule,
    ProcessHeartbeat,
    RunLog,
    Schedule,
)
from jobs.notifications.configuration import save_channel
from jobs.notifications.message import Message
from jobs.schedules import Wish
from jobs.when import When
from publishing.models import FeedItem, Source
from publishing.tests.factories import make_item, make_source
from tests.walk.addresses import Rows, models_of_pages
from tests.walk.guesses import row_of
from tests.walk.knowledge_world import make_knowledge

#: Values of parameters that are no rows.
VALUES = {
    "name": "testing.do_nothing",
    "queues/name": "default",
    "workers/name": "worker@here",
    "what": "shutdown",
    "app_label": "jobs",
    "fingerprint": "f" * 40,
    "slug": "walked",
}


def make(
    *, text: str, group: Group | None = None, is_waiting: bool = False, reader: User | None = None
) -> Rows:
    """One row of each kind. What can belong to a group does, and `text` stands wherever such a row has some.

    The message in the inbox is the reader's, or somebody else's.
    """
    root = User.objects.create_superuser(f"maker-{User.objects.count()}")
    someone = User.objects.create_user(f"someone-{User.objects.count()}")
    schedule = make_schedule(text, group)
    run = make_run(text, schedule, is_waiting=is_waiting)
    source = make_source()
    found: dict[type[models.Model], models.Model] = {
        Schedule: schedule,
        JobRun: run,
        ProcessHeartbeat: make_heartbeat(),
        Source: source,
        FeedItem: make_item(source),
        User: someone,
        Group: Group.objects.create(name=f"Some group {User.objects.count()}"),
        ApiKey: keys.make(name="Walk", owner=root, wanted=["runs:read"], by=root).row,
        AuditEvent: AuditEvent.objects.create(
            action="changed",
            subject=text,
            subject_type="jobs.schedule",
            owner_group_id=group.pk if group else None,
        ),
        **make_pauses(schedule),
        **make_notifications(text, run, group, reader or someone),
        **make_knowledge(run, reader or someone),
    }
    found[TaskResult], _ = TaskResult.objects.get_or_create(
        task_id=str(run.pk), defaults={"task_name": run.job}
    )
    for model in sorted(models_of_pages() - set(found), key=str):
        found[model] = row_of(model, found, group)
    return found


def make_heartbeat() -> ProcessHeartbeat:
    now = timezone.now()
    facts = {"pid": 1, "started_at": now, "seen_at": now, "info": {"queues": ["default"], "concurrency": 2}}
    heartbeat, _ = ProcessHeartbeat.objects.get_or_create(kind="worker", name="worker@here", defaults=facts)
    return heartbeat


def make_pauses(schedule: Schedule) -> dict[type[models.Model], models.Model]:
    """A calendar and a window that name the schedule, and a limit of a job."""
    now = timezone.now()
    calendar = Calendar.objects.create(name=f"Walked {Calendar.objects.count()}")
    calendar.days.create(first_day=now.date(), last_day=now.date())
    window = MaintenanceWindow.objects.create(
        name=f"Walked {MaintenanceWindow.objects.count()}",
        starts_at=now + timedelta(days=1),
        ends_at=now + timedelta(days=1, hours=1),
    )
    for row in (calendar, window):
        row.schedules.add(schedule)
    limit, _ = JobLimit.objects.get_or_create(job=VALUES["name"], defaults={"max_running": 5})
    return {Calendar: calendar, MaintenanceWindow: window, JobLimit: limit}


def make_notifications(
    text: str, run: JobRun, group: Group | None, reader: User
) -> dict[type[models.Model], models.Model]:
    """An alert about the run, a failed delivery of it and what lies in the reader's inbox; the channel is off."""
    now = timezone.now()
    count = NotificationChannel.objects.count()
    channel = NotificationChannel(name=f"Walked {count}", kind="inbox", is_enabled=False)
    save_channel(channel, settings={"users": [reader.username]}, by=None)
    rule = NotificationRule.objects.create(name=f"Walked {count}", kinds=["walked.*"], changes=["opened"])
    rule.channels.add(channel)
    alert = Alert.objects.create(
        kind="jobs.run_failed", severity="high", fingerprint=f"walked-{count}", app="jobs", job=run.job,
        subject_type="run", subject_id=str(run.pk), subject_text=text, title=text, message=text,
        context={"text": text}, state=Alert.State.OPEN, count=1,
        first_seen_at=now, last_seen_at=now, opened_at=now, news_at=now, told_at=now, owner_group=group,
    )  # fmt: skip
    told = Message(type="alert.opened", title=text, severity="high", at=now, text=text)
    delivery = Delivery.objects.create(
        channel=channel, purpose=Delivery.Purpose.ALERT, key=f"walked-{count}", alert=alert, rule=rule,
        owner_groups=[group.pk] if group else [], title=text, message=told.model_dump(mode="json"),
        state=Delivery.State.FAILED, created_at=now, due_at=now, expires_at=now + timedelta(days=1),
        ended_at=now, last_answer=text,
    )  # fmt: skip
    message = InboxMessage.objects.create(
        user=reader, alert=alert, title=text, text=text, severity="high", at=now
    )
    return {
        NotificationChannel: channel,
        NotificationRule: rule,
        Alert: alert,
        Delivery: delivery,
        InboxMessage: message,
    }


def _leave_ids_to_others() -> None:
    """Number schedules from where nothing else is: an address that has the id of one then is about it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(sequence, greatest(7000000, nextval(sequence))) "
            "FROM pg_get_serial_sequence('django_celery_beat_periodictask', 'id') AS sequence"
        )


def make_schedule(text: str, group: Group | None) -> Schedule:
    """A paused schedule whose name, description, note and parameters are the text."""
    wish = Wish(
        name=text,
        job="testing.echo_text",
        when=When(interval="1 hour"),
        parameters={"text": text},
        description=text,
    )
    _leave_ids_to_others()
    schedule = schedules.create(wish, by=None)
    ownership.give(schedule, group, by=None)
    schedules.pause(schedule, note=text, by=None)
    return schedule


def make_run(text: str, schedule: Schedule, *, is_waiting: bool) -> JobRun:
    """A run of the schedule that waits, or one that failed, with the text in its parameters, log and error."""
    run = schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    if is_waiting:
        return run
    claim = ledger.claim(run.pk, worker="worker@here", pid=1)
    assert claim is not None
    log_lines.write(
        run.pk, claim.attempt, [log_lines.LogLine(at=timezone.now(), level=RunLog.Level.INFO, message=text)]
    )
    outcome = ledger.Outcome(
        status=JobRun.Status.FAILED, error_type="ValueError", error_message=text, error_fingerprint="f" * 40,
        traceback=text, reason=text, progress=ledger.Progress(percent=50, text=text),
    )  # fmt: skip
    assert ledger.finish(run.pk, claim.attempt, outcome)
    run.refresh_from_db()
    return run
