"""Limits: how many runs of a job at a time, and how many starts in a while."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from jobs.models.schedule import SchedulePolicy


class JobLimit(models.Model):
    """The limits of one job. A run that has no place waits in the ledger until it has (see `jobs.admission`).

    A run holds its place while it is queued or running. Nothing is booked anywhere else: a worker that dies
    gives the place back when its run's lease ends.
    """

    Origin = SchedulePolicy.Origin

    job = models.CharField(max_length=200, unique=True, help_text="Name of the job, or of a Celery task.")
    max_running = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text="How many runs of the job at a time; empty: any number.",
    )
    key_by = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Parameters whose values make the key: runs with equal values count together.",
    )
    max_running_per_key = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text="How many runs with the same key at a time; empty: any number.",
    )
    rate_count = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1_000_000)],
        help_text="How many runs may start within the time below; empty: any number.",
    )
    rate_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(31 * 86_400)],
        help_text="The time that the rate is about.",
    )
    origin = models.CharField(
        max_length=5,
        choices=Origin.choices,
        default=Origin.ADMIN,
        db_default=Origin.ADMIN,
        editable=False,
    )
    declared = models.JSONField(
        null=True, blank=True, editable=False, help_text="What the code declared at the last synchronisation."
    )

    class Meta:
        verbose_name = "limit"
        ordering = ["job"]
        constraints = [
            models.CheckConstraint(
                condition=Q(rate_count__isnull=True, rate_seconds__isnull=True)
                | Q(rate_count__isnull=False, rate_seconds__isnull=False),
                name="jobs_limit_whole_rate",
            ),
        ]

    def __str__(self) -> str:
        return f"Limits of {self.job}"
