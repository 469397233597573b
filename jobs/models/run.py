"""The run ledger: one row for every expected or requested execution of a job."""

import os
import time
import uuid
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django_celery_beat.models import PeriodicTask

from jobs.models.visibility import visibility_of


def new_run_id() -> uuid.UUID:
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, 12 of their fraction (its method 3), 62 random ones.

    Ids made later sort later, so the primary key is also the ledger's order and its pages' cursor.
    """
    milliseconds, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)


def first_run_id(moment: datetime) -> uuid.UUID:
    """The least id that a run made at that moment or later can have: a bound for the primary key's index."""
    milliseconds = min(max(int(moment.timestamp() * 1000), 0), 2**48 - 1)
    return uuid.UUID(int=milliseconds << 80)


class JobRunQuerySet(models.QuerySet["JobRun"]):
    """Questions about many runs."""

    def visible_to(self, user: Any) -> Self:
        """Runs that belong to no group or to one of the user's. Every way in starts with this."""
        return self.filter(visibility_of(user).condition("owner_group"))

    def active(self) -> Self:
        """Runs that are waiting, running or waiting for their next attempt."""
        return self.filter(status__in=JobRun.Status.active())

    def finished(self) -> Self:
        """Runs that ended, however."""
        return self.filter(status__in=JobRun.Status.terminal())

    def executed(self) -> Self:
        """Runs that a worker carried to an end: slots that never ran and cancelled runs left out."""
        return self.filter(status__in=JobRun.Status.executed())


