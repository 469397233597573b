"""A small world with a row for every page, so that the walk finds something everywhere."""

from typing import Any

from django.contrib.auth.models import Group, User
from django.db import models
from django.utils import timezone
from django_celery_results.models import TaskResult

from accounts import keys
from accounts.models import ApiKey
from jobs import ledger, ownership, schedules
from jobs.models import AuditEvent, JobRun, ProcessHeartbeat, RunLog, Schedule, SchedulePolicy
from jobs.schedules import When, Wish
from publishing.models import FeedItem, Source
from publishing.tests.factories import make_item, make_source
from tests.walk.addresses import Rows, models_of_pages
from tests.walk.guesses import row_of

#: Values of parameters that are no rows.
VALUES = {
    "name": "testing.do_nothing",
    "queues/name": "default",
    "workers/name": "worker@here",
    "what": "shutdown",
    "app_label": "jobs",
    "fingerprint": "f" * 40,
}


def make(*, text: str, group: Group | None = None, is_waiting: bool = False) -> Rows:
    """One row of each kind; the schedule and the run belong to the group, and `text` stands wherever they have some."""
    someone = User.objects.create_user(f"someone-{User.objects.count()}")
    schedule = make_schedule(text, group)
    run = make_run(text, schedule, is_waiting=is_waiting)
    source = make_source()
    root = User.objects.create_superuser(f"maker-{User.objects.count()}")
    now = timezone.now()
    facts = {"pid": 1, "started_at": now, "seen_at": now, "info": {"queues": ["default"], "concurrency": 2}}
    heartbeat, _ = ProcessHeartbeat.objects.get_or_create(kind="worker", name="worker@here", defaults=facts)
    found: dict[type[models.Model], models.Model] = {
        Schedule: schedule,
        JobRun: run,
        ProcessHeartbeat: heartbeat,
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
    }
    found[TaskResult], _ = TaskResult.objects.get_or_create(
        task_id=str(run.pk), defaults={"task_name": run.job}
    )
    for model in sorted(models_of_pages() - set(found), key=str):
        found[model] = row_of(model, found, group)
    return found


def make_schedule(text: str, group: Group | None) -> Schedule:
    """A paused schedule whose name, description, note and parameters are the text."""
    wish = Wish(
        name=text,
        job="testing.echo_text",
        when=When(interval="1 hour"),
        parameters={"text": text},
        description=text,
    )
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
    ledger.write_logs(
        run.pk, claim.attempt, [ledger.LogLine(at=timezone.now(), level=RunLog.Level.INFO, message=text)]
    )
    outcome = ledger.Outcome(
        status=JobRun.Status.FAILED, error_type="ValueError", error_message=text, error_fingerprint="f" * 40,
        traceback=text, reason=text, progress=ledger.Progress(percent=50, text=text),
    )  # fmt: skip
    assert ledger.finish(run.pk, claim.attempt, outcome)
    run.refresh_from_db()
    return run


def policy_of(schedule: Any) -> SchedulePolicy:
    return SchedulePolicy.objects.get(pk=schedule.pk)
