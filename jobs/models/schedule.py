"""Schedules: django-celery-beat's `PeriodicTask`, with a policy row of ours beside each."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django_celery_beat.models import PeriodicTask
from django_celery_beat.querysets import PeriodicTaskQuerySet

from jobs.models.visibility import SEES_ALL, visibility_of


class ScheduleQuerySet(PeriodicTaskQuerySet):  # type: ignore[misc]  # the package has no types
    """Questions about many schedules."""

    def visible_to(self, user: Any) -> Self:
        """Schedules that belong to no group or to one of the user's. Every way in starts with this."""
        visible: Self = self.filter(visibility_of(user).condition("policy__owner_group"))
        return visible


class Schedule(PeriodicTask):  # type: ignore[misc]  # the package has no types
    """A `PeriodicTask` under our name: its own admin, and permissions of its own for each control."""

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        proxy = True
        verbose_name = "schedule"
        permissions = [
            ("run_schedule", "Can run a schedule now"),
            ("pause_schedule", "Can pause and resume schedules"),
        ]

    def __str__(self) -> str:
        return str(self.name)


class SchedulePolicy(models.Model):
    """What a schedule needs beyond its `PeriodicTask`: its next slot and how slots are treated.

    Database triggers (migration `0002_schedule_triggers`) create the row with its `PeriodicTask` and, whenever
    anything that moves slots is edited by whatever means (forms, code or SQL), set `is_stale` and put the
    moment of the edit into `anchor_at`. The scheduler's next tick plans stale rows anew *from that moment*: so
    neither an edit nor enabling a schedule ever fires the past, and no slot after it is lost, however late
    the tick. While `is_stale`, `next_slot_at` is that of the time before the edit.
    """

    class CatchUp(models.TextChoices):
        SKIP = "skip", "Skip them"
        LAST = "last", "Run the latest one"
        ALL = "all", "Run every one"

    class Overlap(models.TextChoices):
        """What becomes of a slot that comes while an earlier run of the schedule has not ended."""

        SKIP = "skip", "Skip the new one"
        BUFFER_ONE = "buffer_one", "Let one wait, skip the others"
        BUFFER_ALL = "buffer_all", "Let them wait in a row"
        CANCEL_OTHER = "cancel_other", "Ask the earlier one to stop, then run"
        TERMINATE_OTHER = "terminate_other", "Kill the earlier one, then run"
        ALLOW_ALL = "allow_all", "Run beside each other"

    class Origin(models.TextChoices):
        CODE = "code", "Declared by a job"
        ADMIN = "admin", "Made by a person"

    task = models.OneToOneField(
        PeriodicTask, on_delete=models.CASCADE, primary_key=True, related_name="policy"
    )
    next_slot_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_stale = models.BooleanField(default=True, db_default=True, editable=False)
    anchor_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="Since when the timing is what it is. Interval slots are this moment plus whole periods.",
    )
    catch_up = models.CharField(
        max_length=4,
        choices=CatchUp.choices,
        default=CatchUp.LAST,
        db_default=CatchUp.LAST,
        help_text="What to do with slots that passed while no scheduler was running.",
    )
    catch_up_window_seconds = models.PositiveIntegerField(
        default=86_400,
        db_default=86_400,
        validators=[MinValueValidator(10), MaxValueValidator(366 * 86_400)],
        help_text="Slots that are later than this are recorded as missed, whatever the choice above.",
    )
    # Rows that stock tools make behave as ever; schedules made here get their job's rule.
    overlap = models.CharField(
        max_length=15,
        choices=Overlap.choices,
        default=Overlap.ALLOW_ALL,
        db_default=Overlap.ALLOW_ALL,
        help_text="What to do with a slot that comes while an earlier run has not ended.",
    )
    buffer_limit = models.PositiveSmallIntegerField(
        default=100,
        db_default=100,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="How many runs may wait for an earlier one, at most.",
    )
    jitter_seconds = models.PositiveIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(86_400)],
        help_text="Each slot starts up to so many seconds late, always before the next one. 0: on the dot.",
    )
    timezone = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Whose days the calendars mean, for schedules without a crontab. Empty: UTC.",
    )
    pause_on_failure = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Pause the schedule when a run has failed and is not tried again.",
    )
    failures_count_from = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Runs that failed before pause nothing any more."
    )
    deadline_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(366 * 86_400)],
        help_text="A run must have ended this long after its slot. Empty: no deadline.",
    )
    keep_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(36_525)],
        help_text="Its runs are forgotten this many days after their end. Empty: as the installation says.",
    )
    keep_runs = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text="Only so many of its latest ended runs are kept. Empty: no limit.",
    )
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    paused_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until somebody resumes it.")
    pause_note = models.CharField(max_length=200, blank=True, db_default="")
    origin = models.CharField(
        max_length=5, choices=Origin.choices, default=Origin.ADMIN, db_default=Origin.ADMIN, editable=False
    )
    declared = models.JSONField(
        null=True, blank=True, editable=False, help_text="What the code declared at the last synchronisation."
    )
    declined = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="What the code declared when an operator kept another timing on purpose.",
    )
    version = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="The number of the latest ScheduleVersion."
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    owner_group = models.ForeignKey(
        Group,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Only members see the schedule and its runs. Empty: everybody who may see schedules.",
    )
    planning_error = models.CharField(
        max_length=300,
        blank=True,
        db_default="",
        editable=False,
        help_text="Why no next slot could be found.",
    )

    class Meta:
        verbose_name = "schedule policy"
        verbose_name_plural = "schedule policies"
        permissions = [
            (SEES_ALL.rpartition(".")[2], "Can see and control the schedules and runs of every group")
        ]
        indexes = [
            # jobs.slots: the two questions of every tick
            models.Index(
                fields=["next_slot_at"], condition=Q(next_slot_at__isnull=False), name="jobs_policy_due"
            ),
            models.Index(fields=["task"], condition=Q(is_stale=True), name="jobs_policy_stale"),
            # jobs.failures
            models.Index(fields=["task"], condition=Q(pause_on_failure=True), name="jobs_policy_fragile"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    overlap__in=[
                        "skip",
                        "buffer_one",
                        "buffer_all",
                        "cancel_other",
                        "terminate_other",
                        "allow_all",
                    ]
                ),
                name="jobs_policy_known_overlap",
            ),
        ]

    def __str__(self) -> str:
        return f"Policy of {self.task_id}"

    def is_paused(self, at: datetime) -> bool:
        """Whether slots at this moment are skipped."""
        if self.paused_at is None or at < self.paused_at:
            return False
        return self.paused_until is None or at < self.paused_until