class JobRun(models.Model):
    """One execution of a job, from the moment it was asked for. Its id is the Celery task id.

    The row is the truth; messages on the broker are only hints to look at it::

        waiting -> queued -> running -> succeeded | partial | failed | cancelled
                     ^          |
                     |          +-> retrying (until next_attempt_at)   a failure worth another attempt, or a lost worker
                     +--------------+
        skipped, missed                                     slots of a schedule that never ran, with the reason

    A run of a job with limits, or of a schedule with policies, begins as `waiting` and says for what: it is not on the
    broker, no worker can take it, and `jobs.admission` moves it on. A retry of a job with limits passes there again.

    `attempt` is the fencing token: a claim adds one, and every write of a running attempt names its own
    number, so a superseded attempt can write neither progress nor outcome. Rows are changed by the
    conditional updates of `jobs.ledger`, never by `save()`.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting for its turn"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        RETRYING = "retrying", "Waiting to retry"
        SUCCEEDED = "succeeded", "Succeeded"
        PARTIAL = "partial", "Partly succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"
        SKIPPED = "skipped", "Skipped"
        MISSED = "missed", "Missed"

        @classmethod
        def active(cls) -> list["JobRun.Status"]:
            return [cls.WAITING, cls.QUEUED, cls.RUNNING, cls.RETRYING]

        @classmethod
        def terminal(cls) -> list["JobRun.Status"]:
            return [cls.SUCCEEDED, cls.PARTIAL, cls.FAILED, cls.CANCELLED, cls.SKIPPED, cls.MISSED]

        @classmethod
        def executed(cls) -> list["JobRun.Status"]:
            return [cls.SUCCEEDED, cls.PARTIAL, cls.FAILED]

        @property
        def celery_state(self) -> str:
            """The name Celery's tools use for this state (running runs that report progress say PROGRESS)."""
            return _CELERY_STATES[self]

    class WaitingFor(models.TextChoices):
        """What a waiting run waits for."""

        JITTER = "jitter", "Its moment within the jitter"
        WINDOW = "window", "The end of a maintenance window"
        OVERLAP = "overlap", "Another run of its schedule"
        LIMIT = "limit", "A place within its job's limits"

    class Trigger(models.TextChoices):
        SCHEDULE = "schedule", "Schedule"
        API = "api", "API"
        ADMIN = "admin", "Admin"
        COMMAND = "command", "Command line"
        CODE = "code", "Code"
        RETRY = "retry", "Retry of another run"

    id = models.UUIDField(primary_key=True, default=new_run_id, editable=False)
    job = models.CharField(
        max_length=200, help_text="Name of the job, or of the Celery task behind a schedule."
    )
    queue = models.CharField(max_length=100)
    priority = models.SmallIntegerField(default=5, help_text="0 is the most urgent, 9 the least.")
    parameters = models.JSONField(default=dict, blank=True, help_text="Keyword arguments, as JSON.")
    args = models.JSONField(default=list, blank=True, help_text="Positional arguments of other Celery tasks.")

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    reason = models.CharField(max_length=300, blank=True, help_text="Why the run ended or never ran.")
    trigger = models.CharField(max_length=10, choices=Trigger.choices)
    schedule = models.ForeignKey(
        PeriodicTask, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs", db_index=False
    )
    scheduled_for = models.DateTimeField(null=True, blank=True, help_text="The slot of the schedule.")
    schedule_version = models.PositiveIntegerField(
        null=True, blank=True, help_text="The number of the schedule's version that fired it."
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    retry_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="retries", db_index=False
    )
    parent = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children", db_index=False
    )
    owner_group = models.ForeignKey(
        Group,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Only members see the run. Empty: everybody who may see runs. Inherited, by a database trigger, "
        "from the run it repeats, the run it is part of, or its schedule.",
    )
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)  # noqa: DJ001 - unique when given

    attempt = models.PositiveSmallIntegerField(default=0, help_text="Fencing token: grows with each claim.")
    max_attempts = models.PositiveSmallIntegerField(default=1)
    queued_at = models.DateTimeField(help_text="When the run was asked for.")
    published_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last sent to the broker."
    )
    publish_count = models.PositiveSmallIntegerField(default=0)
    first_published_at = models.DateTimeField(
        null=True, blank=True, help_text="When its present attempt was first sent to the broker."
    )
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Not started after this moment.")
    started_at = models.DateTimeField(null=True, blank=True, help_text="When the latest attempt was claimed.")
    finished_at = models.DateTimeField(null=True, blank=True)

    waiting_for = models.CharField(
        max_length=7, choices=WaitingFor.choices, blank=True, default="", db_default=""
    )
    waiting_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when it waits for that; null when it does not wait."
    )
    not_before = models.DateTimeField(
        null=True, blank=True, help_text="Jitter, window: the moment until which it waits."
    )
    admitted_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was queued after waiting; null when it never waited."
    )
    waits = models.JSONField(
        null=True, blank=True, help_text="Seconds it waited, by what for, once each wait is over."
    )
    limit_key = models.CharField(  # noqa: DJ001 - null: its job has no limits
        max_length=200,
        null=True,
        blank=True,
        help_text="What the limit per key of its job counts it under; null when its job has no limits.",
    )

    worker = models.CharField(max_length=200, blank=True)
    worker_pid = models.PositiveIntegerField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    cancel_forced = models.BooleanField(
        default=False, db_default=False, help_text="The cancel gives no grace: the process is killed."
    )
    cancel_acknowledged_at = models.DateTimeField(null=True, blank=True)

    progress = models.FloatField(default=0, help_text="Percent, 0 to 100; never goes back within an attempt.")
    progress_current = models.BigIntegerField(null=True, blank=True)
    progress_total = models.BigIntegerField(null=True, blank=True)
    progress_text = models.CharField(max_length=300, blank=True, help_text="What it is doing now.")

    result = models.JSONField(null=True, blank=True)
    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    error_fingerprint = models.CharField(
        max_length=40, blank=True, help_text="Equal for errors of the same cause."
    )
    traceback = models.TextField(blank=True)
    is_noted = models.BooleanField(
        default=False, db_default=False, help_text="The alerts have taken note of its failure."
    )
    traceparent = models.CharField(
        max_length=55,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The trace that the run belongs to (W3C Trace Context), when tracing is on.",
    )

    objects = JobRunQuerySet.as_manager()

    class Meta:
        verbose_name = "run"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["schedule", "scheduled_for"],
                condition=Q(scheduled_for__isnull=False),
                name="jobs_one_run_per_slot",
            ),
            models.UniqueConstraint(
                fields=["job", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
                name="jobs_one_run_per_key",
            ),
        ]
        indexes = [
            # jobs.outbox: runs to send, again if need be
            models.Index(fields=["published_at"], condition=Q(status="queued"), name="jobs_run_outbox"),
            # jobs.reaper: retries that are due, attempts whose worker fell silent
            models.Index(fields=["next_attempt_at"], condition=Q(status="retrying"), name="jobs_run_retry"),
            models.Index(fields=["lease_expires_at"], condition=Q(status="running"), name="jobs_run_lease"),
            models.Index(
                fields=["expires_at"],
                condition=Q(status__in=["waiting", "queued"], expires_at__isnull=False),
                name="jobs_run_expiry",
            ),
            # jobs.admission: who waits for what, whom a schedule still has, what counts against a job's limits
            models.Index(
                fields=["waiting_for", "job", "priority", "id"],
                condition=Q(status="waiting"),
                name="jobs_run_waiting",
            ),
            models.Index(
                fields=["schedule"],
                condition=Q(schedule__isnull=False, status__in=["waiting", "queued", "running", "retrying"]),
                name="jobs_run_of_schedule",
            ),
            models.Index(
                fields=["job", "limit_key"],
                condition=Q(limit_key__isnull=False, status__in=["queued", "running"]),
                name="jobs_run_limited",
            ),
            models.Index(
                fields=["job", "started_at"],
                condition=Q(limit_key__isnull=False, started_at__isnull=False),
                name="jobs_run_rated",
            ),
            # jobs.alerts: what went wrong and was not looked at
            models.Index(
                fields=["id"],
                condition=Q(status__in=["failed", "missed"], is_noted=False),
                name="jobs_run_unnoted",
            ),
            # lists and statistics
            models.Index(fields=["job", "-id"], name="jobs_run_by_job"),
            models.Index(fields=["status", "-id"], name="jobs_run_by_status"),
            models.Index(
                fields=["schedule", "-id"], condition=Q(schedule__isnull=False), name="jobs_run_by_schedule"
            ),
            models.Index(
                fields=["owner_group", "-id"],
                condition=Q(owner_group__isnull=False),
                name="jobs_run_by_group",
            ),
            models.Index(fields=["retry_of"], condition=Q(retry_of__isnull=False), name="jobs_run_retry_of"),
            models.Index(fields=["parent"], condition=Q(parent__isnull=False), name="jobs_run_parent"),
            # jobs.deadletters: failed runs by cause
            models.Index(
                fields=["error_fingerprint", "finished_at"],
                include=["id"],
                condition=Q(status="failed"),
                name="jobs_run_failures",
            ),
        ]
        permissions = [
            ("run_job", "Can run jobs and retry runs"),
            ("cancel_run", "Can cancel runs"),
            ("purge_queue", "Can purge queues"),
            ("view_system", "Can see workers, queues and health details"),
        ]

    def __str__(self) -> str:
        return f"{self.job} {str(self.id)[-8:]}"

    @property
    def is_active(self) -> bool:
        return self.status in JobRun.Status.active()

    @property
    def celery_state(self) -> str:
        """The state under Celery's names: PENDING, STARTED, PROGRESS, RETRY, SUCCESS, FAILURE, REVOKED."""
        if self.status == JobRun.Status.RUNNING and self.progress > 0:
            return "PROGRESS"
        return JobRun.Status(self.status).celery_state

    def elapsed(self, at: datetime) -> timedelta | None:
        """How long the latest attempt took, or has been running; None before it started."""
        if self.started_at is None:
            return None
        return (self.finished_at or at) - self.started_at

    def waited(self, at: datetime) -> timedelta | None:
        """How long it took until the latest attempt started, or has been waiting; None when it never started."""
        if self.started_at is None and not self.is_active:
            return None
        return (self.started_at or at) - self.queued_at


_CELERY_STATES = {
    JobRun.Status.WAITING: "PENDING",
    JobRun.Status.QUEUED: "PENDING",
    JobRun.Status.RUNNING: "STARTED",
    JobRun.Status.RETRYING: "RETRY",
    JobRun.Status.SUCCEEDED: "SUCCESS",
    JobRun.Status.PARTIAL: "SUCCESS",
    JobRun.Status.FAILED: "FAILURE",
    JobRun.Status.CANCELLED: "REVOKED",
    JobRun.Status.SKIPPED: "REVOKED",
    JobRun.Status.MISSED: "REVOKED",
}


class RunLog(models.Model):
    """One log line of a run, written by the attempt that owned it, or by the control plane about it."""

    class Level(models.IntegerChoices):
        DEBUG = 10, "Debug"
        INFO = 20, "Info"
        WARNING = 30, "Warning"
        ERROR = 40, "Error"

    run = models.ForeignKey(JobRun, on_delete=models.CASCADE, related_name="logs")
    attempt = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    level = models.PositiveSmallIntegerField(choices=Level.choices, default=Level.INFO)
    message = models.TextField()

    class Meta:
        verbose_name = "log line"
        ordering = ["id"]

    def __str__(self) -> str:
        return self.message
