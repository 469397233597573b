"""What a schedule was, after each change."""

from typing import Any

from django.conf import settings
from django.db import models
from django_celery_beat.models import PeriodicTask


class ScheduleVersion(models.Model):
    """A schedule as it was from one change to the next. Rows are written by the database, and never changed.

    Deferred triggers (migration `0004_schedule_versions`) compare each edited schedule with its latest version when
    the transaction commits, whoever edits it and by whatever means; equal ones make no new version.
    `jobs.versions.record` does the same earlier, to say who and why. Pauses and the scheduler's own notes are no part
    of a version.
    """

    schedule = models.ForeignKey(
        PeriodicTask, on_delete=models.CASCADE, related_name="versions", db_index=False
    )
    number = models.PositiveIntegerField(help_text="1, 2, 3 … for each schedule.")
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
    )
    note = models.CharField(max_length=300, blank=True, db_default="", help_text="Why, when it was said.")
    snapshot: "models.JSONField[Any, Any]" = models.JSONField(
        help_text="The columns of the row, of its timing and of its policy."
    )

    class Meta:
        verbose_name = "schedule version"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "number"], name="jobs_one_version_per_number"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"
